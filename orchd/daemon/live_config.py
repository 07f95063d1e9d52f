"""The daemon's configuration, and what of it can change while it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from orchd.core.inputs import SetLimit
from orchd.core.state.state import State
from orchd.daemon.sd_notify import Notifier
from orchd.errors import ConfigError
from orchd.instance.config import COMMAND, KEYS, LIMITS, RESTART, TABLES, Config, SettingsError, changed, resident_of
from orchd.instance.config import read as read_settings

log = logging.getLogger("orchd")


def read(path: Path) -> Config:
    """Return the configuration in `path`, or the defaults without a file. Raises ConfigError with all mistakes."""
    try:
        return read_settings(path)
    except SettingsError as error:
        raise ConfigError(str(error), error.problems) from None


class LiveConfig:
    """The configuration in force. `apply` is called with each new one; keys that need a restart keep their value."""

    def __init__(
        self, path: Path, config: Config, state: State, notify: Notifier, apply: Callable[[Config], None]
    ) -> None:
        self._path = path
        self.current = self._started = config
        self._state = state
        self._notify = notify
        self._apply = apply

    def reload(self) -> dict[str, object]:
        """Read the file again. Returns the changed keys, and the keys whose change is deferred, each with the reason.

        The service manager is notified in any case.
        Raises ConfigError when the file cannot be used; then everything stays as it was.
        """
        self._notify.reloading()
        try:
            new = read(self._path)
            keys = changed(self.current, new)
            later = {key: KEYS[key].effective for key in keys if KEYS[key].effective == RESTART}
            later |= {key: COMMAND for key in keys if key in LIMITS and self._state.is_limit_set}
            self.adopt(new)
            now = [key for key in keys if key not in later]
            log.info("reloaded %s: changed %s; not in effect yet: %s", self._path, _listed(now), _listed(list(later)))
            return {"config": str(self._path), "changed": now, "later": later}
        finally:
            self._notify.ready()

    def adopt(self, config: Config) -> None:
        """Use `config` from now on."""
        self.current = config
        self._apply(config)

    def in_force(self) -> dict[str, object]:
        """Return the value of each key that is not a table: of the last file that was read, or of the start."""
        return {
            key: getattr(self._started if KEYS[key].effective == RESTART else self.current, key)
            for key in KEYS
            if key not in TABLES
        }

    def limits(self) -> SetLimit:
        """Return the input that sets the limit to the value of the file."""
        return SetLimit(None, self.current.limit, resident_of(self.current), by_command=False)


def _listed(keys: list[str]) -> str:
    return ", ".join(keys) or "nothing"
