"""The engine that runs on pygrpc-native: HTTP/2 and gRPC framing in Rust, plaintext only.

It takes RPCs with a single request; everything else (streams of requests, health, reflection, unknown names) goes
through a unix socket to a GrpcioEngine behind it. We drive the low-level front ourselves, for three things that its
grpcio look-alike cannot do: a cached answer goes out without a task; streams whose readers are slow take no thread each; and a
refused call carries our details.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from pygrpc_native import EVENT_CANCEL, STREAM_FULL, STREAM_SENT, NativeGrpcFront

from ...calls.answer_cache import CachedAnswer
from ...calls.call import Call
from ...calls.failure import failure
from ...calls.guards.queueing import caller_key
from ...calls.peer import TrustedProxies
from ...errors import LimitExceeded, ShuttingDown, SubscriberTooSlow
from ...model.pushed import Pushed
from ...queues.fair_queue import FairQueue
from ...queues.turns import TASK_UNITS, CallTurns, WaitingCall, request_units, spent_units
from ...rpc.protobuf.method import Method
from ...rpc.protobuf.rpcs import Rpcs
from ...rpc.protobuf.shared_answer import Answer, serialized
from ...telemetry import logs
from ...telemetry.budget import Sparingly
from ..listener import ListenError
from ..request_memory import LARGE, hold
from ..status import grpc_status
from ..tcp import acknowledged
from ..unread import Unread
from .abandoned import Abandoned
from .bursts import Bursts
from .fence import fence
from .flood import FloodGuard
from .fronted import too_large
from .full_streams import FullStreams
from .grpcio import GrpcioEngine
from .incoming import incoming
from .resets import ResetGuard
from .unread import SMALL, UnreadAnswers

if TYPE_CHECKING:  # only the stub file has it
    from pygrpc_native._native import DetailedEvent

_LOG = logs.get("transports.grpc")
# It pauses and goes on when no file descriptor is free, and says so twenty times a second.
logging.getLogger("pygrpc_native.server").addFilter(Sparingly())
# Events that are handed over together; so many of them are taken in one piece, some 2 ms, and wait for it at most.
_BATCH, _BATCHES_AT_ONCE, _MOST_BATCHES = 64, 4, 64
# The message that waits, the one in the front and the copy that it writes from.
_HELD_COPIES = 3
# Memory that the front takes for each byte of an answer whose reader does not take it: measured with loadtest/hostile.py --only "never reading".
_UNREAD_COPIES = 4
# So many bytes of a cached answer are a unit of a turn.
_UNIT_BYTES = 16_384
# What it takes to end a stream: a subscription leaves its guards, the index of subscribers and its connection.
_STREAM_END_UNITS = 4 * TASK_UNITS
# The longest wait at the end of a drain for answers to be written, on a machine that is busy.
_FENCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class NativeBounds:
    """message_bytes: of one message. unread_bytes: of answers that a connection does not read. streams_per_connection: calls and
    streams at a time on one. line_bytes: of resident memory, above which connections are cut. resets_per_second: calls that one
    address may reset."""

    message_bytes: int
    unread_bytes: int
    streams_per_connection: int
    line_bytes: int
    resets_per_second: int


class NativeEngine:
    """Serves the pipeline on `host:port`; `behind` makes the grpcio engine for a unix socket path. Large requests take room in
    `memory`."""

    name = "grpc"

    def __init__(
        self,
        rpcs: Rpcs,
        host: str,
        port: int,
        *,
        bounds: NativeBounds,
        memory: FairQueue,
        unread: Unread,
        behind: Callable[[str], GrpcioEngine],
        proxies: TrustedProxies,
    ) -> None:
        self._rpcs, self._pipeline, self._proxies = rpcs, rpcs.pipeline, proxies
        self._host, self._address = host, f"{host}:{port}"
        self._bounds = bounds
        self._max_message_bytes = bounds.message_bytes
        self._memory = memory
        self._unread = unread
        self._make_behind = behind
        self._table = tuple(m for m in rpcs.methods.values() if not m.operation.client_streaming)
        self._tasks: dict[int, tuple[asyncio.Task[None], Call, str]] = {}  # and the peer
        self._turns = CallTurns()
        self._waiting: dict[int, tuple[WaitingCall, str]] = {}  # and the peer
        self._draining = False
        self._came: deque[list[DetailedEvent]] = deque()
        self._told = False
        # A token for each batch that may come before others are taken: a semaphore would take some microseconds of Python for each.
        self._room: SimpleQueue[None] = SimpleQueue()
        for _ in range(_MOST_BATCHES):
            self._room.put(None)
        self._port = 0

    @property
    def port(self) -> int:
        """The bound port; 0 before the start."""
        return self._port

    async def start(self) -> None:
        """Binds and serves. Raises ListenError."""
        try:
            self._front = NativeGrpcFront(
                self._address,
                [],
                io_threads=1,
                call_details=True,
                delay_stream_headers=True,
                keepalive_time_ms=60_000,
                keepalive_timeout_ms=20_000,
                max_concurrent_streams=self._bounds.streams_per_connection,
            )
        except OSError as error:
            raise ListenError(f"gRPC cannot listen on {self._address}: {error}") from error
        self._port = self._front.bound_port
        self._loop = asyncio.get_running_loop()
        self._directory = Path(tempfile.mkdtemp(prefix="schema-registry-"))
        self._behind = self._make_behind(f"unix:{self._directory / 'grpc.sock'}")
        await self._behind.start()
        self._front.set_fallback(str(self._directory / "grpc.sock"))
        self._front.add_methods([(m.path, m.operation.server_streaming) for m in self._table])
        self._front.start()
        self._unread_answers = UnreadAnswers(
            self._bounds.unread_bytes,
            partial(acknowledged, self._port),
            per_address=self._unread.per_caller,
            total=self._unread.total,
            copies=_UNREAD_COPIES,
        )
        self._guard = FloodGuard(
            self._port,
            line_bytes=self._bounds.line_bytes,
            allowance_bytes=self._max_message_bytes,
            unread=self._unread_answers.of,
            named=self._proxies.named,
        )
        self._guard.start()
        self._full, self._bursts = FullStreams(self._front), Bursts(self._port)
        self._abandoned = Abandoned(self._port, self._unread.per_caller, named=self._proxies.named)
        self._resets = ResetGuard(
            self._port, self._bounds.resets_per_second, self._proxies.trusts, named=self._proxies.named
        )
        threading.Thread(target=self._receive, name="grpc-events", daemon=True).start()

    async def drain(self, seconds: float) -> None:
        """Refuses new calls, waits for those in flight, cuts what is left."""
        self._draining = True
        behind = asyncio.ensure_future(self._behind.drain(seconds))
        tasks = [task for task, _, _ in self._tasks.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        await behind
        await self._guard.stop()
        await self._resets.stop()
        await self._unread_answers.stop()
        await self._bursts.stop()
        await fence(self._host, self._port, _FENCE_SECONDS)
        # close() joins threads that may want to tell the loop something: not on the loop.
        await asyncio.to_thread(self._front.close)
        self._full.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _receive(self) -> None:
        """The thread that waits for events and hands them to the loop."""
        while (events := self._front.recv_batch_details(_BATCH)) is not None:
            self._came.append(events)
            try:
                self._tell()
            except RuntimeError:  # the loop was closed without drain()
                self._front.close()
                return
            self._room.get()

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self._loop.call_soon_threadsafe(self._take)

    def _take(self) -> None:
        """Takes what has come; of many events the others on the next turn of the loop."""
        self._told = (
            False  # first: what comes from now on is told of anew, and nothing is left for it at worst
        )
        try:
            for _ in range(min(len(self._came), _BATCHES_AT_ONCE)):
                self._room.put(None)
                self._on_events(self._came.popleft())
        finally:
            if self._came:
                self._tell()

    def _on_events(self, events: list[DetailedEvent]) -> None:
        if self._guard.arrived is not None:
            self._guard.count((e[5][1], len(e[3] or b"")) for e in events if e[5] is not None)
        free, given, table, proxies = self._turns.free, 0, self._table, self._proxies
        cached_at_once = self._pipeline.cached_at_once
        for kind, call_id, method_id, payload, _, details in events:
            if kind == EVENT_CANCEL:
                self._cancelled(call_id)
                free = self._turns.free
                continue
            if payload is None or details is None:
                raise AssertionError("an event of a call has a payload and details")
            method = table[method_id]
            metadata, peer, remaining = details
            call = incoming(method.operation, metadata, peer, remaining, proxies)
            if not free:
                begin = partial(self._admit_waiting, call_id, method, call, payload, peer)
                self._waiting[call_id] = self._turns.wait(caller_key(call), begin), peer
                continue
            if not method.operation.cached or len(payload) > LARGE or self._draining:
                self._admit(call_id, method, call, payload, peer)
            elif (answer := cached_at_once(call, payload)) is not None:
                given += self._give(call_id, call, answer, peer)
                continue
            else:
                self._turns.use(self._start(call_id, method, call, payload, peer))
            free = self._turns.free
        if given:
            self._turns.use(given)

    def _cancelled(self, call_id: int) -> None:
        """The client has reset a call. To end it takes as much as to begin it: a connection that is closed may have a thousand."""
        if (running := self._tasks.get(call_id)) is not None:
            _, call, peer = running
            if not call.answering:
                self._resets.note(peer)
            if self._turns.free:
                self._end(call_id)
            else:
                self._turns.wait(f"ends {peer}", partial(self._end, call_id))
            return
        self._turns.use(1)
        if (found := self._waiting.pop(call_id, None)) is not None:
            waiting, peer = found
            waiting.leave()
            self._resets.note(peer)

    def _end(self, call_id: int) -> None:
        """Ends a call that was reset, unless it is over."""
        running = self._tasks.get(call_id)
        if running is None:
            self._turns.use(1)
            return
        task, call, _ = running
        self._turns.use(_STREAM_END_UNITS if call.operation.server_streaming else TASK_UNITS)
        task.cancel()

    def _admit_waiting(self, call_id: int, method: Method, call: Call, payload: bytes, peer: str) -> None:
        del self._waiting[call_id]
        self._admit(call_id, method, call, payload, peer)

    def _admit(self, call_id: int, method: Method, call: Call, payload: bytes, peer: str) -> None:
        """Begins a call, or answers it when that needs no work."""
        units, began = 1, 0.0 if method.operation.cached else time.perf_counter()
        if self._draining:
            self._fail(call_id, ShuttingDown(), call)
        elif len(payload) > LARGE:
            units = self._turns.units(method.path)
            self._large(call_id, method, call, payload, peer)
        elif (answer := self._rpcs.at_once(method, call, payload)) is not None:
            units = self._give(call_id, call, answer, peer)
            if not call.kept:
                units += spent_units(time.perf_counter() - began)
        else:
            units = self._start(call_id, method, call, payload, peer)
        self._turns.use(units)

    def _start(self, call_id: int, method: Method, call: Call, payload: bytes, peer: str) -> int:
        """Begins a call for which there is no answer at once; the units that its first step may take."""
        units = max(request_units(payload), self._turns.units(method.path))
        self._begin(call_id, self._run(call_id, method, call, payload), call, peer)
        return units

    def _give(self, call_id: int, call: Call, answer: CachedAnswer, peer: str) -> int:
        """Sends an answer that is there, or has it sent when its connection has read enough; the units that this took."""
        size = len(answer.body)
        if size <= SMALL or self._unread_answers.give(peer, size):
            self._front.respond(call_id, answer.body, None, answer.metadata + call.own_metadata)
            return 1 + size // _UNIT_BYTES
        self._begin(call_id, self._respond(call_id, call, answer), call, peer)
        return 1 + TASK_UNITS

    def _run(self, call_id: int, method: Method, call: Call, payload: bytes) -> Coroutine[Any, Any, None]:
        if method.operation.server_streaming:
            return self._stream(call_id, method, call, payload)
        return self._unary(call_id, method, call, payload)

    def _begin(
        self, call_id: int, work: Coroutine[Any, Any, None], call: Call, peer: str
    ) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks[call_id] = task, call, peer
        task.add_done_callback(partial(self._forget, call_id))
        return task

    def _large(self, call_id: int, method: Method, call: Call, payload: bytes, peer: str) -> None:
        """A request that is too large, or takes room in the memory for large ones."""
        try:
            if len(payload) > self._max_message_bytes:
                raise too_large(len(payload), self._max_message_bytes)
            ticket = hold(self._memory, caller_key(call), len(payload))
        except LimitExceeded as error:
            self._fail(call_id, error, call)
            return
        task = self._begin(call_id, self._run(call_id, method, call, payload), call, peer)
        task.add_done_callback(lambda _: ticket.release())

    async def _respond(self, call_id: int, call: Call, answer: CachedAnswer) -> None:
        """Sends an answer as soon as its connection has read enough of the earlier ones."""
        try:
            if len(answer.body) > SMALL:
                await self._unread_answers.room(call.peer.connection, len(answer.body))
        except LimitExceeded as error:
            self._fail(call_id, error, call)
        else:
            self._front.respond(call_id, answer.body, None, answer.metadata + call.own_metadata)

    async def _unary(self, call_id: int, method: Method, call: Call, request: bytes) -> None:
        try:
            if not self._turns.passes():
                await self._turns.turn(partial(caller_key, call))
            answer = await self._turns.noting(method.path, self._rpcs.unary(method, call, request))
            if len(answer.body) > self._max_message_bytes:
                raise too_large(len(answer.body), self._max_message_bytes)
        except Exception as error:
            self._fail(call_id, error, call)
        except asyncio.CancelledError:
            self._cut(call_id, call)
            raise
        else:
            await self._respond(call_id, call, answer)

    async def _stream(self, call_id: int, method: Method, call: Call, request: bytes) -> None:
        await self._turns.noting(method.path, self._streamed(call_id, method, call, request))

    async def _streamed(self, call_id: int, method: Method, call: Call, request: bytes) -> None:
        most, try_send, paced = self._max_message_bytes, self._front.stream_try_send, self._unread.paced
        burst = self._bursts.join(self._tasks[call_id][2])

        async def ready() -> None:
            self._front.stream_send_initial_metadata(call_id, [])

        sent, not_yet, full, small = Pushed.SENT, Pushed.NOT_YET, STREAM_FULL, min(SMALL, most)

        def push(answer: Answer) -> Pushed:  # runs for each of thousands of streams
            message = serialized(answer)
            size = len(message)
            if size > small:
                if size > most:
                    return Pushed.UNFIT  # the usual way says so
                if size > SMALL and not paced(size, time.monotonic()):
                    return Pushed.PACED
            call.answering = True
            if burst.socket is not None:
                burst.message()
            return not_yet if try_send(call_id, message) == full else sent

        call.ready, call.push = ready, push
        try:
            async with aclosing(self._rpcs.stream(method, call, request)) as answers:
                async for answer in answers:
                    if not await self._send(call_id, call, answer):
                        return
        except Exception as error:
            self._fail(call_id, error, call)
        except asyncio.CancelledError:
            self._cut(call_id, call)
            raise
        else:
            self._front.stream_end(call_id, [*call.response_metadata.items(), *call.own_metadata])
        finally:
            self._bursts.leave(burst)

    async def _send(self, call_id: int, call: Call, answer: bytes) -> bool:
        """Sends one message of a stream; False when the client has left. Raises SubscriberTooSlow."""
        if len(answer) > self._max_message_bytes:
            raise too_large(len(answer), self._max_message_bytes)
        sent = self._front.stream_try_send(call_id, answer)
        call.answering = True
        if sent != STREAM_FULL:
            return sent == STREAM_SENT
        try:
            async with self._unread.sending(call, _HELD_COPIES * len(answer)):
                caller, finite = call.peer.address, call.resume_revision is None
                sent = await self._full.send(call_id, answer, caller, finite=finite)
        except SubscriberTooSlow:
            self._abandoned.note(call.peer.connection, (_HELD_COPIES - 1) * len(answer))
            raise
        return sent == STREAM_SENT

    def _forget(self, call_id: int, _: asyncio.Task[None]) -> None:
        del self._tasks[call_id]

    def _fail(self, call_id: int, error: Exception, call: Call) -> None:
        self._pipeline.turned_away(call, error)
        if isinstance(error, LimitExceeded):
            call.asks_too_much()
        code, message, trailing = grpc_status(failure(error, call.request_id))
        error.__traceback__ = None  # frames that hold the error itself: only the collector would free them
        self._front.fail(call_id, code.value[0], message, trailing + call.own_metadata)

    def _cut(self, call_id: int, call: Call) -> None:
        """Ends a call whose task was cancelled. Harmless when the client has left."""
        if self._draining:
            self._fail(call_id, ShuttingDown(), call)
