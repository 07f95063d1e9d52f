"""The real CLIs as agents of a real daemon, with a stand-in of their services."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.clis.standin import StandIn, prompt
from tests.conftest import Instance, until

CODEX = """
model = "stand-in"
model_provider = "stand-in"
[model_providers.stand-in]
name = "stand-in"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "STAND_IN_KEY"
request_max_retries = 0
stream_max_retries = 0
"""
CONFIG = """
[runners.codex]
args = ["--skip-git-repo-check", "--sandbox", "danger-full-access"]
[runners.codex.prices."*"]
input = 1.0
output = 10.0
cache_read = 0.1
"""


class Clis:
    """An instance whose agents are real CLIs."""

    def __init__(self, instance: Instance, service: StandIn, directory: Path, programs: str) -> None:
        self.instance = instance
        self.service = service
        self.directory = directory
        home = directory / "home"
        (home / "codex").mkdir(parents=True)
        (home / "codex/config.toml").write_text(CODEX.format(url=service.url))
        self.env = {
            "PATH": f"{programs}:{instance.env['PATH']}",
            "HOME": str(home),
            "CLAUDE_CONFIG_DIR": str(home / "claude"),
            "CODEX_HOME": str(home / "codex"),
            "ANTHROPIC_BASE_URL": service.url,
            "ANTHROPIC_API_KEY": "any",
            "STAND_IN_KEY": "any",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "0",
        }

    def spec(self, runner: str, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
        """An agent of this runner, whose model does this."""
        arguments = ["--allowedTools", "Bash"] if runner == "claude" else []
        return {"runner": runner, "goal": prompt(*steps), "command": arguments, "cwd": str(self.directory), **more}

    def spawn(self, *specs: dict[str, Any], **env: str) -> list[str]:
        """The ids of these agents."""
        batch = self.directory / "batch.jsonl"
        batch.write_text("".join(f"{json.dumps(spec)}\n" for spec in specs))
        return self.instance.ctl("spawn", "--batch", str(batch), env={**self.env, **env}, cwd=self.directory).split()

    def ended(self, *specs: dict[str, Any], **env: str) -> dict[str, Any]:
        """A single agent when it has ended, as `status` shows it."""
        (agent_id,) = self.spawn(*specs, **env)
        self.instance.ctl("wait", agent_id, code=None)
        return self.instance.agent(agent_id)

    def reported(self, agent_id: str) -> tuple[dict[str, Any], int]:
        """The report of an agent's first attempt, and the code that its shim wrote down."""
        stem = self.instance.home.agents / f"{agent_id}.1"
        record = Path(f"{stem}.exit")
        until(lambda: record.exists() and len(record.read_text().splitlines()) > 1, what="an exit record")
        report: dict[str, Any] = json.loads(Path(f"{stem}.report").read_text())
        return report, int(record.read_text().splitlines()[1].split()[1])

    def log(self, agent_id: str) -> str:
        """The output of an agent so far."""
        return self.instance.ctl("logs", agent_id)

    def goes_on(self, runner: str, directory: Path) -> dict[str, Any]:
        """An agent that its service turns away after a step, and that goes on with its session; as it ended."""
        step = {"bash": "echo step >> steps"}
        (agent_id,) = self.spawn(self.spec(runner, step, {"status": 429, "times": 1}, {"say": "All done."}))
        until(lambda: self.instance.agent(agent_id)["status"] == "queued", what="a rate limit")
        first = self.instance.agent(agent_id)
        self.instance.ctl("resume")
        self.instance.ctl("wait", agent_id)
        agent = self.instance.agent(agent_id)
        assert (agent["status"], agent["attempt"]) == ("completed", 2)
        assert (directory / "steps").read_text() == "step\n"
        assert f"resuming session {first['cli_session']}" in self.log(agent_id)
        return agent

    def until_asked(self, ending: str) -> None:
        """Return when the service was asked for an answer."""
        until(lambda: self.service.requests(ending), what=ending)


def found(name: str) -> str:
    """The directory with the CLI of this name; the test is skipped where there is none."""
    places = [os.environ.get("ORCHD_TEST_CLIS", ""), os.environ["PATH"]]
    program = shutil.which(name, path=os.pathsep.join(filter(None, places)))
    if program is None:
        pytest.skip(f"no {name}: neither on the PATH nor in the directory ORCHD_TEST_CLIS")
    return str(Path(program).parent)


@pytest.fixture
def service() -> Iterator[StandIn]:
    """The stand-in of both services."""
    with closing(StandIn()) as service:
        yield service


@pytest.fixture
def clis(stopped: Instance, service: StandIn, tmp_path: Path, request: pytest.FixtureRequest) -> Clis:
    """A daemon whose agents are the CLIs that the test's module names."""
    programs = os.pathsep.join(found(name) for name in request.module.NEEDED)
    stopped.configure(CONFIG)
    stopped.start()
    return Clis(stopped, service, tmp_path, programs)
