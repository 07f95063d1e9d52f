"""The tables of runners: what they may say, and what they say wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchd.instance.runner_config import Price, Runners, RunnerSettings, read
from orchd.protocol.errors import WireError
from orchd.protocol.schema import ShapeError


def of(tmp_path: Path, text: str) -> Runners:
    """The runners of a file with this text."""
    (tmp_path / "config.toml").write_text(text)
    return read(tmp_path / "config.toml")


def test_built_in_runners_are_available_without_configuration(tmp_path: Path) -> None:
    for runners in (read(tmp_path / "config.toml"), of(tmp_path, "limit = 3\n")):
        assert (runners.names, runners.default) == (("mock", "claude", "codex"), None)
        assert runners.of("claude") == RunnerSettings()


def test_a_runner_table_changes_or_defines_a_runner(tmp_path: Path) -> None:
    runners = of(
        tmp_path,
        'limit = 3\nrunner = "mine"\n[runners.mine]\ncommand = ["x", "{prompt}"]\nprompt = "argument"\n'
        '[runners.codex.prices."*"]\ninput = 1\noutput = 2.5\n',
    )
    assert (runners.names, runners.default) == (("mock", "claude", "codex", "mine"), "mine")
    assert runners.of("mine") == RunnerSettings(command=("x", "{prompt}"), prompt="argument")
    assert runners.of("codex").prices == {"*": Price(1.0, 2.5)}


X = '[runners.x]\ncommand = ["a"]\n'
SAYS_NOTHING = "is not valid for this runner; valid keys are"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('runner = "gpt"', "runner must be one of mock, claude, codex, not 'gpt'"),
        ("runner = 7", "runner must be a string, not a whole number"),
        ("runner = = 7", "Invalid value (at line 1, column 10)"),
        ("runners = 7", "runners must be a map, not a whole number"),
        ("[runners]\nclaude = 1", "runners.claude must be a map, not a whole number"),
        ("[runners.x]", "runners.x.command is missing: a list with the program and its arguments"),
        ('[runners.x]\ncommand = "a b"', "runners.x.command must be a list, not a string"),
        ('[runners.x]\ncommand = ["", "b"]', "runners.x.command must be a list that starts with a program, not "),
        ('[runners.x]\ncommand = ["a", "{promt}"]', "runners.x.command has the unknown placeholder {promt}; "),
        (f'{X}args = ["{{promt}}"]', "runners.x.command has the unknown placeholder {promt}; placeholders are"),
        (f'{X}prompt = "argument"', 'runners.x.prompt must be "argument" when its command has {prompt}, and only then'),
        ('[runners.x]\ncommand = ["a", "{prompt}"]', 'runners.x.prompt must be "argument" when its command has {pro'),
        (f'{X}prompt = "file"', "runners.x.prompt must be stdin or argument, not 'file'"),
        (f'{X}result = "text"', "runners.x.result must be exit-code, file or json, not 'text'"),
        (f'{X}result = "json"', "runners.x.text is missing: the path of the result's text in the JSON"),
        (f'{X}text = "a.b"', 'runners.x.text is a path in JSON and applies only with result = "json"'),
        (f'{X}cost = "a..b"', "runners.x.cost must be keys and indices separated by dots, e.g. a.0.b, not 'a..b'"),
        (f"{X}subagents = true", f"runners.x.subagents {SAYS_NOTHING} args, "),
        ('[runners.claude]\nresult = "json"', f"runners.claude.result {SAYS_NOTHING} args, "),
        ('[runners.mock]\nmodel = "x"', f"runners.mock.model {SAYS_NOTHING} env, unset"),
        ("[runners.codex.prices.m]\ninput = -1\noutput = 1", "runners.codex.prices.m.input must be between 0 and "),
        ('[runners.command]\ncommand = ["a"]', "runners.command is not a valid name: use letters, "),
        ('[runners."a b"]\ncommand = ["a"]', "runners.a b is not a valid name: use letters, "),
    ],
)
def test_an_invalid_runner_configuration_is_reported(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ShapeError) as caught:
        of(tmp_path, text)
    assert str(caught.value).startswith(sentence)


def test_a_configuration_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b'runner = "\xff"')
    with pytest.raises(ShapeError, match="utf-8"):
        read(tmp_path / "config.toml")


def program(directory: Path, name: str) -> None:
    """A program that can be found on the PATH."""
    (directory / name).write_text("#!/bin/sh\n")
    (directory / name).chmod(0o755)


def test_the_only_installed_runner_is_the_default(tmp_path: Path) -> None:
    known = Runners(None, {"own": RunnerSettings(command=("own-cli",))})
    for name, runner in (("codex", "codex"), ("own-cli", "own")):
        directory = tmp_path / name
        directory.mkdir()
        program(directory, name)
        assert known.chosen({"PATH": str(directory)}) == runner


@pytest.mark.parametrize(
    ("programs", "state"),
    [
        ((), "none of claude, codex is on PATH"),
        (("claude", "codex"), "claude and codex are installed"),
        (("mock",), "none of claude, codex is on PATH"),
    ],
)
def test_no_runner_or_several_runners_raise_an_error_that_lists_the_choices(
    tmp_path: Path, programs: tuple[str, ...], state: str
) -> None:
    for name in programs:
        program(tmp_path, name)
    with pytest.raises(WireError, match=state) as caught:
        Runners(None, {}).chosen({"PATH": str(tmp_path)})
    assert caught.value.code == "no-runner"


def test_the_runner_is_chosen_by_variable_then_configuration_then_path(tmp_path: Path) -> None:
    program(tmp_path, "claude")
    path = {"PATH": str(tmp_path)}
    assert Runners("codex", {}).chosen(path) == "codex"
    assert Runners("codex", {}).chosen({**path, "ORCHD_DEFAULT_RUNNER": "mock"}) == "mock"
    with pytest.raises(WireError, match="unknown runner 'other'"):
        Runners(None, {}).chosen({**path, "ORCHD_DEFAULT_RUNNER": "other"})
