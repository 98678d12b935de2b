"""The HTTP twin of every RPC, as ASGI applications over the pipeline. Names no endpoint of its own.

A request takes this way: route -> Call -> cached answer? -> message -> pipeline -> JSON. Everything that goes wrong becomes a
reply through transports/status.py.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial

import orjson
from google.protobuf.message import Message

from ...calls.answer_cache import CachedAnswer
from ...calls.call import REQUEST_ID, Call, request_id
from ...calls.failure import Failure, failure
from ...calls.guards.queueing import caller_key
from ...calls.pipeline import Invoke
from ...errors import LimitExceeded, RegistryError, ShuttingDown
from ...queues.fair_queue import FairQueue, Queues
from ...queues.turns import CallTurns
from ...rpc.protobuf.rpcs import Rpcs
from ...telemetry.http_requests import LEFT, NO_ROUTE
from ..request_memory import request_memory
from ..status import http_body, http_status
from .asgi import (
    ClientLeft,
    Receive,
    Reply,
    Scope,
    Send,
    Whole,
    body_length,
    connection,
    deadline,
    demand_host,
    demand_readable,
    demand_type,
    headers,
    path_of,
    send_reply,
    whole_answer,
)
from .bodies import Bodies
from .errors import RouteNotFound, VerbNotAllowed, failure_headers
from .heads import PlainHeads
from .index import listing, nearest, served
from .json_out import render_large
from .kept import TRIED, Tried, etag, fresh_or_not_modified, kept_reply, question
from .options import HttpOptions
from .origins import demand_own_name, demand_own_page
from .requests import Requests, resumed
from .routes import Match, RecentRoutes, Route, Routes
from .sockets import Sockets
from .stream_formats import (
    Events,
    JsonArray,
    Lines,
    Style,
    choose,
)
from .streaming import BrokenOff, while_present, write_stream
from .wording import Wording

FACE = "http"
ROOT = "/api/v1"
"""Where the paths of all RPCs begin, but for the one of health."""

CALL, RECEIVED = "schema_registry.call", "schema_registry.received"
"""Where the scope of a request has its Call, once there is one, and the size of its body."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Verbs that change nothing (RFC 9110 9.2.1); pages of other sites cannot read the answers."""

