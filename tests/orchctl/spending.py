"""A runner whose reports count as real: a shell command that prints its usage."""

from __future__ import annotations

from tests.conftest import Instance

INPUT, OUTPUT = 4000, 400  # tokens of each attempt
REAL = """
[runners.real]
command = ["sh", "-c", 'echo "{\\"text\\": \\"done\\", \\"in\\": 4000, \\"out\\": 400}"']
result = "json"
text = "text"
input_tokens = "in"
output_tokens = "out"
[runners.real.prices."*"]
input = 3.0
output = 15.0
"""


def configure(instance: Instance) -> None:
    """Add the runner `real` to the configuration of a daemon that is alive."""
    instance.configure((instance.home.config.read_text() if instance.home.config.exists() else "") + REAL)
    instance.ctl("config", "reload")
