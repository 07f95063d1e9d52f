"""docs/reference/json.md has what every command prints with `--json`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from orchctl.commands.registry import COMMANDS
from tests.conftest import Instance
from tests.orchctl import repos

PAGE = (Path(__file__).parents[2] / "docs/reference/json.md").read_text()
ROW = re.compile(r"^\| (`.*?`) \| `(.*?)`(.*) \|$", re.MULTILINE)
TOKEN = re.compile(r"[{}\[\]:,]|[\w-]+\??")
ANY = "NAME"  # stands for any key
SKILLS = '[{"skillName": "a"}, {"skillName": "b", "dependencies": ["a"]}]'
TEAM = f'{{"name": "team", "executionMode": "hybrid", "subSkills": {SKILLS}}}'
# In this order, in one project; each row of the page, the words of the command, and its exit code (None: any).
CALLS: tuple[tuple[str, str, int | None], ...] = (
    ("daemon start", "daemon start", 0),
    ("daemon status", "daemon status", 0),
    ("spawn", "spawn --name first -- true", 0),
    ("spawn --wait", "spawn --wait --name bad -- false", 1),
    ("spawn --wait", "spawn --wait --worktree --name tree -- touch new", 0),
    ("spawn", "spawn --name sleeper -- sleep 600", 0),
    ("wait", "wait first", 0),
    ("status", "status", 0),
    ("logs", "logs first", 0),
    ("cancel", "cancel first", 0),
    ("cancel --wait", "cancel --wait first", 0),
    ("pause ID", "pause sleeper", 0),
    ("resume ID", "resume sleeper", 0),
    ("pause", "pause", 0),
    ("resume", "resume", 0),
    ("why AGENT", "why sleeper", 0),
    ("why AGENT", "why bad", 0),
    ("retry", "retry bad", 0),
    ("validate", "validate team.json", 0),
    ("plan", "plan team.json", 0),
    ("plan --graph", "plan team.json --graph", 0),
    ("prompt", "prompt team.json", 0),
    ("run --dry-run", "run team.json --dry-run", 0),
    ("run", "run team.json", 0),
    ("run --detach", "run team.json --detach", 0),
    ("wait", "wait run-002", 0),
    ("runs", "runs --all", 0),
    ("run-status", "run-status run-001", 0),
    ("why RUN", "why run-001", 0),
    ("tasks new", "tasks new one --goal one", 0),
    ("tasks list", "tasks list", 0),
    ("tasks check", "tasks check", 0),
    ("tasks run", "tasks run", 0),
    ("tasks run --wait", "tasks run --wait", 0),
    ("tasks merge", "tasks merge", 0),
    ("pm --dry-run", "pm --tasks plan.md --dry-run", 0),
    ("pm", "pm --tasks plan.md", 0),
    ("events", "events --since 0", 0),
    ("trace -o FILE", "trace -o spans.json", 0),
    ("export", "export", 0),
    ("timeline", "timeline", 0),
    ("session list", "session list", 0),
    ("session show", "session show", 0),
    ("budget", "budget session-001 --max-tokens 1000000", 0),
    ("usage", "usage", 0),
    ("worktrees list", "worktrees list", 0),
    ("worktrees show", "worktrees show tree", 0),
    ("worktrees prune", "worktrees prune", 0),
    ("worktrees remove", "worktrees remove --force tree", 0),
    ("skill install", "skill install", 0),
    ("skill list", "skill list", 0),
    ("skill show", "skill show skill-parallel-orchestration", 0),
    ("limit", "limit", 0),
    ("runners", "runners", 0),
    ("config init", "config init --print", 0),
    ("config path", "config path", 0),
    ("config show", "config show", 0),
    ("config check", "config check", 0),
    ("config reload", "config reload", 0),
    ("prune", "prune --dry-run", 0),
    ("doctor", "doctor", None),
    ("service status", "service status", None),
    ("keys new", "keys new laptop", 0),
    ("keys list", "keys list", 0),
    ("keys authorize", f"keys authorize laptop {'a1' * 32} --role viewer", 0),
    ("keys revoke", "keys revoke laptop", 0),
    ("session close", "session close", 0),
    ("session new", "session new", 0),
    ("cancel", "cancel --all", 0),
    ("wait", "wait --all", 0),
    ("uninstall-project", "uninstall-project", 0),
    ("daemon stop", "daemon stop --stop-agents", 0),
)
# Not called above: what they need, or where they are called.
ELSEWHERE = {
    "demo": "tests/orchctl/commands/agents/test_demo.py",
    "daemon restart": "tests/orchctl/commands/daemon/test_daemon.py",
    "service install": "tests/systemd/test_service.py",
    "service uninstall": "tests/systemd/test_service.py",
}


def rows(title: str) -> dict[str, str]:
    """Return the shapes in the table of a section, by command or name."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return {name: shape for names, shape, _ in ROW.findall(section) for name in re.findall(r"`(.*?)`", names)}


