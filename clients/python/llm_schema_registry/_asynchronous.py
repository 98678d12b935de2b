"""Carries calls out for asyncio code, over grpc.aio. One client belongs to one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any, Self, TypeVar

import grpc
from google.protobuf.message import Message

from . import _decode
from ._arguments import many
from ._async_batch import AsyncBatch
from ._call import Batch, Listing, Rpc, Unary
from ._calls.changes import STREAM_CHANGES, Subscription
from ._consistency import LastWrite
from ._options import Options
from ._progress import Progress, silent
from ._retry import Attempts
from ._status import from_rpc
from ._targets import Rotation
from .errors import RegistryError, Unavailable
from .results import ChangeEvent, Items, Page, VerdictPage

R = TypeVar("R")
I = TypeVar("I")  # noqa: E741 - the items of a batch


class AsyncTransport:
    """A channel to each address, opened at its first call and closed by `close`."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._channels: dict[int, grpc.aio.Channel] = {}
        self._closed = False
        self._methods: dict[tuple[int, str], Any] = {}
        self._rotation = Rotation(len(options.addresses))
        self._last_write = LastWrite(options.read_your_writes)

    async def close(self) -> None:
        """End every call under way and close the channels."""
        self._closed = True
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            await channel.close()

    @property
    def closed(self) -> bool:
        return self._closed

    def attempts(self, timeout: float | None) -> Attempts:
        return Attempts(self.options.retry, timeout)

    async def unary(self, call: Unary[R]) -> R:
        timeout = self.options.timeout if call.timeout is None else call.timeout
        attempts = self.attempts(timeout)
        while True:
            address = self._rotation.take()
            invoke = self._method("unary_unary", call.rpc, address)
            try:
                made = invoke(
                    call.request,
                    timeout=attempts.remaining(),
                    metadata=self._headers(call.rpc, call.least_revision),
                )
                answer = await made
                if self._last_write.concerns(call.rpc.path):
                    self._last_write.note(await made.trailing_metadata())
            except grpc.RpcError as failure:
                error, elsewhere = self.failed(failure, call.rpc, address, timeout)
                delay = attempts.after(error, repeatable=call.repeatable, elsewhere=elsewhere)
                if delay is None:
                    raise attempts.reason(error, repeatable=call.repeatable) from failure
                await asyncio.sleep(delay)
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
        return error, isinstance(error, Unavailable) and self._rotation.failed(address)

    async def pages(
        self, call: Unary[Page[R]] | Unary[Items[R]] | Unary[VerdictPage[R]]
    ) -> AsyncGenerator[R, None]:
        """All items of a paged list."""
        paged: Unary[Any] = call  # mypy cannot tell that both kinds of pages have items of R
        while True:
            page = await self.unary(paged)
            for item in page:
                yield item
            if not page.next_page_token:
                return
            paged = paged.after(page.next_page_token)

    async def listing(self, call: Listing[R]) -> AsyncGenerator[R, None]:
        patience = self.options.timeout if call.timeout is None else call.timeout
        attempts = self.attempts(patience)
        progress = Progress(call.request)
        while not progress.complete:
            try:
                async with aclosing(self.stream(call.rpc, progress.request, patience)) as items:
                    async for item in items:
                        attempts.succeeded()
                        progress.received(item)
                        yield call.decode(item)
                return
            except RegistryError as error:
                delay = attempts.after(error, resumable=True)
                if delay is None:
                    raise attempts.reason(error) from error.__cause__
            await asyncio.sleep(delay)

    def batch(self, call: Batch[I, R], items: Iterable[I] | AsyncIterable[I]) -> AsyncGenerator[R, None]:
        given = items if isinstance(items, AsyncIterable) else many(items, "items", "items")
        return AsyncBatch(self, call, given).answers()

    async def stream(self, rpc: Rpc[Any], request: Message, patience: float) -> AsyncGenerator[Any, None]:
        """The answers to one request. A silence longer than `patience` raises DeadlineExceeded."""
        address = self._rotation.take()
        call = self._method("unary_stream", rpc, address)(request, metadata=self._headers(rpc))
        try:
            while True:
                async with asyncio.timeout(patience):
                    answer = await call.read()
                if answer is grpc.aio.EOF:
                    return
                self._rotation.worked(address)
                yield answer
        except grpc.RpcError as failure:
            raise self.failed(failure, rpc, address)[0] from failure
        except TimeoutError:
            raise silent(patience) from None
        finally:
            call.cancel()

    def exchange(self, rpc: Rpc[Any]) -> tuple[Any, int]:
        """A call with a stream in both directions, to be written and read, and the address that it goes to."""
        address = self._rotation.take()
        return self._method("stream_stream", rpc, address)(metadata=self._headers(rpc)), address

    def _headers(self, rpc: Rpc[Any], least_revision: str = "") -> tuple[tuple[str, str], ...]:
        return self.options.call_metadata() + self._last_write.headers(rpc.path, least_revision)

    def _method(self, shape: str, rpc: Rpc[Any], address: int) -> Any:  # multi-callables share no base class
        if self._closed:
            raise RuntimeError("the client is closed")
        method = self._methods.get((address, rpc.path))
        if method is None:
            channel = self._channels.get(address)
            if channel is None:
                channel = self._channels[address] = self._connect(self.options.addresses[address])
            method = getattr(channel, shape)(
                rpc.path, request_serializer=_serialize, response_deserializer=rpc.answer.FromString
            )
            self._methods[address, rpc.path] = method
        return method

    def _connect(self, address: str) -> grpc.aio.Channel:
        o = self.options
        if o.credentials is None:
            return grpc.aio.insecure_channel(address, o.channel_options)
        return grpc.aio.secure_channel(address, o.credentials, o.channel_options)


class AsyncWatch(AsyncIterator[ChangeEvent]):
    """The changes of a registry, for ever: reconnects and resumes by itself. Close it, or use it in `async with`."""

    def __init__(self, transport: AsyncTransport, subscription: Subscription) -> None:
        self._transport = transport
        self._subscription = subscription
        self._answers: AsyncGenerator[Any, None] | None = None
        self._closed = False

    @property
    def revision(self) -> str:
        """Where a later watch resumes after what this one has given out; "" before anything came."""
        return self._subscription.revision

    async def __anext__(self) -> ChangeEvent:
        while not self._closed:
            try:
                if self._answers is None:
                    self._answers = self._transport.stream(
                        STREAM_CHANGES, self._subscription.request, self._subscription.patience
                    )
                while (event := self._subscription.next()) is None:
                    message = await anext(self._answers, None)
                    if message is None:
                        break
                    self._subscription.received(message)
                else:
                    return _decode.change_event(event)
                delay = self._subscription.ended()
            except RegistryError as error:
                pause = self._subscription.failed(error)
                if pause is None:
                    await self.aclose()
                    raise
                delay = pause
            await self._hang_up()
            await asyncio.sleep(delay)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the watch."""
        self._closed = True
        await self._hang_up()

    async def _hang_up(self) -> None:
        answers, self._answers = self._answers, None
        if answers is not None:
            await answers.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
