"""Task lists in Markdown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl.pm.items import Item
from orchctl.pm.markdown import WrongLine, described, read, ticked

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


def test_every_task_is_found_with_what_it_says() -> None:
    assert [task.item for task in read(LIST)] == [
        Item(id="login", title="Sign in with e-mail", labels=("backend", "api"), priority=1),
        Item(
            id="the-login-page-see-the-wiki",
            title="The login page (see the wiki)",
            after=("login",),
            skill="skyfom-frontend-developer",
        ),
        Item(id="set-up-ci", title="Set up CI", is_done=True),
        Item(id="numbered-too", title="Numbered, too"),
        Item(id="indented", title="Indented"),
    ]
    assert [task.number for task in read(LIST)] == [3, 10, 11, 15, 19]


def test_what_stands_below_is_its_description_and_boxes_are_criteria() -> None:
    login, page = read(LIST)[:2]
    assert described(login) == (
        "Uses the new API.\n\n    def login(): ...",
        "- [ ] a test passes\n- [x] it is documented",
    )
    assert described(page) == ("", "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("- [ ] x (priority: high)", "(priority: high) is no whole number"),
        ("- [ ] x (aftr: y)", "did you mean `(after: ...)`"),
        ("- [ ] x (Label: y)", "did you mean `(labels: ...)`"),
        ("- [ ] (id: x)", "a task needs a title"),
        ("- [ ] x (id: )", "a task needs a title, and an id"),
    ],
)
def test_a_mistake_is_told_with_its_line(line: str, said: str) -> None:
    with pytest.raises(WrongLine) as caught:
        read(f"# Plan\n\n{line}\n")
    assert caught.value.number == 3
    assert said in str(caught.value)


def test_what_is_no_task_is_none() -> None:
    for line in ("- x", "- [] x", "- [ ]", "[ ] x", "-[ ] x", "- [y] x", "a - [ ] x", "-[ ]x"):
        assert read(line) == [], line


def test_only_the_box_of_that_task_is_ticked() -> None:
    after = ticked(LIST, "login")
    assert after == LIST.replace("- [ ] Sign in", "- [x] Sign in")
    assert ticked(after, "login") == after
    assert ticked(LIST, "nobody") == LIST
    assert ticked("- [ ] a [ ] b\r\n", "a-b") == "- [x] a [ ] b\r\n"


@given(st.text(st.sampled_from("- [x]()\n:`~ab1,#*") | st.characters(), max_size=80))
def test_any_text_is_read_and_ticking_changes_one_character_at_most(text: str) -> None:
    try:
        tasks = read(text)
    except WrongLine:
        return
    for task in tasks:
        after = ticked(text, task.item.id)
        assert sum(one != other for one, other in zip(text, after, strict=True)) <= sum(
            other.item.id == task.item.id for other in tasks
        )


def test_a_mark_of_the_byte_order_hides_no_task_and_stays() -> None:
    text = "\ufeff- [ ] one\n- [ ] two\n"
    assert [(task.number, task.item.id) for task in read(text)] == [(1, "one"), (2, "two")]
    assert ticked(text, "one") == "\ufeff- [x] one\n- [ ] two\n"
