"""An HTTP server for one page, on a Unix socket of the user or on a loopback port."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, UnixStreamServer
from typing import Any, ClassVar, NoReturn

from orchctl.errors import RefusedError, UsageError

_PATIENCE = 5.0  # seconds that one request may take; others wait meanwhile
_LOOPBACK = ("127.0.0.1", "localhost")
_MOST = 65535
Page = Callable[[str], tuple[bytes, str]]  # from the header `Accept` to a body and its content type


class _Tcp(TCPServer):
    allow_reuse_address = True


def serve(where: str, page: Page, ready: Callable[[str], None]) -> NoReturn:
    """Answer `GET /metrics` with `page(accept)` until interrupted; `ready` gets the address once the server listens.

    `where` is `unix:PATH` or `127.0.0.1:PORT`, with port 0 for any free port. Raises UsageError for another address,
    and RefusedError if the path is in use.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout: ClassVar[float | None] = _PATIENCE

        def do_GET(self) -> None:
            """Answer a request for the page; other paths are not found."""
            if self.path.partition("?")[0] not in ("/", "/metrics"):
                self.send_error(404)
                return
            body, content_type = page(self.headers.get("Accept", ""))
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Log nothing: Prometheus asks every fifteen seconds."""

    server, path = _bound(where, Handler)
    try:
        with server:
            ready(f"unix:{path}" if path else "http://{}:{}/metrics".format(*server.socket.getsockname()))
            while True:
                server.handle_request()
    finally:
        if path is not None:
            path.unlink(missing_ok=True)


def _bound(where: str, handler: type[BaseHTTPRequestHandler]) -> tuple[TCPServer, Path | None]:
    """Return a server at this address, and the path of its socket if it has one. Raises as `serve` does."""
    if where.startswith("unix:"):
        path = Path(where.removeprefix("unix:"))
        # a socket is removed only if no server listens on it
        with suppress(FileNotFoundError):
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise RefusedError(f"{path} exists and is not a socket; give another path", code="in-the-way")
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                try:
                    probe.connect(str(path))
                except ConnectionRefusedError:
                    path.unlink()
                else:
                    raise RefusedError(f"another process already serves {path}; give another path", code="in-the-way")
        before = os.umask(0o177)
        try:
            return UnixStreamServer(str(path), handler), path
        finally:
            os.umask(before)
    host, _, port = where.rpartition(":")
    if host not in _LOOPBACK or not port.isascii() or not port.isdigit() or int(port) > _MOST:
        raise UsageError(f"--serve {where}: give unix:PATH or 127.0.0.1:PORT; only loopback addresses are allowed")
    return _Tcp(("127.0.0.1", int(port)), handler), None
