"""How long to wait before the next try."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchd.core.handlers.backoff import FIRST_SECONDS, MOST_SECONDS, backoff, next_seed, splitmix64

SEEDS = st.integers(0, 2**64 - 1)


@given(st.integers(0, 1000), SEEDS)
def test_a_delay_is_between_a_half_and_one_and_a_half_of_its_base(tries: int, seed: int) -> None:
    base = min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(tries, 20))
    assert base / 2 <= backoff(tries, seed) <= base * 1.5


@given(st.integers(0, 30), SEEDS)
def test_a_replay_computes_the_same_backoff_and_seed(tries: int, seed: int) -> None:
    assert backoff(tries, seed) == backoff(tries, seed)
    assert next_seed(seed) == next_seed(seed)


def test_the_jitter_is_splitmix64() -> None:
    assert splitmix64(1234567) == 6457827717110365317  # the first number of that seed in the published sequence


@given(SEEDS)
def test_with_one_seed_each_try_doubles_the_delay_up_to_a_maximum(seed: int) -> None:
    assert backoff(1, seed) == 2 * backoff(0, seed)
    assert backoff(8, seed) == 256 * backoff(0, seed)
    assert backoff(9, seed) == backoff(1000, seed)


def test_seeds_do_not_repeat_and_delays_are_spread() -> None:
    seeds = [1]
    for _ in range(1000):
        seeds.append(next_seed(seeds[-1]))
    delays = [backoff(0, seed) for seed in seeds]
    assert len(set(seeds)) == len(set(delays)) == 1001
    assert min(delays) < 0.51
    assert max(delays) > 1.49
    assert 0.95 < sum(delays) / len(delays) < 1.05
