"""What a guard is: an asynchronous context manager around one call, unary or stream, whatever the face.

A cached answer goes out without a handler, and may go out without guards that have said that they need not see it:
every guard declares what it does about cached answers, or the server does not start (`check`). See
docs/decisions/0021-guards-and-cached-answers.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum, IntEnum
from types import TracebackType
from typing import Protocol

from .call import Call


class Rank(IntEnum):
    """The order in which guards are entered, the outermost first. Guards of the same rank may stand in any order."""

    OBSERVE = 10
    AUDIT = 15
    DEADLINE = 20
    LIMITS = 30
    AUTHENTICATE = 40
    QUOTA = 50
    AUTHORIZE = 60
    MIN_REVISION = 80


class _Way(Enum):
    QUICK = "has `quick(call)`, which decides without waiting"
    NOTIFIED = "has `answered(call)`, which is called after a cached answer was found"
    NOT_NEEDED = "has no part in a cached answer"
    IN_FULL = "surrounds every call"


@dataclass(frozen=True, slots=True)
class OnCached:
    """What a guard does about cached answers: one of QUICK, NOTIFIED, IN_FULL, or what `not_needed` makes."""

    way: _Way
    reason: str = ""
    quick: bool = False


QUICK = OnCached(_Way.QUICK)
"""The guard's factory has `quick(call) -> bool`, which decides without waiting: True lets the call pass, whereupon the guard
need not surround it at all; False asks for the guard in full; a RegistryError refuses. It may fill in the call (its
principal). For guards that have nothing to do when a call ends."""

NOTIFIED = OnCached(_Way.NOTIFIED)
"""The guard's factory has `answered(call)`, which is called once for each cached answer that goes out without the guard
surrounding it, after every QUICK guard has let it pass. It must not raise, and it is on the hot path. It may have
`turned_away(call, error)` for calls that a face refuses before any guard: too large, too slow, while the server is going."""

IN_FULL = OnCached(_Way.IN_FULL)
"""The guard surrounds every call. One such guard sends all calls the long way: cached answers are then given out where
handlers would run, behind all guards."""


def not_needed(reason: str, *, quick: bool = False) -> OnCached:
    """The guard has no part in cached answers, and why not. quick: it has `quick(call)` all the same, as QUICK says, for calls that
    have a handler."""
    return OnCached(_Way.NOT_NEEDED, reason, quick)


class GuardFactory(Protocol):
    """Makes the guard of one call; holds what all its guards share."""

    @property
    def rank(self) -> Rank: ...

    @property
    def on_cached(self) -> OnCached: ...

    def __call__(self, call: Call) -> AbstractAsyncContextManager[object, None]: ...


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


Quick = Callable[[Call], bool]


@dataclass(frozen=True, slots=True)
class Guards:
    """Guards in their order, checked.

    `quick` has for each its `quick`, None where it has none: `surrounding` the handler. `passing` and `answered` are for a
    cached answer that goes out at once, which is possible unless `in_full`. `turned_away`: for a call that never gets to the guards.
    """

    factories: tuple[GuardFactory, ...]
    quick: tuple[Quick | None, ...]
    passing: tuple[Quick, ...]
    answered: tuple[Callable[[Call], object], ...]
    in_full: bool
    turned_away: tuple[Callable[[Call, BaseException], object], ...] = ()


def check(factories: Sequence[GuardFactory]) -> Guards:
    """The guards of a server. Raises TypeError for one that declares no rank or nothing about cached answers, that lacks
    what it declares, or that stands behind a guard of a higher rank."""
    quick: list[Quick | None] = []
    passing: list[Quick | None] = []
    answered: list[Callable[[Call], object]] = []
    highest: tuple[Rank, str] | None = None
    for factory in factories:
        name = type(factory).__name__
        rank, on_cached = getattr(factory, "rank", None), getattr(factory, "on_cached", None)
        if not isinstance(rank, Rank):
            raise TypeError(
                f"guard {name} declares no rank; give it one of {', '.join(r.name for r in Rank)}"
            )
        if not isinstance(on_cached, OnCached):
            raise TypeError(
                f"guard {name} does not say what it does about cached answers; "
                "set on_cached to QUICK, NOTIFIED, IN_FULL or not_needed(reason)"
            )
        if highest is not None and rank < highest[0]:
            raise TypeError(f"guard {name} ({rank.name}) must stand before {highest[1]} ({highest[0].name})")
        highest = rank, name
        quick.append(_declared(factory, "quick", wanted=on_cached.way is _Way.QUICK or on_cached.quick))
        if on_cached.way is _Way.QUICK:
            passing.append(quick[-1])
        if notify := _declared(factory, "answered", wanted=on_cached.way is _Way.NOTIFIED):
            answered.append(notify)
        if on_cached.way is _Way.NOT_NEEDED and not on_cached.reason:
            raise TypeError(f"guard {name} gives no reason why it has no part in cached answers")
    return Guards(
        tuple(factories),
        tuple(quick),
        tuple(q for q in passing if q is not None),
        tuple(answered),
        any(factory.on_cached.way is _Way.IN_FULL for factory in factories),
        tuple(f.turned_away for f in factories if hasattr(f, "turned_away")),
    )


def _declared(factory: object, method: str, *, wanted: bool) -> Callable[[Call], bool] | None:
    found: Callable[[Call], bool] | None = getattr(factory, method, None)
    if wanted == (found is None):
        has = "has no" if wanted else "has"
        raise TypeError(
            f"guard {type(factory).__name__} {has} {method}(call), against what its on_cached says"
        )
    return found if wanted else None
