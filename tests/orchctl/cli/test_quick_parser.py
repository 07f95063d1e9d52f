"""The quick parser by itself; that it agrees with the full one is shown in test_app."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from orchctl.cli import quick_parser


def values(*words: str) -> dict[str, object]:
    """Return the parsed arguments without defaults."""
    parsed = quick_parser.parse(words)
    assert parsed is not None
    return {key: value for key, value in vars(parsed.args).items() if value not in (None, False, ())}


def test_options_are_read_in_every_spelling() -> None:
    assert values("spawn", "--name", "api", "--timeout=15m", "--after", "1", "--after=2", "--no-queue", "--", "x") == {
        "name": "api",
        "timeout": 900.0,
        "after": ("1", "2"),
        "no_queue": True,
        "command": ("x",),
    }


def test_the_last_value_of_a_repeated_option_counts() -> None:
    assert values("wait", "1", "--timeout", "1", "--timeout", "2") == {"ids": ("1",), "timeout": 2.0}


def test_a_command_begins_after_two_dashes_or_with_the_first_word() -> None:
    assert values("spawn", "--", "claude", "--name") == {"command": ("claude", "--name")}
    assert values("spawn", "claude", "--name", "--", "x") == {"command": ("claude", "--name", "--", "x")}


def test_options_may_follow_arguments_outside_spawn() -> None:
    assert values("wait", "1", "--any", "2") == {"ids": ("1", "2"), "any": True}
    assert values("logs", "3", "-f") == {"id": "3", "follow": True}


def test_a_value_may_look_like_an_option() -> None:
    assert values("spawn", "--goal", "--json", "--", "x") == {"goal": "--json", "command": ("x",)}


def test_a_group_needs_its_second_word() -> None:
    assert values("daemon", "stop", "--drain") == {"drain": True}
    assert quick_parser.parse(["daemon"]) is None
    assert quick_parser.parse(["daemon stop"]) is None


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--help"],
        ["nothing"],
        ["status", "--help"],
        ["status", "--al"],
        ["status", "--all=yes"],
        ["logs"],
        ["logs", "1", "2"],
        ["logs", "1", "-fx"],
        ["logs", "1", "--lines"],
        ["logs", "1", "--lines", "some"],
        ["limit", "some"],
        ["limit", str(2**63)],
        ["spawn", "--env", "K"],
        ["wait", "--timeout", "soon"],
    ],
)
def test_complex_command_lines_are_left_to_the_full_parser(words: list[str]) -> None:
    assert quick_parser.parse(words) is None


def test_a_plain_call_imports_no_framework() -> None:
    script = (
        "import sys; from orchctl import __main__; from orchctl.cli import quick_parser; "
        "import orchctl.commands.agents.wait, orchctl.commands.agents.spawn, orchctl.commands.agents.status; "
        "orchctl.render.text.fitted('é · ├─ …', 5, '…'); "
        "print([name for name in ('typer', 'click', 'rich', 'yaml', 'filelock',"
        " 'markdown_it', 'prometheus_client', 'xml', 'subprocess', 'argparse', 'dataclasses', 'uuid', 'platformdirs')"
        " if name in sys.modules])"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}  # it imports some
    result = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=30, check=True
    )
    assert result.stdout == "[]\n"
