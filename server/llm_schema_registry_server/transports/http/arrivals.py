"""From Granian's threads to the event loop: kept answers go out without a task of their own.

Granian makes a task of each request, and tells the loop of each one by itself. Here all requests that have come are taken in one turn of the
loop. Those whose answers are at hand are answered there and then; of the others Granian makes tasks, as ever.

What stands in for Granian's own here is none of its public interface (docs/decisions/0049). Where it is built in another way, `spawner` has
nothing, and it serves as an ASGI server does.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from types import FunctionType
from typing import Any, Protocol

from granian.server.embed import AsyncWorker, Server

from .asgi import Scope, Whole

try:
    from granian._granian import CallbackScheduler
except ImportError:  # pragma: no cover - an older or a later Granian
    CallbackScheduler = None  # type: ignore[assignment,misc]

_SCHEDULER = "_new_cbscheduler"
"""With what Granian's workers make what tells the loop of requests."""
_AT_A_TIME = 256
"""So many requests are taken in one piece; to make a task of one takes some microseconds."""

AtOnce = Callable[[Scope], Whole | None]
Spawn = Callable[..., Any]


class Watcher(Protocol):
    """A request, as Granian has it."""

    scope: Scope
    proto: Any

    def done(self) -> None: ...

    def err(self, error: BaseException) -> None: ...

    def taskref(self, task: asyncio.Task[None]) -> None: ...


class Arrivals:
    """The requests of one listener on their way to the loop. at_once: see Dispatcher. in_full: what answers those for which it has nothing."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: Context,
        at_once: AtOnce,
        in_full: Callable[[Watcher], Coroutine[Any, Any, None]],
    ) -> None:
        self._loop, self._context = loop, context
        self._at_once, self._in_full = at_once, in_full
        self._came: deque[Watcher] = deque()
        self._told = False

    def came(self, watcher: Watcher) -> None:
        """A request has come. Called by a thread of Granian."""
        self._came.append(watcher)
        if not self._told:
            self._told = True
            self._loop.call_soon_threadsafe(self._take, context=self._context)

    def _take(self) -> None:
        # First: who comes from now on tells the loop anew, and finds nothing left to take at worst.
        self._told = False
        came = self._came
        for _ in range(min(len(came), _AT_A_TIME)):
            self._begin(came.popleft())
        if came and not self._told:
            self._told = True
            self._loop.call_soon(self._take, context=self._context)

    def _begin(self, watcher: Watcher) -> None:
        try:
            whole = self._at_once(watcher.scope)
            if whole is None:
                watcher.taskref(self._loop.create_task(self._in_full(watcher)))
                return
            send = watcher.proto.send
            for event in whole:
                # Granian has an answer that is whole as soon as it is told: what it returns needs no waiting.
                send(event)
        except Exception as error:
            watcher.err(error)
        else:
            watcher.done()


def spawner(at_once: AtOnce) -> Spawn | None:
    """How Granian starts its worker with Arrivals between its threads and the loop; None where that cannot be."""
    spawn = inspect.unwrap(Server._spawn_asgi_worker)
    if CallbackScheduler is None or _SCHEDULER not in spawn.__code__.co_names:
        return None

    class Scheduler(CallbackScheduler):
        __slots__ = ()

        def __init__(self, loop: asyncio.AbstractEventLoop, callback: Any, *_: object) -> None:
            super().__init__()
            self._schedule_fn = Arrivals(loop, self._ctx, at_once, callback).came

    def scheduler(loop: asyncio.AbstractEventLoop, callback: Any, **_: object) -> Scheduler:
        return Scheduler(loop, callback, None, None, None)

    own = FunctionType(spawn.__code__, {**spawn.__globals__, _SCHEDULER: scheduler})
    return AsyncWorker.wrap_target(own)  # type: ignore[no-any-return,no-untyped-call]
