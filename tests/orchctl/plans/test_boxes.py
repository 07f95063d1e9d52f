"""Text that is a box in Markdown, and text that only looks like a box."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from orchctl.plans import boxes, reading
from orchctl.plans.reading import ReadOptions
from orchctl.plans.shape import PlanError, marked


def box_titles(text: str) -> list[str]:
    """Return the texts behind the boxes."""
    return [box.text for box in boxes.read(text).boxes]


@pytest.mark.parametrize(
    "between",
    [
        "```bash\nnpm test\n```python\n```",
        "~~~\n```\n~~~",
        "- [ ] ```npm test``` runs",
        "- [ ] the `a\n- [ ] b` of it",
        "    ```",
        "````\n```\n- [ ] c\n```\n````",
        "- [ ] d\n\n  ```sh\n  - [ ] e\n  ```",
        "<!-- - [ ] f -->",
        "<!--\n- [ ] g\n-->",
        "***\n\n`open",
    ],
)
def test_code_and_comments_do_not_hide_the_task_after_them(between: str) -> None:
    assert box_titles(f"- [ ] first\n\n{between}\n\n- [ ] last\n")[-1] == "last"


def test_checkboxes_in_code_or_comments_are_noted() -> None:
    page = boxes.read("- [ ] a\n\n```\n- [ ] b\n* [x] c\n```\n\n<!--\n- [ ] d\n-->\n> - [ ] quoted\n")
    assert page.notes == [
        "line 3: 2 boxes in code or a comment are not tasks",
        "line 8: 1 box in code or a comment is not a task",
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (
            "- [ ] a\n\n```sh\n- [ ] b\n",
            3,
            "the code fence that begins here has no end and includes the task in line 4",
        ),
        (
            "```\nx\n```sh\n- [ ] b\n```\n",
            3,
            "a code fence begins inside the code fence of line 1, before the task in line 4",
        ),
        ("<!-- x\n- [ ] a\n", 1, "the comment that begins here has no end and includes the task in line 2"),
        ("<details>\n- [ ] a\n\n- [ ] b\n", 2, "Markdown reads it as HTML"),
        ("Text\n\n    - [ ] a\n", 3, "Markdown reads it as code because it is indented by four spaces"),
        ("- a\n  - b\n          - [ ] c\n", 3, "Markdown reads it as text of the lines above"),
        ("Text\n2. [ ] c\n", 2, "Markdown reads it as text of the lines above"),
        ("- [ ] a\n- [ ]\xa0b\n", 2, "has U+00A0 in place of a space"),
        ("- [ ] a\n-\u3000[ ] b\n", 2, "has U+3000 in place of a space"),
        ("- [ ] a\n-\xa0[x]\xa0b\n", 2, "has U+00A0 in place of a space"),
        ("- \n  \f\n         [ ] bare\n", 2, "is a control character: remove it"),
    ],
)
def test_a_task_that_markdown_would_not_read_as_a_task_is_refused(text: str, line: int, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        boxes.read(text)
    assert caught.value.line == line
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "is_closed"),
    [
        ("```\nx\n```", True),
        ("```\n```", True),
        ("```\n\n```\n", True),
        ("- ```\n  x\n  ````", True),
        ("> ```\n> ```\ntext", True),
        ("```", False),
        ("```\n", False),
        ("```\nx", False),
        ("```\nx\n\n", False),
        ("````\n```\n", False),
        ("```\n    ```\n", False),
        ("```\n> ```\n", False),
        ("> ```\n> x\n", False),
        ("- ```\n  x\n", False),
        ("- ```\n  x\ntext", False),
    ],
)
def test_closed_and_open_fences_are_distinguished_as_in_commonmark(text: str, *, is_closed: bool) -> None:
    (fence,) = [token for token in MarkdownIt("commonmark").parse(text) if token.type == "fence"]
    assert boxes.is_closed(fence) is is_closed


def test_checkboxes_have_lines_headings_and_parents() -> None:
    page = boxes.read(
        "# A\n## B\n- [ ] one\n  more\n\n  - plain\n    - [x] two\n      below\n  rest\n### C\n1. [~] three\n"
    )
    first, second, third = page.boxes
    assert (second.parent, first.boxes, third.parent) == (first, [second], None)
    assert [[heading.title for heading in box.headings] for box in page.boxes] == [["A", "B"], ["A", "B"], list("ABC")]
    assert (first.more, second.more) == (["  more"], ["      below", "  rest"])
    assert (second.is_done, first.held, third.held) == (True, "", "its box is [~]")


LINES = st.lists(
    st.sampled_from(
        [
            *("- [ ] T001 a", "- [x] T002 [P] b", "- [ ] T003 (depends on T001)", "- [-] 1. c", "  - [ ] 1.1 d"),
            *("- [ ]* 2.1 e", "  - [X] f", "## 1. G", "```", "```sh", "~~~", "    - [ ] h", "> - [ ] i", "<!--", "-->"),
            *(
                "",
                "text `",
                "- j",
                "1. [ ] 3. k",
                "\t- [ ] l",
                "---",
                "- [ ] m (id: n)",
                "* [✓] o",
                "- [y] q",
                "- [ ]",
                "- [~] 1. r",
                "é\u2028- [ ] p",
            ),
        ]
    ),
    max_size=14,
)


@given(
    LINES, st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from([None, "spec-kit", "kiro", "openspec", "checklist"])
)
def test_any_file_is_read_or_refused_and_only_marks_are_written(lines: list[str], end: str, name: str | None) -> None:
    text = end.join(lines)
    options = ReadOptions(name)
    try:
        plan = reading.read(text, options)
    except PlanError:
        return
    spots = {node.spot.start for node in (*plan.tasks, *plan.groups) if node.spot}
    for task in plan.tasks:
        raw = reading.parsed(text, options)
        after = marked(raw, text, task.id, "done")
        assert {place for place, (old, new) in enumerate(zip(text, after, strict=True)) if old != new} <= spots
        if not task.is_done and not task.held:
            tasks_after = {task.id: task for task in reading.parsed(after, options).tasks}
            assert tasks_after[task.id].is_done
    order: dict[str, int] = {task.id: number for number, task in enumerate(plan.tasks)}
    assert all(task_id in order for task in plan.tasks if not task.is_done for task_id in task.after)
