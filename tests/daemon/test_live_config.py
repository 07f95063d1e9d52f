"""The configuration: every key, every kind of mistake."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from orchd.core.state.state import State
from orchd.daemon.live_config import LiveConfig, read
from orchd.daemon.sd_notify import Notifier
from orchd.daemon.wiring import configure_core
from orchd.errors import ConfigError
from orchd.instance import runner_config
from orchd.instance.config import KEYS, AllTrees, Config, ProjectManagement, RemoteConfig, default
from orchd.instance.runner_config import RunnerSettings
from orchd.protocol.schema import ShapeError

CHANGED: dict[str, Any] = {
    "limit": 3,
    "resident": 9,
    "enforcement": "lenient",
    "stall_after": 12.5,
    "depth": 5,
    "children": 6,
    "agents": 70,
    "grace": 1.5,
    "timeout": 60.0,
    "silence": 30.0,
    "memory_max": "512M",
    "cpu_max": "150%",
    "pids_max": 50,
    "umask": "027",
    "confined_callers": "accept",
    "session_files": False,
    "sessions_path": "s",
    "state_path": "a/b",
    "rate_limit_waits": 3,
    "rate_limit_time": 900.0,
    "free_bytes": 5,
    "keep_age": 3600.0,
    "keep_count": 9,
    "keep_bytes": 10,
    "log_bytes": 1 << 20,
    "cgroups": "off",
    "runner": "claude",
    "runners": {"claude": RunnerSettings(model="opus")},
    "pm": ProjectManagement({"backend": "mine"}),
    "worktree": AllTrees((".env",), "npm ci", submodules=True, reproducible=("out",), trusted=("/src", "~/src")),
    "remote": RemoteConfig("tcp://127.0.0.1:7777"),
}
WRITTEN = {
    "pm": 'pm = { labels = { backend = "mine" } }',
    "worktree": """[worktree]
