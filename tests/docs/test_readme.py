"""Every block of README.md runs as it stands, in its order, in a git repository, and does what it says.

Its agents are the real claude, which talks to a stand-in of its service, and a program in its place: that one runs
wherever no claude is installed. What the model answers stands here, by the goals that the blocks give.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchd.instance import runner_config
from tests.clis.conftest import Clis, found
from tests.clis.standin import StandIn
from tests.conftest import Instance
from tests.docs.test_shown_commands import ELSEWHERE, plain
from tests.orchctl import repos

TEXT = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"^```\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
# By the goal of each agent that is to write a file: its name.
FILES = {
    goal: goal.split()[1].rstrip(",")
    for goal in (
        "Write hello.py, which prints the first ten primes",
        "Write api.py with functions for signing in",
        "Write docs.md, which explains api.py",
        "Write test_api.py for api.py",
        "Write changes.md, a summary of the code",
        "Write schema.sql with tables for users",
        "Write signin.py, which uses schema.sql",
    )
}
COMMITTED = {f"Write {name}, and commit it": name for name in ("login.html", "logout.html")}

# Does what it is permitted to do, as claude does.
PROGRAM = f"""#!{sys.executable}
import json, subprocess, sys
prompt, words = sys.stdin.read(), sys.argv
files, committed = {FILES!r}, {COMMITTED!r}
for goal, name in {{**files, **committed}}.items():
    if goal in prompt and "acceptEdits" in words:
        open(name, "w").write("text\\n")
    if goal in prompt and goal in committed and "Bash(git commit:*)" in words:
        subprocess.run(["git", "add", name], check=True)
        subprocess.run(["git", "commit", "-qm", name], check=True)
print(json.dumps({{"type": "system", "subtype": "init", "session_id": "s-1"}}))
usage = {{"input_tokens": 100, "output_tokens": 10}}
result = {{"type": "result", "subtype": "success", "is_error": False, "result": "Done.", "usage": usage}}
print(json.dumps({{**result, "num_turns": 2, "modelUsage": {{}}, "total_cost_usd": 0.01}}))
"""


def written(name: str) -> dict[str, Any]:
    """The step in which the model writes a file."""
    return {"tool": "Write", "input": {"file_path": name, "content": "text\n"}}


def committing(name: str) -> list[dict[str, Any]]:
    """The steps in which it writes and commits one."""
    return [written(name), {"bash": f"git add {name}"}, {"bash": f"git commit -m {name}"}, {"say": "Done."}]


@pytest.fixture(params=["claude", "program"])
def stage(request: pytest.FixtureRequest, stopped: Instance, tmp_path: Path) -> Iterator[Instance]:
    """An instance whose home does not exist yet, and a claude."""
    stopped.env.update(repos.SETTINGS)
    del stopped.env["ORCHD_DEFAULT_RUNNER"]
    shutil.rmtree(stopped.directory)
    if request.param == "program":
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/claude").write_text(PROGRAM)
        (tmp_path / "bin/claude").chmod(0o755)
        stopped.env.update(PATH=f"{tmp_path}/bin:{stopped.env['PATH']}", HOME=str(tmp_path / "home"))
        yield stopped
        return
    programs = found("claude")
    with closing(StandIn()) as service:
        service.answers = {goal: [written(name), {"say": "Done."}] for goal, name in FILES.items()}
        service.answers |= {goal: committing(name) for goal, name in COMMITTED.items()}
        stopped.env.update(Clis(stopped, service, tmp_path, programs).env)
        yield stopped


@pytest.mark.slow
@pytest.mark.timeout(300)  # a dozen agents, each the real claude
def test_every_block_runs_as_it_stands(stage: Instance, tmp_path: Path) -> None:
    project = repos.repository(tmp_path / "project")
    out = ""
    for block in BLOCKS:
        if all(plain(line) in ELSEWHERE for line in block.splitlines()):
            continue
        process = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            env=stage.env,
            cwd=project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert process.returncode == 0, f"{block}\n{process.stdout}\n{process.stderr}"
        out += process.stdout
    agents = json.loads(stage.ctl("status", "--all", "--json"))["agents"]
    assert {agent["status"] for agent in agents} == {"completed"}
    assert {agent["runner"] for agent in agents} == {"claude", None}
    assert [name for name in FILES.values() if not (project / name).is_file()] == []
    for name in COMMITTED.values():
        log = repos.git(project, "log", "--all", "--format=%s", "--", name)
        assert log == name, f"{name} is in no commit: {log}"
    assert (project / "report.md").read_text().count("## s") == 2
    assert (project / ".claude/skills/skill-parallel-orchestration/SKILL.md").is_file()
    assert re.search(r"^agent-001 +hello +completed ", out, re.MULTILINE)
    assert not repos.git(project, "status", "--porcelain", "--", ".agent/sessions", ".claude/state")
    stage.ctl("daemon", "stop")


def test_what_a_person_is_told_first_gives_the_permissions(tmp_path: Path) -> None:
    (config,) = re.findall(r"config path\)\" <<'END'\n(.*?)^END", TEXT, re.MULTILINE | re.DOTALL)
    (tmp_path / "config.toml").write_text(config)
    known = runner_config.read(tmp_path / "config.toml")
    assert (known.default, known.of("claude").args[:2]) == ("claude", ("--permission-mode", "acceptEdits"))
    assert "Bash" not in known.of("claude").args, "every command"


def test_nothing_pretends() -> None:
    assert [block for block in BLOCKS if "mock" in block] == []
