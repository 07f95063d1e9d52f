"""The full parser; the quick parser always agrees with it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from hypothesis import example, given, settings

from orchctl import exit_codes
from orchctl.cli import quick_parser, typer_app
from orchctl.commands.registry import COMMANDS
from orchctl.commands.spec import Command
from orchd.instance.home import Home
from tests.conftest import BIN
from tests.orchctl.words import GOOD, VALUES, lines

TOLD: list[tuple[Command, SimpleNamespace]] = []


def told(command: Command, args: SimpleNamespace) -> int:
    """Keep what would be run."""
    TOLD.append((command, args))
    return 0


APP = typer_app.build(told)


def full(words: list[str]) -> tuple[Command, SimpleNamespace] | None:
    """Return the result of the full parser; None for a usage error."""
    TOLD.clear()
    try:
        APP(args=words, prog_name="orchctl", standalone_mode=False)
    except typer_app._Complaint:
        return None
    return TOLD.pop() if TOLD else None


@settings(max_examples=500)
@given(lines(VALUES, is_tidy=False))
@example(["spawn", "--name", "x", "--", "claude", "-p"])
@example(["spawn", "claude", "--name", "x", "--", "y"])
@example(["spawn", "--", "--", "x"])
@example(["status", "--", "--all"])
@example(["limit", "--resident", "-5", "3"])
@example(["daemon", "stop", "--drain"])
def test_both_parsers_agree_on_lines_that_the_quick_parser_accepts(words: list[str]) -> None:
    quick = quick_parser.parse(words)
    if quick is not None:
        assert (quick.command, quick.args) == full(words)


@given(lines(GOOD, is_tidy=True))
def test_the_quick_parser_accepts_every_plain_line(words: list[str]) -> None:
    assert quick_parser.parse(words) is not None


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_that_names_its_options(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert typer_app.main([*name.split(), "--help"]) == exit_codes.OK
    output = capfd.readouterr().out
    assert COMMANDS[name].help in " ".join(output.split())
    assert all(option.flags[-1] in output for option in COMMANDS[name].options)


@pytest.mark.parametrize("words", [[], ["daemon"]])
def test_a_missing_command_prints_the_help_and_is_a_usage_error(
    words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert typer_app.main(words) == exit_codes.USAGE
    assert re.search(r"^(Agents|Commands):$", capfd.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["spwan"], "orchctl --help"),
        (["status", "--al"], "orchctl status --help"),
        (["logs"], "orchctl logs --help"),
        (["spawn", "--name"], "orchctl spawn --help"),
        (["wait", "--timeout", "soon", "1"], "15m"),
        (["spawn", "--env", "X", "--", "x"], "KEY=VALUE"),
        (["daemon", "stpo"], "orchctl daemon --help"),
        (["limit", "1", "2"], "orchctl limit --help"),
    ],
)
def test_a_usage_error_is_a_single_line_with_a_hint(
    words: list[str], hint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert typer_app.main(words) == exit_codes.USAGE
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: ")
    assert captured.err.count("\n") == 1
    assert hint in captured.err


def test_a_usage_error_with_json_is_an_object(capfd: pytest.CaptureFixture[str]) -> None:
    assert typer_app.main(["status", "--json", "--al"]) == exit_codes.USAGE
    assert capfd.readouterr().out.startswith('{"error":{"code":"usage"')


def test_a_json_option_after_two_dashes_is_ignored(capfd: pytest.CaptureFixture[str]) -> None:
    assert typer_app.main(["spawn", "--nmae", "x", "--", "claude", "--json"]) == exit_codes.USAGE
    assert capfd.readouterr().out == ""


def test_the_version_option_prints_the_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert typer_app.main(["--version"]) == exit_codes.OK
    assert capfd.readouterr().out.startswith("orchctl ")


def test_the_full_parser_runs_the_commands(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    assert typer_app.main(["status", "--json"]) == exit_codes.NO_DAEMON
    assert capfd.readouterr().out.startswith('{"error":{"code":"no-daemon"')


def test_an_abort_exits_with_the_interrupted_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def aborted(command: Command, args: SimpleNamespace) -> int:
        raise typer.Abort

    monkeypatch.setattr(typer_app, "_run", aborted)
    assert typer_app.main(["pause"]) == exit_codes.INTERRUPTED


def test_completion_is_for_the_named_shell(tmp_path: Path) -> None:
    def orchctl(*words: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "HOME": str(tmp_path)}
        return subprocess.run(
            [BIN / "orchctl", *words], env=env, capture_output=True, text=True, timeout=30, check=False
        )

    assert orchctl("--show-completion", "zsh").stdout.startswith("#compdef orchctl")
    assert orchctl("--show-completion=fish").stdout.startswith("complete --command orchctl")
    assert orchctl("--install-completion", "zsh").returncode == 0
    assert "#compdef orchctl" in (tmp_path / ".zfunc/_orchctl").read_text()
    for words in (("ksh",), ("zsh", "fish"), ("",)):
        result = orchctl("--install-completion", *words)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == (
            f"usage: --install-completion takes the name of one shell, not {' '.join(words)!r}; "
            "use bash, zsh, fish, powershell or pwsh\n"
        )


def test_shell_completion_offers_option_names() -> None:
    environment = {"_ORCHCTL_COMPLETE": "complete_bash", "COMP_WORDS": "orchctl spawn --n", "COMP_CWORD": "2"}
    result = subprocess.run(
        [BIN / "orchctl"], env={**os.environ, **environment}, capture_output=True, text=True, timeout=30, check=False
    )
    assert result.stdout.split() == ["--name", "--nesting", "--no-queue"]
