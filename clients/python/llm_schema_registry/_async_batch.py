"""A batch over grpc.aio: pulls items, writes and reads at once, and survives a broken connection."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import grpc
from google.protobuf.message import Message

from ._call import Batch
from ._progress import ended_early, silent
from .errors import RegistryError

if TYPE_CHECKING:
    from ._asynchronous import AsyncTransport

R = TypeVar("R")
I = TypeVar("I")  # noqa: E741 - the items of a batch

_END = object()


class AsyncBatch(Generic[I, R]):
    """The items of a batch on their way.

    `_pending` holds what was taken from the source and has no answer yet, at most `window` items; a new connection
    begins by sending all of it again. Taking from the source is a task of its own that outlives connections: a source
    interrupted in the middle could not be continued.
    """

    def __init__(
        self, transport: AsyncTransport, call: Batch[I, R], items: Iterable[I] | AsyncIterable[I]
    ) -> None:
        self._transport = transport
        self._call = call
        self._source = _asynchronous(items)
        self._pull: asyncio.Task[I | object] | None = None
        self._exhausted = False
        self._pending: deque[Message] = deque()
        self._answered = 0
        self._failure: RegistryError | None = None
        self._address = 0
        self._patience = transport.options.timeout if call.timeout is None else call.timeout

    async def answers(self) -> AsyncGenerator[R, None]:
        attempts = self._transport.attempts(self._patience)
        try:
            while not self._complete:
                async with aclosing(self._connection()) as connection:
                    async for answer in connection:
                        attempts.succeeded()
                        self._answered += 1
                        yield self._call.decode(answer, self._answered - 1)
                if self._failure is not None:
                    delay = attempts.after(self._failure)
                    if delay is None:
                        raise attempts.reason(self._failure)
                    await asyncio.sleep(delay)
        finally:
            await _abandon(self._pull)

    @property
    def _complete(self) -> bool:
        return self._exhausted and not self._pending

    async def _connection(self) -> AsyncGenerator[Any, None]:
        """The answers that one connection gives, until all are there or it failed, which `_failure` then tells.

        What it raises comes from the source: that is the caller's own, and no reason to connect again.
        """
        self._failure = None
        patience = self._patience
        call, self._address = self._transport.exchange(self._call.rpc)
        write: asyncio.Task[bool] | None = None
        read: asyncio.Task[Any] | None = None
        writable, sent, since = True, 0, time.monotonic()
        try:
            while not self._complete:
                if self._pull is None and not self._exhausted and len(self._pending) < self._call.window:
                    self._pull = asyncio.ensure_future(anext(self._source, _END))
                if write is None and writable and sent < len(self._pending):
                    write = asyncio.create_task(_sent(call.write(self._pending[sent])))
                if read is None and self._pending:
                    read, since = asyncio.create_task(call.read()), time.monotonic()
                tasks = {task for task in (self._pull, write, read) if task is not None}
                wait = None if read is None else max(0.0, since + patience - time.monotonic())
                done, _ = await asyncio.wait(tasks, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    self._failure = silent(patience)
                    return
                if self._pull in done:
                    self._take(self._pull)
                if write in done:
                    writable, write, sent = write.result(), None, sent + 1
                if read in done:
                    answer, read = self._read(read), None
                    if answer is grpc.aio.EOF:
                        return
                    self._pending.popleft()
                    sent -= 1
                    yield answer
            await _sent(call.done_writing())
            read = asyncio.create_task(call.read())  # the end: lets the server finish the call in peace
            await asyncio.wait({read}, timeout=patience)
        finally:
            call.cancel()
            await _abandon(write, read)

    def _read(self, read: asyncio.Task[Any]) -> Any:
        """The answer that was read; EOF, with the reason in `_failure`, when there is none."""
        try:
            answer = read.result()
        except grpc.RpcError as failure:
            self._failure, _ = self._transport.failed(failure, self._call.rpc, self._address)
            return grpc.aio.EOF
        if answer is grpc.aio.EOF:
            self._failure = ended_early(self._answered)
        return answer

    def _take(self, pull: asyncio.Future[I | object]) -> None:
        self._pull = None
        item: Any = pull.result()
        if item is _END:
            self._exhausted = True
        else:
            self._pending.append(self._call.encode(item))


async def _sent(sending: Awaitable[None]) -> bool:
    """Whether something went out. If not the call is over, and reading from it tells why."""
    try:
        await sending
    except (grpc.RpcError, grpc.aio.InternalError, asyncio.InvalidStateError):
        return False
    return True


async def _abandon(*tasks: asyncio.Future[Any] | None) -> None:
    """Cancel tasks and wait until they are gone, whatever they end with."""
    left = [task for task in tasks if task is not None]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def _asynchronous(items: Iterable[I] | AsyncIterable[I]) -> AsyncIterator[I]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