copy = [".env"]
setup = "npm ci"
submodules = true
reproducible = ["out"]
trusted = ["/src", "~/src"]
""",
    "runners": '[runners.claude]\nmodel = "opus"\n',
    "remote": '[remote]\nlisten = "tcp://127.0.0.1:7777"\n',
}  # what is more than a word or a number


def written(path: Path, text: str) -> Path:
    """A file with this text."""
    file = path / "config.toml"
    file.write_text(text)
    return file


def test_a_missing_file_yields_the_defaults(tmp_path: Path) -> None:
    assert read(tmp_path / "config.toml") == Config()
    assert (Config().limit, Config().resident) == (7, None)


@pytest.mark.parametrize("key", [field.name for field in dataclasses.fields(Config)])
def test_every_key_can_be_changed(tmp_path: Path, key: str) -> None:
    value = CHANGED[key]
    text = WRITTEN.get(key) or f"{key} = {json.dumps(value)}"
    assert read(written(tmp_path, text)) == dataclasses.replace(Config(), **{key: value})


def test_runners_are_the_built_in_runners_and_the_runners_of_the_file(tmp_path: Path) -> None:
    assert (Config().known_runners.names, Config().known_runners.default) == (("mock", "claude", "codex"), None)
    text = 'runner = "mine"\n[runners.mine]\ncommand = ["x"]\n[runners.codex]\n'
    known = read(written(tmp_path, text)).known_runners
    assert (known.names, known.default) == (("mock", "claude", "codex", "mine"), "mine")


def test_the_guards_are_read_from_the_file(tmp_path: Path) -> None:
    state = State()
    configure_core(state, read(written(tmp_path, "depth = 5\nchildren = 6\nagents = 70\n")))
    assert (state.guards.depth, state.guards.children, state.guards.agents) == (5, 6, 70)


@pytest.mark.parametrize(
    ("text", "strict", "stall"),
    [("", True, 30.0), ('enforcement = "lenient"\nstall_after = "2m"\n', False, 120.0), ("stall_after = 0", True, 0.0)],
)
def test_enforcement_and_stall_time_are_read_from_the_file(
    tmp_path: Path, text: str, strict: bool, stall: float
) -> None:
    state = State()
    configure_core(state, read(written(tmp_path, text)))
    assert (state.is_strict, state.stall_after) == (strict, stall)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limit = 0", "limit must be between 1 and 10,000, not 0"),
        ('limit = "7"', "limit must be a whole number, not a string: '7'"),
        ("limit = true", "limit must be a whole number, not true or false"),
        ("grace = -1", "grace must be 0 or more, not -1.0"),
        ("timeout = 0", "timeout must be above 0, not 0.0"),
        ('cgroups = "maybe"', "cgroups must be auto or off, not 'maybe'"),
        ('state_path = "/etc"', "state_path must be a path inside the project, not '/etc'"),
        ('sessions_path = "a/../b"', "sessions_path must be a path inside the project"),
        ("limits = 3", "limits is an unknown key; did you mean limit?"),
        ("limit = 7\nresident = 3", "resident must be at least limit (7), not 3"),
        ("limit = = 3", "line 1"),
        ('runner = "gpt"', "runner must be one of mock, claude, codex, not 'gpt'"),
        ("[runners.claude]\nmodle = 1", "runners.claude.modle is an unknown key; did you mean runners.claude.model?"),
        ("[runners.mine]\nmodel = 'x'", "runners.mine.command is missing: a list with the program and its arguments"),
        ("[pm.labels]\nbackend = 1", "pm.labels must map strings to strings"),
        ('[worktree]\ntrusted = ["~somebody/src"]', "worktree.trusted[0] must be a path that begins with / or ~/"),
        ('[worktree]\nsetup = " "', "worktree.setup must be a shell command"),
        ("[pm]\nlabel = {}", "pm.label is an unknown key; did you mean pm.labels?"),
    ],
)
def test_an_error_names_the_file_and_the_fix(tmp_path: Path, text: str, message: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ConfigError, match="config.toml") as caught:
        read(file)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", [f"limit = {'9' * 5000}", f"limit = {'[' * 5000}"], ids=["digits", "brackets"])
def test_a_file_that_breaks_the_parser_raises_a_configuration_error(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ConfigError, match="config.toml"):
        read(file)
    with pytest.raises(ShapeError):
        runner_config.read(written(tmp_path, f"runner = 'mock'\n{text}"))


def test_all_errors_are_reported_together(tmp_path: Path) -> None:
    text = 'limit = "7"\nresident = 1\ngraec = 3\ndepth = 0\n[runners.mine]\nmodel = 1\n[runners.codex]\nprompt = "x"\n'
    with pytest.raises(ConfigError) as caught:
        read(written(tmp_path, text))
    assert [(problem.key, problem.nearest) for problem in caught.value.problems] == [
        ("graec", "grace"),
        ("limit", None),
        ("depth", None),
        ("runners.mine.model", None),
        ("runners.codex.prompt", None),
    ]
    assert str(caught.value).endswith(
        "config.toml: graec is an unknown key; did you mean grace? (4 more: see `orchctl config check`)"
    )


def test_conflicting_keys_are_reported_together_with_invalid_keys(tmp_path: Path) -> None:
    text = 'resident = 1\ngrace = -1\nrunner = "gpt"\n[runners.mine]\nmodel = "x"\n[runners.claude]\ncost = "a"\n'
    with pytest.raises(ConfigError) as caught:
        read(written(tmp_path, text))
    assert [problem.key for problem in caught.value.problems] == [
        *("grace", "runners.mine", "runners.claude.cost", "runner", "resident"),
    ]


def test_an_error_in_the_environment_of_a_runner_reveals_no_value(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(written(tmp_path, '[runners.claude.env]\nTOKEN = "hush"\nOTHER = 7\n'))
    assert "runners.claude.env must map strings to strings" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_every_key_has_a_description() -> None:
    assert list(KEYS) == [field.name for field in dataclasses.fields(Config)]
    assert all(
        description.unset for key, description in KEYS.items() if default(key) in (None, {}, ProjectManagement())
    )


def test_a_reload_reports_the_applied_keys_and_the_deferred_keys(tmp_path: Path) -> None:
    file = written(tmp_path, "grace = 1\n")
    applied: list[Config] = []
    settings = LiveConfig(file, read(file), State(), Notifier(), applied.append)
    file.write_text('grace = 2\ndepth = 9\nlimit = 3\ncgroups = "off"\n')
    answer: dict[str, Any] = settings.reload()
    assert (answer["changed"], list(answer["later"])) == (["limit", "depth", "grace"], ["cgroups"])
    assert (applied[-1].grace, applied[-1].depth) == (2.0, 9)
    assert settings.reload()["changed"] == []


def test_a_reload_of_an_invalid_file_changes_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, "grace = 1\n")
    applied: list[Config] = []
    settings = LiveConfig(file, read(file), State(), Notifier(), applied.append)
    file.write_text("grace = 2\ndepht = 9\n")
    with pytest.raises(ConfigError, match="did you mean depth"):
        settings.reload()
    assert applied == []
    file.write_text("grace = 2\n")
    assert settings.reload()["changed"] == ["grace"]


def test_an_unreadable_file_raises_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "config.toml")


def test_a_limit_table_sets_the_limit_keys(tmp_path: Path) -> None:
    text = '[limit]\nagents = 3\nresident = 9\nenforcement = "lenient"\nstall_after = "1m"\n'
    config = read(written(tmp_path, text))
    assert (config.limit, config.resident, config.enforcement, config.stall_after) == (3, 9, "lenient", 60.0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[limit]\nworkers = 3\n", "limit.workers is unknown; [limit] has agents, resident, enforcement, stall_after"),
        ("resident = 9\n[limit]\nresident = 9\n", "resident is set twice, in [limit] and outside it"),
        ('enforcement = "soft"\n', "enforcement must be strict or lenient"),
        ('stall_after = "soon"\n', "stall_after"),
        ("[limit]\nagents = 0\n", "limit must be between 1 and 10,000, not 0"),
    ],
)
def test_an_error_in_the_limit_settings_is_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)):
        read(written(tmp_path, text))
