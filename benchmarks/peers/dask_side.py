"""Runs in Dask's own Python: executes the lines on its standard input. Imports nothing of this project."""

from __future__ import annotations

import os
import subprocess
import sys

from distributed import Client, LocalCluster, get_client, worker_client


def true(_: int) -> int:
    """Run a short program."""
    pid = os.posix_spawn("/bin/true", ["true"], os.environ)
    return os.waitpid(pid, 0)[1]


def node(identity: str, seconds: str, fans: list[int], how: str) -> str:
    """Run a node of a tree: a process shows that it lives, another that it works; then the nodes below it."""
    alive = subprocess.Popen(["sleep", f"1000.{identity}", seconds])
    subprocess.run(["sleep", seconds], check=True)
    below = [f"{identity}{number}" for number in range(1, fans[0] + 1)] if fans else []
    if below and how == "secede":
        with worker_client() as client:
            client.gather([client.submit(node, child, seconds, fans[1:], how) for child in below])
    elif below:
        client = get_client()
        client.gather([client.submit(node, child, seconds, fans[1:], how) for child in below])
    alive.kill()
    alive.wait()
    return identity


def main() -> None:
    """Execute lines until the standard input ends."""
    cluster = LocalCluster(n_workers=7, threads_per_worker=1, processes=True, dashboard_address=None)
    client = Client(cluster)
    client.wait_for_workers(7)
    print("done", flush=True)
    for line in sys.stdin:
        verb, *rest = line.split()
        if verb == "run":
            client.gather(client.map(true, range(int(rest[0])), pure=False))
        else:
            how, seconds, *fans = rest
            sizes = [int(fan) for fan in fans]
            roots = [str(number) for number in range(1, sizes[0] + 1)]
            client.gather([client.submit(node, root, seconds, sizes[1:], how) for root in roots])
        print("done", flush=True)


if __name__ == "__main__":
    main()
