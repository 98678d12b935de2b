"""The paths of the HTTP port: each prefix belongs to a face, which answers everything under it in its own form.

A face decides its errors' form, its content types and its security headers. Only what belongs to no face is answered here:
404 as plain JSON.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import orjson

from ...calls.call import REQUEST_ID, request_id
from ...calls.guards.queueing import address_key
from ...calls.peer import NO_PROXIES, TrustedProxies
from ...queues.turns import TASK_UNITS, CallTurns
from .asgi import GONE, App, Event, Receive, Reply, Scope, Send, Whole, connection, headers, send_reply
from .errors import RouteNotFound
from .unread_bodies import UnreadBody, body_size, last

# What may follow a prefix: nothing, another segment, or (raw paths of WebSockets have it) a query.
_BOUNDARIES = frozenset(b"/?")
# A kept answer takes one unit of a turn, and one more for so many bytes.
_UNIT_BYTES = 16_384
# A request over HTTP takes more than a call of gRPC, and a stream some 0.4 ms to begin: a turn of them stays below 20 ms.
_UNITS = 2 * TASK_UNITS
# RFC 6455 7.4.1.
POLICY_VIOLATION = 1008


class Face(Protocol):
    """What is mounted. Its applications are ASGI 3."""

    def leave(self) -> None:
        """The server is going: refuse new requests from now on."""
        ...

    def close(self) -> None:
        """Nothing is asked any more: let go of what is held."""
        ...


@dataclass(frozen=True, slots=True)
class Mount:
    """`http` answers requests for the path `prefix` and all below it, or with `exact` for the path itself only; `websocket`
    answers WebSockets there, None when there are none. `face` is whom the dispatcher tells that the server is going. `at_once` is asked before
    `http`: it has the answer now, without waiting for anything, or None, and answers only what has come to `http` before."""

    prefix: str
    http: App
    face: Face
    websocket: App | None = None
    exact: bool = False
    at_once: Callable[[Scope], Whole | None] | None = None


class Dispatcher:
    """An ASGI 3 application over mounts, which are tried in the given order. When more is asked at once than a turn of the event loop
    bears, callers take turns; those behind one of `proxies` are told apart.

    Raises TypeError for a prefix that is no path, that is mounted twice, or that an earlier one hides.
    """

    def __init__(self, mounts: Sequence[Mount], proxies: TrustedProxies = NO_PROXIES) -> None:
        self._mounts = [(m.prefix.encode(), len(m.prefix), m.exact, m.http, m.websocket) for m in mounts]
        self._at_once = list(dict.fromkeys(m.at_once for m in mounts if m.at_once is not None))
        self._faces = list({id(m.face): m.face for m in mounts}.values())
        prefixes = ", ".join(m.prefix for m in mounts if m.prefix != "/")
        self._hint = f"paths start with {prefixes}; GET / lists them"
        self._active: set[asyncio.Task[Any] | None] = set()
        self._letting_go = False
        self._turns = CallTurns()
        self._proxies = proxies
        _demand_reachable(mounts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or one WebSocket."""
        if (whole := self.at_once(scope)) is None:
            await self.in_full(scope, receive, send)
            return
        start, body = whole
        await send(start)
        await send(body)

    def at_once(self, scope: Scope) -> Whole | None:
        """The answer to a request that needs no waiting; None for any other, which is to be given to `in_full` then."""
        if self._letting_go or scope["type"] != "http" or not self._turns.free:
            return None
        for at_once in self._at_once:
            if (whole := at_once(scope)) is not None:
                if body_size(scope):
                    return None  # nobody would read it
                self._turns.use(1 + len(whole[1]["body"]) // _UNIT_BYTES)
                return whole
        return None

    async def in_full(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers whatever comes."""
        task = asyncio.current_task()
        self._active.add(task)
        if self._letting_go and scope["type"] == "http" and scope["http_version"].startswith("1"):
            send = partial(_last, send)
        try:
            await self._turns.turn(partial(self._caller, scope), _UNITS)
            app, receive = self._app(scope), partial(self._received, scope, receive)
            size = body_size(scope) if scope["type"] == "http" else 0
            if size:
                body = UnreadBody(scope, size, receive, send)
                await app(scope, body.receive, body.send)
                await body.throw_away()
            else:
                await app(scope, receive, send)
        finally:
            self._active.discard(task)

    async def _received(self, scope: Scope, receive: Receive) -> Event:
        """The next event. Clients that leave together are told of in turns: to end what they asked for takes as much as to begin it."""
        event = await receive()
        if event["type"] in GONE:
            await self._turns.turn(lambda: f"ends {self._caller(scope)}", _UNITS)
        return event

    def _caller(self, scope: Scope) -> str:
        return address_key(self._proxies.peer(connection(scope), headers(scope)).address)

    def _app(self, scope: Scope) -> App:
        path: bytes = scope["raw_path"]
        for prefix, length, exact, http, websocket in self._mounts:
            if path.startswith(prefix) and (
                len(path) == length or (not exact and path[length] in _BOUNDARIES)
            ):
                return (http if scope["type"] == "http" else websocket) or self._nobody
        return self._nobody

    async def let_go(self, seconds: float) -> None:
        """For so long each answer over HTTP/1.1 is the last one on its connection."""
        self._letting_go = True
        await asyncio.sleep(seconds)

    async def drain(self, seconds: float) -> None:
        """Refuses new requests, waits for those in flight, cuts what is left."""
        for face in self._faces:
            face.leave()
        if active := [task for task in self._active if task is not None]:
            await asyncio.wait(active, timeout=seconds)
            for task in active:
                task.cancel()
            await asyncio.wait(active)
        for face in self._faces:
            face.close()

    async def _nobody(self, scope: Scope, receive: Receive, send: Send) -> None:
        """No face has this path: 404, or a WebSocket that is told so and closed."""
        error = RouteNotFound(scope["raw_path"].decode("utf-8", "backslashreplace"), self._hint)
        asked = request_id(headers(scope))
        body = {"error_code": error.reason, "message": error.message, "request_id": asked}
        if scope["type"] == "http":
            reply = Reply(404, orjson.dumps(body), ((REQUEST_ID, asked),))
            await send_reply(send, reply, head_only=scope["method"] == "HEAD")
            return
        await receive()  # websocket.connect
        await send({"type": "websocket.accept", "headers": [(b"x-request-id", asked.encode())]})
        await send({"type": "websocket.send", "text": orjson.dumps({"error": body}).decode()})
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": error.reason})


async def _last(send: Send, event: Event) -> None:
    """Sends a part of an answer that is the last one on its connection (RFC 9112 9.6)."""
    if event["type"] == "http.response.start":
        event = last(event)
    await send(event)


def _demand_reachable(mounts: Sequence[Mount]) -> None:
    for place, mount in enumerate(mounts):
        root = mount.prefix == "/" and mount.exact
        if not root and (
            not mount.prefix.startswith("/") or mount.prefix.endswith("/") or "?" in mount.prefix
        ):
            raise TypeError(f"{mount.prefix!r} cannot be mounted: write it as '/name' or '/name/name'")
        for earlier in mounts[:place]:
            below = mount.prefix.startswith(earlier.prefix + "/") and not earlier.exact
            if mount.prefix == earlier.prefix or below:
                raise TypeError(f"{mount.prefix} would never be asked: {earlier.prefix} is mounted before it")
