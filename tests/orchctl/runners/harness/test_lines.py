"""Lines of a stream, whatever the pieces it comes in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchctl.runners.harness.lines import Lines, OutputLine

LONGEST = 1000


def cut(pieces: list[bytes]) -> list[OutputLine]:
    """Return the lines of a stream that comes in these pieces."""
    lines = Lines(LONGEST)
    return [line for piece in pieces for line in lines.feed(piece)] + list(lines.last())


@given(st.lists(st.lists(st.sampled_from([b"a", b"\n", b"b" * 300, b"\n\n", b"c" * 1100]), max_size=4), max_size=12))
def test_lines_do_not_depend_on_the_pieces_of_the_stream(parts: list[list[bytes]]) -> None:
    pieces = [b"".join(part) for part in parts]
    content = b"".join(pieces)
    expected = content.split(b"\n")
    expected = expected if expected[-1] else expected[:-1]
    lines = cut(pieces)
    assert [line.size for line in lines] == [len(line) for line in expected]
    for line, text in zip(lines, expected, strict=True):
        assert line.is_whole == (len(text) <= LONGEST)
        assert line.data == (text if line.is_whole else text[:200])


def test_only_the_beginning_of_a_too_long_line_is_kept() -> None:
    lines = Lines(LONGEST)
    for _ in range(1000):
        assert list(lines.feed(b"x" * 700)) == []
        assert len(lines._begun) <= LONGEST
    assert list(lines.feed(b"\nnext\n")) == [OutputLine(b"x" * 200, 700_000), OutputLine(b"next", 4)]
