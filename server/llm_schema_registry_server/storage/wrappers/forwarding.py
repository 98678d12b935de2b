"""Wrappers of a store or a transaction: they define what they change, the rest is made from the protocol."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from operator import attrgetter
from types import TracebackType
from typing import Generic, ParamSpec, TypeVar

Inner = TypeVar("Inner")
Outer = TypeVar("Outer")
P = ParamSpec("P")
T = TypeVar("T")


def forwarding(wrapper: Callable[P, T]) -> Callable[P, T]:
    """Complete a class that has protocols as bases: every member of theirs that it does not define itself is that of the
    object in its `_inner`.

    The answer makes instances of the class. To mypy it is what makes a T, so that arguments and overrides are checked
    against the protocol, while the class by itself lacks members and cannot be instantiated.
    """
    assert isinstance(wrapper, type)
    for name in missing_members(wrapper):
        setattr(wrapper, name, property(attrgetter(f"_inner.{name}")))
    return wrapper


def missing_members(wrapper: type) -> Collection[str]:
    """The public members of the protocols among the bases of a class that nothing but those protocols defines."""
    protocols = [base for base in wrapper.__mro__ if _is_protocol(base)]
    classes = [base for base in wrapper.__mro__ if not _is_protocol(base)]
    asked = {name for base in protocols for name in vars(base) if not name.startswith("_")}
    return asked - {name for base in classes for name in vars(base)}


def _is_protocol(base: type) -> bool:
    return bool(vars(base).get("_is_protocol", False))


class Mapped(AbstractAsyncContextManager[Outer], Generic[Inner, Outer]):
    """The block of another context manager with `wrap` of its value as value. Leaner than a generator: every transaction
    passes here."""

    __slots__ = ("_inner", "_wrap")

    def __init__(self, inner: AbstractAsyncContextManager[Inner], wrap: Callable[[Inner], Outer]) -> None:
        self._inner, self._wrap = inner, wrap

    async def __aenter__(self) -> Outer:
        return self._wrap(await self._inner.__aenter__())

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await self._inner.__aexit__(kind, error, trace)
