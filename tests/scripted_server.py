"""A real HTTP server on 127.0.0.1 that speaks the OpenAI protocol and does wrong on demand."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass
class Reply:
    """What to send back; ``body`` as JSON unless it is a string."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    """Close the connection in the middle of the body."""


def question(body: dict[str, Any]) -> str:
    """The user message of a chat request as first put, or an embedding request's texts."""
    return body["messages"][1]["content"] if "messages" in body else "\n".join(body["input"])


def chat(content: str | None, tokens: tuple[int, int] | None = (100, 20), **message: Any) -> Reply:
    """A completion with this content."""
    ended = message.pop("finish_reason", "stop")
    choice = {"index": 0, "finish_reason": ended, "message": {"content": content, **message}}
    choice["message"]["role"] = "assistant"
    body: dict[str, Any] = {"id": "c", "object": "chat.completion", "created": 0, "model": "m"}
    body["choices"] = [choice]
    if tokens:
        body["usage"] = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}
        body["usage"]["total_tokens"] = sum(tokens)
    return Reply(body)


def profile(body: dict[str, Any]) -> str:
    """A profile that the prompt alone decides."""
    mark = hashlib.sha256(question(body).encode()).hexdigest()[:8]
    return json.dumps({"summary": f"S {mark}", "audience": f"A {mark}", "keywords": [mark]})


def vector(text: str, dimensions: int = 8) -> list[float]:
    """An embedding that the text alone decides."""
    digest = hashlib.sha256(text.encode()).digest()
    return [byte / 255 + 0.1 for byte in digest[:dimensions]]


def embeddings(body: dict[str, Any]) -> Reply:
    """The vectors of a request, last one first: their order is told by ``index`` alone."""
    rows = [
        {"object": "embedding", "index": n, "embedding": vector(text, body.get("dimensions", 8))}
        for n, text in enumerate(body["input"])
    ]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return Reply({"object": "list", "model": "e", "data": rows[::-1], "usage": usage})


Script = Callable[[dict[str, Any], int], Reply | None]


class ScriptedServer:
    """Answers well, but where ``script(body, n)`` gives a reply, with that; n counts a question's requests from 0.

    Attributes:
        requests: bodies, in the order of arrival.
        headers: of the last request, names in lower case.
        query: of the last request's address.
        times: of arrival.
        most_at_once: requests that were answered at the same time, at most.
        keys: if set, the keys that are accepted.
    """

    def __init__(self) -> None:
        self.script: Script = lambda body, n: None
        self.requests: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.headers: dict[str, str] = {}
        self.query = ""
        self.most_at_once = self.at_once = 0
        self.keys: set[str] | None = None
        self.models: list[str] = ["m"]
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def asked(self) -> Counter[str]:
        """How often each question has come."""
        return Counter(map(question, self.requests))

    def reply(self, path: str, body: dict[str, Any]) -> Reply:
        """What to send."""
        with self._lock:
            self.requests.append(body)
            self.times.append(time.monotonic())
            n = self._seen[question(body)]
            self._seen[question(body)] += 1
        if body["model"] not in self.models:
            said = {"error": {"message": f"The model {body['model']!r} does not exist."}}
            return Reply(said, 404)
        reply = self.script(body, n)
        if reply is not None:
            return reply
        return embeddings(body) if path.endswith("/embeddings") else chat(profile(body))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.send(self.locked() or Reply({"object": "list", "data": []}))

            def do_POST(self) -> None:
                path, _, server.query = self.path.partition("?")
                server.headers = {name.lower(): value for name, value in self.headers.items()}
                data = self.rfile.read(int(self.headers["Content-Length"]))
                if len(data) < int(self.headers["Content-Length"]):  # killed while it asked
                    self.close_connection = True
                    return
                body = json.loads(data)
                with server._lock:
                    server.at_once += 1
                    server.most_at_once = max(server.most_at_once, server.at_once)
                try:
                    reply = self.locked() or server.reply(path, body)
                    time.sleep(reply.delay)
                finally:
                    with server._lock:
                        server.at_once -= 1
                self.send(reply)

            def locked(self) -> Reply | None:
                given = self.headers.get("Authorization", "").removeprefix("Bearer ")
                if server.keys is None or given in server.keys:
                    return None
                return Reply({"error": {"message": f"Incorrect API key provided: {given}."}}, 401)

            def send(self, reply: Reply) -> None:
                text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
                data = text.encode()
                try:
                    self.send_response(reply.status)
                    for name, value in {
                        "Content-Type": "application/json",
                        "Content-Length": str(len(data)),
                        **reply.headers,
                    }.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data[: len(data) // 2] if reply.cut else data)
                    self.close_connection = reply.cut
                except OSError:  # the client is gone
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        return Handler
