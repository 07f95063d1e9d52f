"""The limits: programs started and reaped by a loop that does nothing else, in Python, in C, and by asyncio."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from benchmarks.peers.base import LIMIT
from benchmarks.peers.cache import DIRECTORY, find


def python(count: int) -> None:
    """Start programs with posix_spawn and waitid, 7 in flight."""
    started = ended = 0
    while ended < count:
        while started < count and started - ended < LIMIT:
            os.posix_spawn("/bin/true", ["true"], os.environ)
            started += 1
        os.waitid(os.P_ALL, 0, os.WEXITED)
        ended += 1


@cache
def compiled() -> str | None:
    """Run the same loop in C, where there is a compiler."""
    compiler = find("C compiler")
    if compiler is None:
        return None
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    target = DIRECTORY / "spawn-loop"
    source = Path(__file__).parent / "spawn.c"
    subprocess.run([str(compiler.program), "-O2", "-o", str(target), str(source)], check=True)
    return str(target)


def c(count: int) -> None:
    """Run the loop in a process of its own; its start is one among many."""
    subprocess.run([compiled() or "", str(count), str(LIMIT)], check=True)


def semaphore(count: int) -> None:
    """Start programs with asyncio and a semaphore, as a script would."""

    async def one(places: asyncio.Semaphore) -> None:
        async with places:
            process = await asyncio.create_subprocess_exec("/bin/true")
            await process.wait()

    async def everything() -> None:
        places = asyncio.Semaphore(LIMIT)
        await asyncio.gather(*(one(places) for _ in range(count)))

    asyncio.run(everything())


def make(program: str, count: int) -> None:
    """Run one target per program."""
    names = " ".join(f"t{number}" for number in range(count))
    with tempfile.NamedTemporaryFile("w", suffix=".mk") as file:
        file.write(f".PHONY: all {names}\nall: {names}\n{names}:\n\t@/bin/true\n")
        file.flush()
        subprocess.run([program, "-s", "-r", f"-j{LIMIT}", "-f", file.name, "all"], check=True)


def parallel(program: str, count: int) -> None:
    """Run one argument per program."""
    subprocess.run(
        [program, f"-j{LIMIT}", "/bin/true"],
        input="".join(f"{number}\n" for number in range(count)),
        text=True,
        check=True,
        stderr=subprocess.DEVNULL,
    )


def nq(program: str, count: int) -> None:
    """Run one client per program, one after the other: nq has no limit above 1."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        env = {**os.environ, "NQDIR": directory}
        for _ in range(count):
            subprocess.run([program, "-q", "/bin/true"], env=env, check=True)
        subprocess.run([program, "-w"], env=env, check=True)
