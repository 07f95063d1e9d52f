"""Retry delays: exponential, with jitter that a replay repeats."""

from __future__ import annotations

FIRST_SECONDS = 1.0
MOST_SECONDS = 300.0
HOLD_SECONDS = 1.0  # before the next start, after the machine could not start a process
MOST_HOLD_SECONDS = 60.0  # the same, after many such failures
_MASK = (1 << 64) - 1


def backoff(tries: int, seed: int) -> float:
    """Return the seconds before the next try after `tries` failed ones: doubled by each, times between 0.5 and 1.5."""
    base = min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(tries, 20))
    return float(base * (0.5 + splitmix64(seed) / 2**64))


def next_seed(seed: int) -> int:
    """Return the seed after one draw (the increment of SplitMix64, Steele et al. 2014)."""
    return (seed + 0x9E3779B97F4A7C15) & _MASK


def splitmix64(seed: int) -> int:
    """Return the number that SplitMix64 draws with this seed."""
    value = next_seed(seed)
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)
