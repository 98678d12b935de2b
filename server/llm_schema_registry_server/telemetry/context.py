"""The call that some work belongs to: what every log line of that work carries, here and in worker processes."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallContext:
    """request_id: of the call; "" outside of calls. traceparent: its place in a trace (W3C Trace Context), "" without one.
    request_ids: those of several calls that share this work."""

    request_id: str = ""
    traceparent: str = ""
    request_ids: tuple[str, ...] = ()


NONE = CallContext()
_CURRENT: ContextVar[CallContext] = ContextVar("call_context", default=NONE)


def current() -> CallContext:
    """The context of the running asyncio task."""
    return _CURRENT.get()


def bind(context: CallContext) -> None:
    """Make it the context of the running asyncio task and of those that it starts from now on."""
    _CURRENT.set(context)


def shared(contexts: Iterable[CallContext]) -> CallContext:
    """The context of work that is done for several calls at once."""
    known = {c.request_id: c for c in contexts if c.request_id}
    if len(known) == 1:
        (only,) = known.values()
        return CallContext(only.request_id, only.traceparent)
    return CallContext(request_ids=tuple(known))
