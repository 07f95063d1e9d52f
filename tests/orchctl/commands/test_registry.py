"""The table of commands."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import orchctl.commands
from orchctl import exit_codes
from orchctl.cli import quick_parser, typer_app
from orchctl.commands.registry import COMMANDS, GROUPS
from orchctl.commands.spec import KINDS, Argument, Command, Completion, Option, Where
from orchctl.errors import UsageError

NO_COMMANDS = ("__init__", "table")
ALL = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


@pytest.fixture
def afar(monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon of another machine is chosen."""
    monkeypatch.setenv("ORCHCTL_CONNECT", "")
    monkeypatch.setenv("ORCHCTL_PROFILE", "box")


@ALL
def test_every_command_has_a_function(command: Command) -> None:
    assert callable(getattr(import_module(f"orchctl.commands.{command.module}"), command.function))


@ALL
def test_flags_and_names_of_a_command_are_unique(command: Command) -> None:
    flags = [flag for option in command.options for flag in option.flags]
    names = [option.name for option in command.options] + [argument.name for argument in command.arguments]
    assert len(set(flags)) == len(flags)
    assert len(set(names)) == len(names)


@ALL
def test_every_option_kind_is_valid_and_every_value_has_a_metavar(command: Command) -> None:
    for option in command.options:
        assert option.kind == "flag" or (option.kind in KINDS and option.metavar)
    assert all(argument.kind in KINDS for argument in command.arguments)


@ALL
def test_only_the_last_argument_takes_many_values(command: Command) -> None:
    assert not any(argument.many for argument in command.arguments[:-1])


def test_every_module_of_commands_is_in_the_table() -> None:
    folder = Path(next(iter(orchctl.commands.__path__)))
    modules = {f"{path.parent.name}.{path.stem}" for path in folder.glob("*/*.py") if path.stem not in NO_COMMANDS}
    assert modules == {command.module for command in COMMANDS.values()}


@ALL
def test_a_command_is_in_the_table_of_its_folder(command: Command) -> None:
    table = import_module(f"orchctl.commands.{command.module.split('.')[0]}.table")
    assert command in getattr(table, command.module.split(".")[0].upper())


def test_every_group_has_commands_and_every_two_word_command_a_group() -> None:
    assert set(GROUPS) == {command.words[0] for command in COMMANDS.values() if len(command.words) > 1}


@ALL
def test_only_commands_for_this_machine_are_refused_for_another_machine(
    command: Command, afar: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module(f"orchctl.commands.{command.module}")
    monkeypatch.setattr(module, command.function, lambda args: 7)
    if command.where is Where.THIS_MACHINE:
        with pytest.raises(UsageError, match="box is another"):
            command.run(SimpleNamespace())
    else:
        assert command.run(SimpleNamespace()) == 7


def test_commands_are_classified_by_the_daemon_they_need() -> None:
    commands_by_place = {place: {name for name in COMMANDS if COMMANDS[name].where is place} for place in Where}
    assert {"validate", "prompt", "keys new", "tasks new"} <= commands_by_place[Where.NO_DAEMON]
    assert {"spawn", "status", "wait", "session list", "keys revoke"} <= commands_by_place[Where.ANY_DAEMON]
    assert {"daemon stop", "run", "worktrees remove", "doctor", "session new"} <= commands_by_place[Where.THIS_MACHINE]


@pytest.fixture
def greet(monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command that is added like any other: a function in a module, and a row."""
    module = ModuleType("orchctl.commands.agents.greet")
    vars(module)["run"] = lambda args: len(args.name) if args.loud else 0
    monkeypatch.setitem(sys.modules, module.__name__, module)
    row = Command(
        ("greet",),
        "Greet an agent.",
        "agents.greet",
        (Argument("name", "The agent.", "NAME", required=True, completes=Completion.TASKS),),
        (Option("loud", "Greet it aloud."),),
    )
    monkeypatch.setitem(COMMANDS, "greet", row)
    return row


def test_both_parsers_read_a_command_from_its_row(greet: Command) -> None:
    parsed = quick_parser.parse(["greet", "--loud", "api"])
    assert parsed == (greet, SimpleNamespace(name="api", loud=True))
    assert parsed.command.run(parsed.args) == 3
    assert typer_app.main(["greet", "--loud", "docs"]) == 4


def test_help_lists_a_command_from_its_row(greet: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert typer_app.main(["--help"]) == exit_codes.OK
    assert re.search(r"^\s+greet\s+Greet an agent\.$", capsys.readouterr().out, re.MULTILINE)
    assert typer_app.main(["greet", "--help"]) == exit_codes.OK
    assert "--loud" in capsys.readouterr().out


def test_a_shell_completes_a_command_from_its_row(
    greet: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs/tasks").mkdir(parents=True)
    (tmp_path / "docs/tasks/subtask-api.md").write_text("Build it")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("_ORCHCTL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "orchctl greet a")
    monkeypatch.setenv("COMP_CWORD", "2")
    with pytest.raises(SystemExit):
        typer_app.main([])
    assert capsys.readouterr().out.split() == ["api"]


def test_a_command_for_this_machine_is_refused_with_connect(
    greet: Command, afar: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--connect", "tcp://127.0.0.1:1", "greet", "--loud", "api"]
    assert typer_app.main(words) == exit_codes.USAGE
    assert "`greet` uses files and processes of this machine" in capsys.readouterr().err
    monkeypatch.setitem(COMMANDS, "greet", greet._replace(where=Where.ANY_DAEMON))
    assert typer_app.main(words) == 3
