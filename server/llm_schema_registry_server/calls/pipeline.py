"""Binds handlers to RPCs and surrounds each call with the guards, once for every wire.

A handler is found by its name: `async def get_schema(self, request, call)` for a single answer, an asynchronous
generator for a stream of them; where the client streams, `request` is an asynchronous iterator of requests.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any

from google.protobuf.message import DecodeError, Message

from ..errors import MalformedRequest, RegistryError
from .answer_cache import AnswerCache, CachedAnswer
from .call import Call, Method
from .guard import GuardFactory, QuickGuard
from .guards.deadline import Within
from .methods import snake_case
from .shared_answer import Answer, serialized

# A stream whose answers are ready and whose reader is fast never waits by itself: after so many it lets others run.
_FAIR_SHARE = 32

Requests = AsyncIterator[Message]
# Handlers are typed by their own requests and answers, which the pipeline learns from descriptors at run time.
Handler = Callable[[Any, Call], Any]

UNCACHED_METADATA = frozenset({"x-registry-min-revision", "cache-control"})
"""A call with one of these wants an answer that is computed now."""


class Pipeline:
    """All RPCs of a server: `methods` by path, and the ways to call them.

    `services` maps a service's full name to the object with its handlers. Raises TypeError when an RPC has no handler,
    a handler of the wrong shape or no permission: a server that cannot answer everything does not start.
    """

    def __init__(
        self,
        methods: Sequence[Method],
        services: Mapping[str, object],
        guards: Sequence[GuardFactory],
        hot: AnswerCache | None = None,
    ) -> None:
        self.methods: Mapping[str, Method] = {m.path: m for m in methods}
        self._handlers: dict[str, Handler] = {m.path: _handler(services, m) for m in methods}
        self._guards = tuple(guards)
        self._quick = tuple(g for g in guards if isinstance(g, QuickGuard))
        self._at_once = tuple(g.quick if isinstance(g, QuickGuard) else None for g in guards)
        self._hot = hot
        self._hot_paths = hot.paths if hot else frozenset[str]()
        if unknown := self._hot_paths - self.methods.keys():
            raise TypeError(f"hot paths that are no methods: {', '.join(sorted(unknown))}")

    async def unary(self, call: Call, request: Message | Requests) -> Message:
        """The single answer to a request (or to a stream of them). Raises RegistryError."""
        return await self._behind(0, call, request)

    async def _behind(self, first: int, call: Call, request: Message | Requests) -> Message:
        """The answer, behind the guards from `first` on. A quick guard that can decide at once needs no block."""
        for place in range(first, len(self._guards)):
            at_once = self._at_once[place]
            if at_once is None or not at_once(call):
                async with self._guards[place](call):
                    return await self._behind(place + 1, call, request)
        answer: Message = await self._handlers[call.method.path](request, call)
        return answer

    async def stream(self, call: Call, request: Message | Requests) -> AsyncGenerator[Answer, None]:
        """The answers to a request (or to a stream of them). Raises RegistryError.

        Iterate it under `contextlib.aclosing`: a caller that leaves then ends its guards and its handler at once.
        """
        async with AsyncExitStack() as stack:
            for guard in self._guards:
                await stack.enter_async_context(guard(call))
            answers = await stack.enter_async_context(
                aclosing(self._handlers[call.method.path](request, call))
            )
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

    def is_hot(self, path: str) -> bool:
        """Whether answers of this method are kept."""
        return path in self._hot_paths

    def hot_answer(self, call: Call, key: bytes) -> CachedAnswer | None:
        """The kept answer to a request, without waiting; None when the call must take the long way.

        A call that a guard refuses takes the long way too: there the refusal is counted and logged.
        """
        if self._hot is None or call.method.path not in self._hot_paths:
            return None
        if not UNCACHED_METADATA.isdisjoint(call.metadata):
            return None
        answer = self._hot.lookup(call.wire, call.method.path, key)
        if answer is None:
            return None
        try:
            for guard in self._quick:
                if not guard.quick(call):
                    return None
        except RegistryError:
            return None
        return answer

    async def raw_unary(self, call: Call, request: bytes) -> bytes:
        """`unary` on serialized messages, after `hot_answer` had none. Raises MalformedRequest and RegistryError."""
        token = self.begin()
        message = parse(call.method, request)
        answer = await self.unary(call, message)
        body = answer.SerializeToString()
        self.keep(token, call, request, message, answer, body)
        return body

    def begin(self) -> int:
        """A token for `keep`; take it before the handler runs."""
        return self._hot.begin() if self._hot else 0

    def keep(
        self, token: int, call: Call, key: bytes, request: Message, answer: Message, body: bytes
    ) -> None:
        """Keeps an answer, as the bytes that went out, for the next call with the same key."""
        if self._hot is not None and call.method.path in self._hot_paths:
            metadata = tuple(call.response_metadata.items())
            self._hot.store(
                token, call.wire, call.method.path, key, request, answer, CachedAnswer(body, metadata)
            )

    async def raw_stream(
        self, call: Call, request: bytes | AsyncIterator[bytes]
    ) -> AsyncGenerator[bytes, None]:
        """`stream` on serialized messages. Raises MalformedRequest and RegistryError."""
        message: Message | Requests
        if isinstance(request, bytes):
            message = parse(call.method, request)
        else:
            message = _parsed(call.method, request)
        async with aclosing(self.stream(call, message)) as answers:
            async for answer in answers:
                yield serialized(answer)


def parse(method: Method, request: bytes) -> Message:
    """The request message. Raises MalformedRequest when the bytes are not one."""
    try:
        return method.request_type.FromString(request)
    except DecodeError as error:
        raise MalformedRequest(method.request_type.DESCRIPTOR.full_name, str(error)) from error


async def _parsed(method: Method, requests: AsyncIterator[bytes]) -> Requests:
    async for request in requests:
        yield parse(method, request)


def _handler(services: Mapping[str, object], method: Method) -> Handler:
    service = services.get(method.service)
    if service is None:
        raise TypeError(f"nobody serves {method.service}; its methods are {method.name} and maybe others")
    name = snake_case(method.name)
    handler = getattr(service, name, None)
    if handler is None:
        raise TypeError(f"{type(service).__name__} has no handler {name}() for {method.path}")
    if not method.permission:
        raise TypeError(f"{method.path} declares no permission")
    wanted = inspect.isasyncgenfunction if method.server_streaming else inspect.iscoroutinefunction
    if not wanted(handler):
        shape = "an asynchronous generator" if method.server_streaming else "a coroutine function"
        raise TypeError(f"{type(service).__name__}.{name} must be {shape}: {method.path} demands it")
    bound: Handler = handler
    return bound
