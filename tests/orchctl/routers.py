"""Daemons that misbehave in a way that a real daemon does not: a thread that answers from a list."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import zmq

from orchd.instance.home import Home
from orchd.protocol.frames import pack_result, unpack_request

Replies = Callable[[str], list[bytes]]


@contextmanager
def router(home: Home, replies: Replies) -> Iterator[None]:
    """Answer each request with the frames that `replies` makes of its id."""
    home.create()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket, quit_ours, quit_theirs = (context.socket(kind) for kind in (zmq.ROUTER, zmq.PAIR, zmq.PAIR))
    socket.bind(f"ipc://{home.socket}")
    quit_theirs.bind("inproc://quit")
    quit_ours.connect("inproc://quit")
    thread = threading.Thread(target=_serve, args=(socket, quit_theirs, replies))
    thread.start()
    try:
        yield
    finally:
        quit_ours.send(b"")
        thread.join()
        context.destroy(linger=0)


def _serve(socket: zmq.Socket[bytes], leave: zmq.Socket[bytes], replies: Replies) -> None:
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(leave, zmq.POLLIN)
    while leave not in dict(poller.poll()):
        route, frame = socket.recv_multipart()
        for reply in replies(unpack_request(frame).id):
            socket.send_multipart([route, reply])


def result(request_id: str, value: object) -> list[bytes]:
    """Return one good reply."""
    return [pack_result(request_id, value)]
