"""The page on the Python library: its example runs, and its table has the signatures of the client."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

from orchctl.client import Client
from tests.conftest import Instance

PAGE = (Path(__file__).parents[2] / "docs/reference/python.md").read_text()


def test_the_example_starts_an_agent_and_waits_for_it(instance: Instance, tmp_path: Path) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    program = example.replace("/srv/shop", str(tmp_path)).replace('["make"]', '["true"]')
    process = subprocess.run([sys.executable, "-c", program], env=instance.env, capture_output=True, text=True)
    assert (process.stdout, process.stderr) == ("agent-001 completed 0\n", "")


def test_the_table_has_the_parameters_and_defaults_of_each_method() -> None:
    shown = dict(re.findall(r"^\| `(\w+)\((.*?)\)` \|", PAGE, re.MULTILINE))
    assert set(shown) == {"Client", "call", "wait", "ids"}
    for name, text in shown.items():
        function = Client.__init__ if name == "Client" else getattr(Client, name)
        parameters = inspect.signature(function).parameters
        for part in filter(None, (piece.strip() for piece in text.replace("*,", "").split(","))):
            parameter, _, default = part.partition("=")
            assert parameter in parameters, (name, parameter)
            if default:
                assert parameters[parameter].default == eval(default), (name, parameter)
