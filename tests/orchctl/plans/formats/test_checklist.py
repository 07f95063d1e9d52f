"""Task lists in Markdown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl.plans import reading
from orchctl.plans.reading import ReadOptions
from orchctl.plans.shape import Node, Plan, PlanError, marked

LIST = """# Plan

- [ ] Sign in with e-mail (id: login) (labels: backend, api) (priority: 1)
  Uses the new API.

      def login(): ...

  - [ ] a test passes
  - [x] it is documented
- [ ] The login page (see the wiki) (after: login) (skill: skyfom-frontend-developer)
* [x] Set up CI

Some text that belongs to nothing.

1. [ ] Numbered, too
```
- [ ] only an example
```
  - [ ] Indented
"""


def read(text: str) -> Plan:
    """Parse a text as a checklist."""
    return reading.parsed(text, ReadOptions("checklist"))


def ticked(text: str, task_id: str) -> str:
    """Return the text with this task ticked."""
    return marked(read(text), text, task_id, "done")


def unusual_values(task: Node) -> dict[str, object]:
    """Return the values of a task that differ from the defaults."""
    values = {name: getattr(task, name) for name in ("title", "labels", "priority", "skill", "is_done")}
    usual = {"labels": (), "priority": 2, "skill": None, "is_done": False}
    return {name: value for name, value in values.items() if usual.get(name) != value} | (
        {"after": list(task.after)} if task.after else {}
    )


def test_every_task_is_read_with_its_attributes() -> None:
    assert {task.id: unusual_values(task) for task in read(LIST).tasks} == {
        "login": {"title": "Sign in with e-mail", "labels": ("backend", "api"), "priority": 1},
        "the-login-page-see-the-wiki": {
            "title": "The login page (see the wiki)",
            "after": ["login"],
            "skill": "skyfom-frontend-developer",
        },
        "set-up-ci": {"title": "Set up CI", "is_done": True},
        "numbered-too": {"title": "Numbered, too"},
        "indented": {"title": "Indented"},
    }
    assert [task.line for task in read(LIST).tasks] == [3, 10, 11, 15, 19]


def test_indented_text_is_the_description_and_checkboxes_are_criteria() -> None:
    login, page = read(LIST).tasks[:2]
    assert login.description == "Uses the new API.\n\n    def login(): ..."
    assert login.acceptance == "- [ ] a test passes\n- [x] it is documented"
    assert (page.description, page.acceptance) == ("", "")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("- [ ] x (priority: high)", "(priority: high) is not a valid integer"),
        ("- [ ] x (aftr: y)", "did you mean `(after: ...)`"),
        ("- [ ] x (Label: y)", "did you mean `(labels: ...)`"),
        ("- [ ] (id: x)", "a task needs a title"),
        ("- [ ] x (id: )", "a task needs a title, and `id:` needs a value"),
    ],
)
def test_an_invalid_task_is_reported_with_its_line(line: str, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        read(f"# Plan\n\n{line}\n")
    assert caught.value.line == 3
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "line", ["- x", "- [ ]", "[ ] x", "- [US1] x", "a - [ ] x", "- [x](y)", "- [x]: y", "> - [ ] x"]
)
def test_lines_that_resemble_tasks_are_not_tasks(line: str) -> None:
    assert read(line).tasks == []


@pytest.mark.parametrize("line", ["- [] x", "-[ ] x", "-[ ]x", "- [ ]x", "- [ x ] y", "1.[ ] x", "* [X ] y"])
def test_a_malformed_checkbox_is_refused(line: str) -> None:
    with pytest.raises(PlanError, match="looks like a task, but is not valid: write"):
        read(line)


def test_ticking_a_task_changes_only_its_checkbox() -> None:
    after = ticked(LIST, "login")
    assert after == LIST.replace("- [ ] Sign in", "- [x] Sign in")
    assert ticked(after, "login") == after
    assert ticked(LIST, "nobody") == LIST
    assert ticked("- [ ] a [ ] b\r\n", "a-b") == "- [x] a [ ] b\r\n"


@given(st.text(st.sampled_from("- [x]()\n:`~ab1,#*") | st.characters(), max_size=80))
def test_ticking_changes_at_most_one_character_of_any_text(text: str) -> None:
    try:
        tasks = read(text).tasks
    except PlanError:
        return
    for task in tasks:
        after = ticked(text, task.id)
        assert sum(before != after_change for before, after_change in zip(text, after, strict=True)) <= 1


def test_a_byte_order_mark_is_kept_and_hides_no_task() -> None:
    text = "\ufeff- [ ] one\n- [ ] two\n"
    assert [(task.line, task.id) for task in read(text).tasks] == [(1, "one"), (2, "two")]
    assert ticked(text, "one") == "\ufeff- [x] one\n- [ ] two\n"
