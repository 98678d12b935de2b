"""The RPCs of a server with their handlers, and calls of them with serialized messages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial

from google.protobuf.message import Message

from ...calls.answer_cache import CachedAnswer
from ...calls.call import Call
from ...calls.operation import Operation
from ...calls.pipeline import Handler, Invoke, Pipeline, QuickHandler
from ...errors import RegistryError
from .items import check_items
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


def quick_handlers(
    methods: Sequence[Method], services: Mapping[str, object]
) -> Iterator[tuple[str, QuickHandler]]:
    """The handlers of services that compute an answer at once, by path: `def validate_data_at_once(self, request)` beside
    `validate_data`."""
    for method in methods:
        handler = getattr(services.get(method.service), f"{snake_case(method.name)}_at_once", None)
        if handler is not None:
            yield method.path, handler


# Of a request that is answered at once: reading it, and finding that it needs its handler, costs little.
_QUICK_BYTES = 16_384


class Rpcs:
    """All RPCs by path, and the pipeline behind them. `quick` are those of some RPCs that need not wait. `most_items`: of one list
    or map in a request."""

    def __init__(
        self,
        methods: Iterable[Method],
        pipeline: Pipeline,
        quick: Iterable[tuple[str, QuickHandler]] = (),
        *,
        most_items: int = 2000,
    ) -> None:
        self.methods: Mapping[str, Method] = {m.path: m for m in methods}
        self.pipeline = pipeline
        self._quick = dict(quick)
        self._most_items = most_items

    def at_once(self, method: Method, call: Call, request: bytes) -> CachedAnswer | None:
        """The serialized answer to a serialized request without waiting, from the cache or computed; None when the call must go
        through `unary`."""
        if method.operation.cached:
            return self.pipeline.cached_at_once(call, request)
        if method.path not in self._quick or len(request) > _QUICK_BYTES:
            return None
        answer = self.computed_at_once(method, call, self._read(method, request), len(request))
        return None if answer is None else CachedAnswer(answer.SerializeToString())

    def computed_at_once(
        self, method: Method, call: Call, message: Message | RegistryError, size: int
    ) -> Message | None:
        """The answer to a request of `size` bytes, or to what is wrong with it, computed without waiting; None when the call must go through
        the pipeline's `unary`."""
        quick = self._quick.get(method.path)
        if quick is None or size > _QUICK_BYTES or isinstance(message, RegistryError):
            return None
        answer: Message | None = self.pipeline.computed_at_once(call, message, quick)
        return answer

    async def unary(self, method: Method, call: Call, request: bytes) -> CachedAnswer:
        """The serialized answer to a serialized request, after `at_once` had none. Raises MalformedRequest and
        RegistryError."""
        if not method.operation.cached:
            answer = await self.pipeline.unary(call, self._read(method, request))
            return CachedAnswer(answer.SerializeToString(), tuple(call.response_metadata.items()))
        return await self.pipeline.answer(call, request, partial(self._make, method, call, request))

    async def stream(
        self, method: Method, call: Call, request: bytes | AsyncIterator[bytes]
    ) -> AsyncGenerator[bytes, None]:
        """The serialized answers. Raises MalformedRequest and RegistryError."""
        message: Message | RegistryError | AsyncIterator[Message | RegistryError]
        if isinstance(request, bytes):
            message = self._read(method, request)
        else:
            message = self._read_each(method, request)
        async with aclosing(self.pipeline.stream(call, message)) as answers:
            async for answer in answers:
                yield serialized(answer)

    async def _make(self, method: Method, call: Call, request: bytes, invoke: Invoke) -> CachedAnswer:
        token = self.pipeline.begin()
        answer = await invoke(self._read(method, request))
        return self.pipeline.cache(token, call, request, answer.SerializeToString())

    async def _read_each(
        self, method: Method, requests: AsyncIterator[bytes]
    ) -> AsyncIterator[Message | RegistryError]:
        async for request in requests:
            yield self._read(method, request)

    def _read(self, method: Method, request: bytes) -> Message | RegistryError:
        """The request message, or what is wrong with the bytes: in either form the pipeline takes it."""
        try:
            check_items(method.request_type.DESCRIPTOR, request, self._most_items)
        except RegistryError as error:
            return error
        return method.read(request)
