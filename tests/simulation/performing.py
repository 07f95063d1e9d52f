"""A history performed: how many turns of the core it took, and the promise that it broke."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from textwrap import shorten
from typing import NamedTuple

from orchd.core.effects import Effect
from orchd.core.state.events import Event
from tests.simulation.client_steps import ClientSteps
from tests.simulation.machine_steps import MachineSteps
from tests.simulation.steps import Opening, Step
from tests.transcripts.transcript_runner import line_of

MOST = 200  # characters of what an error says
LAST = "everything is let go, and ends"


class Failure(NamedTuple):
    """The error of a history. Two failures with the same `where` are the same failure."""

    said: str
    where: tuple[str, str]  # the kind of the exception, and the function that raised it
    turn: int
    after: int  # steps performed before it


class Simulator(ClientSteps, MachineSteps):
    """Everybody."""


@dataclass
class Performance:
    """One history. Cheap promises are checked with each event and reply, all promises every `every` turns."""

    opening: Opening
    every: int = 1
    is_told: bool = False
    turns: int = 0
    lines: list[str] = field(default_factory=list)
    kinds: set[type] = field(default_factory=set)  # of what came of it

    def run(self, steps: Sequence[Step]) -> Failure | None:
        """Perform all of it, then let everything end that can; what is stuck then is a failure too."""
        simulator = Simulator(self.opening)
        world, count = simulator.world, 0
        try:
            for count, step in enumerate(steps):  # noqa: B007 - how far it came is told when it fails
                world.is_thorough = world.turns % self.every == 0
                simulator.perform(step)
                self._tell(world.story)
            count = len(steps)
            simulator.say(LAST)
            world.crash = None
            world.is_thorough = self.every == 1
            world.finish()
            self._tell(world.story)
        except Exception as error:  # noqa: BLE001 - whatever the core or a promise raises is what is looked for
            self.turns = world.turns
            self._tell(world.story)
            return Failure(_said(error), _where(error), world.turns, count)
        self.turns = world.turns
        return None

    def _tell(self, story: list[str | Event | Effect]) -> None:
        """Keep the words only when they are to be printed."""
        self.kinds.update(map(type, story))
        if self.is_told:
            for entry in story:
                line = f"> {entry}" if isinstance(entry, str) else line_of(entry)
                self.lines += [line] if line else []
        story.clear()


def _said(error: Exception) -> str:
    text = shorten(str(error).partition("\n")[0], MOST, placeholder=" ...")
    return f"{type(error).__name__}: {text}" if text else f"{type(error).__name__} in {_where(error)[1]}"


def _where(error: Exception) -> tuple[str, str]:
    return type(error).__name__, traceback.extract_tb(error.__traceback__)[-1].name
