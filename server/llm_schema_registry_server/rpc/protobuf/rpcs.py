"""The RPCs of a server with their handlers, and calls of them with serialized messages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial

from google.protobuf.message import Message

from ...calls.answer_cache import CachedAnswer
from ...calls.call import Call
from ...calls.operation import Operation
from ...calls.pipeline import Handler, Invoke, Pipeline
from ...errors import MalformedRequest
from .method import Method, snake_case
from .shared_answer import serialized


def bind(methods: Sequence[Method], services: Mapping[str, object]) -> Iterator[tuple[Operation, Handler]]:
    """Every method's operation with its handler, for the pipeline.

    `services` maps a service's full name to the object with its handlers, which are named as the RPC is:
    `async def get_schema(self, request, call)`. Raises TypeError when a service or a handler is missing.
    """
    for method in methods:
        service = services.get(method.service)
        if service is None:
            raise TypeError(f"nobody serves {method.service}; its methods are {method.name} and maybe others")
        name = snake_case(method.name)
        handler = getattr(service, name, None)
        if handler is None:
            raise TypeError(f"{type(service).__name__} has no handler {name}() for {method.path}")
        yield method.operation, handler


class Rpcs:
    """All RPCs by path, and the pipeline behind them."""

    def __init__(self, methods: Iterable[Method], pipeline: Pipeline) -> None:
        self.methods: Mapping[str, Method] = {m.path: m for m in methods}
        self.pipeline = pipeline

    async def unary(self, method: Method, call: Call, request: bytes) -> CachedAnswer:
        """The serialized answer to a serialized request, after `cached_at_once` had none. Raises MalformedRequest and
        RegistryError."""
        return await self.pipeline.answer(call, request, partial(self._make, method, call, request))

    async def stream(
        self, method: Method, call: Call, request: bytes | AsyncIterator[bytes]
    ) -> AsyncGenerator[bytes, None]:
        """The serialized answers. Raises MalformedRequest and RegistryError."""
        message = method.read(request) if isinstance(request, bytes) else _read(method, request)
        async with aclosing(self.pipeline.stream(call, message)) as answers:
            async for answer in answers:
                yield serialized(answer)

    async def _make(self, method: Method, call: Call, request: bytes, invoke: Invoke) -> CachedAnswer:
        token = self.pipeline.begin()
        answer = await invoke(method.read(request))
        return self.pipeline.cache(token, call, request, answer.SerializeToString())


async def _read(method: Method, requests: AsyncIterator[bytes]) -> AsyncIterator[Message | MalformedRequest]:
    async for request in requests:
        yield method.read(request)
