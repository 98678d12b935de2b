"""WebSocket: the first message is the request as JSON, then each answer is one text message.

An error is a last message {"error": ...} before the socket closes; the close code says whether to come back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import aclosing
from urllib.parse import unquote

import orjson
from google.protobuf.message import Message

from ...calls.call import Call, request_id
from ...calls.failure import Failure, failure
from ...calls.guards.queueing import address_key
from ...calls.peer import TrustedProxies
from ...errors import Code, InvalidRequest, RegistryError, ShuttingDown, Unauthenticated
from ...queues.caller import Caller, bind
from ...rpc.protobuf.method import Method
from ...rpc.protobuf.rpcs import Rpcs
from ...telemetry.http_requests import NO_ROUTE, HttpRequests
from ..status import http_body
from ..unread import Unread
from .asgi import ClientLeft, Event, Receive, Scope, Send, connection, deadline, headers
from .errors import BodyTooSlow, RouteNotFound
from .json_in import request_message
from .json_out import shared_text
from .origins import demand_own_name, demand_own_page
from .routes import Route
from .socket_guard import SocketGuard
from .streaming import while_present

FIRST_MESSAGE_SECONDS = 10.0
_TICKET = "ticket="

# RFC 6455 7.4.1 and the IANA registry: 1008 policy violation, 1011 internal error, 1012 restart, 1013 try again later.
_POLICY, _INTERNAL, _RESTART, _LATER, _DONE = 1008, 1011, 1012, 1013, 1000
_CLOSE: Mapping[Code, int] = {
    Code.INVALID_ARGUMENT: _POLICY,
    Code.NOT_FOUND: _POLICY,
    Code.PERMISSION_DENIED: _POLICY,
    Code.UNAUTHENTICATED: _POLICY,
    Code.OUT_OF_RANGE: _POLICY,
    Code.FAILED_PRECONDITION: _POLICY,
    Code.UNAVAILABLE: _RESTART,
    Code.ABORTED: _LATER,
    Code.RESOURCE_EXHAUSTED: _LATER,
    Code.DEADLINE_EXCEEDED: _LATER,
}


Redeem = Callable[[str], Awaitable[Mapping[str, str]]]
"""From a ticket to the headers that it stands for."""


async def no_tickets(ticket: str) -> Mapping[str, str]:
    """Where there are none."""
    raise Unauthenticated("tickets are not taken here")


class Sockets:
    """The WebSocket endpoints: `paths` maps a URL path to the path of a server-streaming method. `redeem` takes the tickets that stand in
    URLs (`?ticket=`), once."""

    def __init__(
        self,
        rpcs: Rpcs,
        paths: Mapping[str, str],
        unread: Unread,
        most_bytes: int,
        face: str,
        proxies: TrustedProxies,
        requests: HttpRequests,
        origins: Collection[str] = (),
        hosts: Collection[str] | None = None,
        redeem: Redeem = no_tickets,
    ) -> None:
        self._requests = requests
        self._pipeline, self._face, self._proxies = rpcs.pipeline, face, proxies
        self._origins, self._hosts, self._redeem = origins, hosts, redeem
        self._unread, self._most_bytes = unread, most_bytes
        self._guard = SocketGuard(most_bytes, named=proxies.named)
        self._routes = {url: _route(rpcs.methods[path]) for url, path in paths.items()}

    async def serve(self, scope: Scope, receive: Receive, send: Send, *, draining: bool) -> None:
        """One connection, from handshake to close."""
        await receive()  # websocket.connect
        async with self._guard.watching(int(scope["server"][1]), connection(scope)):
            await self._serve(scope, receive, send, draining=draining)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, *, draining: bool) -> None:
        raw_path, _, query = scope["raw_path"].decode("utf-8", "backslashreplace").partition("?")
        route = self._routes.get(raw_path)
        began = time.perf_counter()
        metadata = headers(scope)
        asked = request_id(metadata)
        await send({"type": "websocket.accept", "headers": [(b"x-request-id", asked.encode())]})
        try:
            if route is None:
                raise RouteNotFound(raw_path)
            if draining:
                raise ShuttingDown
            # Before anything is refused, so that the refusal does not cross with the request, and is lost with a connection that is closed unread.
            first = await _first_message(receive, self._most_bytes)
            query = query or scope["query_string"].decode("latin-1")
            if _TICKET in query:
                # Until the ticket says who it is, it waits in queues as its address.
                peer = self._proxies.peer(connection(scope), metadata)
                bind(Caller(address_key(peer.address)))
                metadata = await self._with_ticket(metadata, query)
            demand_own_name(metadata, self._hosts)
            demand_own_page(metadata, self._origins)
            message = _message(route, first)
            call = Call(
                route.method.operation,
                metadata,
                connection(scope),
                self._face,
                asked,
                deadline(metadata),
                self._proxies,
            )
            call.route = ("GET", raw_path)
            await while_present(self._write(call, message, send), receive)
        except ClientLeft:
            return
        except Exception as error:
            await _fail(send, failure(error, asked))
        finally:
            self._requests.seen("GET", raw_path if route is not None else NO_ROUTE, 101, began)

    async def _with_ticket(self, metadata: dict[str, str], query: str) -> dict[str, str]:
        """The headers of a request, and those that the ticket in its query stands for. Raises Unauthenticated."""
        tickets = [part[len(_TICKET) :] for part in query.split("&") if part.startswith(_TICKET)]
        if not tickets:
            return metadata
        if len(tickets) > 1 or "authorization" in metadata or "x-api-key" in metadata:
            raise Unauthenticated("two credentials are shown; send one ticket, and no credentials beside it")
        return {**metadata, **await self._redeem(unquote(tickets[0]))}

    async def _write(self, call: Call, message: Message | RegistryError, send: Send) -> None:
        async with aclosing(self._pipeline.stream(call, message)) as answers:
            async for answer in answers:
                text = shared_text(answer)
                async with self._unread.sending(call, len(text)):
                    await send({"type": "websocket.send", "text": text})
        await send({"type": "websocket.close", "code": _DONE})


def _message(route: Route, first: bytes) -> Message | RegistryError:
    """The request, or what is wrong with it: in either form the pipeline takes it."""
    try:
        return request_message(route, {}, "", first)
    except RegistryError as error:
        return error


async def _first_message(receive: Receive, most_bytes: int) -> bytes:
    try:
        async with asyncio.timeout(FIRST_MESSAGE_SECONDS):
            event: Event = await receive()
    except TimeoutError as error:
        raise BodyTooSlow(FIRST_MESSAGE_SECONDS) from error
    if event["type"] == "websocket.disconnect":
        raise ClientLeft
    text = event.get("text")
    body = text.encode() if text is not None else event.get("bytes") or b""
    if len(body) > most_bytes:
        raise InvalidRequest(
            "", f"the first message is longer than {most_bytes} bytes (setting limits.socket_bytes)"
        )
    return body


async def _fail(send: Send, failed: Failure) -> None:
    await send({"type": "websocket.send", "text": orjson.dumps({"error": http_body(failed)}).decode()})
    await send(
        {"type": "websocket.close", "code": _CLOSE.get(failed.code, _INTERNAL), "reason": failed.reason}
    )


def _route(method: Method) -> Route:
    if method.operation.client_streaming or not method.operation.server_streaming:
        raise TypeError(f"{method.path} takes no subscription: it must stream its answers to one request")
    return Route(method, "GET", "", (), body="*")
