"""The metrics of docs/guides/watching.md are the metrics of the daemon."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import Instance
from tests.orchctl.exporters.test_metrics import parsed

PAGE = (Path(__file__).parents[2] / "docs/guides/watching.md").read_text()


def test_the_page_lists_exactly_the_metrics_of_the_daemon(instance: Instance) -> None:
    instance.ctl("limit", "1")
    instance.spawn("true")
    page = instance.ctl("metrics")
    assert parsed(page)
    names = set(re.findall(r"^# TYPE (\w+)", page, re.MULTILINE))
    assert names == set(re.findall(r"`(orchd_\w+)`", PAGE))
