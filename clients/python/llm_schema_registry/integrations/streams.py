"""Streamed responses that end with the byte at which their answer cannot become valid any more."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .errors import NoAnswer

if TYPE_CHECKING:
    from .contract import Contract

E = TypeVar("E")


class _Judge:
    """The answer so far."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._stream = contract.stream()
        self._text = bytearray()

    @property
    def text(self) -> str:
        """The answer so far."""
        return self._text.decode("utf-8", "replace")

    def value(self) -> Any:
        """The whole answer, decoded. Raises AnswerRefused when it is not valid, and NoAnswer when nothing came."""
        return self._contract.decode(self._whole())

    def _whole(self) -> bytes:
        if not self._text:
            raise NoAnswer("empty")
        return bytes(self._text)

    def _take(self, event: Any) -> None:
        piece = self._contract.piece(event).encode("utf-8", "surrogatepass")
        if not piece:
            return
        self._text += piece
        self._stream.feed(piece)
        if self._stream.error is not None:
            raise self._contract.dead(self._stream.error, bytes(self._text))


class GuardedStream(_Judge, Generic[E]):
    """The events of a response, in a `for` loop; `value()` is the decoded answer afterwards.

    When the answer cannot become valid any more, the response is closed, so that no more of it is made, and AnswerRefused raised.
    """

    def __init__(self, contract: Contract, events: Iterable[E]) -> None:
        super().__init__(contract)
        self._events = events

    def __iter__(self) -> Iterator[E]:
        try:
            for event in self._events:
                self._take(event)
                yield event
        finally:
            close = getattr(self._events, "close", None)
            if close is not None:
                close()

    def run(self) -> Any:
        """All events at once, for those who only want the answer: `value()` after the last one."""
        for _ in self:
            pass
        return self.value()


class AsyncGuardedStream(_Judge, Generic[E]):
    """As GuardedStream, in an `async for` loop."""

    def __init__(self, contract: Contract, events: AsyncIterable[E]) -> None:
        super().__init__(contract)
        self._events = events

    async def __aiter__(self) -> AsyncIterator[E]:
        try:
            async for event in self._events:
                self._take(event)
                yield event
        finally:
            close = getattr(self._events, "close", None) or getattr(self._events, "aclose", None)
            if close is not None:
                done = close()
                if inspect.isawaitable(done):
                    await done

    async def run(self) -> Any:
        """All events at once, for those who only want the answer: `value()` after the last one."""
        async for _ in self:
            pass
        return await self._contract.decode_async(self._whole())
