"""Results below a heading of a larger document."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from orchctl.tasks.outline import lowered


def outline(text: str) -> list[tuple[int, str]]:
    """Return level and text of every heading of the top level."""
    tokens = MarkdownIt("commonmark").parse(text)
    pairs = pairwise(tokens)
    return [
        (int(opening.tag[1]), inner.content)
        for opening, inner in pairs
        if opening.type == "heading_open" and not opening.level
    ]


def code(text: str) -> list[str]:
    """Return the content of every code block."""
    return [token.content for token in MarkdownIt("commonmark").parse(text) if token.type in ("fence", "code_block")]


def test_headings_are_shifted_to_the_level_and_keep_their_distances() -> None:
    assert lowered("# A\n\ntext\n\n### B ###\n## C\n", 3) == "### A\n\ntext\n\n##### B ###\n#### C"


def test_headings_at_or_below_the_level_are_unchanged() -> None:
    assert lowered("### A\n#### B", 3) == "### A\n#### B"
    assert lowered("no heading", 3) == "no heading"


def test_no_heading_is_deeper_than_level_six() -> None:
    assert lowered("# A\n##### B\n###### C", 3) == "### A\n###### B\n###### C"


def test_underlined_headings_are_converted_and_shifted() -> None:
    assert lowered("A\n===\n\nB\nmore\n---\n\ntext\n", 3) == "### A\n\n#### B more\n\ntext"


def test_code_blocks_are_unchanged() -> None:
    text = "# A\n\n```sh\n# no heading\n```\n\n~~~~\n# none\n~~~\n~~~~\n\n    # code\n\n- ```\n  # code\n  ```"
    assert lowered(text, 3) == text.replace("# A", "### A")


def test_a_rule_under_a_list_is_no_heading() -> None:
    text = "- item\n  text\n---\n\n| a |\n|---|"
    assert lowered(f"# A\n\n{text}", 3) == f"### A\n\n{text}"


def test_headings_in_lists_and_quotations_are_shifted() -> None:
    assert lowered("> # A\n\n- ## B", 3) == "> ### A\n\n- #### B"


def test_unclosed_blocks_are_closed() -> None:
    assert lowered("```py\nx = 1", 3) == "```py\nx = 1\n```"
    assert lowered("~~~~\n~~~", 3) == "~~~~\n~~~\n~~~~"
    assert lowered("```", 3) == "```\n```"
    assert lowered("text\n\n<!-- note", 3) == "text\n\n<!-- note\n-->"
    assert lowered("<pre>\nx", 3) == "<pre>\nx\n</pre>"
    assert lowered("<!-- note -->", 3) == "<!-- note -->"


def test_windows_line_ends_are_accepted() -> None:
    assert lowered("# A\r\n\r\ntext\r\n", 3) == "### A\n\ntext"


BLOCKS = st.sampled_from(
    [
        "# One",
        "## Two ##",
        "#### Four",
        "#",
        "Under\n===",
        "Two\nlines\n---",
        "plain text\n#not one",
        "```\n# code\n```",
        "~~~sh\n# code",
        "```\n# never closed",
        "    # indented",
        "- item\n  # inside\n\n  ```\n  # code\n  ```",
        "> quoted\n> # inside",
        "---",
        "1. one\n2. two",
        "<div>\n# in html\n</div>",
        "<!-- # note",
        "| a |\n|---|",
        "",
    ]
)


@given(st.lists(BLOCKS, max_size=5).map("\n\n".join), st.lists(BLOCKS, max_size=3).map("\n".join))
def test_any_result_keeps_the_outline_of_the_merged_document(first: str, second: str) -> None:
    document = f"# Results\n\n## a\n\n{lowered(first, 3)}\n\n## b\n\n{lowered(second, 3)}\n\n## c\n"
    assert [title for level, title in outline(document) if level <= 2] == ["Results", "a", "b", "c"]
    assert [title for level, title in outline(document) if level > 2] == [
        " ".join(title.split()) for text in (first, second) for _, title in outline(text)
    ]
    assert [block.strip() for block in code(document)] == [
        block.strip() for text in (first, second) for block in code(text)
    ]
