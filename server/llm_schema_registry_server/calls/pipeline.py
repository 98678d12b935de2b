"""Surrounds each call with the guards, once for every face, and gives out cached answers.

A face makes a Call of one of the operations and hands it in with a request, in whatever form its handlers take: a handler is
`async def (request, call)` for a single answer, an asynchronous generator for a stream of them; where the client streams,
`request` is an asynchronous iterator of requests.

A request that cannot be read is handed in as the RegistryError that says why: the call passes its guards like any other, and
fails with that error where its handler would have run. Among a stream of requests, the error stands in the place of the
request, and the handler answers it as an item.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, NoReturn, TypeVar

from ..errors import RegistryError
from ..telemetry import names, tracing
from .answer_cache import AnswerCache, CachedAnswer, Key
from .call import MOST_RESOURCES, OK, Call
from .guard import GuardFactory, check
from .guards.deadline import Within
from .guards.min_revision import MIN_REVISION
from .operation import Operation, Resources

T = TypeVar("T")

# A stream whose answers are ready and whose reader is fast never waits by itself: after so many it lets others run.
_FAIR_SHARE = 32

Handler = Callable[[Any, Call], Any]
"""Handlers are typed by their own requests and answers, of which the pipeline knows nothing."""


class AtOnce(NamedTuple):
    """An answer that can be computed without waiting: all that the call touches, of which the first `named` are what the request
    names, and what computes it; None when it turns out to need the handler after all."""

    resources: Resources
    named: int
    compute: Callable[[], Any | None]


QuickHandler = Callable[[Any], AtOnce | None]
"""For an operation whose answer is often cheap: what computes the answer to a request, or None where the handler must. It changes
nothing and waits for nothing."""

Invoke = Callable[[Any], Coroutine[Any, Any, Any]]
"""Runs the handler of a call with a request."""

NO_CACHE = "cache-control"
"""Metadata of a call that wants an answer that is computed now."""


class Pipeline:
    """All operations of a server, by id, and the ways to call them. `answers` is the cache of serialized ones.

    Raises TypeError for an operation with a handler of the wrong shape, for two operations with the same id, and for guards
    that contradict each other (`guard.check`): a server that cannot answer everything does not start.
    """

    def __init__(
        self,
        handlers: Iterable[tuple[Operation, Handler]],
        guards: Sequence[GuardFactory],
        answers: AnswerCache | None = None,
    ) -> None:
        self._handlers: dict[str, Handler] = {}
        for operation, handler in handlers:
            _demand_shape(operation, handler)
            if operation.id in self._handlers:
                raise TypeError(f"{operation.id} is the id of two operations")
            self._handlers[operation.id] = handler
        checked = check(guards)
        self._guards, self._quick = checked.factories, checked.quick
        self._passing, self._answered, self._in_full = checked.passing, checked.answered, checked.in_full
        self._turned_away = checked.turned_away
        self.answers = answers or AnswerCache(0)

    async def unary(self, call: Call, request: Any) -> Any:
        """The single answer to a request (or to a stream of them). Raises RegistryError."""
        return await self._surrounded(call, self._handler(call, request))

    async def stream(self, call: Call, request: Any) -> AsyncGenerator[Any, None]:
        """The answers to a request (or to a stream of them). Raises RegistryError.

        Iterate it under `contextlib.aclosing`: a caller that leaves then ends its guards and its handler at once.
        """
        handler = self._handler(call, request)
        async with AsyncExitStack() as stack:
            stack.callback(call.over)
            stack.push(partial(_noted, call))
            for guard in self._guards:
                began = time.time_ns()
                await stack.enter_async_context(guard(call))
                stack.push(partial(_noted, call))
                if call.traceparent:
                    _waited(guard, began)
            answers = await stack.enter_async_context(aclosing(handler()))
            for count in itertools.count(1):
                try:
                    if call.deadline is None:
                        answer = await anext(answers)
                    else:
                        async with Within(call):
                            answer = await anext(answers)
                except StopAsyncIteration:
                    return
                yield answer
                if count % _FAIR_SHARE == 0:
                    await asyncio.sleep(0)

    def cached_at_once(self, call: Call, key: bytes) -> CachedAnswer | None:
        """The cached answer to a request, without waiting; None when the call must go through `answer`.

        A call that a guard refuses goes there too: there the refusal is observed.
        """
        operation, metadata = call.operation, call.metadata
        if not operation.cached or self._in_full or NO_CACHE in metadata or MIN_REVISION in metadata:
            return None
        full_key = (call.face, operation.id, key)
        answer = self.answers.lookup(full_key)
        if answer is None:
            return None
        call.resources, call.named, call.complete = answer.resources, answer.named, True
        if not self._passes(call):
            return None
        call.outcome, call.kept = OK, True
        for answered in self._answered:
            answered(call)
        self.answers.gave(full_key, answer)
        return answer

    def computed_at_once(self, call: Call, request: Any, quick: QuickHandler) -> Any | None:
        """The answer to a request that is computed without waiting, and so without a task of its own; None when the call must go
        through `unary`, as one must that a guard or the computation refuses."""
        if self._in_full or NO_CACHE in call.metadata or MIN_REVISION in call.metadata:
            return None
        found = quick(request)
        if found is None:
            return None
        call.resources, call.named, call.complete = found.resources, found.named, True
        if not self._passes(call):
            return None
        try:
            answer = found.compute()
        except RegistryError:
            answer = None
        if answer is None:
            call.watchers = ()
            return None
        call.outcome = OK
        for answered in self._answered:
            answered(call)
        return answer

    def _passes(self, call: Call) -> bool:
        """Whether the guards let a call pass whose resources are complete, without waiting."""
        try:
            for quick in self._passing:
                if not quick(call):
                    call.watchers = ()  # on the long way, guards watch anew
                    return False
        except RegistryError:
            call.watchers = ()
            return False
        return True

    def turned_away(self, call: Call, error: BaseException) -> None:
        """Notes a call that its face refuses before it is handed in. Does nothing for one that was handed in, and has been noted."""
        if call.outcome is None:
            call.ended(error)
            for turned_away in self._turned_away:
                turned_away(call, error)

    async def answer(
        self, call: Call, key: bytes, make: Callable[[Invoke], Awaitable[CachedAnswer]]
    ) -> CachedAnswer:
        """The serialized answer to a request, behind the guards in full: from the cache, or what `make` makes of it.

        `make` reads the request, awaits `invoke(request)`, which runs the handler, and may `cache` what it returns.
        Raises what guards, `make` and handlers raise.
        """
        metadata = call.metadata
        if call.operation.cached and NO_CACHE not in metadata and MIN_REVISION not in metadata:
            full_key = (call.face, call.operation.id, key)
            held = self.answers.lookup(full_key)
            if held is not None:
                call.resources, call.named, call.complete = held.resources, held.named, True
                return await self._surrounded(call, partial(self._still_held, call, full_key, held, make))
            self.answers.missed()
        return await make(partial(self.unary, call))

    def begin(self) -> int:
        """A token for `cache`; take it before the handler runs."""
        return self.answers.begin()

    def cache(self, token: int, call: Call, key: bytes, body: bytes) -> CachedAnswer:
        """The answer of a call as the bytes that go out, cached for the next call with the same key where that may be."""
        answer = CachedAnswer(
            body, tuple(call.response_metadata.items()), call.resources, call.schema_id, call.named
        )
        # At the most, not all that the call touched may be known, and so not all that the answer depends on.
        if call.operation.cached and len(call.resources) < MOST_RESOURCES:
            self.answers.store(token, (call.face, call.operation.id, key), answer)
        return answer

    async def _surrounded(self, call: Call, innermost: Callable[[], Awaitable[T]]) -> T:
        """What `innermost` returns, behind the guards. One that decides quickly needs not be entered."""
        # By hand: a context inside a context inside a context would be a coroutine for each guard of each call.
        entered: list[AbstractAsyncContextManager[object, None]] = []
        try:
            for factory, quick in zip(self._guards, self._quick, strict=True):
                if quick is None or not quick(call):
                    began = time.time_ns() if call.traceparent else 0
                    guard = factory(call)
                    await guard.__aenter__()
                    entered.append(guard)
                    if began:
                        _waited(factory, began)
            answer = await innermost()
            call.outcome = OK
            while entered:
                await entered.pop().__aexit__(None, None, None)
            return answer
        except BaseException as error:
            call.ended(error)
            changed = await _left(call, entered, error)
            try:
                if changed is not error:
                    raise changed
                raise
            finally:
                del changed  # its traceback refers to this frame
        finally:
            if call.watchers:
                call.over()

    def _handler(self, call: Call, request: Any) -> Callable[[], Any]:
        """The handler with its request, whose resources the call now has."""
        call.complete = False
        if isinstance(request, RegistryError):
            call.resources, call.named = (), 0
            return partial(_refusals if call.operation.server_streaming else _refusal, request)
        if not call.operation.client_streaming:
            call.resources = call.operation.resources(request)
            call.named = len(call.resources)
        return partial(self._handlers[call.operation.id], request, call)

    async def _still_held(
        self, call: Call, key: Key, held: CachedAnswer, make: Callable[[Invoke], Awaitable[CachedAnswer]]
    ) -> CachedAnswer:
        """The answer that was found before the guards waited, unless it was dropped meanwhile or a guard wants it computed."""
        if call.complete and self.answers.lookup(key) is held:
            self.answers.gave(key, held)
            call.schema_id = held.schema_id
            return held
        self.answers.missed()

        async def invoke(request: Any) -> Any:
            return await self._handler(call, request)()

        return await make(invoke)


def _waited(factory: GuardFactory, began_ns: int) -> None:
    """A span for a guard that has kept a call waiting."""
    name = type(factory).__name__
    tracing.waited(f"guard {name}", began_ns, {names.GUARD: name})


async def _refusal(error: RegistryError) -> NoReturn:
    raise error


async def _refusals(error: RegistryError) -> AsyncGenerator[Any, None]:
    yield await _refusal(error)


async def _left(
    call: Call, entered: list[AbstractAsyncContextManager[object, None]], error: BaseException
) -> BaseException:
    """Leaves the guards, the innermost first, because of an error. Returns it, or the one that a guard has made of it."""
    while entered:
        try:
            await entered.pop().__aexit__(type(error), error, error.__traceback__)
        except BaseException as changed:
            if changed is not error:
                error = changed
                call.ended(error)
    return error


def _noted(
    call: Call, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
) -> None:
    call.ended(error)


def _demand_shape(operation: Operation, handler: Handler) -> None:
    wanted = inspect.isasyncgenfunction if operation.server_streaming else inspect.iscoroutinefunction
    if not wanted(handler):
        shape = "an asynchronous generator" if operation.server_streaming else "a coroutine function"
        raise TypeError(f"the handler of {operation.id}, {handler.__qualname__}, must be {shape}")