_MEMORY_BYTES = 256 * 1024 * 1024
"""For bodies, where no memory is given that is shared with other ports."""


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
        self._rpcs, self._pipeline = rpcs, rpcs.pipeline
        self._options, self._proxies, self._security = options, options.proxies, options.security
        if odd := [path for path in options.statuses if rpcs.methods[path].operation.cached]:
            raise TypeError(f"cached answers are always 200; {', '.join(odd)} has statuses of its own")
        self._routes = Routes(rpcs.methods.values())
        self._recent = RecentRoutes()
        self._heads = PlainHeads(options.hosts)
        self._served = served(rpcs.methods.values())
        self._wording = Wording(rpcs.methods.values())
        self._index = Reply(200, listing(self._served, options.sockets, options.version))
        self._sockets = Sockets(
            rpcs,
            options.sockets,
            options.unread,
            options.socket_bytes,
            FACE,
            options.proxies,
            options.requests,
            options.origins,
            options.hosts,
            options.redeem,
        )
        self._draining = False
        self._turns = CallTurns()
        self._requests = options.requests
        self._bodies = Bodies(memory, queues)
        self._messages = Requests(options, self._bodies)

    @property
    def options(self) -> HttpOptions:
        """What other faces of the port go by, too."""
        return self._options

    @property
    def bodies(self) -> Bodies:
        """Where other faces of the port have their bodies read."""
        return self._bodies

    def at_once(self, scope: Scope) -> Whole | None:
        """The answer to one request, when it is kept and nothing about the request needs more; otherwise None, and `http` is to be called
        with the same scope."""
        match = None if self._draining or scope["method"] != "GET" else self._recent.get(scope["raw_path"])
        if match is None or (metadata := self._heads.plain(scope)) is None:
            return None
        route = match[0]
        call = self._call(route, scope, metadata, request_id(metadata))
        key = question(scope, b"")
        cached = self._pipeline.cached_at_once(call, key)
        if cached is None:
            scope[TRIED] = Tried(match, call, key)
            return None
        body, extra = cached.body, (*cached.metadata, *call.own_metadata, (REQUEST_ID, call.request_id))
        self._requests.seen(
            "GET", route.template, 200, call.began, sent=len(body), traceparent=call.traceparent
        )
        return whole_answer(body, extra, self._security)

    async def http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        began = time.perf_counter()
        tried: Tried | None = scope.pop(TRIED, None)
        metadata = headers(scope) if tried is None else tried.call.metadata
        asked = request_id(metadata) if tried is None else tried.call.request_id
        head_only = scope["method"] == "HEAD"
        try:
            reply = await self._answer(scope, tried, metadata, asked, receive, send)
        except (ClientLeft, BrokenOff):
            self._ended(scope, began, LEFT)
            return
        except Exception as error:
            reply = failure_reply(self._wording.of(failure(error, asked), None), error)
        except asyncio.CancelledError:
            if self._draining:
                going = ShuttingDown()
                reply = failure_reply(failure(going, asked), going)
                await send_reply(send, reply, security=self._security, head_only=head_only)
            self._ended(scope, began, 503 if self._draining else LEFT)
            raise
        if reply is None:
            self._ended(scope, began, 200)
            return
        await send_reply(send, reply, security=self._security, head_only=head_only)
        self._ended(scope, began, reply.status, 0 if head_only else len(reply.body))

    def _ended(self, scope: Scope, began: float, status: int, sent: int | None = None) -> None:
        """Notes a request that has ended."""
        call: Call | None = scope.pop(CALL, None)  # they know each other: only the collector would free them
        if call is None or call.route is None:
            self._requests.seen(scope["method"], NO_ROUTE, status, began, sent=sent)
            return
        self._requests.seen(
            scope["method"],
            call.route[1],
            status,
            began,
            received=scope.get(RECEIVED, 0),
            sent=sent,
            traceparent=call.traceparent,
        )

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
        self,
        scope: Scope,
        tried: Tried | None,
        metadata: Mapping[str, str],
        asked: str,
        receive: Receive,
        send: Send,
    ) -> Reply | None:
        """The reply; None when a stream has been written already."""
        if self._draining:
            raise ShuttingDown
        match = self._routed(scope, metadata) if tried is None else tried.match
        if isinstance(match, Reply):
            return match
        route, captured = match
        operation = route.method.operation
        call = self._call(route, scope, metadata, asked, deadline(metadata)) if tried is None else tried.call
        scope[CALL] = call
        try:
            if operation.streams:
                await self._stream(route, captured, call, scope, receive, send)
                return None
            if route.body:
                async with self._read_body(scope, receive, call) as body:
                    scope[RECEIVED] = len(body)
                    try:
                        demand_type(call.metadata, body)
                        return await self._unary(route, captured, call, scope, body)
                    except Exception as error:
                        return self._failed(error, call, body)
            if not operation.cached:
                return await self._unary(route, captured, call, scope, b"")
            if tried is not None:
                return await self._computed(route, captured, call, scope, b"", tried.key)
            key = question(scope, b"")
            cached = self._pipeline.cached_at_once(call, key)
            if cached is None:
                return await self._computed(route, captured, call, scope, b"", key)
            if scope["method"] == "GET":
                self._recent.add(scope["raw_path"], match)
            return kept_reply(cached, call)
        except (ClientLeft, BrokenOff, asyncio.CancelledError):
            self._pipeline.turned_away(call, asyncio.CancelledError())
            raise
        except Exception as error:
            return self._failed(error, call, None)

    def _routed(self, scope: Scope, metadata: Mapping[str, str]) -> Match | Reply:
        """Where the path leads; the reply to a request that is none of an RPC."""
        verb = scope["method"]
        demand_host(scope, metadata)
        demand_own_name(metadata, self._options.hosts)
        if verb not in _SAFE and "origin" in metadata:
            demand_own_page(metadata, self._options.origins)
        match = self._recent.get(scope["raw_path"]) if verb == "GET" else None
        if match is not None:
            return match
        raw_path = path_of(scope)
        if verb == "OPTIONS":
            return self._allowed(raw_path)
        try:
            return self._routes.match("GET" if verb == "HEAD" else verb, raw_path)
        except RouteNotFound as error:
            return self._elsewhere(verb, raw_path, error)

    def _call(
        self,
        route: Route,
        scope: Scope,
        metadata: Mapping[str, str],
        asked: str,
        until: float | None = None,
    ) -> Call:
        call = Call(
            route.method.operation, metadata, partial(connection, scope), FACE, asked, until, self._proxies
        )
        call.route = route.place
        return call

    def _failed(self, error: Exception, call: Call, body: bytes | None) -> Reply:
        """The reply that tells of a call's failure."""
        self._pipeline.turned_away(call, error)
        if isinstance(error, LimitExceeded):
            call.asks_too_much()
        reply = failure_reply(self._wording.of(failure(error, call.request_id), body), error)
        error.__traceback__ = None  # frames that hold the error itself: only the collector would free them
        return reply._replace(headers=(*reply.headers, *call.own_metadata))

    async def _unary(
        self, route: Route, captured: Mapping[str, str], call: Call, scope: Scope, body: bytes
    ) -> Reply:
        if not route.method.operation.cached:
            message = await self._messages.message(route, captured, scope, body)
            answer = self._rpcs.computed_at_once(route.method, call, message, len(body))
            if answer is None:
                work = partial(self._pipeline.unary, call, message)
                made: Message = await self._turns.carry_out(
                    route.method.path, partial(caller_key, call), work
                )
                answer = made
            return await self._reply(route, answer, call)
        key = question(scope, body)
        cached = self._pipeline.cached_at_once(call, key)
        if cached is None:
            return await self._computed(route, captured, call, scope, body, key)
        return kept_reply(cached, call)

    async def _computed(
        self, route: Route, captured: Mapping[str, str], call: Call, scope: Scope, body: bytes, key: bytes
    ) -> Reply:
        """The answer to a request for which none was at hand at once."""
        make = partial(self._make, route, captured, call, scope, body, key)
        return kept_reply(await self._pipeline.answer(call, key, make), call)

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
        work = partial(invoke, await self._messages.message(route, captured, scope, body))
        answer = await self._turns.carry_out(route.method.path, partial(caller_key, call), work)
        rendered, tag = await render_large(answer, etag if route.verb == "GET" else None)
        if tag:
            call.response_metadata["etag"] = tag
        return self._pipeline.cache(token, call, key, rendered)

    async def _reply(self, route: Route, answer: Message, call: Call) -> Reply:
        status = self._status(route, answer)
        if status == 204:
            extra = (*call.response_metadata.items(), *call.own_metadata, (REQUEST_ID, call.request_id))
            return Reply(204, headers=extra)
        rendered, tag = await render_large(answer, etag if route.verb == "GET" else None)
        if tag:
            call.response_metadata["etag"] = tag
        return fresh_or_not_modified(status, rendered, call.response_metadata, call)

    def _status(self, route: Route, answer: Message) -> int:
        special = self._options.statuses.get(route.method.path)
        if special is not None:
            return special(answer)
        if route.verb == "DELETE" and not answer.DESCRIPTOR.fields:
            return 204
        return 201 if route.creates else 200

    async def index(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What there is, for `GET /`."""
        reply = self._index if scope["method"] in ("GET", "HEAD") else _only_get(scope)
        await send_reply(send, reply, security=self._security, head_only=scope["method"] == "HEAD")

    def _elsewhere(self, verb: str, raw_path: str, error: RouteNotFound) -> Reply:
        """The answer at a path with no RPC: at the root of the API what there is; below, the error with what is nearest."""
        if raw_path.rstrip("/") == ROOT:
            if verb in ("GET", "HEAD"):
                return self._index
            raise VerbNotAllowed(verb, raw_path, ["GET"]) from error
        near = nearest(self._served, verb, raw_path)
        hint = f"did you mean {near.verb} {near.path}? " if near is not None else ""
        raise RouteNotFound(raw_path, f"{hint}GET {ROOT} lists what there is") from error

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
        if route.method.operation.client_streaming:
            # All of it before the first answer: most HTTP clients read nothing before they have sent everything.
            demand_readable(call.metadata, lines=True)
            limit, setting = self._options.max_batch_bytes, "http.max_batch_bytes"
            length = body_length(scope, call.metadata)
            async with self._bodies.read(receive, limit, setting, caller_key(call), length) as body:
                demand_type(call.metadata, body, lines=True)
                await self._write(self._messages.line_messages(route, body), Lines, call, receive, send)
            return
        default: type[Style] = Events if route.method.path in self._options.live else JsonArray
        if not route.body:
            request = await self._messages.message(route, captured, scope, b"", resumed(route, call))
            await self._write(request, default, call, receive, send)
            return
        async with self._read_body(scope, receive, call) as body:
            demand_type(call.metadata, body)
            request = await self._messages.message(route, captured, scope, body)
            await self._write(request, default, call, receive, send)

    async def _write(
        self,
        request: Message | RegistryError | AsyncIterator[Message | RegistryError],
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
            unread=self._options.unread,
            security=self._security,
        )
        await while_present(writing, receive)

    def _read_body(self, scope: Scope, receive: Receive, call: Call) -> AbstractAsyncContextManager[bytes]:
        """Raises UnsupportedBody."""
        demand_readable(call.metadata)
        limit = self._options.max_body_bytes
        length = body_length(scope, call.metadata)
        return self._bodies.read(receive, limit, "http.max_body_bytes", caller_key(call), length)


def _only_get(scope: Scope) -> Reply:
    asked = request_id(headers(scope))
    error = VerbNotAllowed(scope["method"], "/", ["GET"])
    return failure_reply(failure(error, asked), error)


def failure_reply(failed: Failure, error: Exception) -> Reply:
    """The reply that tells of a failure."""
    return Reply(http_status(failed), orjson.dumps(http_body(failed)), failure_headers(failed, error))
