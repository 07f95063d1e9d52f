"""A stand-in of the two services that the real CLIs talk to: Anthropic's Messages and OpenAI's Responses.

A prompt itself says what the model will answer: `STEPS` and a JSON list, a step for each answer of the conversation.
The stand-in holds no state but what it was asked, so that many agents can talk to it at once.

    {"say": "text"}                 the answer, and the end of the turn
    {"bash": "command"}             a call of the CLI's shell tool
    {"tool": "Name", "input": {}}   a call of any other tool
    {"status": 529, "headers": {}}  an error, again and again when the CLI tries again, or the first `times`; then the
                                    step after it
    {"cut": true}                   a stream that breaks off in the middle of a text
    {"hang": true}                  a text, and then nothing until the stand-in closes

A prompt that people wrote has no steps: those of the first text in `StandIn.answers` that is part of it count.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MARK = "STEPS "
USAGE = {"input_tokens": 1000, "output_tokens": 20, "cache_read_input_tokens": 300, "cache_creation_input_tokens": 40}
CODEX_USAGE = {
    "input_tokens": 1300,
    "input_tokens_details": {"cached_tokens": 300},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 1320,
}
Event = tuple[str, dict[str, Any]]


def prompt(*steps: dict[str, Any]) -> str:
    """A prompt that makes the stand-in answer with these."""
    return f"{MARK}{json.dumps(steps)}"


class StandIn(ThreadingHTTPServer):
    """Both services on a port of this machine."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refused: Counter[str] = Counter()
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self.heard = threading.Condition()
        self.closing = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, name="stand-in")
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"

    def requests(self, ending: str) -> list[dict[str, Any]]:
        """The bodies of what was asked of a path."""
        with self.heard:
            return [body for path, body in self.asked if path.partition("?")[0].endswith(ending)]

    def is_refused(self, step: dict[str, Any], steps: list[dict[str, Any]]) -> bool:
        """Whether an error is due: again and again, or so many `times` for these steps."""
        with self.heard:
            self.refused[json.dumps(steps)] += 1
            return "times" not in step or self.refused[json.dumps(steps)] <= int(step["times"])

    def note(self, path: str, body: dict[str, Any]) -> None:
        """Remember what was asked, and tell who waits for it."""
        with self.heard:
            self.asked.append((path, body))
            self.heard.notify_all()

    def close(self) -> None:
        """Stop serving."""
        self.closing.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A CLI that was ended hangs up: that is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StandIn  # type: ignore[mutable-override]  # only a StandIn makes a handler

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""

    def do_GET(self) -> None:
        self._reply(200, {"data": [], "models": []})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = self.path.partition("?")[0]
        self.server.note(path, body)
        if path.endswith("/messages"):
            self._answer(self._steps(body["messages"]), _turns_of_messages(body), _message)
        elif path.endswith("/responses"):
            self._answer(self._steps(body["input"]), _turns_of_responses(body), _response)
        else:
            self._reply(404, {"error": {"type": "not_found_error", "message": path}})

    def _steps(self, content: object) -> list[dict[str, Any]]:
        known = (steps for text in _texts(content) for part, steps in self.server.answers.items() if part in text)
        return _steps(content) or next(known, [])

    def _answer(self, steps: list[dict[str, Any]], turn: int, render: Any) -> None:
        step: dict[str, Any] = steps[turn] if turn < len(steps) else {"say": "There is nothing left to do."}
        if "status" in step and self.server.is_refused(step, steps):
            self._refuse(step)
            return
        if "status" in step:
            step = steps[turn + 1]
        self.send_response(200)
        more: dict[str, str] = step.get("headers", {})
        for name, value in {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked", **more}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):
            for name, data in render(step, turn):
                if name == "cut":
                    self.close_connection = True
                    return
                if name == "hang":
                    self.server.closing.wait()
                    return
                self._chunk(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())
            self._chunk(b"")

    def _refuse(self, step: dict[str, Any]) -> None:
        detail = {"type": step.get("type", "api_error"), "message": step.get("message", "the stand-in says so")}
        error = {"type": "error", "error": {**detail, **step.get("error", {})}}
        self._reply(step["status"], error, step.get("headers", {}))

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def _reply(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)


def _steps(said: object) -> list[dict[str, Any]]:
    """The steps of the first text that has any."""
    for text in _texts(said):
        if MARK in text:
            steps: list[dict[str, Any]] = json.JSONDecoder().raw_decode(text.partition(MARK)[2])[0]
            return steps
    return []


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _turns_of_messages(body: dict[str, Any]) -> int:
    return sum(message["role"] == "assistant" for message in body["messages"])


def _turns_of_responses(body: dict[str, Any]) -> int:
    calls = ("function_call", "custom_tool_call", "local_shell_call")
    return sum(item["type"] in calls or item.get("role") == "assistant" for item in body["input"])


def _message(step: dict[str, Any], turn: int) -> Iterator[Event]:
    start = {"id": f"msg_{turn}", "type": "message", "role": "assistant", "model": "stand-in", "content": []}
    empty = {"stop_reason": None, "stop_sequence": None}
    yield (
        "message_start",
        {"type": "message_start", "message": {**start, **empty, "usage": {**USAGE, "output_tokens": 1}}},
    )
    block, delta = _block(step, turn)
    yield "content_block_start", {"type": "content_block_start", "index": 0, "content_block": block}
    yield "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": delta}
    for name in ("cut", "hang"):
        if name in step:
            yield name, {}
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    reason = "end_turn" if block["type"] == "text" else "tool_use"
    yield (
        "message_delta",
        {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": USAGE},
    )
    yield "message_stop", {"type": "message_stop"}


def _block(step: dict[str, Any], turn: int) -> tuple[dict[str, Any], dict[str, Any]]:
    if "bash" in step:
        step = {"tool": "Bash", "input": {"command": step["bash"], "description": "does it", "timeout": 60000}}
    if "tool" in step:
        block = {"type": "tool_use", "id": f"toolu_{turn}", "name": step["tool"], "input": {}}
        return block, {"type": "input_json_delta", "partial_json": json.dumps(step["input"])}
    return {"type": "text", "text": ""}, {"type": "text_delta", "text": step.get("say", "I begin")}


def _response(step: dict[str, Any], turn: int) -> Iterator[Event]:
    identity = {"id": f"resp_{turn}"}
    yield "response.created", {"type": "response.created", "response": identity}
    if "cut" in step or "hang" in step:
        yield ("cut" if "cut" in step else "hang"), {}
    if "fail" in step:
        yield "response.failed", {"type": "response.failed", "response": {**identity, "error": step["fail"]}}
        return
    yield "response.output_item.done", {"type": "response.output_item.done", "item": _item(step, turn)}
    yield "response.completed", {"type": "response.completed", "response": {**identity, "usage": CODEX_USAGE}}


def _item(step: dict[str, Any], turn: int) -> dict[str, Any]:
    if "bash" in step:
        step = {"tool": "exec_command", "input": {"cmd": step["bash"]}}
    if "tool" in step:
        arguments = json.dumps(step["input"])
        call = {"type": "function_call", "call_id": f"call_{turn}", "name": step["tool"], "arguments": arguments}
        return call | ({"namespace": step["namespace"]} if "namespace" in step else {})
    return {
        "type": "message",
        "role": "assistant",
        "id": f"msg_{turn}",
        "content": [{"type": "output_text", "text": step["say"]}],
    }
