"""`orchctl keys new|list|authorize|revoke`: keys with which other machines may use a daemon."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.errors import RefusedError, UsageError
from orchctl.render import text
from orchctl.terminal import console
from orchd.instance.system import private_file
from orchd.protocol import keys as pairs
from orchd.protocol import remote_operations


def new(args: SimpleNamespace) -> int:
    """Create a key pair for the user of this machine and print the public key; the secret key stays in a file."""
    from orchctl.client import remote

    if not pairs.is_name(args.name):
        raise UsageError(
            f"{args.name!r} is not a valid key name: use 1 to 64 letters, digits, dots, dashes and underscores"
        )
    path = remote.key_file(args.name)
    for level in (path.parent.parent, path.parent):
        level.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        secret = pairs.new_secret()
        private_file.write_private(path, f"{secret}\n".encode(), is_new=True)
    except FileExistsError:
        what = f"the key {path} already exists: choose another name, or move the file"
        raise RefusedError(what, code="key-exists") from None
    except pairs.NoCurveError as error:
        raise RefusedError(str(error), code="bad-key-file") from None
    public = pairs.public_of(secret)
    console.result({"name": args.name, "public": public, "file": str(path)}, [public], as_json=args.json)
    if not args.json:
        console.warn(
            f"the secret key is {path}; on the host, run: orchctl keys authorize {args.name} {public} --role user"
        )
    return exit_codes.OK


def show(args: SimpleNamespace) -> int:
    """Print the daemon's own key and address, and a line for each key that is authorized."""
    with Client(starts=False) as client:
        answer = client.call("keys")
    rows = [
        [text.clean(str(key[column])) for column in ("name", "role", "public", "added_at")] for key in answer["keys"]
    ]
    lines = [*_server_lines(answer["server"]), *text.aligned(rows)]
    console.result(
        answer, lines or ["no keys are authorized, and [remote] listen is not set in config.toml"], as_json=args.json
    )
    return exit_codes.OK


def authorize(args: SimpleNamespace) -> int:
    """Authorize a key, and print the values for the profile on the other machine."""
    if args.role not in remote_operations.ROLES:
        *roles, last = remote_operations.ROLES
        raise UsageError(f"--role must be {', '.join(roles)} or {last}: it sets what the key may do")
    with Client() as client:
        answer = client.call("key-authorize", {"key": args.name, "public": args.public.lower(), "role": args.role})
    lines = [f"{answer['name']} may connect as {answer['role']}", *_server_lines(answer["server"])]
    console.result(answer, lines, as_json=args.json)
    if answer["server"] is None:
        console.warn(
            'remote clients cannot connect: set `listen = "tcp://ADDRESS:PORT"` in [remote] of config.toml, '
            "and restart the daemon"
        )
    return exit_codes.OK


def revoke(args: SimpleNamespace) -> int:
    """Revoke a key, and close its connections."""
    with Client() as client:
        answer = client.call("key-revoke", {"key": args.name})
    console.result(answer, [f"key {answer['name']} revoked"], as_json=args.json)
    return exit_codes.OK


def _server_lines(server: dict[str, Any] | None) -> list[str]:
    return [f"this daemon listens on {server['listens']} and has the server_key {server['public']}"] if server else []
