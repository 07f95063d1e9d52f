"""SIGKILL of the client in every command, at a random moment of it."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Iterator

from benchmarks.faults.killing import BRIEF
from benchmarks.faults.lab import Lab, until
from benchmarks.faults.tally import Tally
from orchctl.commands.registry import COMMANDS

_COMPOSITION = "skyfom-fullstack-developer"
_LONGEST = 0.7  # seconds; those that go on for ever are killed within this
_IN_ONE_HOME = 8
_SPARE = 8  # descriptors that a daemon may have more than before
# What each is asked beside its own words; {victim} lives, {failed} has failed.
ASKED = {
    "spawn": "--batch five.json",
    "status": "--watch",
    "wait": "{victim}",
    "logs": "{victim} -f",
    "cancel": "{victim}",
    "retry": "{failed}",
    "pause": "",
    "resume": "",
    "limit": "3",
    "events": "-f",
    "top": "",
    "why": "{victim}",
    "metrics": "--serve unix:metrics.sock",
    "hook": "-- true",
    "timeline": "-o timeline.svg",
    "export": "--json",
    "uninstall-project": "",
    "trace": "-o spans.json",
    "prune": "--older-than 1d",
    "validate": _COMPOSITION,
    "plan": _COMPOSITION,
    "prompt": _COMPOSITION,
    "run": f"{_COMPOSITION} --task-id t --requirements r --runner mock",
    "runs": "",
    "run-status": "run-001",
    "pm": "--tasks plan.md --runner mock",
    "session new": "",
    "session list": "",
    "session show": "",
    "session close": "",
    "budget": "session-001 --max-tokens 1000000000",
    "usage": "",
    "runners": "",
    "worktrees list": "",
    "worktrees show": "agent-001",
    "worktrees remove": "agent-001",
    "worktrees prune": "",
    "tasks new": "api --goal g",
    "tasks list": "",
    "tasks check": "",
    "tasks run": "--wait --runner mock",
    "tasks merge": "",
    "skill install": "",
    "skill list": "",
    "skill show": "skill-parallel-orchestration",
    "keys list": "",
    "keys authorize": f"laptop {'a1' * 32}",
    "keys revoke": "laptop",
    "config init": "--print",
    "config path": "",
    "config show": "",
    "config check": "",
    "config reload": "",
    "doctor": "",
    "daemon start": "",
    "daemon status": "",
    "daemon restart": "",
    "daemon stop": "--keep-agents",
}
# These make an instance of their own, change the machine's services, write a key of the user's, or are the daemon.
ELSEWHERE = {"demo", "service install", "service uninstall", "service status", "keys new", "daemon run"}


def killed(tally: Tally) -> Iterator[None]:
    """Kill one command after the other in each home, among agents that live, have ended and have failed."""
    chance, pids_left = random.Random(2026), list[str]()
    while True:
        pids_left = pids_left or sorted(COMMANDS.keys() - ELSEWHERE)
        names, pids_left = pids_left[:_IN_ONE_HOME], pids_left[_IN_ONE_HOME:]
        with Lab(tally, "limit = 3\ngrace = 0.2\n") as lab:
            lab.start()
            (lab.directory / "five.json").write_text(json.dumps([lab.spec(BRIEF, 0, name="five")] * 5))
            (lab.directory / "plan.md").write_text("- [ ] one thing\n- [ ] another\n")
            before = len(os.listdir(f"/proc/{lab.pid}/fd"))
            _inside(lab)
            for name in ["spawn", *names]:
                _one(lab, name, chance)
            _nothing_is_torn(lab, before)
        tally.tries += len(names) + 1
        yield


def _inside(lab: Lab) -> None:
    """An agent whose `orchctl wait` is killed works again and takes a slot again."""
    child = "orchctl spawn -- sleep 1000 >/dev/null"
    pid = '"$ORCHD_HOME/../waiter"'
    (parent,) = lab.spawn(
        [{"command": ["sh", "-c", f"{child}; orchctl wait --children & echo $! > {pid}; wait $!; sleep 1000"]}]
    )
    until(lambda: lab.listed([parent])[parent]["status"] == "waiting", "the agent's wait")
    os.kill(int((lab.directory / "waiter").read_text()), 9)
    until(lambda: lab.listed([parent])[parent]["status"] == "running", "its work: it works, and has no slot")
    lab.client.call("cancel", {"ids": [parent]})


def _one(lab: Lab, name: str, chance: random.Random) -> None:
    victim = lab.spawn([{"command": ["sleep", "1000"], "name": "victim"}])[0]
    failed = lab.spawn([{"command": ["false"], "name": "failed"}])[0]
    words = ASKED[name].format(victim=victim, failed=failed).split()
    process = lab.command(*name.split(), *words)
    try:
        process.wait(chance.uniform(0.0, _LONGEST))
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()
    lab.client.call("resume")
    lab.client.call("cancel", {"ids": [victim]})
    lab.client.wait(ids=[victim], timeout=20.0)


def _nothing_is_torn(lab: Lab, before: int) -> None:
    """A batch is spawned as a whole or not at all; every known agent begins once and ends; all slots are free again."""
    agents = lab.listed()
    five = [agent_id for agent_id, agent in agents.items() if agent["name"] == "five"]
    lab.tally.count("lost", len(five) % 5, f"a batch of which {len(five) % 5} are left")
    living_ids = [agent_id for agent_id, agent in agents.items() if agent["ended_at"] is None and agent_id not in five]
    if living_ids:
        lab.client.call("cancel", {"ids": living_ids})
    lab.client.wait(scope="all", timeout=30.0)  # what was cancelled may still be ending, and is not left behind
    lab.audit(dict.fromkeys(five, 0))
    until(
        lambda: len(os.listdir(f"/proc/{lab.pid}/fd")) <= before + _SPARE, "the descriptors of those that were killed"
    )
