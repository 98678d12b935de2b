"""The HTTP twin of every RPC, as ASGI applications over the pipeline. Names no endpoint of its own.

A request takes this way: route -> Call -> cached answer? -> message -> pipeline -> JSON. Everything that goes wrong becomes a
reply through transports/status.py.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson
from google.protobuf.message import Message

from ...calls.answer_cache import CachedAnswer
from ...calls.call import REQUEST_ID, Call, request_id
from ...calls.failure import Failure, failure
from ...calls.guards.queueing import caller_key
from ...calls.peer import NO_PROXIES, TrustedProxies
from ...calls.pipeline import Invoke
from ...errors import ShuttingDown
from ...queues.fair_queue import FairQueue, Queues
from ...rpc.protobuf.rpcs import Rpcs
from ..request_memory import request_memory
from ..status import http_body, http_status
from .asgi import (
    API_HEADERS,
    ClientLeft,
    Headers,
    Receive,
    Reply,
    Scope,
    Send,
    connection,
    deadline,
    headers,
    send_reply,
)
from .bodies import Bodies, lines
from .errors import RequestTooLarge, VerbNotAllowed
from .json_in import line_message, request_message
from .json_out import render
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

FACE = "http"

_MEMORY_BYTES = 256 * 1024 * 1024
"""For bodies, where no memory is given that is shared with other ports."""

# The field of a request that resumes a stream, and the header in which a browser says where it was.
_RESUME_FIELD, _RESUME_HEADER = "from_revision", "last-event-id"


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """What the application needs to know beside the pipeline.

    `live` are the paths of methods whose streams never end: they go out as server-sent events unless the caller asks
    for lines. `sockets` maps a URL path to the method that a WebSocket there subscribes to. `statuses` give an HTTP
    status for an answer that is well-formed and yet no 200. `security` are the headers that every answer carries.
    """

    max_body_bytes: int
    max_batch_bytes: int
    stall_seconds: float
    live: frozenset[str] = frozenset()
    sockets: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, Callable[[Any], int]] = field(default_factory=dict)
    proxies: TrustedProxies = NO_PROXIES
    security: Headers = API_HEADERS


class HttpTwin:
    """A face of the dispatcher: `http` and `websocket` are its ASGI 3 applications.

    Bodies take room in `memory`; the queue in which large ones wait is shown among `queues`. Raises TypeError when the bindings
    of the methods contradict each other, or the options them.
    """

    def __init__(
        self,
        rpcs: Rpcs,
        options: HttpOptions,
        memory: FairQueue | None = None,
        queues: Queues | None = None,
    ) -> None:
        queues = queues or Queues()
        if memory is None:
            memory = request_memory(queues, _MEMORY_BYTES, largest=options.max_batch_bytes)
        self._pipeline = rpcs.pipeline
        self._options, self._proxies, self._security = options, options.proxies, options.security
        if odd := [path for path in options.statuses if rpcs.methods[path].operation.cached]:
            raise TypeError(f"cached answers are always 200; {', '.join(odd)} has statuses of its own")
        self._routes = Routes(rpcs.methods.values())
        self._sockets = Sockets(rpcs, options.sockets, options.stall_seconds, FACE, options.proxies)
        self._draining = False
        self._bodies = Bodies(memory, queues)

    async def http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        metadata = headers(scope)
        asked = request_id(metadata)
        head_only = scope["method"] == "HEAD"
        try:
            reply = await self._answer(scope, metadata, asked, receive, send)
        except (ClientLeft, BrokenOff):
            return
        except Exception as error:
            reply = failure_reply(failure(error, asked), error)
        except asyncio.CancelledError:
            if self._draining:
                going = ShuttingDown()
                reply = failure_reply(failure(going, asked), going)
                await send_reply(send, reply, security=self._security, head_only=head_only)
            raise
        if reply is not None:
            await send_reply(send, reply, security=self._security, head_only=head_only)

    async def websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One WebSocket."""
        await self._sockets.serve(scope, receive, send, draining=self._draining)

    def leave(self) -> None:
        """Refuses new requests from now on."""
        self._draining = True

    def close(self) -> None:
        """Ends the thread that reads large bodies."""
        self._bodies.close()

    async def _answer(
        self, scope: Scope, metadata: Mapping[str, str], asked: str, receive: Receive, send: Send
    ) -> Reply | None:
        """The reply; None when a stream has been written already."""
        raw_path = scope["raw_path"].decode("latin-1")
        verb = scope["method"]
        if self._draining:
            raise ShuttingDown
        if verb == "OPTIONS":
            return self._allowed(raw_path)
        route, captured = self._routes.match("GET" if verb == "HEAD" else verb, raw_path)
        method = route.method
        call = Call(
            method.operation,
            metadata,
            partial(connection, scope),
            FACE,
            asked,
            deadline(metadata),
            self._proxies,
        )
        if method.operation.streams:
            await self._stream(route, captured, call, scope, receive, send)
            return None
        if not route.body:
            return await self._unary(route, captured, call, scope, b"")
        async with self._read_body(receive, call) as body:
            return await self._unary(route, captured, call, scope, body)

    async def _unary(
        self, route: Route, captured: Mapping[str, str], call: Call, scope: Scope, body: bytes
    ) -> Reply:
        if not route.method.operation.cached:
            message = await self._message(route, captured, scope, body)
            answer = await self._pipeline.unary(call, message)
            return self._reply(route, answer, call)
        key = b"%b?%b\n%b" % (scope["raw_path"], scope["query_string"], body)
        cached = self._pipeline.cached_at_once(call, key)
        if cached is None:
            make = partial(self._make, route, captured, call, scope, body, key)
            cached = await self._pipeline.answer(call, key, make)
        return _fresh_or_not_modified(200, cached.body, dict(cached.metadata), call)

    async def _make(
        self,
        route: Route,
        captured: Mapping[str, str],
        call: Call,
        scope: Scope,
        body: bytes,
        key: bytes,
        invoke: Invoke,
    ) -> CachedAnswer:
        """The answer of a method whose answers are cached, which are always 200."""
        token = self._pipeline.begin()
        answer = await invoke(await self._message(route, captured, scope, body))
        rendered = render(answer)
        if route.verb == "GET":
            call.response_metadata["etag"] = _etag(rendered)
        return self._pipeline.cache(token, call, key, rendered)

    def _reply(self, route: Route, answer: Message, call: Call) -> Reply:
        status = self._status(route, answer)
        if status == 204:
            return Reply(204, headers=(*call.response_metadata.items(), (REQUEST_ID, call.request_id)))
        rendered = render(answer)
        if route.verb == "GET":
            call.response_metadata["etag"] = _etag(rendered)
        return _fresh_or_not_modified(status, rendered, call.response_metadata, call)

    async def _message(self, route: Route, captured: Mapping[str, str], scope: Scope, body: bytes) -> Message:
        query = scope["query_string"].decode("latin-1")
        return await self._bodies.message(len(body), request_message, route, captured, query, body)

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
        if route.method.operation.client_streaming:
            # All of it before the first answer: most HTTP clients read nothing before they have sent everything.
            limit, setting = self._options.max_batch_bytes, "http.max_batch_bytes"
            async with self._bodies.read(receive, limit, setting, caller_key(call)) as body:
                await self._write(self._line_messages(route, body), Lines, call, receive, send)
            return
        default: type[Style] = Events if route.method.path in self._options.live else JsonArray
        if not route.body:
            request = request_message(route, captured, query, b"", _resumed(route, call))
            await self._write(request, default, call, receive, send)
            return
        async with self._read_body(receive, call) as body:
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
        writing = write_stream(
            answers,
            call,
            style,
            send,
            stall_seconds=self._options.stall_seconds,
            security=self._security,
        )
        await while_present(writing, receive)

    async def _line_messages(self, route: Route, body: bytes) -> AsyncIterator[Message]:
        limit = self._options.max_body_bytes
        async for number, line in lines(body):
            if len(line) > limit:
                raise RequestTooLarge(f"line {number}", limit, "http.max_body_bytes")
            yield await self._bodies.message(len(line), line_message, route, number, line)

    def _read_body(self, receive: Receive, call: Call) -> AbstractAsyncContextManager[bytes]:
        limit = self._options.max_body_bytes
        return self._bodies.read(receive, limit, "http.max_body_bytes", caller_key(call))


