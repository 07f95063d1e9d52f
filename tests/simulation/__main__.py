"""Any number of steps of the core, with crashes: `python -m tests.simulation --steps 1000000 --seed 7`.

The same seed is the same histories on every machine. What fails is printed with the command that performs it again,
as short as it can be made.
"""

# ruff: noqa: T201 - what is found is printed

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Sequence

from tests.simulation.performing import Failure, Performance
from tests.simulation.shrinking import shrunken
from tests.simulation.steps import Opening, Step, drawn

LENGTH = 150  # steps of a history; after them everything must be able to end
EVERY = 8  # turns from one look at everything to the next; each event and reply is looked at always
NEWS = 100_000  # steps


def main(words: Sequence[str] | None = None) -> int:
    """0 when every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000, help="turns of the core, at least")
    parser.add_argument("--seed", type=int, default=None, help="a new one when it is left out")
    parser.add_argument("--history", type=int, default=None, help="perform only this one, and tell it")
    parser.add_argument("--brief", action="store_true", help="say what fails and do not make it shorter")
    options = parser.parse_args(words)
    seed = secrets.randbits(32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    if options.history is not None:
        return _replay(seed, options.history)
    return _simulate(seed, options.steps, is_brief=options.brief)


def _simulate(seed: int, steps: int, *, is_brief: bool) -> int:
    began, turns, number = time.perf_counter(), 0, 0
    while turns < steps:
        opening, history = drawn(seed, number, LENGTH)
        performance = Performance(opening, EVERY)
        failure = performance.run(history)
        if turns // NEWS != (turns + performance.turns) // NEWS:
            print(f"{turns:,} steps in {number:,} histories", flush=True)
        turns += performance.turns
        if failure is not None:
            print(f"after {turns:,} steps, in history {number}: {failure.said}")
            print(f"again: python -m tests.simulation --seed {seed} --history {number}")
            if not is_brief:
                _tell(opening, history, failure)
            return 1
        number += 1
    took = time.perf_counter() - began
    print(f"{turns:,} steps in {number:,} histories, {turns / took:,.0f} a second: every promise was kept")
    return 0


def _replay(seed: int, number: int) -> int:
    """Look at everything after every turn: what is wrong is seen where it begins."""
    opening, history = drawn(seed, number, LENGTH)
    performance = Performance(opening, is_told=True)
    failure = performance.run(history)
    if failure is None:
        print("\n".join(performance.lines))
        print(f"{performance.turns} steps: every promise was kept")
        return 0
    _tell(opening, history, failure)
    return 1


def _tell(opening: Opening, history: Sequence[Step], failure: Failure) -> None:
    """As few steps as it takes, in words."""
    first = Performance(opening).run(history) or failure
    history_kept = shrunken(opening, history, first)
    performance = Performance(opening, is_told=True)
    last = performance.run(history_kept)
    how = "" if opening.is_strict else ", lenient"
    where = f"at limit {opening.limit}, resident {opening.resident}{how}"
    print(f"\n{len(history_kept)} of its {LENGTH} steps are enough, {where}:\n")
    print("\n".join(performance.lines))
    print((last or failure).said)


if __name__ == "__main__":
    sys.exit(main())
