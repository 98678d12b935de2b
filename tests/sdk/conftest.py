"""A fake registry, and both clients under one asynchronous face so that each promise is tested once for both."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from llm_schema_registry import AsyncSchemaRegistry, RetryPolicy, SchemaRegistry, Watch
from tests.sdk.fake_registry import FakeRegistry

EAGER = RetryPolicy(attempts=4, first=0.0)
"""Retries without waiting."""


@pytest.fixture
async def fake() -> AsyncIterator[FakeRegistry]:
    registry = FakeRegistry()
    await registry.start()
    yield registry
    await registry.stop()


@pytest.fixture(params=["asyncio", "blocking"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def client(fake: FakeRegistry, kind: str) -> AsyncIterator[Any]:
    async with connect(kind, fake.target) as face:
        yield face


def connect(kind: str, target: str, **options: Any) -> Face:
    options = {"retry": EAGER, "timeout": 20.0} | options
    return Face((AsyncSchemaRegistry if kind == "asyncio" else SchemaRegistry)(target, **options))


class Face:
    """A client of either kind: calls are awaited, streams are iterated with `async for`."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        if isinstance(self.client, AsyncSchemaRegistry):
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            if name in (
                "watch",
                "list_schemas",
                "validate_many",
                "check_many",
                "validate_stream",
                "export_audit",
                "get_many",
            ) or name.startswith("iter_"):
                return Turned(method(*args, **kwargs))
            return asyncio.to_thread(method, *args, **kwargs)

        return call

    async def __aenter__(self) -> Face:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        done = self.client.close()
        if inspect.isawaitable(done):
            await done


_END = object()


class Turned:
    """A blocking iterator as an asynchronous one; each step runs in a thread."""

    def __init__(self, iterator: Iterator[Any] | Watch) -> None:
        self.iterator: Any = iterator

    def __aiter__(self) -> Turned:
        return self

    async def __anext__(self) -> Any:
        item = await asyncio.to_thread(next, self.iterator, _END)
        if item is _END:
            raise StopAsyncIteration
        return item

    @property
    def revision(self) -> str:
        return str(self.iterator.revision)

    async def aclose(self) -> None:
        await asyncio.to_thread(self.iterator.close)


async def collect(items: Any, count: int | None = None) -> list[Any]:
    """What an iterator gives: all of it, or the first `count`."""
    found: list[Any] = []
    if count == 0:
        return found
    async for item in items:
        found.append(item)
        if len(found) == count:
            break
    return found
