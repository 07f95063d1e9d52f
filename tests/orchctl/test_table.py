"""The table of commands."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

import orchctl.commands
from orchctl.table import COMMANDS, KINDS, Argument, Command, Option, number, pair

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
    (place,) = orchctl.commands.__path__
    modules = {path.stem for path in Path(place).glob("*.py")} - {"__init__"}
    assert modules == {command.module for command in COMMANDS.values()}


def test_a_command_runs_the_function_of_its_module() -> None:
    command = Command(("x",), "", "wait", function="run")
    with pytest.raises(Exception, match="say what to wait for"):
        command.run(SimpleNamespace(ids=(), all=False, children=False))


def test_what_is_not_given_is_none_nothing_or_no() -> None:
    assert Option("x", "").default is False
    assert Option("x", "", "text").default is None
    assert Option("x", "", "text", many=True).default == ()
    assert Argument("x", "", "X").default is None
    assert Argument("x", "", "X", many=True).default == ()


def test_a_short_form_comes_first() -> None:
    assert Option("to_follow", "", short="-f").flags == ("-f", "--to-follow")


def test_numbers_fit_the_wire() -> None:
    assert number("-12") == -12
    assert number(str(2**63 - 1)) == 2**63 - 1
    for text in ("x", "", "1.5", str(2**63)):
        with pytest.raises(ValueError, match="whole number"):
            number(text)


def test_a_pair_has_a_key() -> None:
    assert pair("K=") == "K="
    assert pair("K=a=b") == "K=a=b"
    for text in ("K", "=V", ""):
        with pytest.raises(ValueError, match="KEY=VALUE"):
            pair(text)
