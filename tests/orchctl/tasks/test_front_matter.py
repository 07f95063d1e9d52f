"""The front matter of task files."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from orchctl.tasks.front_matter import described, parse, written

Values = dict[str, str | tuple[str, ...]]


def values(*lines: str) -> Values:
    """Return the values in these lines, which are right."""
    parsed = parse("\n".join(["---", *lines, "---", "body"]))
    assert parsed.mistakes == []
    return {key: value.value for key, value in parsed.values.items()}


def mistakes(*lines: str) -> list[tuple[int, str]]:
    """Return each mistake in these lines, with its line of the file."""
    return [(problem.line, problem.message) for problem in parse("\n".join(["---", *lines, "---"])).mistakes]


def test_values_are_texts_or_lists_of_texts() -> None:
    assert values(
        "name: api  # a comment",
        "",
        "# another",
        'goal: "Sign in: with #1 \\"e-mail\\" \\u00e9"',
        "skill: 'it''s'",
        "after: [a, 'b, c', \"d\",]",
        "files:",
        "  - src/a#b",
        "  - 'x: y'   # why",
        "timeout: 15m",
        "model:",
    ) == {
        "name": "api",
        "goal": 'Sign in: with #1 "e-mail" é',
        "skill": "it's",
        "after": ("a", "b, c", "d"),
        "files": ("src/a#b", "x: y"),
        "timeout": "15m",
        "model": (),
    }


def test_a_bracketed_list_may_span_several_lines() -> None:
    assert values("files: [a,  # why", "", "  'b, c']", "name: d") == {"files": ("a", "b, c"), "name": "d"}
    assert mistakes("files: [a,", "]") == [
        (2, "while parsing a flow node: expected the node content, but found '<stream end>'"),
        (3, "while parsing a block node: expected the node content, but found ']'"),
    ]


def test_an_invalid_key_after_an_unindented_list_has_its_own_line_number() -> None:
    assert mistakes("files:", "-k: a") == [(3, "'-k: a' is not `key: value`")]
    assert mistakes("files:", "- a", "? k") == [(4, "'? k' is not `key: value`")]
    assert values("files:", "-", "  a", "- b") == {"files": ("a", "b")}


def test_lists_that_are_nested_too_deeply_are_a_mistake() -> None:
    assert mistakes(f"files: {'[' * 3000}{']' * 3000}") == [(2, "lists are nested too deeply")]


@pytest.mark.parametrize(
    "line", ["description:foo", f"description: {'[' * 3000}", "description: [a]", "description: {a: b}"]
)
def test_a_description_that_is_not_a_string_is_empty(line: str) -> None:
    assert described(f"---\nname: a\n{line}\n---\nbody\n") == ""


def test_unquoted_values_are_always_strings() -> None:
    assert values("name: no", "a: 1:30", "b: 0x1F", "c: null", "d: it's # cut's", "e: [-x, y-]") == {
        "name": "no",
        "a": "1:30",
        "b": "0x1F",
        "c": "null",
        "d": "it's",
        "e": ("-x", "y-"),
    }


def test_the_body_begins_after_the_front_matter_at_a_known_line() -> None:
    parsed = parse("---\nname: a\n---\n\n# Title\n---\nmore\n")
    assert (parsed.body, parsed.body_line) == ("\n# Title\n---\nmore\n", 4)


def test_a_file_without_front_matter_is_all_body() -> None:
    parsed = parse("# Title\n---\n")
    assert (parsed.values, parsed.body, parsed.mistakes) == ({}, "# Title\n---\n", [])


@pytest.mark.parametrize(
    ("before", "line"), [("\n", 2), ("\n \n", 3), (" ", 1), ("\ufeff\r\n", 2), ("<!-- generated -->\n\n", 3)]
)
def test_front_matter_that_is_not_at_the_start_is_refused(before: str, line: int) -> None:
    (mistake,) = parse(f"{before}---\nafter: schema\n---\nText\n").mistakes
    assert (mistake.line, mistake.message) == (
        line,
        "the front matter does not begin on the first line, and would be read as text",
    )


@pytest.mark.parametrize("text", ["\n---\nSome words.\n", "\n***\nafter: schema\n***\n", "Words\n---\nafter: x\n"])
def test_a_horizontal_rule_is_not_front_matter(text: str) -> None:
    assert parse(text).mistakes == []


def test_windows_line_ends_and_a_byte_order_mark_are_accepted() -> None:
    parsed = parse("\ufeff---\r\nname: a\r\n---\r\nbody\r\n")
    assert (parsed.values["name"].value, parsed.body) == ("a", "body\n")


def test_all_mistakes_are_reported_at_once_with_their_lines() -> None:
    assert mistakes(
        "name: a",
        "goal: do this: that",
        "name: b",
        "  more",
        "skill:x",
        "after: [a, b",
        "files: [*.py]",
        "- item",
        "what is this",
        'model: "half',
        "x-note: |",
        "x-b: [a, , b]",
        'x-c: "\\x"',
        "x-d: *alias",
        "x-e: a\tb",
        "x-f: 'a' b",
        "x-g: [a: b]",
    ) == [
        (3, "'do this: that' contains a `:`, which has a meaning in YAML"),
        (4, "`name` is already given in line 2"),
        (5, "continues the line above"),
        (6, "no space after the colon"),
        (7, "while parsing a flow sequence: expected ',' or ']', but got '<stream end>'"),
        (8, "a string cannot begin with '*'"),
        (9, "a list item without a key"),
        (10, "'what is this' is not `key: value`"),
        (11, "while scanning a quoted scalar: found unexpected end of stream"),
        (12, "a string of several lines"),
        (13, "while parsing a flow node: expected the node content, but found ','"),
        (
            14,
            "while scanning a double-quoted scalar: expected escape sequence of 2 hexadecimal numbers, but found '\"'",
        ),
        (15, "a string cannot begin with '*'"),
        (16, "contains a tab"),
        (17, "while parsing a block mapping: expected <block end>, but found '<scalar>'"),
        (18, "'a: b' is a mapping, not a string"),
    ]


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        (["a: &b c"], 2, "a string cannot begin with '&'"),
        (["a: [b, &c d]"], 2, "a string cannot begin with '&'"),
        (["a: &b [c]"], 2, "a string cannot begin with '&'"),
        (["a: !!str b"], 2, "a string cannot begin with '!'"),
        (["a:", "- b", "- *c"], 4, "a string cannot begin with '*'"),
        (["a: {b: c}"], 2, "'{b: c}' is a mapping, not a string"),
        (["a: [[b]]"], 2, "'[b]' is a sequence, not a string"),
        (["a:", "  b: c"], 3, "'b: c' is a mapping, not a string"),
        (["a:", "- b", "-"], 4, "an empty value"),
        (['a: "b', '  c"'], 3, "continues the line above"),
        (["a: >-", "  b"], 2, "a string of several lines"),
        (["# why", "  a: b"], 3, "continues the line above"),
        (["{a: b}"], 2, "'{a: b}' is not `key: value`"),
        (["<<: b"], 2, "'<<: b' is not `key: value`"),
        (["a: b\u2028c: d"], 2, "'a: b\\u2028c: d' contains a character that cannot be shown on one line"),
        (["a:", "- b\0"], 3, "'- b\\x00' contains a character that cannot be shown on one line"),
        (['a: "\\u200b"'], 2, "'\\u200b' contains a character that cannot be shown on one line"),
    ],
)
def test_yaml_beyond_strings_and_lists_of_strings_is_refused(lines: list[str], line: int, message: str) -> None:
    assert mistakes(*lines) == [(line, message)]


@pytest.mark.parametrize(
    ("written_as", "description"),
    [
        ("a # b", "a"),
        (">-\n  a\n\n  b", "a b"),
        ("|\n  a\n  # b", "a # b"),
        ('"a: b"', "a: b"),
        ("a: b", ""),
        ("[a]", ""),
    ],
)
def test_a_description_in_other_yaml_styles_is_read_if_possible(written_as: str, description: str) -> None:
    assert described(f"---\nname: [\ndescription: {written_as}\nx: y\n---\nBody\n") == description
    assert described(f"description: {written_as}\n") == ""


def test_a_mistake_suggests_the_corrected_value() -> None:
    (mistake,) = parse("---\ngoal: do this: that\n---\n").mistakes
    assert mistake.way_out == 'put it in quotes: "do this: that"'


def test_front_matter_without_an_end_is_refused() -> None:
    (mistake,) = parse("---\nname: a\n").mistakes
    assert (mistake.line, mistake.message) == (1, "the front matter has no end")


TEXTS = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), max_size=12)


@given(st.dictionaries(st.sampled_from("abc"), TEXTS | st.lists(TEXTS, max_size=3).map(tuple)))
@example({"a": "no"})
@example({"a": "1"})
@example({"a": "x: y # z"})
@example({"a": ("", "a, b", "]")})
def test_written_values_are_read_back_by_this_parser_and_by_yaml(given_values: Values) -> None:
    text = written(given_values)
    read = parse(text)
    assert read.mistakes == []
    assert {key: value.value for key, value in read.values.items()} == given_values
    parsed_by_yaml = yaml.safe_load(text.replace("---", "", 1).rpartition("---")[0]) or {}
    assert {
        key: tuple(value) if isinstance(value, list) else value for key, value in parsed_by_yaml.items()
    } == given_values


LINES = st.lists(
    st.text(st.sampled_from("abn :,-#[]{}'\"\\1.*&!|>%@?\t"), max_size=14).map(lambda text: f"a: {text}"), max_size=1
)


@given(LINES | st.lists(st.text(st.sampled_from("ab: -[],'\"#"), max_size=10), max_size=4))
@example(["a: it's # cut's"])
@example(["a:", "- x"])
@example(["a: [a , 'b']"])
def test_accepted_front_matter_has_the_same_values_in_yaml(lines: list[str]) -> None:
    parsed = parse("\n".join(["---", *lines, "---"]))
    if parsed.mistakes or parsed.body:  # a line `---` among them has ended the front matter
        return
    parsed_by_yaml = yaml.load("\n".join(lines), yaml.BaseLoader) or {}
    own_values = {
        key: list(value.value) if isinstance(value.value, tuple) else value.value
        for key, value in parsed.values.items()
    }
    assert {key: value or [] if own_values[key] == [] else value for key, value in parsed_by_yaml.items()} == own_values


@pytest.mark.parametrize("text", ["", "\n", "---", "---\n---", "-", "---\n---\n---\n"])
def test_minimal_texts_are_parsed_without_an_exception(text: str) -> None:
    parse(text)
