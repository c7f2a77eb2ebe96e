"""Checks before every request: the token, and limits on the body, on time and on concurrent requests."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from darec.serving.metrics import Metrics
from darec.serving.refusals import LOG, answer
from darec.serving.settings import ServingSettings

OPEN: Final = ("/healthz", "/readyz")
"""The paths that are answered without the token: they say whether the process runs and which bundle it serves."""
_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}


class Guard:
    """Middleware of ASGI.

    Args:
        app: the application that is guarded.
        settings: of the server.
        metrics: count the requests.
    """

    def __init__(self, app: ASGIApp, settings: ServingSettings, metrics: Metrics) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics
        self._at_once = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, counted = time.monotonic(), _Counted(send)
        try:
            await self._guarded(scope, receive, counted)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self.metrics.requests.labels(route, str(counted.status)).inc()
            self.metrics.seconds.labels(route).observe(time.monotonic() - started)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path in OPEN:
            await self.app(scope, receive, send)
            return
        if not _knows(Headers(scope=scope), self.settings.token):
            # A browser asks for a name and a password by Basic; any name is accepted.
            how = "Bearer" if path.startswith("/v1/") else 'Basic realm="darec"'
            refused = answer(
                401, "send the token as 'Authorization: Bearer TOKEN'.", {"www-authenticate": how}
            )
            await refused(scope, receive, send)
            return
        if self._at_once >= self.settings.connections:
            busy = answer(
                503, "too many requests at once: ask again in a second.", {"retry-after": "1"}
            )
            await busy(scope, receive, send)
            return
        self._at_once += 1
        try:
            await self._answered(scope, receive, send)
        finally:
            self._at_once -= 1

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        limit, most = self.settings.timeout, self.settings.max_body
        try:
            async with asyncio.timeout(limit):
                body = await _body(Headers(scope=scope), receive, most)
        except TimeoutError:
            late = answer(
                408, f"the body did not arrive within {limit:g} s.", {"connection": "close"}
            )
            await late(scope, receive, send)
            return
        if body is None:
            large = answer(413, f"the body is larger than {most:,} bytes.", {"connection": "close"})
            await large(scope, receive, send)
            return
        once = _Once(send)
        task = asyncio.ensure_future(self.app(scope, _replayed(body, receive), once))
        done, _ = await asyncio.wait({task}, timeout=limit - (time.monotonic() - started))
        if done:
            await task
            return
        # A thread cannot be stopped: it ends by itself, and its answer is dropped.
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        if once.close():
            LOG.warning("%s took more than %g s.", scope["path"][:200], limit)
            slow = answer(
                503, f"the request took more than {limit:g} s: ask for less.", {"retry-after": "1"}
            )
            await slow(scope, receive, send)


class _Once:
    """Sends one answer; anything that comes after :meth:`close` is dropped."""

    def __init__(self, send: Send) -> None:
        self._send, self._begun, self._closed = send, False, False

    async def __call__(self, message: Message) -> None:
        if not self._closed:
            self._begun = True
            await self._send(message)

    def close(self) -> bool:
        """Return whether nothing was sent yet; if so, nothing will be sent."""
        self._closed = not self._begun
        return self._closed


async def _body(headers: Headers, receive: Receive, most: int) -> bytes | None:
    """Return the whole body; None if it is too large. A declared length is checked before the body is read."""
    said = headers.get("content-length", "0")
    if said.isdigit() and int(said) > most:
        return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)  # the client has gone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


class _Counted:
    """Sends an answer with the headers that all answers have, and notes its status."""

    def __init__(self, send: Send) -> None:
        self._send, self.status = send, 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


def _knows(headers: Headers, token: str | None) -> bool:
    """Return whether a request has the token. The time of the comparison reveals nothing about the token."""
    if token is None:
        return True
    kind, _, said = headers.get("authorization", "").partition(" ")
    given = said.strip().encode("latin-1")  # the bytes of the header
    if kind.lower() == "basic":
        try:
            _, _, given = base64.b64decode(given, validate=True).partition(b":")
        except binascii.Error:
            return False
    elif kind.lower() != "bearer":
        return False
    return hmac.compare_digest(given, token.encode())
