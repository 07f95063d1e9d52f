"""CPU time and memory of whole process trees."""

from __future__ import annotations

import os
import subprocess
import sys

from orchd.processes.linux.process_tree import ProcessTree
from orchd.processes.linux.usage import Usage, of_trees

BUSY = """
import os
while os.times().user < 0.2: pass
x = bytearray(50_000_000)
print(flush=True)
input()
"""


def test_usage_of_a_tree_includes_all_descendants() -> None:
    command = ["sh", "-c", f"{sys.executable} -c '{BUSY}'; true"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as busy:
        assert busy.stdout is not None
        busy.stdout.readline()
        (usage,) = of_trees([ProcessTree("agent-001", 1, "/nowhere", busy.pid, None)])
        assert usage.cpu_seconds >= 0.2
        assert usage.rss_bytes > 50_000_000
        busy.communicate(b"\n")


def test_an_ended_tree_has_zero_usage() -> None:
    ended_process = subprocess.Popen(["true"], start_new_session=True)
    ended_process.wait()
    tree = ProcessTree("agent-001", 1, f"/nowhere/{os.getpid()}", ended_process.pid, None)
    assert of_trees([tree]) == [Usage(0.0, 0)]
    assert of_trees([]) == []
