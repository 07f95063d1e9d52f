"""The parts that commands are made of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import pytest

from orchctl.cli import quick_parser
from orchctl.commands.registry import COMMANDS
from orchctl.commands.spec import Argument, Command, Option, number, pair, unix_time
from orchctl.errors import UsageError
from orchd.protocol.bounds import Constraint
from orchd.protocol.specs import AgentSpec

NOW = 1_800_000_000.0


def test_a_command_runs_the_function_of_its_module() -> None:
    command = Command(("x",), "", "agents.wait", function="run")
    with pytest.raises(Exception, match="give ids, --all or --children"):
        command.run(SimpleNamespace(ids=(), all=False, children=False))


def test_missing_options_and_arguments_are_false_none_or_empty() -> None:
    assert Option("x", "").default is False
    assert Option("x", "", "text").default is None
    assert Option("x", "", "text", many=True).default == ()
    assert Argument("x", "", "X").default is None
    assert Argument("x", "", "X", many=True).default == ()


def test_a_short_flag_comes_before_the_long_flag() -> None:
    assert Option("to_follow", "", short="-f").flags == ("-f", "--to-follow")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("spawn --priority 200 -- x", "--priority must be between -100 and 100, not 200; see `orchctl spawn --help`"),
        ("spawn --timeout 0s -- x", "--timeout must be above 0, not 0;"),
        ("spawn --cpu-max 0.1% -- x", "--cpu-max must be between 1% and 1,000,000%, not 0.1%;"),
        ("spawn --after 1 --after= -- x", "--after must be 1 to 210 characters, not '';"),
        ("limit 0", "N must be between 1 and 10,000, not 0;"),
        ("limit --resident 0", "--resident must be between 1 and 10,000, not 0;"),
        ("wait 1 " + "x" * 300, "ID must be 1 to 200 characters, not 'xxx"),
        ("pm --retries -1", "--retries must be between 0 and 1000, not -1;"),
    ],
)
def test_a_value_that_the_daemon_would_refuse_is_a_usage_error(words: str, message: str) -> None:
    parsed = quick_parser.parse(words.split())
    assert parsed is not None
    with pytest.raises(UsageError) as caught:
        parsed.command.run(parsed.args)
    assert caught.value.message.startswith(message)
    assert len(caught.value.message) < 200


def test_options_of_spawn_have_the_bounds_of_the_request() -> None:
    shape = get_type_hints(AgentSpec, include_extras=True)
    for option in COMMANDS["spawn"].options:
        if option.kind not in ("flag", "text", "variable") and option.name in shape:
            constraints = [part for part in _parts(shape[option.name]) if isinstance(part, Constraint)]
            assert option.bound in constraints, option.name


def _parts(hint: Any) -> Iterator[object]:
    """Yield the arguments of a type, and theirs."""
    for part in (*get_args(hint), *getattr(hint, "__metadata__", ())):
        yield part
        yield from _parts(part)


def test_numbers_fit_the_wire_protocol() -> None:
    assert number("-12") == -12
    assert number(str(2**63 - 1)) == 2**63 - 1
    for text in ("x", "", "1.5", str(2**63)):
        with pytest.raises(ValueError, match="is not a valid integer"):
            number(text)


def test_a_pair_has_a_key() -> None:
    assert pair("K=") == "K="
    assert pair("K=a=b") == "K=a=b"
    for text in ("K", "=V", ""):
        with pytest.raises(ValueError, match="KEY=VALUE"):
            pair(text)


def test_an_age_counts_back_from_now() -> None:
    assert unix_time("90", NOW) == NOW - 90
    assert unix_time("2h", NOW) == NOW - 7200


def test_an_iso_time_has_its_zone_or_is_local() -> None:
    assert unix_time("2026-11-30T10:00:00Z", NOW) == unix_time("2026-11-30T11:00+01:00", NOW)
    assert unix_time("2026-11-30T10:00", NOW) == datetime.fromisoformat("2026-11-30T10:00").timestamp()
    assert unix_time(" 2026-11-30 ", NOW) == datetime.fromisoformat("2026-11-30").timestamp()


@pytest.mark.parametrize("text", ["", "yesterday", "10:00", "-1h", "nan", "2026-13-01"])
def test_an_invalid_time_is_refused_with_both_valid_forms(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time: write an age, as in .*, or an ISO time") as caught:
        unix_time(text, NOW)
    assert repr(text) in str(caught.value)
