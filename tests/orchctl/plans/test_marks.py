"""Which marks of a box count as done, and that a task with another mark does not vanish."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchctl.plans import boxes
from orchctl.plans.shape import PlanError
from tests.orchctl.plans.plan_texts import marked_text, read, reasons, wave_ids

FOREIGN = [*"yYvVoOnNDP1é", "✗", "~", "?", "✗\ufe0f"]
PM = (Path(__file__).parents[3] / "docs/guides/pm.md").read_text()


@pytest.mark.parametrize("mark", FOREIGN)
@pytest.mark.parametrize(
    ("text", "marked_id", "waiting"),
    [
        ("- [{}] T001 A\n- [ ] T002 B\n", "T001", "T002"),
        ("- [{}] 1. A\n- [ ] 2. B\n", "1", "2"),
        ("- [ ] B (id: b) (after: a)\n- [{}] A (id: a)\n", "a", "b"),
    ],
)
def test_a_task_with_another_mark_is_held_and_its_dependents_wait(
    mark: str, text: str, marked_id: str, waiting: str
) -> None:
    plan = read(text.format(mark))
    assert wave_ids(plan) == []
    assert reasons(plan)[marked_id] == f"its box is [{mark}]: set it back to open to start it"
    assert reasons(plan)[waiting].startswith(f"after {marked_id}")


@pytest.mark.parametrize("mark", [*boxes.DONE, "✔\ufe0f"])
def test_a_task_with_a_done_mark_is_done(mark: str) -> None:
    assert wave_ids(read(f"- [{mark}] T001 A\n- [ ] T002 B\n")) == [["T002"]]


def test_the_documentation_lists_the_marks_that_mean_done() -> None:
    (line,) = re.findall(r"These marks mean done: (.*?)\.", PM)
    assert re.findall(r"`\[(.)\]`", line) == list(boxes.DONE)


def test_a_mark_of_two_characters_is_replaced_as_a_whole() -> None:
    assert marked_text("- [✗\ufe0f] A\n", "a", "done") == "- [x] A\n"


def test_the_legend_of_spec_kit_and_links_are_no_tasks() -> None:
    legend = "- [ ] T001 A\n\n## Notes\n\n- [P] tasks = different files\n- [Story] label\n"
    assert wave_ids(read(legend)) == [["T001"]]
    assert reasons(read(legend)) == {}
    links = "- [ ] A\n- [x](a.md) b\n- [1] is the paper\n- [a]: b\n\n[1]: https://example.org\n"
    assert [box.text for box in boxes.read(links).boxes] == ["A"]


@pytest.mark.parametrize("word", ["done", "Yes", "ok", "xx"])
def test_a_word_as_a_mark_is_a_mistake(word: str) -> None:
    with pytest.raises(PlanError, match="looks like a task, but is not valid") as caught:
        read(f"- [ ] T001 A\n- [{word}] T002 B\n")
    assert caught.value.line == 2


@pytest.mark.parametrize("line", ["    - [y] Due", "    - [1] Due"])
def test_a_marked_task_that_markdown_reads_as_code_is_refused(line: str) -> None:
    with pytest.raises(PlanError, match="Markdown reads it as code"):
        read(f"- [ ] Uno\n\nText\n\n{line}\n")


@pytest.mark.parametrize(
    ("text", "line"), [("- [ ] A\0B\n", 1), ("- [ ] A\n\n\0\n", 3), ("- [ ] T001 A\n- [ ] T002 B\n  \0\n", 3)]
)
def test_a_null_character_is_a_mistake(text: str, line: int) -> None:
    with pytest.raises(PlanError, match="contains a null character") as caught:
        read(text)
    assert caught.value.line == line


def test_a_null_character_that_json_escapes_is_a_mistake() -> None:
    with pytest.raises(PlanError, match="'1' contains a null character") as caught:
        read('{"master": {"tasks": [\n{"id": 1, "title": "A\\u0000B"}\n]}}')
    assert caught.value.line == 2


@pytest.mark.parametrize("box", ["- [ ]", "- [ ] ", "* [x]", "1. [~]", "- [ ]*", "- [ ]\t"])
@pytest.mark.parametrize("title", ["Due", "  Due", "\n       Due"])
def test_a_checkbox_without_a_title_on_its_line_is_refused(box: str, title: str) -> None:
    with pytest.raises(PlanError, match="a box without a title") as caught:
        read(f"- [ ] A\n\n{box}\n{title}\n")
    assert caught.value.line == 3


@pytest.mark.parametrize("group", ["- [~] 1. G", "- [!] 1. G", "- [ ] ~~1. G~~", "- [y] 1. G"])
@pytest.mark.parametrize("indent", ["", "  "])
def test_the_subtasks_of_a_held_group_wait(group: str, indent: str) -> None:
    plan = read(f"{group}\n{indent}- [ ] 1.1 B\n- [ ] 2. C\n", format="kiro")
    assert wave_ids(plan) == []
    assert reasons(plan)["1.1"].startswith("its group 1 is ")
    spec = read("- [~] T001 G\n  - [ ] T002 B\n")
    assert reasons(spec)["T002"].startswith("its group T001 is held: its box is [~]")


@pytest.mark.parametrize(
    "text",
    ["- [ ] ~~Uno~~\n", "- [ ] ~~Uno~~ (id: uno)\n", "- [ ] T001 ~~A~~\n", "- [ ] ~~T001 A~~\n", "- [ ] 1. ~~A~~\n"],
)
def test_a_title_that_is_struck_out_is_held(text: str) -> None:
    assert list(reasons(read(text)).values()) == ["struck out: set it back to open to start it"]


def test_a_title_that_is_struck_out_in_part_is_open() -> None:
    assert wave_ids(read("- [ ] ~~Old~~ New (id: a)\n- [x] ~~Done~~\n")) == [["a"]]


def test_checkboxes_in_comments_are_noted() -> None:
    text = "- [ ] A\n\n<!-- - [ ] B -->\n\n<!-- - [ ] C\n- [ ] D -->\n"
    assert boxes.read(text).notes == [
        "line 3: 1 box in code or a comment is not a task",
        "line 5: 2 boxes in code or a comment are not tasks",
    ]
