"""`orchctl runners`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Instance
from tests.orchctl.conftest import Orchctl


@pytest.fixture
def env(stopped: Instance, tmp_path: Path) -> dict[str, str]:
    """An environment with a `claude` that tells its version, a `codex` that does not, and nothing else."""
    (tmp_path / "bin").mkdir()
    for name, script in (("claude", "echo '2.1.197 (Claude Code)'; echo more"), ("codex", "exit 3"), ("mine", "exit")):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return {**stopped.env, "PATH": str(tmp_path / "bin")}


def test_runners_lists_built_in_and_configured_runners_without_a_daemon(
    orchctl: Orchctl, stopped: Instance, env: dict[str, str], tmp_path: Path
) -> None:
    stopped.configure('runner = "mine"\n[runners.mine]\ncommand = ["mine"]\n[runners.gone]\ncommand = ["gone-agent"]\n')
    del env["ORCHD_DEFAULT_RUNNER"]
    result = orchctl("runners", env=env)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "mock             simulated, does no real work",
        f"claude           {tmp_path}/bin/claude, 2.1.197 (Claude Code)",
        f"codex            {tmp_path}/bin/codex",
        f"mine    default  {tmp_path}/bin/mine",
        "gone             gone-agent is not on the PATH",
    ]
    assert not stopped.home.socket.exists()


def test_runners_json_is_one_object(orchctl: Orchctl, stopped: Instance, env: dict[str, str], tmp_path: Path) -> None:
    stopped.configure('[runners.claude]\nmodel = "opus"\n')
    value = json.loads(orchctl("runners", "--json", env=env).out)
    assert (value["default"], value["config"]) == ("mock", str(stopped.home.config))
    assert [(runner["name"], runner["default"], runner["ready"]) for runner in value["runners"]] == [
        ("mock", True, True),
        ("claude", False, True),
        ("codex", False, True),
    ]
    assert value["runners"][1] == {
        "name": "claude",
        "built_in": True,
        "default": False,
        "model": "opus",
        "program": "claude",
        "path": f"{tmp_path}/bin/claude",
        "version": "2.1.197 (Claude Code)",
        "ready": True,
    }


def test_runners_does_not_wait_for_a_cli_that_hangs_on_version(
    orchctl: Orchctl, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "bin/codex").write_text("#!/bin/sh\nexec /bin/sleep 600\n")
    value = json.loads(orchctl("runners", "--json", env=env).out)
    assert [runner["version"] for runner in value["runners"]] == [None, "2.1.197 (Claude Code)", None]


def test_runners_reports_an_invalid_config_value(orchctl: Orchctl, stopped: Instance) -> None:
    stopped.configure('runner = "gpt"\n')
    result = orchctl("runners")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        f"bad-config: {stopped.home.config}: runner must be one of mock, claude, codex, not 'gpt'; "
        "correct it and try again\n"
    )


def test_runners_prints_why_no_default_runner_is_chosen(orchctl: Orchctl, env: dict[str, str]) -> None:
    del env["ORCHD_DEFAULT_RUNNER"]
    result = orchctl("runners", env=env)
    assert (result.code, "default" in result.out) == (0, False)
    assert result.err.startswith("no runner is chosen, and claude and codex are installed")
