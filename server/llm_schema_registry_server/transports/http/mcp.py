"""MCP over streamable HTTP, as an ASGI application: one POST, one JSON-RPC message, one answer.

No session is held, so none can be guessed, taken over or left behind; GET and DELETE, which are about sessions, are refused as the
specification allows. Only `subscriptions/listen` answers with server-sent events; closing the response ends it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import orjson

from ...calls.call import REQUEST_ID, Call, request_id
from ...calls.failure import Failure, failure
from ...calls.guards.queueing import address_key
from ...calls.operation import Operation
from ...calls.peer import NO_PROXIES, TrustedProxies
from ...errors import Code, InvalidRequest, ShuttingDown
from ...rpc.protobuf.shared_answer import Answer
from ...telemetry.http_requests import LEFT, HttpRequests
from ..status import http_status
from ..unread import Unread
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
    demand_host,
    demand_readable,
    demand_type,
    headers,
    send_reply,
)
from .bodies import Bodies
from .errors import VerbNotAllowed, failure_headers
from .json_text import MOST_ESCAPES, MOST_VALUES, decode
from .origins import demand_own_name, demand_own_page
from .stream_formats import Style
from .streaming import BrokenOff, while_present, write_stream

FACE = "mcp"
ROOT = "/mcp"
_PARSE_ERROR, _INVALID_REQUEST, _INTERNAL_ERROR = -32700, -32600, -32603
_ROUTING = (b"mcp-protocol-version", b"mcp-method", b"mcp-name")
"""Headers that must not come twice: who reads the first one and who reads the last one would disagree."""


class Answered(Protocol):
    """A whole answer: a JSON-RPC message, None for none, and what HTTP says beside it."""

    @property
    def message(self) -> dict[str, Any] | None: ...
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> tuple[tuple[str, str], ...]: ...


class Stream(Protocol):
    """An answer that is a stream."""

    @property
    def id(self) -> Any: ...
    def acknowledged(self) -> dict[str, Any]:
        """The first message."""
        ...

    def finished(self) -> dict[str, Any]:
        """The last message, when the server ends the stream."""
        ...


class Service(Protocol):
    """What answers messages (rpc/mcp.py)."""

    async def answer(
        self, message: object, headers: Mapping[str, str], make: Callable[[Operation], Call]
    ) -> Any:
        """An Answered or a Stream."""
        ...

    def turned_away(self, make: Callable[[Operation], Call], error: BaseException) -> None:
        """Notes a request that was refused before it was a message."""
        ...

    def unreadable(self, code: int, text: str) -> Exception:
        """What stands for a message that cannot be read."""
        ...

    def listen(self, listening: Any, call: Call) -> AsyncGenerator[Any, None]:
        """The frames of a Stream. Raises RegistryError."""
        ...

    @property
    def changes(self) -> Operation:
        """The operation of which a Stream is a call."""
        ...


@dataclass(frozen=True, slots=True)
class McpOptions:
    """origins, hosts: as of the twin, but here a foreign page is refused whatever it shows."""

    max_body_bytes: int
    unread: Unread
    max_values: int = MOST_VALUES
    max_escapes: int = MOST_ESCAPES
    proxies: TrustedProxies = NO_PROXIES
    security: Headers = API_HEADERS
    origins: frozenset[str] = frozenset()
    hosts: frozenset[str] | None = None


class McpFace:
    """A face of the dispatcher. frame: a message as a server-sent event."""

    def __init__(
        self,
        service: Service,
        frame: Callable[[Any], bytes],
        bodies: Bodies,
        requests: HttpRequests,
        options: McpOptions,
    ) -> None:
        self._service, self._frame, self._bodies = service, frame, bodies
        self._requests, self._options = requests, options
        self._draining = False

    async def http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        began = time.perf_counter()
        metadata = headers(scope)
        asked = request_id(metadata)
        try:
            reply = await self._answer(scope, metadata, asked, receive, send)
        except (ClientLeft, BrokenOff):
            self._ended(scope, LEFT, began)
            return
        except Exception as error:
            reply = _refusal(failure(error, asked), error)
        except asyncio.CancelledError:
            if self._draining:
                going = ShuttingDown()
                await send_reply(
                    send, _refusal(failure(going, asked), going), security=self._options.security
                )
            self._ended(scope, 503 if self._draining else LEFT, began)
            raise
        if reply is not None:
            await send_reply(
                send, reply, security=self._options.security, head_only=scope["method"] == "HEAD"
            )
        self._ended(scope, 200 if reply is None else reply.status, began, reply)

    def leave(self) -> None:
        """Refuses new requests from now on."""
        self._draining = True

    def close(self) -> None:
        """Nothing is held."""

    def _ended(self, scope: Scope, status: int, began: float, reply: Reply | None = None) -> None:
        self._requests.seen(
            scope["method"], ROOT, status, began, sent=None if reply is None else len(reply.body)
        )

    async def _answer(
        self, scope: Scope, metadata: dict[str, str], asked: str, receive: Receive, send: Send
    ) -> Reply | None:
        """The reply; None when a stream has been written."""
        if self._draining:
            raise ShuttingDown
        demand_host(scope, metadata)
        demand_own_name(metadata, self._options.hosts)
        # The specification has foreign origins refused whoever asks: a page gets no way around with a credential that it has found.
        page: dict[str, str] = {n: metadata[n] for n in ("origin", "host") if n in metadata}
        demand_own_page(page, self._options.origins)
        if scope["method"] != "POST":
            raise VerbNotAllowed(scope["method"], ROOT, ("POST",))
        demand_readable(metadata)
        _demand_accept(metadata)
        if len([name for name, _ in scope["headers"] if name.lower() in _ROUTING]) > sum(
            name.decode() in metadata for name in _ROUTING
        ):
            raise InvalidRequest("headers", "an MCP header comes twice")
        calls: list[Call] = []

        def make(operation: Operation) -> Call:
            call = Call(
                operation,
                metadata,
                partial(connection, scope),
                FACE,
                asked,
                deadline(metadata),
                self._options.proxies,
            )
            call.route = ("POST", ROOT)
            calls.append(call)
            return call

        peer = self._options.proxies.peer(connection(scope), metadata)
        limit = self._options.max_body_bytes
        try:
            # Its end is asked for: one wait for the client to leave follows the other here, and to Granian a body whose end is asked for by
            # two is one whose client has left.
            async with self._bodies.read(
                receive, limit, "mcp.max_body_bytes", address_key(peer.address)
            ) as body:
                demand_type(metadata, body)
                message = await self._read(body)
                answer = await self._while_present(self._service.answer(message, metadata, make), receive)
        except Exception as error:
            if not calls:
                self._service.turned_away(make, error)
            raise
        if hasattr(answer, "acknowledged"):
            call = make(self._service.changes)
            await self._stream(answer, call, receive, send)
            return None
        extra = (*answer.headers, *(calls[-1].own_metadata if calls else ()), (REQUEST_ID, asked))
        if answer.status == 401:  # RFC 6750 3
            extra += (("www-authenticate", 'Bearer realm="schema-registry"'),)
        body_out = b"" if answer.message is None else _written(answer.message)
        return Reply(answer.status, body_out, tuple(dict(extra).items()))

    async def _while_present(self, answer: Coroutine[Any, Any, Any], receive: Receive) -> Any:
        """The answer. Raises ClientLeft when its client has left before: closing the connection cancels a request."""
        found: list[Any] = []

        async def answered() -> None:
            found.append(await answer)

        await while_present(answered(), receive)
        if not found:
            raise ClientLeft
        return found[0]

    async def _read(self, body: bytes) -> object:
        """The decoded message, or what stands for one that cannot be read."""
        try:
            return await self._bodies.message(
                len(body), decode, body, self._options.max_values, self._options.max_escapes
            )
        except InvalidRequest as error:
            said = error.message.replace("http.max_values", "mcp.max_values")
            return self._service.unreadable(_PARSE_ERROR, said)

    async def _stream(self, stream: Stream, call: Call, receive: Receive, send: Send) -> None:
        call.response_metadata["x-accel-buffering"] = "no"

        async def written() -> None:
            async with aclosing(self._service.listen(stream, call)) as frames:
                await write_stream(
                    frames,
                    call,
                    _Frames(stream, self._frame),
                    send,
                    unread=self._options.unread,
                    security=self._options.security,
                )

        await while_present(written(), receive)


class _Frames(Style):
    """Server-sent events, each a JSON-RPC message that is written already."""

    content_type = "text/event-stream"
    idle = b": alive\n\n"

    def __init__(self, stream: Stream, frame: Callable[[Any], bytes]) -> None:
        self._stream, self._frame = stream, frame

    def opening(self) -> bytes:
        return self._frame(self._stream.acknowledged())

    def item(self, answer: Answer, *, first: bool) -> bytes:
        frames: Any = answer  # `listen` yields what is written already
        written: bytes = frames
        return written

    def failed(self, failure: Failure) -> bytes | None:
        if failure.reason == ShuttingDown.reason:
            return self._frame(self._stream.finished())
        return self._frame(_error(failure, self._stream.id))

    def closing(self) -> bytes:
        return self._frame(self._stream.finished())


def _demand_accept(metadata: Mapping[str, str]) -> None:
    """Raises InvalidRequest for a client that takes no JSON."""
    accept = metadata.get("accept", "")
    taken = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    if accept and not taken & {"*/*", "application/*", "application/json"}:
        raise InvalidRequest("accept", "must have application/json and text/event-stream, as MCP demands")


def _refusal(failed: Failure, error: Exception) -> Reply:
    """The reply to what is refused before it is a message."""
    return Reply(http_status(failed), _written(_error(failed, None)), failure_headers(failed, error))


def _error(failed: Failure, id_: Any) -> dict[str, Any]:
    code = _INTERNAL_ERROR if failed.code is Code.INTERNAL else _INVALID_REQUEST
    data = {"error": failed.reason, "request_id": failed.request_id}
    return {"jsonrpc": "2.0", "id": id_, "error": {"code": code, "message": failed.message, "data": data}}


def _written(message: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(message)
    except TypeError:  # integers beyond 64 bits, halves of surrogate pairs
        return json.dumps(message, separators=(",", ":")).encode()
