#!/usr/bin/env python3
"""Spawn one mock agent through the daemon and return when it has ended. Meant to be run with `&`, once a sub-task.

    spawn_agent_mock.py --task_name NAME --goal TEXT --output_dir DIR

It prints the agent's id, then what became of it with the path of its result, DIR/NAME.md.
It needs Python 3.8 and `orchctl`, which is looked for on the PATH unless the variable ORCHCTL says where it is.

Exit codes: 0 it completed; its own code when it failed; 75 it timed out; 143 it was cancelled; 1 it was lost, or
skipped, or `orchctl` refused; 2 wrong words; 69 no daemon; 127 no `orchctl`; 130 and 143 this script was interrupted or
terminated, and the agent keeps running.
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
    """A signal reached this script."""


def main() -> int:
    """Spawn the agent that the command line describes, and wait for its end. Returns the exit code."""
    args = arguments()
    program = os.environ.get("ORCHCTL") or "orchctl"
    if shutil.which(program) is None:
        print_error("no `%s` is found: install orchd, or give its path in the variable ORCHCTL" % program)
        return NO_ORCHCTL
    result = os.path.join(os.path.abspath(args.output_dir), args.task_name + ".md")
    words = [program, "spawn", "--runner", "mock", "--name", args.task_name, "--goal", args.goal]
    return spawn_and_wait([*words, "--result", result, "--json"], result)


def arguments() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description="Spawn one mock agent through the daemon and wait for it.")
    parser.add_argument("--task_name", required=True, help="its name; its result is OUTPUT_DIR/TASK_NAME.md")
    parser.add_argument("--goal", required=True, help="what it is to achieve")
    parser.add_argument("--output_dir", required=True, help="the directory for its result")
    args = parser.parse_args()
    if not args.task_name or "/" in args.task_name or args.task_name in (".", ".."):
        parser.error("--task_name %r cannot be a file's name" % args.task_name)
    return args


def spawn_and_wait(words: list[str], result: str) -> int:
    """Spawn an agent and wait for its end. Returns the exit code for the end of the agent."""
    seen: list[int] = []
    agent = ""

    def note(number: int, _: FrameType | None) -> None:
        seen.append(number)
        if agent and len(seen) == 1:
            raise Ended

    note_signals(note)
    process = start_orchctl(words)
    try:
        answer = read_answer(process)
        if "error" in answer:
            return report_refusal(process, answer)
        process.wait()
        agent_id = answer["agents"][0]["id"]
        print_line(agent_id)
        process = start_orchctl([words[0], "wait", agent_id, "--json"])
        agent = agent_id  # from here on a signal ends this at once
        if seen:
            return leave(process, agent, seen[0])
        answer = read_answer(process)
        return report_refusal(process, answer) if "error" in answer else report_end(answer["agents"][0], result)
    except Ended:
        return leave(process, agent, seen[0])


def note_signals(note: Callable[[int, FrameType | None], None]) -> None:
    """Call `note` for signals that are not ignored: a shell lets its background jobs ignore SIGINT."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, note)


def start_orchctl(words: list[str]) -> subprocess.Popen[bytes]:
    """Start `orchctl`, in a session of its own: Ctrl-C reaches this script alone, and must not end a spawn half-way."""
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)


def leave(process: subprocess.Popen[bytes], agent: str, number: int) -> int:
    """Report that the agent continues. Returns the exit code of a script that the signal `number` ended."""
    process.terminate()
    process.wait()
    print_error("%s keeps running: `orchctl wait %s` waits for it, `orchctl cancel %s` ends it" % (agent, agent, agent))
    return 128 + number


def read_answer(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Return the answer of `orchctl`; an error without code and message when there is none."""
    line = process.stdout.readline() if process.stdout else b""
    answer: dict[str, Any] = json.loads(line.decode()) if line.strip() else {"error": {"code": "", "message": ""}}
    return answer


def report_refusal(process: subprocess.Popen[bytes], answer: dict[str, Any]) -> int:
    """Print why `orchctl` refused. Returns its exit code."""
    error = answer["error"]
    if error["code"]:
        print_error("%s: %s" % (error["code"], error["message"]))
    code = process.wait()
    if not error["code"]:
        print_error("orchctl ended with %d and said nothing" % code)
    return code if code > 0 else 1


def report_end(agent: dict[str, Any], result: str) -> int:
    """Print how the agent ended. Returns the exit code for its status."""
    why = ": %s" % agent["reason"] if agent["reason"] and agent["status"] != "completed" else ""
    where = result if os.path.exists(result) else "no result"
    print_line("%s %s %s%s, %s" % (agent["id"], agent["name"], agent["status"], why, where))
    if agent["status"] == "failed":
        return int(agent["exit_code"] or 1)
    return CODES.get(agent["status"], 1)


def print_line(line: str) -> None:
    """Print a line in a single write: other copies of this script write to the same place, and `print` writes twice."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def print_error(text: str) -> None:
    """Print a line for people on standard error."""
    sys.stderr.write("spawn_agent_mock.py: %s\n" % text)


if __name__ == "__main__":
    sys.exit(main())
