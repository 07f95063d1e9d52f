"""Commands of other tools: run as the orchctl command, or answered with the command that has their meaning."""

from __future__ import annotations

import re

import pytest

from orchctl.cli import words
from orchctl.commands.registry import COMMANDS, GROUPS
from tests.orchctl.conftest import Orchctl

FLAGS = {flag for command in COMMANDS.values() for option in command.options for flag in option.flags}
HINTS = [*words.COMMANDS.values(), *words.OPTIONS.values(), *words.ARGUMENTS.values()]


@pytest.mark.parametrize("alias", words.ALIASES)
def test_an_alias_maps_to_a_command_and_is_no_command_itself(alias: str) -> None:
    first_word = words.ALIASES[alias][0]
    assert first_word in COMMANDS or first_word in ("--help", "--version")
    assert alias not in (*COMMANDS, *GROUPS, *words.COMMANDS)


@pytest.mark.parametrize("word", words.COMMANDS)
def test_a_word_with_a_hint_is_no_command(word: str) -> None:
    assert word not in (*COMMANDS, *GROUPS)


@pytest.mark.parametrize("hint", dict.fromkeys(HINTS))
def test_a_hint_names_only_existing_commands_and_options(hint: str) -> None:
    for line in re.findall(r"`orchctl ([^`]+)`", hint):
        command = next(name for name in (" ".join(line.split()[:2]), line.split()[0]) if name in (*COMMANDS, *GROUPS))
        flags = (
            {flag for option in COMMANDS[command].options for flag in option.flags} if command in COMMANDS else set()
        )
        assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", line.partition(" -- ")[0])) <= flags
    assert set(re.findall(r"--[a-z][a-z-]+", hint)) <= FLAGS


def test_an_alias_runs_its_command(orchctl: Orchctl) -> None:
    orchctl("spawn", "--name", "api", "--", "sleep", "600")
    assert "agent-001" in orchctl("ls").out
    assert orchctl("kill", "api").code == 0
    assert orchctl("version").out.startswith("orchctl ")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("submit x", "`orchctl spawn -- COMMAND`"),
        ("stop", "`orchctl cancel ID` ends an agent"),
        ("spawn --prompt x", "--goal TEXT sets the goal of an agent"),
        ("spawn -pdo", "--goal TEXT sets the goal of an agent"),
        ("spawn -m x", "--model NAME sets the model"),
        ("spawn --parallel 3 -- true", "`orchctl limit N`"),
        ("prune agent-056", "`orchctl worktrees remove agent-056` removes"),
        ("worktrees prune 56", "`orchctl worktrees remove 56` removes"),
        ("worktrees prune --force", "`orchctl worktrees remove ID --force` does"),
        ("logs -n 3 1", "--lines N shows only the last lines"),
    ],
)
def test_a_word_of_another_tool_gets_a_hint_to_the_orchctl_command(orchctl: Orchctl, line: str, hint: str) -> None:
    result = orchctl(*line.split())
    assert result.code == 2
    assert hint in result.err


def test_a_hint_recommends_no_option_that_the_command_lacks(orchctl: Orchctl) -> None:
    assert "--goal" not in orchctl("cancel", "--prompt", "x").err
