"""`orchctl retry`: a new attempt for agents that ended without completing, and for their skipped dependents."""

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
    """Print a line for each agent; exit code 1 when an agent is skipped again.

    The new attempt has the environment of the first; --env-file and --env override its variables.
    """
    variables = for_agents() if args.current_env and not target.is_remote() else {}
    variables |= env_files.read(args.env_file, here("/")) | env_files.pairs(args.env)
    with Client() as client:
        runs = [word for word in args.ids if word.lower().startswith("run-")]
        named = [word for word in args.ids if word not in runs]
        agents = client.call("status", {"ids": named, "usage": False})["agents"] if named else []
        ids = [*(agent["id"] for agent in agents), *runs]
        sessions = dict.fromkeys(agent["session"] for agent in agents if agent["session"])
        listed = [agent for session in sessions for agent in pages.session(client, session)["agents"]]
        known = {agent["id"]: agent for agent in (*listed, *agents)}
        before = _badly_ended(known, ids) if args.with_dependencies else []
        behind = _skipped(known, [*ids, *before])
        chosen = list(dict.fromkeys([*before, *ids, *(behind if args.with_dependents else ())]))
        own = {} if target.is_remote() else {"attributes": attributes.own()}
        request: dict[str, object] = {"ids": chosen, "env": variables, "current_env": args.current_env, **own}
        if args.resume_session:
            request["resume_session"] = True
        result = client.call("retry", request)
    console.result(result, text.changed_lines(result["agents"]), as_json=args.json)
    skipped = [agent["id"] for agent in result["agents"] if agent["status"] == "skipped"]
    if skipped and not args.json:
        words = " ".join(skipped)
        console.warn(
            f"their dependencies did not complete: `orchctl retry {words} --with-dependencies` retries them too"
        )
    left = [agent for agent in behind if agent not in chosen]
    if left and not args.json:
        what = f"{', '.join(left)} {'was' if len(left) == 1 else 'were'} skipped because of that, and not retried"
        console.warn(f"{what}: run `orchctl retry {' '.join(left)}`, or use --with-dependents")
    return exit_codes.REFUSED if skipped else exit_codes.OK


def _badly_ended(known: Agents, ids: Iterable[str]) -> list[str]:
    """Return the direct and indirect dependencies of `ids` that did not end as required, in order."""
    blockers: dict[str, None] = {}
    frontier = list(ids)
    while frontier:
        agent = known.get(frontier.pop(), {})
        for blocker_id in agent.get("after", ()):
            if blocker_id not in known or blocker_id in blockers:
                continue
            blocker = known[blocker_id]
            condition = agent.get("conditions", {}).get(blocker_id, "completed")  # daemons before have no conditions
            is_met = condition == "any" or (condition == "failed" and blocker["status"] in statuses.FAILED)
            if text.is_over(blocker) and blocker["status"] != "completed" and not is_met:
                blockers[blocker_id] = None
                frontier.append(blocker_id)
    return list(blockers)[::-1]


def _skipped(known: Agents, ids: Iterable[str]) -> list[str]:
    """Return the skipped agents that depend on `ids`, directly or indirectly."""
    reached = set(ids)
    skipped: list[str] = []
    for agent_id, agent in sorted(known.items(), key=lambda item: text.number(item[1])):
        if agent["status"] == "skipped" and agent_id not in reached and not reached.isdisjoint(agent["after"]):
            reached.add(agent_id)
            skipped.append(agent_id)
    return skipped
