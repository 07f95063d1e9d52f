"""Authorized keys of remote clients: a file of the home, read once and changed by operations on keys."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from orchd.errors import OrchdError
from orchd.instance import formats
from orchd.instance.key_files import KeyFileError, read_private, read_secret
from orchd.instance.system.private_file import write_private
from orchd.network.roles import RemoteClient
from orchd.protocol.errors import WireError
from orchd.protocol.keys import NoCurveError, new_secret
from orchd.protocol.remote_operations import KeyAuthorize
from orchd.protocol.schema import ShapeError, parse

_MOST = 1000  # keys
_VERSION = 1  # of the file


class KeyringError(OrchdError):
    """The keys cannot or must not be used; then no client is accepted."""


@dataclass(frozen=True, slots=True)
class AuthorizedKey:
    """A public key with its name, its role and the time of its authorization."""

    name: str
    public: str
    role: str
    added_at: str


def server_secret(path: Path) -> str:
    """Return the daemon's secret key, created when there is none. Raises KeyringError."""
    try:
        try:
            return read_secret(path)
        except FileNotFoundError:
            secret = new_secret()
            write_private(path, f"{secret}\n".encode(), is_new=True)
            return secret
    except (KeyFileError, NoCurveError) as error:
        raise KeyringError(f"{error}; without its own key the daemon accepts no remote clients") from None
    except OSError as error:
        raise KeyringError(
            f"cannot create the key {path}: {error.strerror}; free disk space or fix the permissions"
        ) from None


class Keyring:
    """Authorized keys by public key. Raises KeyringError for a file that must not be trusted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unwritten: dict[str, AuthorizedKey] = {}  # revoked keys whose revocation the disk did not take
        try:
            whole = json.loads(read_private(path))
            formats.check(path, whole, _VERSION, "move it away and authorize the keys again")
            records = [parse(AuthorizedKey, record) for record in whole["keys"]]
            for record in records:
                parse(KeyAuthorize, {"key": record.name, "public": record.public, "role": record.role})
        except FileNotFoundError:
            records = []
        except (KeyFileError, formats.NewerFormatError) as error:
            raise KeyringError(str(error)) from None
        except (ValueError, KeyError, TypeError, AttributeError, ShapeError) as error:
            raise KeyringError(
                f"{path} is not a valid list of keys ({error}); restore it, or delete it and authorize the keys again"
            ) from None
        self._records = {record.public: record for record in records}

    def remote_client(self, public: str) -> RemoteClient | None:
        """Return the remote client with this key; None when the key is not authorized."""
        record = self._records.get(public)
        return RemoteClient(record.name, record.role) if record else None

    def records(self) -> list[AuthorizedKey]:
        """Return all authorized keys, the oldest first."""
        return list(self._records.values())

    def authorize(self, args: KeyAuthorize, now: str) -> AuthorizedKey:
        """Authorize a key; a repetition changes nothing. Raises WireError `name-taken`, `busy` or `cannot-store`."""
        for record in self._records.values():
            if (record.name, record.public, record.role) == (args.key, args.public, args.role):
                return record
            if args.key == record.name or args.public == record.public:
                what = f"the key {record.name} with the role {record.role} is already authorized"
                raise WireError("name-taken", f"{what} under this name or with this key; revoke it first")
        if len(self._records) >= _MOST:
            raise WireError("busy", f"the maximum of {_MOST} keys is reached; revoke unused keys")
        new = AuthorizedKey(args.key, args.public, args.role, now)
        self._write([*self._records.values(), new])
        self._records[new.public] = new
        return new

    def revoke(self, name: str) -> AuthorizedKey:
        """Revoke a key, in memory even when the file cannot be written. Raises WireError `unknown-key` or
        `cannot-store`."""
        known = {**self._records, **self._unwritten}
        revoked = next((record for record in known.values() if record.name == name), None)
        if revoked is None:
            names = ", ".join(record.name for record in self._records.values()) or "none"
            raise WireError("unknown-key", f"unknown key {name}; authorized keys are {names}")
        self._records.pop(revoked.public, None)
        self._unwritten[revoked.public] = revoked
        self._write(self._records.values())
        self._unwritten.clear()
        return revoked

    def _write(self, records: Iterable[AuthorizedKey]) -> None:
        text = json.dumps({formats.FIELD: _VERSION, "keys": [asdict(record) for record in records]}, indent=1)
        try:
            write_private(self._path, f"{text}\n".encode())
        except OSError as error:
            raise WireError(
                "cannot-store",
                f"{self._path} cannot be written: {error.strerror}; fix the cause and retry. A revoked key is "
                "refused by this daemon, but would be accepted again by the next one",
            ) from None
