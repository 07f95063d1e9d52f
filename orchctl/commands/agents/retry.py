"""`orchctl retry`: a new attempt for agents that ended without completing, and for what was skipped because of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from orchctl import exit_codes
from orchctl.client import Client, pages, target
from orchctl.daemon.launcher import for_agents
from orchctl.render import text
from orchctl.spawn import attributes, env_files
from orchctl.spawn.working_directory import here
from orchctl.terminal import console
from orchd.protocol import statuses

Agents = Mapping[str, Mapping[str, Any]]  # by their ids


def run(args: SimpleNamespace) -> int:
    """Print a line for each; exit code 1 when one is skipped again. The new attempt has the environment of the first,
    and --env-file and --env over it."""
    variables = for_agents() if args.current_env and not target.is_remote() else {}
    variables |= env_files.read(args.env_file, here("/")) | env_files.pairs(args.env)
    with Client() as client:
        runs = [one for one in args.ids if one.lower().startswith("run-")]
        named = [one for one in args.ids if one not in runs]
        agents = client.call("status", {"ids": named, "usage": False})["agents"] if named else []
        ids = [*(agent["id"] for agent in agents), *runs]
        known = _beside(client, agents)
        before = _badly_ended(known, ids) if args.with_dependencies else []
        behind = _skipped(known, [*ids, *before])
        chosen = list(dict.fromkeys([*before, *ids, *(behind if args.with_dependents else ())]))
        own = {} if target.is_remote() else {"attributes": attributes.own()}
        request: dict[str, object] = {"ids": chosen, "env": variables, "current_env": args.current_env, **own}
        if args.resume_session:
            request["resume_session"] = True
        result = client.call("retry", request)
    console.result(result, text.told_lines(result["agents"]), as_json=args.json)
    skipped = [agent["id"] for agent in result["agents"] if agent["status"] == "skipped"]
    if not args.json:
        _note(skipped, [one for one in behind if one not in chosen])
    return exit_codes.REFUSED if skipped else exit_codes.OK


def _note(skipped: list[str], behind: list[str]) -> None:
    if skipped:
        named = " ".join(skipped)
        console.warn(
            f"what these come after did not complete: `orchctl retry {named} --with-dependencies` retries that too"
        )
    if behind:
        what = f"{', '.join(behind)} {'was' if len(behind) == 1 else 'were'} skipped because of that and stay so"
        console.warn(f"{what}: `orchctl retry {' '.join(behind)}`, or --with-dependents the next time")


def _beside(client: Client, agents: Iterable[Mapping[str, Any]]) -> Agents:
    """These and the other agents of their sessions."""
    sessions = dict.fromkeys(agent["session"] for agent in agents if agent["session"])
    return {agent["id"]: agent for session in sessions for agent in pages.session(client, session)["agents"]} | {
        agent["id"]: agent for agent in agents
    }


def _badly_ended(known: Agents, ids: Iterable[str]) -> list[str]:
    """What these come after, at any distance, that ended otherwise than they require, the first of them first."""
    found: dict[str, None] = {}
    frontier = list(ids)
    while frontier:
        agent = known.get(frontier.pop(), {})
        for one in agent.get("after", ()):
            if one in known and one not in found and _is_in_the_way(known[one], agent):
                found[one] = None
                frontier.append(one)
    return list(found)[::-1]


def _is_in_the_way(blocker: Mapping[str, Any], agent: Mapping[str, Any]) -> bool:
    """Whether `blocker` has ended, not as `agent` requires, and can be retried."""
    condition = agent.get("conditions", {}).get(blocker["id"], "completed")  # daemons before have no conditions
    is_satisfied = condition == "any" or (condition == "failed" and blocker["status"] in statuses.FAILED)
    return text.is_over(blocker) and blocker["status"] != "completed" and not is_satisfied


def _skipped(known: Agents, ids: Iterable[str]) -> list[str]:
    """What was skipped and comes after these, at any distance."""
    reached = set(ids)
    found: list[str] = []
    for one, agent in sorted(known.items(), key=lambda item: text.number(item[1])):
        if agent["status"] == "skipped" and one not in reached and not reached.isdisjoint(agent["after"]):
            reached.add(one)
            found.append(one)
    return found
