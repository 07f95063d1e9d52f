"""The text of `--help`."""

from __future__ import annotations

import re

import pytest

from orchctl.cli import help_text
from orchctl.commands.registry import COMMANDS, GROUPS, PANELS


def test_every_command_is_listed_in_exactly_one_panel() -> None:
    names = [name for panel in PANELS.values() for name in panel]
    assert sorted(names) == sorted({command.words[0] for command in COMMANDS.values()})
    lines = help_text.page([])
    assert lines is not None
    assert [line.strip(":") for line in lines if re.fullmatch(r"[A-Z][a-z ]+:", line)] == [*PANELS, "Options"]


@pytest.mark.parametrize("name", COMMANDS)
def test_command_help_lists_arguments_and_options_without_types(name: str) -> None:
    command = COMMANDS[name]
    lines = help_text.page([*name.split(), "--help"])
    assert lines is not None
    text = "\n".join(lines)
    assert all(f"\n  {argument.metavar}" in text for argument in command.arguments)
    assert all(f"\n  {', '.join(option.flags)}" in text for option in command.options)
    assert not re.search(r"<\w+|\{", text.partition("\nOptions:")[0])


def test_the_usage_line_marks_a_command_that_may_be_left_out() -> None:
    spawn, hook = (help_text.page([name, "--help"]) for name in ("spawn", "hook"))
    assert spawn is not None
    assert spawn[0] == "Usage: orchctl spawn [OPTIONS] [-- COMMAND [ARG]...]"
    assert hook is not None
    assert hook[0] == "Usage: orchctl hook [OPTIONS] -- COMMAND [ARG]..."


def test_the_help_of_daemon_stop_names_the_choice_while_agents_run() -> None:
    lines = help_text.page(["daemon", "stop", "--help"])
    assert lines is not None
    assert "while agents run, an option is required" in " ".join(lines)


@pytest.mark.parametrize("name", GROUPS)
def test_a_bare_group_prints_the_help_with_its_commands(name: str) -> None:
    lines = help_text.page([name])
    assert lines == help_text.page([name, "-h"])
    assert lines is not None
    own = {command.words[1] for command in COMMANDS.values() if command.words[0] == name and len(command.words) > 1}
    assert {line.split()[0] for line in lines if line.startswith("  ")} >= own


@pytest.mark.parametrize(
    ("words", "is_help"),
    [
        (["spawn", "--help"], True),
        (["spawn", "--name", "a", "-h"], True),
        (["spawn", "sh", "--help"], False),
        (["spawn", "--", "sh", "--help"], False),
        (["spawn", "--name", "--help"], False),
        (["status", "1", "--help"], True),
        (["status"], False),
        (["config", "chek", "--help"], False),
        (["--help"], True),
        (["nosuch", "--help"], False),
    ],
)
def test_only_a_help_option_of_the_command_itself_prints_help(words: list[str], *, is_help: bool) -> None:
    assert (help_text.page(words) is not None) is is_help


@pytest.mark.parametrize("columns", [40, 80, 300])
def test_the_help_text_fits_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = help_text.page(["spawn", "--help"])
    assert lines is not None
    assert max(map(len, lines[2:])) <= max(min(columns, 100), 56)
