"""The HTTP twin of every RPC, as an ASGI application over the pipeline. Names no endpoint of its own.

A request takes this way: probe? -> route -> Call -> kept answer? -> message -> pipeline -> JSON. Everything that goes wrong
becomes a reply through transports/status.py.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import orjson
from google.protobuf.message import Message

from ...calls.call import REQUEST_ID, Call, request_id
from ...calls.failure import Failure, failure
from ...calls.pipeline import Pipeline
from ...errors import ShuttingDown
from ..status import http_body, http_status
from .asgi import ClientLeft, Receive, Reply, Scope, Send, deadline, headers, send_reply
from .bodies import Bodies, lines
from .errors import RequestTooLarge, VerbNotAllowed
from .json_in import line_message, request_message
from .json_out import render
from .probes import Probes
from .routes import Route, Routes
from .sockets import Sockets
from .stream_formats import (
    Events,
    JsonArray,
    Lines,
    Style,
    choose,
)
from .streaming import BrokenOff, while_present, write_stream

# The field of a request that resumes a stream, and the header in which a browser says where it was.
_RESUME_FIELD, _RESUME_HEADER = "from_revision", "last-event-id"


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """What the application needs to know beside the pipeline.

    `live` are the paths of methods whose streams never end: they go out as server-sent events unless the caller asks
    for lines. `sockets` maps a URL path to the method that a WebSocket there subscribes to. `statuses` give an HTTP
    status for an answer that is well-formed and yet no 200.
    """

    max_body_bytes: int
    max_batch_bytes: int
    stall_seconds: float
    live: frozenset[str] = frozenset()
    sockets: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, Callable[[Any], int]] = field(default_factory=dict)


class HttpApp:
    """An ASGI 3 application. Raises TypeError when the bindings of the methods contradict each other."""

    def __init__(self, pipeline: Pipeline, probes: Probes, options: HttpOptions) -> None:
        self._pipeline = pipeline
        self._probes = probes
        self._options = options
        self._routes = Routes(pipeline.methods.values())
        self._sockets = Sockets(pipeline, options.sockets, options.stall_seconds)
        self._active: set[asyncio.Task[Any] | None] = set()
        self._draining = False
        self._bodies = Bodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or one WebSocket."""
        task = asyncio.current_task()
        self._active.add(task)
        try:
            if scope["type"] == "http":
                await self._http(scope, receive, send)
            elif scope["type"] == "websocket":
                await self._sockets.serve(scope, receive, send, draining=self._draining)
        finally:
            self._active.discard(task)

    async def drain(self, seconds: float) -> None:
        """Refuses new requests, waits for those in flight, cuts what is left."""
        self._draining = self._probes.leaving = True
        if active := [task for task in self._active if task is not None]:
            await asyncio.wait(active, timeout=seconds)
            for task in active:
                task.cancel()
            await asyncio.wait(active)
        self._bodies.close()

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        metadata = headers(scope)
        asked = request_id(metadata)
        head_only = scope["method"] == "HEAD"
        try:
            reply = await self._answer(scope, metadata, asked, receive, send)
        except (ClientLeft, BrokenOff):
            return
        except Exception as error:
            reply = failed(failure(error, asked), error)
        except asyncio.CancelledError:
            if self._draining:
                told = failure(ShuttingDown(), asked)
                await send_reply(send, failed(told, ShuttingDown()), head_only=head_only)
            raise
        if reply is not None:
            await send_reply(send, reply, head_only=head_only)

    async def _answer(
        self, scope: Scope, metadata: Mapping[str, str], asked: str, receive: Receive, send: Send
    ) -> Reply | None:
        """The reply; None when a stream has been written already."""
        raw_path = scope["raw_path"].decode("latin-1")
        verb = scope["method"]
        if raw_path.startswith("/health/") and (probe := await self._probes.answer(raw_path)) is not None:
            return probe
        if self._draining:
            raise ShuttingDown
        if verb == "OPTIONS":
            return self._allowed(raw_path)
        route, captured = self._routes.match("GET" if verb == "HEAD" else verb, raw_path)
        method = route.method
        call = Call(method, metadata, _peer(scope), "http", asked, deadline(metadata))
        if method.streams:
            await self._stream(route, captured, call, scope, receive, send)
            return None
        if not route.body:
            return await self._unary(route, captured, call, scope, b"")
        async with self._read_body(receive) as body:
            return await self._unary(route, captured, call, scope, body)

    async def _unary(
        self, route: Route, captured: Mapping[str, str], call: Call, scope: Scope, body: bytes
    ) -> Reply:
        key = b""
        if self._pipeline.is_hot(call.method.path):
            key = b"%b?%b\n%b" % (scope["raw_path"], scope["query_string"], body)
        kept = self._pipeline.hot_answer(call, key)
        if kept is not None:
            return _fresh_or_not_modified(200, kept.body, dict(kept.metadata), call)
        token = self._pipeline.begin()
        query = scope["query_string"].decode("latin-1")
        message = await self._bodies.message(len(body), request_message, route, captured, query, body)
        answer = await self._pipeline.unary(call, message)
        status = self._status(route, answer)
        if status == 204:
            return Reply(204, headers=(*call.response_metadata.items(), (REQUEST_ID, call.request_id)))
        rendered = render(answer)
        if route.verb == "GET":
            call.response_metadata["etag"] = f'"{hashlib.blake2b(rendered, digest_size=12).hexdigest()}"'
        if status == 200:
            self._pipeline.keep(token, call, key, message, answer, rendered)
        return _fresh_or_not_modified(status, rendered, call.response_metadata, call)

    def _status(self, route: Route, answer: Message) -> int:
        special = self._options.statuses.get(route.method.path)
        if special is not None:
            return special(answer)
        if route.verb == "DELETE" and not answer.DESCRIPTOR.fields:
            return 204
        return 201 if route.creates else 200

    def _allowed(self, raw_path: str) -> Reply:
        try:
            self._routes.match("OPTIONS", raw_path)
        except VerbNotAllowed as error:
            return Reply(204, headers=(("allow", f"{error.allowed}, OPTIONS"),))
        raise AssertionError("no RPC is bound to OPTIONS")

    async def _stream(
        self,
        route: Route,
        captured: Mapping[str, str],
        call: Call,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        query = scope["query_string"].decode("latin-1")
        if route.method.client_streaming:
            # All of it before the first answer: most HTTP clients read nothing before they have sent everything.
            limit, setting = self._options.max_batch_bytes, "http.max_batch_bytes"
            async with self._bodies.read(receive, limit, setting) as body:
                await self._write(self._line_messages(route, body), Lines, call, receive, send)
            return
        default: type[Style] = Events if route.method.path in self._options.live else JsonArray
        if not route.body:
            request = request_message(route, captured, query, b"", _resumed(route, call))
            await self._write(request, default, call, receive, send)
            return
        async with self._read_body(receive) as body:
            request = await self._bodies.message(len(body), request_message, route, captured, query, body)
            await self._write(request, default, call, receive, send)

    async def _write(
        self,
        request: Message | AsyncIterator[Message],
        default: type[Style],
        call: Call,
        receive: Receive,
        send: Send,
    ) -> None:
        style = choose(call.metadata.get("accept", ""), default)
        answers = self._pipeline.stream(call, request)
        writing = write_stream(answers, call, style, send, stall_seconds=self._options.stall_seconds)
        await while_present(writing, receive)

    async def _line_messages(self, route: Route, body: bytes) -> AsyncIterator[Message]:
        limit = self._options.max_body_bytes
        async for number, line in lines(body):
            if len(line) > limit:
                raise RequestTooLarge(f"line {number}", limit, "http.max_body_bytes")
            yield await self._bodies.message(len(line), line_message, route, number, line)

    def _read_body(self, receive: Receive) -> AbstractAsyncContextManager[bytes]:
        return self._bodies.read(receive, self._options.max_body_bytes, "http.max_body_bytes")


def _resumed(route: Route, call: Call) -> Mapping[str, str]:
    """Where a browser's event source wants to go on, as a field of the request."""
    resume = call.metadata.get(_RESUME_HEADER)
    if resume is None or _RESUME_FIELD not in route.method.request_type.DESCRIPTOR.fields_by_name:
        return {}
    return {_RESUME_FIELD: resume}


def failed(told: Failure, error: Exception) -> Reply:
    """The reply that tells of a failure."""
    extra: tuple[tuple[str, str], ...] = ((REQUEST_ID, told.request_id),)
    if isinstance(error, VerbNotAllowed):
        extra += (("allow", error.allowed),)
    return Reply(http_status(told), orjson.dumps(http_body(told)), extra)


def _fresh_or_not_modified(status: int, body: bytes, metadata: Mapping[str, str], call: Call) -> Reply:
    extra = (*metadata.items(), (REQUEST_ID, call.request_id))
    etag = metadata.get("etag")
    if etag is not None and etag in call.metadata.get("if-none-match", ""):
        return Reply(304, headers=extra)
    return Reply(status, body, extra)


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return f"{client[0]}:{client[1]}" if client else ""
