"""What commands are made of."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from orchctl.commands.spec import Argument, Command, Option, number, pair


def test_a_command_runs_the_function_of_its_module() -> None:
    command = Command(("x",), "", "agents.wait", function="run")
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