def parsed(tokens: list[str]) -> Any:
    """Return a shape: a dict of its keys, a list of one shape, or a name; takes it off the front of `tokens`."""
    token = tokens.pop(0)
    if token == "[":
        element = parsed(tokens)
        assert tokens.pop(0) == "]"
        return [element]
    if token != "{":
        return token
    keys: dict[str, Any] = {}
    while token != "}":
        key = tokens.pop(0)
        token = tokens.pop(0)
        keys[key] = None
        if token == ":":
            keys[key] = parsed(tokens)
            token = tokens.pop(0)
    return keys


def shape_of(text: str) -> Any:
    """Return the shape that a text describes, with the names of `Shapes` that are objects replaced."""
    shape = parsed(TOKEN.findall(text))
    return shape_of(SHAPES[shape]) if isinstance(shape, str) and shape in SHAPES else shape


COMMAND_ROWS, SHAPES = rows("Commands"), rows("Shapes")


def differences(value: Any, shape: Any, path: str = "$") -> list[str]:
    """Return where a value differs from its shape."""
    if isinstance(shape, str) and shape in SHAPES:
        shape = shape_of(shape)
    if isinstance(shape, list) and value is not None:
        if not isinstance(value, list):
            return [f"{path} is not a list"]
        return [line for element in value for line in differences(element, shape[0], f"{path}[]")]
    if not isinstance(shape, dict) or value is None:
        return []
    if not isinstance(value, dict):
        return [f"{path} is not an object"]
    required = {key for key in shape if not key.endswith("?") and key != ANY}
    known = {key.removesuffix("?"): inner for key, inner in shape.items()}
    missing = [f"{path}.{key} is missing" for key in required - value.keys()]
    more = [f"{path}.{key} is not on the page" for key in value.keys() - known.keys() if ANY not in shape]
    inner = [
        line
        for key, part in value.items()
        for line in differences(part, known.get(key, shape.get(ANY)), f"{path}.{key}")
    ]
    return sorted([*missing, *more, *inner])


def test_the_page_has_a_row_for_exactly_the_commands_with_json() -> None:
    expected = {name for name, command in COMMANDS.items() if any(option.name == "json" for option in command.options)}
    shown = {
        next((name for name in sorted(COMMANDS, key=len)[::-1] if f"{row} ".startswith(f"{name} ")), row)
        for row in COMMAND_ROWS
    }
    assert shown == expected
    without = re.findall(r"`([\w ]+)`", re.findall(r"^(.*) have no `--json`\.", PAGE, re.MULTILINE)[0])
    assert set(without) == COMMANDS.keys() - expected


def test_every_row_is_called_or_has_a_test_elsewhere() -> None:
    called = {row for row, _, _ in CALLS}
    assert called | ELSEWHERE.keys() == COMMAND_ROWS.keys()
    assert not called & ELSEWHERE.keys()
    root = Path(__file__).parents[2]
    assert [file for file in ELSEWHERE.values() if "json" not in (root / file).read_text()] == []


@pytest.mark.slow
@pytest.mark.timeout(300)  # some seventy programs, one after the other
def test_commands_print_what_the_page_shows(instance: Instance, tmp_path: Path) -> None:
    project = repos.repository(tmp_path / "project")
    instance.env.update(repos.SETTINGS, ORCHD_MOCK_SECONDS="0.01", HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path))
    (project / "team.json").write_text(TEAM)
    (project / "plan.md").write_text("- [ ] Sign in\n")
    wrong = {}
    for row, words, code in CALLS:
        command, dashes, rest = words.partition(" -- ")
        lines = instance.ctl(
            *command.split(), "--json", *filter(None, [dashes.strip(), *rest.split()]), code=code, cwd=project
        )
        values = [json.loads(line) for line in lines.splitlines()]
        if row == "events":
            assert len(values) > 10
            values = [{key: value[key] for key in ("seq", "at", "event", "agent")} for value in values]
        else:
            assert len(values) == 1, words
        if found := [line for value in values for line in differences(value, shape_of(COMMAND_ROWS[row]))]:
            wrong[words] = found
    assert wrong == {}


def test_commands_print_the_error_object_that_the_page_shows(instance: Instance) -> None:
    (shown,) = re.findall(r"```json\n(.*?)\n```", PAGE)
    assert json.loads(instance.ctl("status", "tests", "--json", code=1)) == json.loads(shown)
    usage = json.loads(instance.ctl("status", "--json", "--unknown", code=2))["error"]
    assert (usage["code"], usage.keys()) == ("usage", {"code", "message", "details"})


def test_differences_detects_missing_and_undocumented_keys() -> None:
    shape = shape_of("{a, b?: [{c}], d: {NAME: number}}")
    assert differences({"a": 1, "d": {"x": 1}}, shape) == []
    assert differences({"b": [{"e": 1}], "d": 1}, shape) == [
        "$.a is missing",
        "$.b[].c is missing",
        "$.b[].e is not on the page",
        "$.d is not an object",
    ]
