"""The table of commands."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

import orchctl.commands
from orchctl.commands.registry import COMMANDS
from orchctl.commands.spec import KINDS, Command

ALL = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


@ALL
def test_every_command_has_something_to_run(command: Command) -> None:
    assert callable(getattr(import_module(f"orchctl.commands.{command.module}"), command.function))


@ALL
def test_no_two_fields_of_a_command_are_confused(command: Command) -> None:
    flags = [flag for option in command.options for flag in option.flags]
    names = [option.name for option in command.options] + [argument.name for argument in command.arguments]
    assert len(set(flags)) == len(flags)
    assert len(set(names)) == len(names)


@ALL
def test_every_kind_is_known_and_every_value_has_a_name(command: Command) -> None:
    for option in command.options:
        assert option.kind == "flag" or (option.kind in KINDS and option.metavar)
    assert all(argument.kind in KINDS for argument in command.arguments)


@ALL
def test_only_the_last_argument_takes_all_that_is_left(command: Command) -> None:
    assert not any(argument.many for argument in command.arguments[:-1])


def test_every_module_of_commands_is_in_the_table() -> None:
    top = Path(orchctl.commands.__path__[0])
    modules = {".".join(path.relative_to(top).with_suffix("").parts) for path in top.glob("*/*.py")}
    tables = {name for name in modules if name.rpartition(".")[2].startswith(("table", "__init__"))}
    assert modules - tables == {command.module for command in COMMANDS.values()}
