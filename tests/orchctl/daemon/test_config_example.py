"""The complete config.toml of `orchctl config init`."""

from __future__ import annotations

import json
import re

from orchd.instance.config import KEYS
from tests.conftest import Instance
from tests.orchctl.conftest import Orchctl


def test_config_init_writes_a_complete_example_of_defaults_once(orchctl: Orchctl, stopped: Instance) -> None:
    stopped.home.config.unlink(missing_ok=True)
    assert orchctl("config", "init") == (0, f"{stopped.home.config}\n", "")
    text = stopped.home.config.read_text()
    assert [key for key in KEYS if f"\n#{key} = " not in text and f"\n#[{key}" not in text] == []
    assert orchctl("config", "check").code == 0
    shown = json.loads(orchctl("config", "show", "--json").out)["keys"]
    assert {key["source"] for key in shown} == {"default"}
    stopped.configure("limit = 2\n")
    again = orchctl("config", "init")
    assert again.code == 1
    assert again.err.startswith(f"config-exists: {stopped.home.config} already exists: edit it")
    assert stopped.home.config.read_text() == "limit = 2\n"
    assert orchctl("config", "init", "--print") == (0, text, "")


def test_the_uncommented_example_is_valid(orchctl: Orchctl, stopped: Instance) -> None:
    text = orchctl("config", "init", "--print").out
    stopped.configure(re.sub(r"^#(?! )", "", text, flags=re.MULTILINE))
    assert orchctl("config", "check").out == f"{stopped.home.config} is valid\n"
