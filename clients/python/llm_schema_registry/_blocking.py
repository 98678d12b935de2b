"""Carries calls out for blocking code, over gRPC's own threads. Safe to use from many threads at once."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from typing import Any, Self, TypeVar

import grpc
from google.protobuf.message import Message

from . import _decode
from ._arguments import many
from ._call import Batch, Listing, Rpc, Unary
from ._calls.changes import STREAM_CHANGES, Subscription
from ._consistency import LastWrite
from ._options import Options
from ._progress import Progress, ended_early, silent
from ._retry import Attempts
from ._status import from_rpc
from ._targets import Rotation
from .errors import RegistryError, Unavailable
from .results import ChangeEvent, Items, Page, VerdictPage

R = TypeVar("R")
I = TypeVar("I")  # noqa: E741 - the items of a batch


class BlockingTransport:
    """A channel to each address, opened at its first call and closed by `close`."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._channels: dict[int, grpc.Channel] = {}
        self._closed = False
        self._methods: dict[tuple[int, str], Any] = {}
        self._rotation = Rotation(len(options.addresses))
        self._last_write = LastWrite(options.read_your_writes)
        self._lock = threading.Lock()
        self.on_unreachable: Callable[[], None] = lambda: None
        """Told of each try for which there was no connection."""

    def close(self) -> None:
        """End every call under way and close the channels."""
        with self._lock:
            self._closed = True
            for channel in self._channels.values():
                channel.close()
            self._channels.clear()

    @property
    def closed(self) -> bool:
        return self._closed

    def attempts(self, timeout: float | None) -> Attempts:
        return Attempts(self.options.retry, timeout)

    def unary(self, call: Unary[R]) -> R:
        timeout = self.options.timeout if call.timeout is None else call.timeout
        attempts = self.attempts(timeout)
        while True:
            address = self._rotation.take()
            invoke = self._method("unary_unary", call.rpc, address)
            try:
                answer, made = invoke.with_call(
                    call.request,
                    timeout=attempts.remaining(),
                    metadata=self._headers(call.rpc, call.least_revision),
                )
                if self._last_write.concerns(call.rpc.path):
                    self._last_write.note(made.trailing_metadata())
            except grpc.RpcError as failure:
                error, elsewhere = self.failed(failure, call.rpc, address, timeout)
                delay = attempts.after(error, repeatable=call.repeatable, elsewhere=elsewhere)
                if delay is None:
                    raise attempts.reason(error, repeatable=call.repeatable) from failure
                time.sleep(delay)
            else:
                self._rotation.worked(address)
                return call.decode(answer)

    def failed(
        self, failure: grpc.RpcError, rpc: Rpc[Any], address: int, timeout: float | None = None
    ) -> tuple[RegistryError, bool]:
        """The exception for a failed call, and whether another address is worth trying at once."""
        error = from_rpc(
            failure,
            timeout,
            path=rpc.path,
            address=self.options.addresses[address],
            certified=self.options.certified,
        )
        if isinstance(error, Unavailable) and error.never_sent:
            self.on_unreachable()
        return error, isinstance(error, Unavailable) and self._rotation.failed(address)

    def pages(self, call: Unary[Page[R]] | Unary[Items[R]] | Unary[VerdictPage[R]]) -> Iterator[R]:
        """All items of a paged list."""
        paged: Unary[Any] = call  # mypy cannot tell that both kinds of pages have items of R
        while True:
            page = self.unary(paged)
            yield from page
            if not page.next_page_token:
                return
            paged = paged.after(page.next_page_token)

    def listing(self, call: Listing[R]) -> Iterator[R]:
        patience = self.options.timeout if call.timeout is None else call.timeout
        attempts = self.attempts(patience)
        progress = Progress(call.request)
        while not progress.complete:
            try:
                with closing(self.stream(call.rpc, progress.request, patience)) as items:
                    for item in items:
                        attempts.succeeded()
                        progress.received(item)
                        yield call.decode(item)
                return
            except RegistryError as error:
                delay = attempts.after(error, resumable=True)
                if delay is None:
                    raise attempts.reason(error) from error.__cause__
            time.sleep(delay)

    def batch(self, call: Batch[I, R], items: Iterable[I]) -> Iterator[R]:
        return self._batch(call, many(items, "items", "items"))

    def _batch(self, call: Batch[I, R], items: Iterable[I]) -> Iterator[R]:
        """Drives the batch from the caller's thread: fills the window from `items`, then reads one answer, and again."""
        patience = self.options.timeout if call.timeout is None else call.timeout
        attempts = self.attempts(patience)
        source = iter(items)
        pending: deque[Message] = deque()
        exhausted, index = False, 0
        while True:
            outbox = Outbox(pending, closed=exhausted)
            with closing(outbox), closing(self.exchange(call.rpc, outbox, patience)) as answers:
                while True:
                    while not exhausted and len(pending) < call.window:
                        for item in source:  # what it raises is the caller's own, and ends the batch
                            pending.append(call.encode(item))
                            outbox.put(pending[-1])
                            break
                        else:
                            exhausted = True
                            outbox.close()
                    if not pending:
                        answers.finish()
                        return
                    try:
                        answer = next(answers, None)
                    except RegistryError as failure:
                        error = failure
                        break
                    if answer is None:
                        raise ended_early(index)
                    attempts.succeeded()
                    pending.popleft()
                    yield call.decode(answer, index)
                    index += 1
            delay = attempts.after(error)
            if delay is None:
                raise attempts.reason(error)
            time.sleep(delay)

    def stream(self, rpc: Rpc[Any], request: Message, patience: float) -> Answers:
        """The answers to one request. Each may take `patience` seconds to come."""
        return self._open("unary_stream", rpc, request, patience)

    def exchange(self, rpc: Rpc[Any], requests: Iterator[Message], patience: float) -> Answers:
        """The answers to a stream of requests."""
        return self._open("stream_stream", rpc, requests, patience)

    def _open(
        self, shape: str, rpc: Rpc[Any], request: Message | Iterator[Message], patience: float
    ) -> Answers:
        address = self._rotation.take()
        method = self._method(shape, rpc, address)
        return Answers(
            lambda: method(request, metadata=self._headers(rpc)),
            patience,
            lambda failure: self.failed(failure, rpc, address)[0],
            lambda: self._rotation.worked(address),
        )

    def _headers(self, rpc: Rpc[Any], least_revision: str = "") -> tuple[tuple[str, str], ...]:
        return self.options.call_metadata() + self._last_write.headers(rpc.path, least_revision)

    def _method(self, shape: str, rpc: Rpc[Any], address: int) -> Any:  # multi-callables share no base class
        method = self._methods.get((address, rpc.path))
        if method is None or self._closed:
            with self._lock:
                if self._closed:
                    raise RuntimeError("the client is closed")
                channel = self._channels.get(address)
                if channel is None:
                    channel = self._channels[address] = self._connect(self.options.addresses[address])
                method = getattr(channel, shape)(
                    rpc.path, request_serializer=_serialize, response_deserializer=rpc.answer.FromString
                )
                self._methods[address, rpc.path] = method
        return method

    def _connect(self, address: str) -> grpc.Channel:
        o = self.options
        if o.credentials is None:
            return grpc.insecure_channel(address, o.channel_options)
        return grpc.secure_channel(address, o.credentials, o.channel_options)


