"""A batch over grpc.aio: pulls items, writes and reads at once, and survives a broken connection."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import grpc
from google.protobuf.message import Message

from ._call import Batch
from ._progress import ended_early, silent
from ._status import from_rpc
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

    async def answers(self) -> AsyncGenerator[R, None]:
        attempts = self._transport.attempts(None)
        try:
            while not self._complete:
                connection = self._connection()
                try:
                    async for answer in connection:
                        attempts.succeeded()
                        self._answered += 1
                        yield self._call.decode(answer, self._answered - 1)
                    continue
                except RegistryError as error:
                    delay = attempts.after(error)
                    if delay is None:
                        raise
                finally:
                    await connection.aclose()
                await asyncio.sleep(delay)
        finally:
            await _abandon(self._pull)

    @property
    def _complete(self) -> bool:
        return self._exhausted and not self._pending

    async def _connection(self) -> AsyncGenerator[Any, None]:
        """The answers that one connection gives, until all are there."""
        rpc, window = self._call.rpc, self._call.window
        options = self._transport.options
        patience = options.timeout if self._call.timeout is None else self._call.timeout
        call = self._transport.exchange(rpc)
        write: asyncio.Task[bool] | None = None
        read: asyncio.Task[Any] | None = None
        writable, sent, since = True, 0, time.monotonic()
        try:
            while not self._complete:
                if self._pull is None and not self._exhausted and len(self._pending) < window:
                    self._pull = asyncio.ensure_future(anext(self._source, _END))
                if write is None and writable and sent < len(self._pending):
                    write = asyncio.create_task(_write(call, self._pending[sent]))
                if read is None and self._pending:
                    read, since = asyncio.create_task(call.read()), time.monotonic()
                tasks = {task for task in (self._pull, write, read) if task is not None}
                wait = None if read is None else max(0.0, since + patience - time.monotonic())
                done, _ = await asyncio.wait(tasks, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    raise silent(patience)
                if self._pull in done:
                    self._take(self._pull)
                if write in done:
                    writable, write, sent = write.result(), None, sent + 1
                if read in done:
                    answer, read = read.result(), None
                    if answer is grpc.aio.EOF:
                        raise ended_early(self._answered)
                    self._pending.popleft()
                    sent -= 1
                    yield answer
            await call.done_writing()
            async with asyncio.timeout(patience):
                await call.read()  # the end: lets the server finish the call in peace
        except grpc.RpcError as failure:
            raise from_rpc(failure) from failure
        except TimeoutError:
            raise silent(patience) from None
        finally:
            call.cancel()
            await _abandon(write, read)

    def _take(self, pull: asyncio.Future[I | object]) -> None:
        self._pull = None
        item: Any = pull.result()
        if item is _END:
            self._exhausted = True
        else:
            self._pending.append(self._call.encode(item))


async def _write(call: Any, message: Message) -> bool:
    """Whether the message went out. If not the call is over, and reading from it tells why."""
    try:
        await call.write(message)
    except (grpc.RpcError, asyncio.InvalidStateError):
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
