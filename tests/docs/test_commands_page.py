"""docs/reference has every command, argument, exit code and environment variable."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from orchctl import exit_codes
from orchctl.commands.registry import COMMANDS
from orchd.instance.config import KEYS, default

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/reference/commands.md").read_text()
VARIABLES = (ROOT / "docs/reference/environment.md").read_text()
CODES = (ROOT / "docs/reference/exit-codes.md").read_text()
# Of completion, which shells and our own script say to each other; and what we set for git, and nobody else need.
OURS_ALONE = {"_ORCHCTL_COMPLETE"}
THEIRS = {"XDG_STATE_HOME", "XDG_RUNTIME_DIR"}  # heeded by platformdirs, and by systemctl
OURS = re.compile(r"(ORCHD|ORCHCTL|OTEL|NOTIFY|WATCHDOG|JOURNAL)_[A-Z_]*[A-Z]")


def section(title: str) -> str:
    """The text below a heading."""
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def is_environment(node: ast.AST) -> bool:
    """Whether this is `os.environ`, or something that is called so."""
    return (isinstance(node, ast.Attribute) and node.attr == "environ") or (
        isinstance(node, ast.Name) and node.id == "environ"
    )


def read(text: str) -> Iterator[str]:
    """The variables that a source asks the environment for by name, and all that are called as ours."""
    for node in ast.walk(ast.parse(text)):
        expressions: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_environment(node.func.value):
            expressions = node.args[:1]
        elif isinstance(node, ast.Subscript) and is_environment(node.value):
            expressions = [node.slice]
        elif isinstance(node, ast.Compare) and any(map(is_environment, node.comparators)):
            expressions = [node.left]
        elif isinstance(node, ast.Constant) and OURS.fullmatch(str(node.value)):
            expressions = [node]
        yield from (
            expression.value
            for expression in expressions
            if isinstance(expression, ast.Constant) and isinstance(expression.value, str)
        )


def test_the_scan_detects_every_way_to_read_a_variable() -> None:
    text = 'os.environ["A"]; environ.get("B"); "C" in os.environ; x = "ORCHD_D"; y = "ORCHD_"; os.environ.pop("E")'
    assert set(read(text)) == {"A", "B", "C", "ORCHD_D", "E"}


def test_the_page_lists_exactly_the_environment_variables() -> None:
    sources = [*(ROOT / "orchd").rglob("*.py"), *(ROOT / "orchctl").rglob("*.py")]
    variables = {name for path in sources if "skills" not in path.parts for name in read(path.read_text())}
    named = set(re.findall(r"`([A-Z_]+)`", VARIABLES))
    mock = {name for name in variables if name.startswith("ORCHD_MOCK_")}
    assert variables - mock - OURS_ALONE - named == set(), "explain it in docs/reference/environment.md"
    assert named - variables == THEIRS


def test_the_page_lists_exactly_the_exit_codes() -> None:
    codes = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", CODES.partition("\n## ")[0], re.MULTILINE)} == codes


def test_the_page_lists_exactly_the_options_of_the_daemon() -> None:
    output = subprocess.run(
        [sys.executable, "-m", "orchd", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert set(re.findall(r"(--[a-z-]+)", output)) - {"--help"} == set(re.findall(r"`(--[a-z-]+)`", section("orchd")))


def test_the_page_describes_every_command_and_argument() -> None:
    commands_text = TEXT.split("<!-- made by generate.py: commands -->")[1].split("<!-- end of commands -->")[0]
    parts = re.split(r"^### orchctl ", commands_text, flags=re.MULTILINE)[1:]
    assert len(parts) == len(COMMANDS)
    for (name, command), part in zip(COMMANDS.items(), parts, strict=True):
        assert part.startswith(f"{name} " if command.arguments else f"{name}\n")
        assert command.help in part
        assert [argument.metavar for argument in command.arguments if f"| `{argument.metavar}`" not in part] == []
    assert section("All commands").count("\n### orchctl ") == len(COMMANDS), "under a heading that is not theirs"


def test_the_page_and_the_manual_page_list_exactly_the_global_options() -> None:
    output = subprocess.run(
        [sys.executable, "-m", "orchctl", "--help"], capture_output=True, text=True, check=True
    ).stdout
    options = set(re.findall(r"^  (?:-h, )?(--[a-z-]+)", output.partition("\nOptions:\n")[2], re.MULTILINE))
    assert len(options) > 4
    assert set(re.findall(r"`(--[a-z-]+)`", section("Global options"))) == options
    manual = (ROOT / "docs/man/orchctl.1").read_text().partition(".SH OPTIONS\n")[2].partition(".SH COMMANDS\n")[0]
    assert set(re.findall(r"(--[a-z-]+)fR", manual.replace("\\", ""))) == options


def test_the_page_and_the_manual_page_name_the_commands_without_json() -> None:
    others = {name for name, command in COMMANDS.items() if all(option.name != "json" for option in command.options)}
    (sentence,) = re.findall(r"^Every command but (.*) also has \[`--json`\]", TEXT, re.MULTILINE)
    assert set(re.findall(r"`([a-z ]+)`", sentence)) == others
    manual = (ROOT / "docs/man/orchctl.1").read_text()
    (sentence,) = re.findall(r"^Every command but (.*) has \\-\\-json", manual, re.MULTILINE)
    assert set(re.split(r", | and ", sentence)) == others


def test_defaults_in_the_manual_page_of_the_configuration_are_toml() -> None:
    manual = (ROOT / "docs/man/orchd.toml.5").read_text()
    for name, key in KEYS.items():
        (about,) = re.findall(rf"^\\fB{name}\\fR\n(.*)$", manual, re.MULTILINE)
        value = about.replace("\\-", "-").partition(" Default: ")[2].removesuffix(".")
        assert key.unset or tomllib.loads(f"x = {value}")["x"] == default(name), name
