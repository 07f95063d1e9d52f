#!/usr/bin/env python3
"""Spawn one mock agent through the daemon and return when it has ended. Meant to be run with `&`, once a sub-task.

    spawn_agent_mock.py --task_name NAME --goal TEXT --output_dir DIR

It prints the agent's id, then what became of it with the path of its result, DIR/NAME.md.
It needs Python 3.8 and `orchctl`, which is looked for on the PATH unless the variable ORCHCTL says where it is.

Exit codes: 0 it completed; its own code when it failed; 75 it timed out; 143 it was cancelled; 1 it was lost, or
skipped, or `orchctl` refused; 2 wrong words; 69 no daemon; 127 no `orchctl`; 130 and 143 this script was interrupted or
terminated, and the agent goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

NO_ORCHCTL = 127
CODES = {"completed": 0, "timed-out": 75, "cancelled": 143}
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Ended(Exception):
    """Somebody has sent this script a signal."""


def main() -> int:
    """Do it. Returns the exit code."""
    args = arguments()
    program = os.environ.get("ORCHCTL") or "orchctl"
    if shutil.which(program) is None:
        say("no `%s` is found: install orchd, or give its path in the variable ORCHCTL" % program)
        return NO_ORCHCTL
    result = os.path.join(os.path.abspath(args.output_dir), args.task_name + ".md")
    words = [program, "spawn", "--runner", "mock", "--name", args.task_name, "--goal", args.goal]
    return spawned([*words, "--result", result, "--json"], result)


def arguments() -> argparse.Namespace:
    """The words on the command line."""
    parser = argparse.ArgumentParser(description="Spawn one mock agent through the daemon and wait for it.")
    parser.add_argument("--task_name", required=True, help="its name; its result is OUTPUT_DIR/TASK_NAME.md")
    parser.add_argument("--goal", required=True, help="what it is to achieve")
    parser.add_argument("--output_dir", required=True, help="the directory for its result")
    args = parser.parse_args()
    if not args.task_name or "/" in args.task_name or args.task_name in (".", ".."):
        parser.error("--task_name %r cannot be a file's name" % args.task_name)
    return args


def spawned(words: list[str], result: str) -> int:
    """Spawn and wait. Returns the exit code for what the agent came to."""
    seen: list[int] = []
    agent = ""

    def note(number: int, _: FrameType | None) -> None:
        seen.append(number)
        if agent and len(seen) == 1:
            raise Ended

    heed(note)
    process = asked(words)
    try:
        answer = answered(process)
        if "error" in answer:
            return refused(process, answer)
        process.wait()
        one = answer["agents"][0]["id"]
        put(one)
        process = asked([words[0], "wait", one, "--json"])
        agent = one  # from here on a signal ends this at once
        if seen:
            return left(process, agent, seen[0])
        answer = answered(process)
        return refused(process, answer) if "error" in answer else told(answer["agents"][0], result)
    except Ended:
        return left(process, agent, seen[0])


def heed(note: Callable[[int, FrameType | None], None]) -> None:
    """Have signals noted that are not ignored: a shell lets its background jobs ignore SIGINT."""
    for one in SIGNALS:
        if signal.getsignal(one) is not signal.SIG_IGN:
            signal.signal(one, note)


def asked(words: list[str]) -> subprocess.Popen[bytes]:
    """Start `orchctl`, in a session of its own: Ctrl-C reaches this script alone, and must not end a spawn half-way."""
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)


def left(process: subprocess.Popen[bytes], agent: str, number: int) -> int:
    """Leave the agent alone and say so. Returns the exit code of a script that this signal ended."""
    process.terminate()
    process.wait()
    say("%s goes on: `orchctl wait %s` waits for it, `orchctl cancel %s` ends it" % (agent, agent, agent))
    return 128 + number


def answered(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What `orchctl` says."""
    line = process.stdout.readline() if process.stdout else b""
    answer: dict[str, Any] = json.loads(line.decode()) if line.strip() else {"error": {"code": "", "message": ""}}
    return answer


def refused(process: subprocess.Popen[bytes], answer: dict[str, Any]) -> int:
    """Say why `orchctl` does not do it. Returns its exit code."""
    error = answer["error"]
    if error["code"]:
        say("%s: %s" % (error["code"], error["message"]))
    code = process.wait()
    if not error["code"]:
        say("orchctl ended with %d and said nothing" % code)
    return code if code > 0 else 1


def told(agent: dict[str, Any], result: str) -> int:
    """Say what the agent came to. Returns the exit code for that."""
    why = ": %s" % agent["reason"] if agent["reason"] and agent["status"] != "completed" else ""
    where = result if os.path.exists(result) else "no result"
    put("%s %s %s%s, %s" % (agent["id"], agent["name"], agent["status"], why, where))
    if agent["status"] == "failed":
        return int(agent["exit_code"] or 1)
    return CODES.get(agent["status"], 1)


def put(line: str) -> None:
    """Print it whole: others of us write to the same place, and `print` writes the end of a line by itself."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """One line for people."""
    sys.stderr.write("spawn_agent_mock.py: %s\n" % text)


if __name__ == "__main__":
    sys.exit(main())