class Outbox(Iterator[Message]):
    """The requests of one call in both directions, taken by gRPC's sending thread, which waits for them here."""

    def __init__(self, messages: Iterable[Message], *, closed: bool) -> None:
        self._queue: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        for message in messages:
            self.put(message)
        if closed:
            self.close()

    def put(self, message: Message) -> None:
        self._queue.put(message)

    def close(self) -> None:
        """Nothing more will come; lets the sending thread go. Closing again does no harm."""
        self._queue.put(None)

    def __next__(self) -> Message:
        message = self._queue.get()
        if message is None:
            raise StopIteration
        return message


class Answers(Iterator[Any]):
    """The answers of one streaming call. A silence longer than `patience` ends it with DeadlineExceeded.

    gRPC's blocking iterator knows no timeout between messages, hence the watchman: a thread that looks at the clock a
    few times within `patience` and cancels the call when somebody has been waiting for too long.
    """

    def __init__(
        self,
        opening: Callable[[], Any],
        patience: float,
        failed: Callable[[grpc.RpcError], RegistryError],
        worked: Callable[[], None],
    ) -> None:
        self._call = opening()
        self._patience = patience
        self._failed, self._worked = failed, worked
        self._waiting_since: float | None = None
        self._silent = False
        self._over = threading.Event()
        self._watchman = threading.Thread(target=self._watch, name="schema-registry-watchman", daemon=True)
        self._watchman.start()

    def __next__(self) -> Any:
        self._waiting_since = time.monotonic()
        try:
            answer = next(self._call)
        except grpc.RpcError as failure:
            if self._silent:
                raise silent(self._patience) from failure
            raise self._failed(failure) from failure
        else:
            self._worked()
            return answer
        finally:
            self._waiting_since = None

    def finish(self) -> None:
        """Wait for the end of a call that owes nothing more, so that the server finishes it in peace."""
        with suppress(RegistryError):  # the answers are all there; how the call ends changes nothing
            next(self, None)

    def close(self) -> None:
        self._over.set()
        self._call.cancel()

    def _watch(self) -> None:
        while not self._over.wait(self._patience / 4):
            since = self._waiting_since
            if since is not None and time.monotonic() - since > self._patience:
                self._silent = True
                self._call.cancel()
                return


class Watch(Iterator[ChangeEvent]):
    """The changes of a registry, for ever: reconnects and resumes by itself. Close it, or use it in `with`."""

    def __init__(self, transport: BlockingTransport, subscription: Subscription) -> None:
        self._transport = transport
        self._subscription = subscription
        self._answers: Answers | None = None
        self._closed = threading.Event()

    @property
    def revision(self) -> str:
        """Where a later watch resumes after what this one has given out; "" before anything came."""
        return self._subscription.revision

    def __next__(self) -> ChangeEvent:
        while not self._closed.is_set():
            try:
                answers = self._answers
                if answers is None:
                    answers = self._answers = self._transport.stream(
                        STREAM_CHANGES, self._subscription.request, self._subscription.patience
                    )
                while (event := self._subscription.next()) is None:
                    message = next(answers, None)
                    if message is None:
                        break
                    self._subscription.received(message)
                else:
                    return _decode.change_event(event)
                delay = self._subscription.ended()
            except RegistryError as error:
                if self._closed.is_set():
                    break
                pause = self._subscription.failed(error)
                if pause is None:
                    self.close()
                    raise
                delay = pause
            self._hang_up()
            self._closed.wait(delay)
        raise StopIteration

    def close(self) -> None:
        """End the watch, from any thread; a waiting iteration stops."""
        self._closed.set()
        self._hang_up()

    def _hang_up(self) -> None:
        answers, self._answers = self._answers, None
        if answers is not None:
            answers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