def _resumed(route: Route, call: Call) -> Mapping[str, str]:
    """Where a browser's event source wants to go on, as a field of the request."""
    resume = call.metadata.get(_RESUME_HEADER)
    if resume is None or _RESUME_FIELD not in route.method.request_type.DESCRIPTOR.fields_by_name:
        return {}
    return {_RESUME_FIELD: resume}


def failure_reply(failed: Failure, error: Exception) -> Reply:
    """The reply that tells of a failure."""
    extra: tuple[tuple[str, str], ...] = ((REQUEST_ID, failed.request_id),)
    if isinstance(error, VerbNotAllowed):
        extra += (("allow", error.allowed),)
    if failed.retry_seconds is not None:  # RFC 9110 10.2.3: whole seconds
        extra += (("retry-after", str(max(1, math.ceil(failed.retry_seconds)))),)
    return Reply(http_status(failed), orjson.dumps(http_body(failed)), extra)


def _etag(body: bytes) -> str:
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def _fresh_or_not_modified(status: int, body: bytes, metadata: Mapping[str, str], call: Call) -> Reply:
    extra = (*metadata.items(), (REQUEST_ID, call.request_id))
    etag = metadata.get("etag")
    if etag is not None and etag in call.metadata.get("if-none-match", ""):
        return Reply(304, headers=extra)
    return Reply(status, body, extra)
