"""A box that listens, and laptops that drive it, each with a key and a configuration of its own."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import zmq

from orchctl.client.remote import RemoteDaemon
from orchd.instance.key_files import read_secret
from orchd.protocol.frames import pack_request, unpack_reply
from orchd.protocol.keys import new_secret, public_of
from tests.conftest import BIN, Instance

PATIENCE = 30_000


class Laptop:
    """Another machine, as far as files and environments go."""

    def __init__(self, box: Instance, directory: Path, name: str = "laptop") -> None:
        self.name = name
        self.config = directory / name / "orchctl"
        self.box = box
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(("ORCHD_", "ORCHCTL_"))}
        self.env |= {"XDG_CONFIG_HOME": str(directory / name), "ORCHD_HOME": str(directory / "none"), "ONLY_HERE": "1"}
        self.env["PATH"] = f"{BIN}:{os.environ['PATH']}"
        self.directory = directory

    def authorized(self, role: str) -> Laptop:
        """A secret key that is let in."""
        self.public = self.run("keys", "new", self.name).strip()
        self.box.ctl("keys", "authorize", self.name, self.public, "--role", role)
        self.trust(server(self.box))
        return self

    def trust(self, address: dict[str, Any], connect: str = "") -> None:
        """Write the profile of a host."""
        (self.config / "config.toml").write_text(
            f'[profiles.box]\nconnect = "{connect or address["listens"]}"\n'
            f'server_key = "{address["public"]}"\nkey = "{self.name}"\n'
        )

    @property
    def secret(self) -> str:
        """The secret half of its key."""
        return read_secret(self.config / "keys" / f"{self.name}.key")

    def begin(self, *words: str, **settings: Any) -> subprocess.Popen[str]:
        """Start `orchctl` with these words."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [BIN / "orchctl", *words], env=self.env, cwd=self.directory, text=True, **pipes | settings
        )

    def run(self, *words: str, code: int = 0) -> str:
        """The output of `orchctl`, which must end with `code`; of a failure its error output."""
        process = self.begin(*words)
        try:
            out, err = process.communicate(timeout=55)
        finally:
            process.kill()
        assert process.returncode == code, (words, process.returncode, out, err)
        return out if code == 0 else out + err

    def ctl(self, *words: str, code: int = 0) -> str:
        """The same, of the host."""
        return self.run("--profile", "box", *words, code=code)


class Raw:
    """A DEALER that speaks CURVE with any key, or that does not."""

    def __init__(self, box: dict[str, Any], secret: str | None = None, *, is_plain: bool = False) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.monitor = self.socket.get_monitor_socket()
        if is_plain:
            self.socket.connect(box["listens"])
        else:
            self.secret = secret or new_secret()
            RemoteDaemon("box", box["listens"], box["public"], self.secret).dial(self.socket)

    def send(self, op: str, args: dict[str, Any] | None = None, request_id: str = "one") -> None:
        """Ask, and do not wait."""
        with suppress(zmq.Again):  # libzmq has given it up
            self.socket.send(pack_request(request_id, op, args or {}), zmq.NOBLOCK)

    def ask(self, op: str, args: dict[str, Any] | None = None, request_id: str = "one") -> Any:
        """The result; raises its error."""
        self.send(op, args, request_id)
        while True:
            assert self.socket.poll(PATIENCE), "silence"
            reply = unpack_reply(self.socket.recv())
            if reply.id == request_id:
                break
        if reply.error is not None:
            raise reply.error
        return reply.result

    def until(self, event: int) -> None:
        """Return when libzmq tells of this."""
        while True:
            assert self.monitor.poll(PATIENCE), f"not told of {event}"
            if int.from_bytes(self.monitor.recv_multipart()[0][:2], "little") & event:
                return

    def close(self) -> None:
        """Hang up."""
        self.socket.disable_monitor()
        self.context.destroy(linger=0)


def server(box: Instance) -> dict[str, Any]:
    """The public key and the address of a host."""
    reply: dict[str, Any] = json.loads(box.ctl("keys", "list", "--json"))["server"]
    return reply


def authorized(box: Instance, name: str, role: str) -> str:
    """A secret key that is let in."""
    secret = new_secret()
    box.ctl("keys", "authorize", name, public_of(secret), "--role", role)
    return secret
