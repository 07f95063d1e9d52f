"""The peers: each a module that starts it, gives it work and ends it. A peer that cannot be installed is left out."""

from __future__ import annotations

from benchmarks.peers.base import Peer
from benchmarks.peers.circus import Circus
from benchmarks.peers.dask import Dask
from benchmarks.peers.orchd import Orchd
from benchmarks.peers.pm2 import Pm2
from benchmarks.peers.spooler import Spooler
from benchmarks.peers.supervisor import Supervisor

__all__ = ["DAEMONS", "Dask", "Orchd", "Peer", "Spooler", "at_hand"]
DAEMONS: tuple[type[Peer], ...] = (Orchd, Spooler, Supervisor, Circus, Pm2, Dask)


def at_hand(peers: tuple[type[Peer], ...] = DAEMONS) -> list[type[Peer]]:
    """Return the peers that are available."""
    return [peer for peer in peers if peer.is_at_hand()]
