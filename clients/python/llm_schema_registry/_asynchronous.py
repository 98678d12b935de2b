"""Carries calls out for asyncio code, over grpc.aio. One client belongs to one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any, Self, TypeVar

import grpc
from google.protobuf.message import Message

from . import _decode
from ._async_batch import AsyncBatch
from ._call import Batch, Listing, Rpc, Unary
from ._calls.changes import STREAM_CHANGES, Subscription
from ._consistency import LastWrite
from ._options import Options
from ._progress import Progress, silent
from ._retry import Attempts
from ._status import from_rpc
from .errors import RegistryError
from .results import ChangeEvent

R = TypeVar("R")
I = TypeVar("I")  # noqa: E741 - the items of a batch


class AsyncTransport:
    """One channel, opened at the first call and closed by `close`."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._channel: grpc.aio.Channel | None = None
        self._closed = False
        self._methods: dict[str, Any] = {}
        self._last_write = LastWrite(options.read_your_writes)

    async def close(self) -> None:
        """End every call under way and close the channel."""
        self._closed = True
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    def attempts(self, timeout: float | None) -> Attempts:
        return Attempts(self.options.retry, timeout)

    async def unary(self, call: Unary[R]) -> R:
        timeout = self.options.timeout if call.timeout is None else call.timeout
        attempts = self.attempts(timeout)
        invoke = self._method("unary_unary", call.rpc)
        while True:
            try:
                made = invoke(call.request, timeout=attempts.remaining(), metadata=self._headers(call.rpc))
                answer = await made
                if self._last_write.concerns(call.rpc.path):
                    self._last_write.note(await made.trailing_metadata())
            except grpc.RpcError as failure:
                error = from_rpc(failure, timeout)
                delay = attempts.after(error, repeatable=call.repeatable)
                if delay is None:
                    raise error from failure
                await asyncio.sleep(delay)
            else:
                return call.decode(answer)

    async def listing(self, call: Listing[R]) -> AsyncGenerator[R, None]:
        patience = self.options.timeout if call.timeout is None else call.timeout
        attempts = self.attempts(None)
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
                    raise
            await asyncio.sleep(delay)

    def batch(self, call: Batch[I, R], items: Iterable[I] | AsyncIterable[I]) -> AsyncGenerator[R, None]:
        return AsyncBatch(self, call, items).answers()

    async def stream(self, rpc: Rpc[Any], request: Message, patience: float) -> AsyncGenerator[Any, None]:
        """The answers to one request. A silence longer than `patience` raises DeadlineExceeded."""
        call = self._method("unary_stream", rpc)(request, metadata=self._headers(rpc))
        try:
            while True:
                async with asyncio.timeout(patience):
                    answer = await call.read()
                if answer is grpc.aio.EOF:
                    return
                yield answer
        except grpc.RpcError as failure:
            raise from_rpc(failure) from failure
        except TimeoutError:
            raise silent(patience) from None
        finally:
            call.cancel()

    def exchange(self, rpc: Rpc[Any]) -> Any:
        """A call with a stream in both directions, to be written and read."""
        return self._method("stream_stream", rpc)(metadata=self._headers(rpc))

    def _headers(self, rpc: Rpc[Any]) -> tuple[tuple[str, str], ...]:
        return self.options.call_metadata() + self._last_write.headers(rpc.path)

    def _method(self, shape: str, rpc: Rpc[Any]) -> Any:  # the multi-callables of grpc share no base class
        if self._closed:
            raise RuntimeError("the client is closed")
        if self._channel is None:
            self._channel = self._connect()
        method = self._methods.get(rpc.path)
        if method is None:
            method = getattr(self._channel, shape)(
                rpc.path, request_serializer=_serialize, response_deserializer=rpc.answer.FromString
            )
            self._methods[rpc.path] = method
        return method

    def _connect(self) -> grpc.aio.Channel:
        o = self.options
        if o.credentials is None:
            return grpc.aio.insecure_channel(o.target, o.channel_options)
        return grpc.aio.secure_channel(o.target, o.credentials, o.channel_options)


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
                async for event in self._answers:
                    if self._subscription.received(event):
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
