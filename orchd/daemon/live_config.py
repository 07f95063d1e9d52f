"""The daemon's configuration, and what of it can change while it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from orchd.core.inputs import SetLimit
from orchd.core.state.agents import Guards, State
from orchd.daemon.sd_notify import Notifier
from orchd.errors import ConfigError
from orchd.instance.config import COMMAND, KEYS, LIMITS, RESTART, TABLES, Config, SettingsError, changed
from orchd.instance.config import read as read_settings
from orchd.server.translate import limits_of

log = logging.getLogger("orchd")


def read(path: Path) -> Config:
    """The configuration in `path`, or the defaults when there is none. Raises ConfigError with all that is wrong."""
    try:
        return read_settings(path)
    except SettingsError as error:
        raise ConfigError(str(error), error.problems) from None


def heed_limit(state: State, config: Config) -> None:
    """Have the core go by what `config` says of the limit and of runaways."""
    state.guards = Guards(config.depth, config.children, config.agents)
    state.is_strict = config.enforcement == "strict"
    state.stall_after = config.stall_after
    state.rate_limit_waits, state.rate_limit_time = config.rate_limit_waits, config.rate_limit_time


class Settled:
    """The configuration that holds now. `heed` is told of each new one; what cannot change live it leaves alone."""

    def __init__(self, path: Path, config: Config) -> None:
        self._path = path
        self._read = self._started = config
        self.is_limit_set: Callable[[], bool] = bool
        self._heed: list[Callable[[Config], None]] = []
        self.notify = Notifier()

    def tell(self, heed: Callable[[Config], None]) -> None:
        """Have `heed` called with every configuration that is to hold from then on."""
        self._heed.append(heed)

    def reload(self) -> dict[str, object]:
        """Read the file again: the keys that changed and those that wait for something else, with what for.

        The service manager is told, whoever asked for it.
        Raises ConfigError when the file cannot be used; then everything stays as it was.
        """
        self.notify.reloading()
        try:
            return self._reload()
        finally:
            self.notify.ready()

    def in_force(self) -> dict[str, object]:
        """The value of each key that is no table: of the last file that was read, or of the start."""
        return {
            key: getattr(self._started if KEYS[key].heeded == RESTART else self._read, key)
            for key in KEYS
            if key not in TABLES
        }

    def limits(self) -> SetLimit:
        """The input for the core that sets the limit to that of the file."""
        return limits_of(self._read, None)

    def _reload(self) -> dict[str, object]:
        new = read(self._path)
        keys = changed(self._read, new)
        later = {key: KEYS[key].heeded for key in keys if KEYS[key].heeded == RESTART}
        later |= {key: COMMAND for key in keys if key in LIMITS and self.is_limit_set()}
        self._read = new
        for heed in self._heed:
            heed(new)
        now = [key for key in keys if key not in later]
        log.info("reloaded %s: %s changed; for later %s", self._path, _listed(now), _listed(list(later)))
        return {"config": str(self._path), "changed": now, "later": later}


def _listed(keys: list[str]) -> str:
    return ", ".join(keys) or "nothing"
