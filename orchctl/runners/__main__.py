"""`python -m orchctl.runners [ARGUMENT]...`, started by the daemon: the runner that ORCHD_RUNNER names."""

from __future__ import annotations

import os
import sys

from orchctl.runners import cli, mock
from orchd.wire.variables import ENV_MODEL, ENV_RUNNER


def main() -> int:
    """Run the agent. Returns its exit code."""
    name = os.environ[ENV_RUNNER]
    if name == "mock":
        return mock.main(os.environ)
    model = os.environ.get(ENV_MODEL)
    return cli.main([name, *(["--model", model] if model else []), *sys.argv[1:]], os.environ)


if __name__ == "__main__":
    sys.exit(main())
