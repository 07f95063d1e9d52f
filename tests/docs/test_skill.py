"""The SKILL.md that teaches an LLM: every command in it works, and every code it explains is one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from orchctl.commands.registry import COMMANDS
from orchctl.skills import find
from orchd.instance import runner_config
from tests.conftest import Instance
from tests.orchctl import repos
from tests.support.raw import documented_codes

FOLDER = find.SHIPPED / "skill-parallel-orchestration"
TEXT = (FOLDER / "SKILL.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
# Of the client, of tasks, and of sessions, which docs/reference/protocol.md explains elsewhere or not at all.
OTHERS = {
    "no-daemon",
    "timed-out",
    "not-independent",
    "unknown-dependency",
    "bad-tasks",
    "name-taken",
    "unknown-runner",
}


def test_all_commands_of_the_skill_run_in_sequence(instance: Instance, tmp_path: Path) -> None:
    project = repos.repository(tmp_path / "project")
    env = {**instance.env, **repos.SETTINGS, "ORCHD_MOCK_SECONDS": "0.05"}
    instance.ctl("skill", "install", cwd=project)
    for block in BLOCKS:
        process = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            env=env,
            cwd=project,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert process.returncode == 0, (block, process.stdout, process.stderr)
    assert len(BLOCKS) > 12
    instance.ctl("wait", "--all", code=None)
    statuses = {
        agent["name"]: agent["status"] for agent in instance.status("--all")["agents"] if agent["status"] != "completed"
    }
    assert statuses == {"server": "cancelled"}
    report = (project / "report.md").read_text()
    assert re.findall(r"^## (\w+)$", report, re.MULTILINE) == ["docs", "schema", "api", "ui", "check"]


def test_no_example_but_the_last_uses_the_mock_runner() -> None:
    """An LLM does what the examples do."""
    assert [block for block in BLOCKS[:-1] if "mock" in block] == []


def test_the_permissions_in_the_skill_are_a_valid_configuration(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "config.toml").write_text(example)
    assert runner_config.read(tmp_path / "config.toml").of("claude").args


def test_every_command_that_the_skill_names_exists() -> None:
    named = re.findall(r"orchctl ([a-z][\w-]*)(?: ([a-z][\w-]*))?", TEXT)
    assert len(named) > 20
    assert [words for words in named if words[0] not in COMMANDS and " ".join(words) not in COMMANDS] == []


def test_the_skill_explains_valid_codes_and_all_that_an_agent_can_get() -> None:
    section = TEXT.split("\n## Errors\n")[1].split("\n## ")[0]
    explained = {
        code
        for line in section.splitlines()
        for code in re.findall(r"`([a-z-]+)`", line.split("|")[1] if "|" in line else "")
    }
    assert explained <= documented_codes() | OTHERS
    met = {
        "name-taken",
        "would-queue",
        "would-deadlock",
        "too-deep",
        "too-many-children",
        "forbidden",
        "no-daemon",
        "stopping",
    }
    assert met <= explained


@pytest.mark.parametrize("path", sorted(find.SHIPPED.glob("*/SKILL.md")), ids=lambda path: path.parent.name)
def test_the_front_matter_of_a_shipped_skill_is_yaml(path: Path) -> None:
    values = yaml.safe_load(path.read_text().split("---\n")[1])
    assert values["name"] == path.parent.name
    assert isinstance(values["description"], str)


def test_the_front_matter_of_the_skill_has_the_required_keys() -> None:
    head = TEXT.split("---\n")[1]
    assert re.findall(r"^(\w+):", head, re.MULTILINE) == ["name", "description", "tier", "version"]
