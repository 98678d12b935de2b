"""What a guard is: an asynchronous context manager around one call, unary or stream, whatever the wire."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Protocol, runtime_checkable

from .call import Call


class GuardFactory(Protocol):
    """Makes the guard of one call; holds what all its guards share."""

    def __call__(self, call: Call) -> AbstractAsyncContextManager[object, None]: ...


@runtime_checkable
class QuickGuard(Protocol):
    """A guard factory that can decide without waiting, when nothing is to be done at the end of the call.

    `quick` may fill in the call (its principal) and raises what the guard would raise. False means that only the
    guard itself can tell.
    """

    def quick(self, call: Call) -> bool: ...


class Guard(AbstractAsyncContextManager[None, None]):
    """A guard that does nothing yet: the concerns override what they need."""

    __slots__ = ("call",)

    def __init__(self, call: Call) -> None:
        self.call = call

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None
