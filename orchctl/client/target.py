"""The choice of the daemon: of this machine, or with `--connect` or `--profile` of another machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchctl.errors import UsageError
from orchd.instance import environment
from orchd.instance.home import Home, default_home

if TYPE_CHECKING:
    from orchctl.client.remote import RemoteDaemon

_FLAGS = {"--connect": environment.ENV_CONNECT, "--profile": environment.ENV_PROFILE}


def taken(words: Sequence[str]) -> list[str]:
    """Apply the options before the command, and return `words` without them. Raises UsageError."""
    rest = list(words)
    while rest and (flag := rest[0].partition("=")[0]) in _FLAGS:
        first = rest.pop(0)
        value = first.partition("=")[2] if "=" in first else rest.pop(0) if rest else ""
        use(flag, value)
    return rest


def use(flag: str, value: str) -> None:
    """Choose the daemon with this address or profile, for all commands of this process. Raises UsageError."""
    if not value:
        raise UsageError(
            f"{flag} needs a value: {'tcp://HOST:PORT' if flag == '--connect' else 'a name in config.toml'}"
        )
    for name in _FLAGS.values():  # what the environment says holds no more
        os.environ.pop(name, None)
    os.environ[_FLAGS[flag]] = value


def is_remote() -> bool:
    """Whether the daemon of another machine is chosen."""
    return bool(os.environ.get(environment.ENV_CONNECT) or os.environ.get(environment.ENV_PROFILE))


def chosen() -> Home | RemoteDaemon:
    """Return the chosen daemon. Raises UsageError, and RefusedError when its profile cannot be used."""
    if not is_remote():
        return Home(default_home())
    from orchctl.client import remote

    return remote.profile(os.environ.get(environment.ENV_PROFILE), os.environ.get(environment.ENV_CONNECT))


def check_is_here(command: str) -> None:
    """Raise UsageError when the daemon of another machine is chosen."""
    if is_remote():
        which = os.environ.get(environment.ENV_PROFILE) or os.environ.get(environment.ENV_CONNECT)
        raise UsageError(
            f"`{command}` uses files and processes of this machine, and {which} is another: "
            f"run it there, or without --connect, --profile, "
            f"{environment.ENV_CONNECT} and {environment.ENV_PROFILE}"
        )
