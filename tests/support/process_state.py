"""What an agent sees of itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from orchd.processes.attempt_files import files_of
from tests.support.bench import Bench

SHOW = """
import json, os, signal, sys
print(json.dumps({
    "fds": sorted(int(name) for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")),
    **{name: os.readlink(f"/proc/self/fd/{fd}") for fd, name in enumerate(("stdin", "out", "err"))},
    "cwd": os.getcwd(), "env": dict(os.environ), "args": sys.argv[1:], "session": os.getsid(0) == os.getppid(),
    "ignored": [number for number in (2, 3, 13, 15, 17) if signal.getsignal(number) == signal.SIG_IGN],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
}))
"""


def process_state(bench: Bench, *args: str, env: dict[str, str] | None = None, **fields: object) -> dict[str, object]:
    """The descriptors, variables and signals of an agent, as its own process reports them."""
    agent = bench.spawn(sys.executable, "-c", SHOW, *args, env=env, **fields)
    bench.until_over(agent)
    text = Path(files_of(bench.home, agent.id, 1).log).read_text()
    assert bench.agent(agent.id).status.value == "completed", text
    reply: dict[str, object] = json.loads(text)
    return reply
