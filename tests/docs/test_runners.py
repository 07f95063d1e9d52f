"""docs/guides/runners.md lists them."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from dataclasses import MISSING, Field, fields
from pathlib import Path

import pytest

from orchctl.runners.harness.outcome import RunnerOutcome
from orchd.instance.runner_config import PLACEHOLDERS, Price, RunnerSettings, checked, read
from orchd.protocol.schema import parse
from tests.conftest import Instance

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/guides/runners.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
TERSE = f"""#!{sys.executable}
import json, os, sys
text = " ".join([*sys.argv[1:], os.environ["TERSE_COLOUR"]])
print(json.dumps({{"id": "t-1"}}))
print(json.dumps({{"answer": {{"parts": [{{"text": "thinking"}}, {{"text": text}}]}}}}))
print(json.dumps({{"usage": {{"in": 30, "out": 4, "dollars": 0.25}}}}))
"""


def rows(title: str) -> dict[str, list[str]]:
    """A table of keys."""
    section = TEXT.split(title)[1].split("\n\n| key |")[1].split("\n\n")[0]
    cells = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {cell[0].strip("`"): cell for cell in cells}


def shown(field: Field[object]) -> str:
    """A default as the document writes it."""
    if field.default is MISSING:
        return "`{}`" if field.default_factory is not MISSING else "needed"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return "none" if value is None or field.name == "command" else f"`{json.dumps(value)}`"


def test_the_page_lists_every_key_with_its_default() -> None:
    documented = rows("### Keys")
    assert {key: cell[2] for key, cell in documented.items()} == {
        field.name: shown(field) for field in fields(RunnerSettings)
    }


def test_the_page_lists_every_key_of_a_price() -> None:
    assert list(rows("[runners.NAME.prices.MODEL]")) == [field.name for field in fields(Price)]


def test_the_page_lists_every_placeholder() -> None:
    assert set(re.findall(r"`\{([a-z_]+)\}`", TEXT.split("## Your own")[1].split("### Keys")[0])) == set(PLACEHOLDERS)


def test_the_page_lists_every_variable_of_the_mock_runner() -> None:
    source = (ROOT / "orchctl/runners/mock.py").read_text()
    assert set(re.findall(r"ORCHD_MOCK_\w+", source)) == set(re.findall(r"\| `(ORCHD_MOCK_\w+)`", TEXT))


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_valid_configuration(example: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(example)
    assert read(tmp_path / "config.toml").settings
    assert tomllib.loads(example).keys() <= {"runner", "runners"}


def test_the_example_of_a_custom_runner_runs(stopped: Instance, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/terse-agent").write_text(TERSE)
    (tmp_path / "bin/terse-agent").chmod(0o755)
    stopped.configure(EXAMPLES[-1])
    stopped.start()
    env = {"PATH": f"{tmp_path}/bin:{stopped.env['PATH']}"}
    words = ["spawn", "--runner", "terse", "--goal", "Be brief.", "--result", "result.md", "--wait"]
    stopped.ctl(*words, env=env, cwd=tmp_path)
    agent = stopped.agent("1")
    assert (agent["status"], agent["runner"], agent["tokens"], agent["cost_usd"]) == ("completed", "terse", 34, 0.25)
    assert (agent["cli_session"], agent["cost_source"]) == ("t-1", "cli")
    content = (tmp_path / "result.md").read_text()
    assert content.startswith("--print Be brief.")
    assert content.endswith(" never")


def test_the_example_of_a_custom_runner_has_valid_settings() -> None:
    table = tomllib.loads(EXAMPLES[-1])["runners"]["terse"]
    assert checked("terse", {"terse": parse(RunnerSettings, table)}).default == "terse"


def test_the_last_line_of_the_log_counts_tokens_as_the_pages_say() -> None:
    outcome = RunnerOutcome(input_tokens=4000, cache_write_tokens=160, output_tokens=300, cache_read_tokens=90)
    (example,) = re.findall(r"`(4,160 tokens in, .*?)`", TEXT)
    assert example in outcome.summary("claude")
    assert "`4,160 tokens in` are 4,000 of *input* and 160" in (ROOT / "docs/guides/sessions.md").read_text()
