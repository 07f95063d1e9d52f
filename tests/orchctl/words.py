"""Command lines for every command of the table, as people, scripts and accidents write them."""

from __future__ import annotations

from hypothesis import strategies as st

from orchctl.commands.registry import COMMANDS
from orchctl.commands.spec import Argument, Command, Option

# What a parser may stumble over: emptiness, what looks like an option, what is no UTF-8.
ODD = ("", "-", "--", "-x", "-f", "--json", "--name", "a=b", "=", "K=V", "K=", "é…", "\udcff", "two words", "1", "-1")

TEXT = st.one_of(st.sampled_from(ODD), st.text(alphabet="ab-= 1é", max_size=6))
VALUES = {
    "text": TEXT,
    "number": st.one_of(st.integers(-(2**65), 2**65).map(str), st.sampled_from(["1_0", " 7", "x", "", "1.5", "٣"])),
    "duration": st.one_of(st.sampled_from(["90", "90s", "15m", "2h", "1d", "", "m", "-1", "nan", "inf", "1e3"]), TEXT),
    "pair": st.one_of(st.sampled_from(["K=V", "K=", "=V", "K", "K=a=b"]), TEXT),
    "variable": st.one_of(st.sampled_from(["K=V", "K=", "=V", "K", "K=a=b", "K L=V", "X-Y=V"]), TEXT),
    "size": st.one_of(st.sampled_from(["512M", "2G", "0", "-1", "M", "", "1e3"]), TEXT),
    "share": st.one_of(st.sampled_from(["50%", "150%", "0%", "%", "", "-1%", "nan%"]), TEXT),
    "moment": st.one_of(st.sampled_from(["2h", "2026-11-30T10:00", "2026-11-30", "-1", "", "now", "0001-01-01"]), TEXT),
    "amount": st.one_of(st.sampled_from(["5", "2.50", "$3", "0", "-1", "nan", "inf", "1e3", ""]), TEXT),
}
GOOD = {
    "text": st.text(alphabet="abé ", max_size=6),
    "number": st.integers(0, 2**40).map(str),
    "duration": st.sampled_from(["90", "90s", "15m", "2h", "0.5"]),
    "pair": st.sampled_from(["K=V", "K=", "K=a=b"]),
    "variable": st.sampled_from(["K=V", "K=", "K=a=b"]),
    "size": st.sampled_from(["512M", "2G"]),
    "share": st.sampled_from(["50%", "150%"]),
    "moment": st.sampled_from(["2h", "90", "2026-11-30T10:00", "2026-11-30T10:00:00Z"]),
    "amount": st.sampled_from(["5", "2.50", "$3"]),
}


@st.composite
def lines(draw: st.DrawFn, values: dict[str, st.SearchStrategy[str]], *, is_tidy: bool) -> list[str]:
    """Draw the arguments of one command: options in any order, number and spelling, arguments among or after them."""
    command = draw(st.sampled_from(list(COMMANDS.values())))
    parts = [_option(draw, draw(st.sampled_from(command.options)), values) for _ in range(_count(draw, command))]
    parts += [[draw(values[argument.kind])] for argument in command.arguments for _ in range(_times(draw, argument))]
    if not command.has_rest and draw(st.booleans()):
        parts = draw(st.permutations(parts))
    if not is_tidy and draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), [draw(st.sampled_from(ODD))])
    return [*command.words, *(word for part in parts for word in part)]


def _count(draw: st.DrawFn, command: Command) -> int:
    return draw(st.integers(0, 4)) if command.options else 0


def _times(draw: st.DrawFn, argument: Argument) -> int:
    return draw(st.integers(1 if argument.required else 0, 3 if argument.many else 1))


def _option(draw: st.DrawFn, option: Option, values: dict[str, st.SearchStrategy[str]]) -> list[str]:
    flag = draw(st.sampled_from(option.flags))
    if option.kind == "flag":
        return [flag]
    value = draw(values[option.kind])
    return [f"{flag}={value}"] if flag.startswith("--") and draw(st.booleans()) else [flag, value]
