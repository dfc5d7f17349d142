"""A server that speaks just enough of the OpenAI protocol, on a free port of this machine, and can misbehave."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the server does with one request: `drop` closes the connection without a word, `trickle` is the time
    between two bytes."""

    body: str | bytes | Body | list[Body]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drop: bool = False
    trickle: float = 0.0


def completion(text: str | None, *, finish: str = "stop", tokens: tuple[int, int] | None = (10, 5)) -> Answer:
    """A chat completion as vLLM words it."""
    body: Body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "judge",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
    }
    if tokens is not None:
        body["usage"] = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
    return Answer(body)


def failed(status: int, message: str = "overloaded", **headers: str) -> Answer:
    """An error as OpenAI words it."""
    return Answer({"error": {"message": message, "type": "error", "code": None}}, status, headers)


DROPPED = Answer("", drop=True)


def last_text(body: Body) -> str:
    """The text of the last message of a request."""
    content = body["prompt"] if "prompt" in body else body["messages"][-1]["content"]
    return content if isinstance(content, str) else str(content[-1]["text"])


@dataclass
class FakeServer:
    """`answer` decides on each chat request. `bodies` and `headers` are those of the chat requests so far."""

    answer: Callable[[Body], Answer]
    models: Answer = field(default_factory=lambda: Answer({"object": "list", "data": [{"id": "judge"}]}))
    bodies: list[Body] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    most_at_once: int = 0
    url: str = ""
    _at_once: int = 0
    _lock: Any = field(default_factory=threading.Lock)

    def chat(self, body: Body, headers: dict[str, str]) -> Answer:
        """Note a chat request and decide on it."""
        with self._lock:
            self.bodies.append(body)
            self.headers.append(headers)
            self.times.append(time.monotonic())
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            answer = self.answer(body)
        time.sleep(answer.delay)
        with self._lock:
            self._at_once -= 1
        return answer


@contextmanager
def serving(answer: Callable[[Body], Answer], *, port: int = 0, **settings: Any) -> Iterator[FakeServer]:
    """Run a server while the block runs; its `url` is the base of its API. It takes a free port unless one is given."""
    fake = FakeServer(answer, **settings)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(fake.models)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(fake.chat(body, {name.lower(): value for name, value in self.headers.items()}))

        def _send(self, answer: Answer) -> None:
            if answer.drop:
                self.close_connection = True
                return
            body = answer.body if isinstance(answer.body, str | bytes) else json.dumps(answer.body)
            text = body if isinstance(body, bytes) else body.encode()
            try:
                self.send_response(answer.status)
                for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                for part in [bytes([byte]) for byte in text] if answer.trickle else [text]:
                    self.wfile.write(part)
                    time.sleep(answer.trickle)
            except OSError:  # the client has given up waiting
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.daemon_threads = True
        fake.url = f"http://127.0.0.1:{server.server_port}/v1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
