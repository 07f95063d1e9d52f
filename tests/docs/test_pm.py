"""docs/guides/pm.md lists them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from orchctl.plans.entries import PlanEntry
from orchctl.plans.reading import FORMATS
from orchctl.pm.developer import LABELS
from tests.conftest import Instance

TEXT = (Path(__file__).parents[2] / "docs/guides/pm.md").read_text()
SHOWN = dict(re.findall(r"```\n\$ orchctl (pm .*?)\n(.*?)```", TEXT, re.DOTALL))
PLAN = re.findall(r"```markdown\n(.*?)```", TEXT, re.DOTALL)[0]


def blurred(text: str) -> list[str]:
    """Its lines without what differs from one time to the next."""
    text = re.sub(r"/\S*/(?=\.agent/)", "", text)
    return sorted(re.sub(r"\d+\.\d+|\d+,\d+|\s+", " ", line) for line in text.splitlines())


def test_the_example_prints_what_the_page_shows(stopped: Instance, tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text(PLAN)
    stopped.env["ORCHD_MOCK_SECONDS"] = "0.1"
    dry, real = [words for words in SHOWN if "--tasks plan.md --runner mock" in words]
    assert stopped.ctl(*dry.split(), cwd=tmp_path) == SHOWN[dry]
    stopped.start()
    assert blurred(stopped.ctl(*real.split(), cwd=tmp_path)) == blurred(SHOWN[real])
    assert (tmp_path / "plan.md").read_text() == PLAN.replace("\n- [ ]", "\n- [x]")


def test_every_key_and_label_is_shown() -> None:
    table = TEXT.split("| Markdown | JSON | meaning |")[1].split("\n\n")[0]
    assert set(re.findall(r"\| `(\w+)`(?: \(required\))? \| ", table)) == set(PlanEntry.__dataclass_fields__)
    section = TEXT.split("Labels that stand for skills:")[1].split("`config.toml`")[0]
    assert set(re.findall(r"`(\w+)`", section)) == set(LABELS)


def test_every_format_is_shown() -> None:
    table = TEXT.split("| `--format` | ids |")[1].split("\n\n")[0]
    assert tuple(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == FORMATS


def test_every_key_of_the_report_is_shown(stopped: Instance, tmp_path: Path) -> None:
    (tmp_path / "plan.md").write_text("- [ ] A\n")
    stopped.env["ORCHD_MOCK_SECONDS"] = "0.01"
    stopped.start()
    reply = json.loads(stopped.ctl("pm", "--tasks", "plan.md", "--runner", "mock", "--json", cwd=tmp_path))
    keys_text, of_dry_run = TEXT.split("As JSON (`--json`)")[1].split("With `--dry-run`")
    named = set(re.findall(r"`(\w+)`", keys_text))
    assert set(reply) <= named
    assert set(reply["developers"][0]) - {"queued_at", "ended_at"} <= named
    dry = json.loads(stopped.ctl("pm", "--tasks", "plan.md", "--dry-run", "--json", cwd=tmp_path))
    assert {*dry, *dry["waves"][0][0]} == set(re.findall(r"`(\w+)`", of_dry_run))
