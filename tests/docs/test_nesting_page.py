"""The example of agents that start agents runs as the page shows it, also with a single slot."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import Instance
from tests.docs.test_first_pages import check_output, run

PAGE = (Path(__file__).parents[2] / "docs/guides/nesting.md").read_text()


@pytest.mark.parametrize("limit", [1, 7])
def test_the_example_prints_what_the_page_shows(instance: Instance, tmp_path: Path, limit: int) -> None:
    instance.ctl("limit", str(limit))
    (lead,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "lead.sh").write_text(lead)
    instance.env.update(ORCHD_MOCK_SECONDS="0.01")
    check_output(PAGE, run(PAGE, instance, tmp_path))
