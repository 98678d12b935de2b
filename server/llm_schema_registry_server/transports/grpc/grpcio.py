"""The engine that runs on grpcio: every shape of RPC, and everything that is not an RPC of ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, cast

import grpc
from grpc import aio

from ...calls.call import Call
from ...calls.failure import failure
from ...calls.guards.queueing import caller_key
from ...calls.peer import TrustedProxies
from ...errors import LimitExceeded
from ...queues.fair_queue import FairQueue
from ...queues.turns import CallTurns, request_units
from ...rpc.protobuf.method import Method
from ...rpc.protobuf.rpcs import Rpcs
from ..listener import ListenError
from ..request_memory import LARGE, hold
from ..status import grpc_status
from ..unread import Unread
from .held import SMALL, HeldAnswers
from .incoming import incoming
from .resets import ResetGuard, WatchedHandlers

Context = aio.ServicerContext[bytes, bytes]

# grpc-core reports no deadline as None or, in older versions, as a huge number.
_NO_DEADLINE = 1e9
_NO_LIMIT = 2**31 - 1
_FEW_STREAMS = 1000


@dataclass(frozen=True, slots=True)
class GrpcioBounds:
    """message_bytes: of one message, after it was decompressed. streams_per_connection: calls and streams at a time on one
    connection. pending_calls: calls and streams at a time of all connections. resets_per_second: calls that one address may reset."""

    message_bytes: int
    streams_per_connection: int
    pending_calls: int
    resets_per_second: int


class GrpcioEngine:
    """Serves the pipeline on one address (`host:port` or `unix:path`). Large requests take room in `memory`.

    `extras` add what has handlers of its own (health, reflection) to the server before it starts.
    """

    name = "grpc"

    def __init__(
        self,
        rpcs: Rpcs,
        address: str,
        *,
        bounds: GrpcioBounds,
        memory: FairQueue,
        unread: Unread,
        proxies: TrustedProxies,
        extras: Sequence[Callable[[aio.Server], None]] = (),
    ) -> None:
        self._rpcs, self._proxies = rpcs, proxies
        self._address = address
        self._unread = unread
        self._held = HeldAnswers(per_caller=unread.per_caller, total=unread.total)
        self._extras = extras
        self._options = channel_options(bounds)
        self._bounds = bounds
        self._memory = memory
        self._turns = CallTurns()
        self._server: aio.Server | None = None
        self._resets: ResetGuard | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The bound port; 0 before the start, 1 on a unix socket."""
        return self._port

    async def start(self) -> None:
        """Binds and serves. Raises ListenError."""
        # Made here, not in the constructor: it belongs to the loop that runs.
        server = aio.server(options=self._options, maximum_concurrent_rpcs=self._bounds.pending_calls)
        self._watched = WatchedHandlers(self._note_reset, self._proxies.taken)
        by_service: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = {}
        for method in self._rpcs.methods.values():
            by_service.setdefault(method.service, {})[method.name] = self._handler(method)
        self._watched.add_generic_rpc_handlers(
            tuple(grpc.method_handlers_generic_handler(service, h) for service, h in by_service.items())
        )
        for extra in self._extras:
            extra(cast(aio.Server, self._watched))
        server.add_generic_rpc_handlers((self._watched,))
        try:
            self._port = server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise ListenError(f"gRPC cannot listen on {self._address}: {error}") from error
        await server.start()
        self._server = server
        if not self._address.startswith("unix:"):  # there the peer is the engine before this one
            self._resets = ResetGuard(
                self._port, self._bounds.resets_per_second, self._proxies.trusts, named=self._proxies.named
            )

    async def drain(self, seconds: float) -> None:
        """Refuses new calls, waits for those in flight, cuts what is left."""
        if self._server is not None:
            await self._server.stop(seconds)
        if self._resets is not None:
            await self._resets.stop()

    def _note_reset(self, peer: str) -> None:
        if self._resets is not None:
            self._resets.note(peer)

    def _handler(self, method: Method) -> grpc.RpcMethodHandler[Any, Any]:
        # No (de)serializers: the pipeline takes bytes, so that a request with a cached answer is never parsed.
        if method.operation.server_streaming:
            make = (
                grpc.stream_stream_rpc_method_handler
                if method.operation.client_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            return make(self._streaming(method))
        if method.operation.client_streaming:
            raise TypeError(f"{method.path}: a stream of requests with one answer is not supported")
        return grpc.unary_unary_rpc_method_handler(self._unary(method))

    def _unary(self, method: Method) -> Callable[[bytes, Context], Any]:
        rpcs, pipeline, operation, proxies = self._rpcs, self._rpcs.pipeline, method.operation, self._proxies
        memory, watched, turns = self._memory, self._watched, self._turns

        async def unary(request: bytes, context: Context) -> bytes:
            watched.handed += 1
            call = incoming(operation, context.invocation_metadata() or (), context.peer, None, proxies)
            answer = pipeline.cached_at_once(call, request)
            if answer is None:
                call.deadline = _deadline(context)
                try:
                    work, units = partial(rpcs.unary, method, call, request), request_units(request)
                    caller = partial(caller_key, call)
                    if len(request) <= LARGE:
                        answer = await turns.carry_out(method.path, caller, work, units)
                    else:
                        with hold(memory, caller_key(call), len(request)):
                            answer = await turns.carry_out(method.path, caller, work, units)
                except Exception as error:
                    pipeline.turned_away(call, error)
                    await _abort(context, error, call)
                except asyncio.CancelledError:
                    self._note_reset(context.peer())
                    raise
            if len(answer.body) > SMALL:
                await self._hand_over(call, context, len(answer.body))
            if trailing := answer.metadata + call.own_metadata:
                context.set_trailing_metadata(trailing)
            return answer.body

        return unary

    async def _hand_over(self, call: Call, context: Context, size: int) -> None:
        """Notes a large answer until its caller has taken it."""
        try:
            release = await self._held.hold(call.peer.address or call.peer.connection, size)
        except LimitExceeded as error:
            await _abort(context, error, call)
        context.add_done_callback(lambda _: release())  # type: ignore[arg-type]  # a class in the stubs, any function in fact

    def _streaming(self, method: Method) -> Callable[[Any, Context], Any]:
        rpcs, unread, proxies = self._rpcs, self._unread, self._proxies
        watched, turns = self._watched, self._turns

        async def stream(request: bytes | AsyncIterator[bytes], context: Context) -> None:
            watched.handed += 1
            metadata = context.invocation_metadata() or ()
            call = incoming(method.operation, metadata, context.peer, None, proxies)
            call.deadline = _deadline(context)
            call.ready = partial(context.send_initial_metadata, ())
            try:
                await turns.turn(partial(caller_key, call), request_units(request))
                async with aclosing(rpcs.stream(method, call, request)) as answers:
                    await _send_all(answers, context, call, unread)
            except Exception as error:
                await _abort(context, error, call)
            except asyncio.CancelledError:
                if not call.answering:
                    self._note_reset(context.peer())
                raise
            if trailing := (*call.response_metadata.items(), *call.own_metadata):
                context.set_trailing_metadata(trailing)

        return stream


async def _send_all(
    answers: AsyncGenerator[bytes, None], context: Context, call: Call, unread: Unread
) -> None:
    async for answer in answers:
        async with unread.sending(call, len(answer)):
            call.answering = True
            try:
                await context.write(answer)
            except aio.InternalError:  # grpcio's word for a caller who has left
                return


def channel_options(bounds: GrpcioBounds) -> list[tuple[str, Any]]:
    """Limits and keep-alive, the same for both engines.

    Clients may ping every 10 s even without calls: a subscriber behind a load balancer must. A connection whose other
    end is gone is noticed after 60 + 20 s.

    Left alone, grpc-core drops calls at random and without a reason once a thousand wait to be picked up by the loop
    (CANCELLED) or a connection nears its streams (UNAVAILABLE). Our own guard refuses what is too much, and says so. With overload
    protection, calls that were reset count among the streams of their connection until they have been cleared away; it is on where
    few streams are allowed: with many it protects nobody, and refuses honest clients who use them.
    """
    return [
        ("grpc.max_receive_message_length", bounds.message_bytes),
        ("grpc.max_send_message_length", bounds.message_bytes),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ("grpc.max_concurrent_streams", bounds.streams_per_connection),
        ("grpc.http.overload_protection", int(bounds.streams_per_connection <= _FEW_STREAMS)),
        ("grpc.server.max_pending_requests", _NO_LIMIT),
        ("grpc.server.max_pending_requests_hard_limit", _NO_LIMIT),
        ("grpc.so_reuseport", 0),
    ]


def _deadline(context: Context) -> float | None:
    """The deadline of a call; a cached answer does without, since asking grpcio costs some microseconds."""
    remaining: float | None = context.time_remaining()
    return None if remaining is None or remaining >= _NO_DEADLINE else time.monotonic() + remaining


async def _abort(context: Context, error: Exception, call: Call) -> NoReturn:
    if isinstance(error, LimitExceeded):
        call.asks_too_much()
    code, message, trailing = grpc_status(failure(error, call.request_id))
    await context.abort(code, message, trailing + call.own_metadata)
    raise AssertionError("abort() returned")
