"""Reads that come at the same time, made in one call (BatchGetSchemas), each schema once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ._arguments import identifier, integer, seconds, selector, text
from ._encode import SchemaId, SchemaSelector
from .errors import RegistryError
from .results import SchemaInfo, SchemaOrError

if TYPE_CHECKING:
    from ._async_client import AsyncSchemaRegistry
    from ._sync_client import SchemaRegistry

MOST = 1000
"""Schemas that a registry answers in one call, by default (its setting limits.page)."""

A = TypeVar("A")
Answer = asyncio.Future[SchemaInfo] | Future[SchemaInfo]


@dataclass(frozen=True, slots=True)
class Coalescing:
    """`calls`: under way at a time; what is asked for meanwhile goes with the next one. `most`: schemas in one call. `timeout`: seconds
    of each call."""

    calls: int = 2
    most: int = MOST
    timeout: float | None = None

    def __post_init__(self) -> None:
        for name in ("calls", "most"):
            value = integer(getattr(self, name), name)
            if value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")
        if self.timeout is not None:
            seconds(self.timeout, "timeout")


class CoalescingReader:
    """Reads schemas for many threads. Made by `SchemaRegistry.coalescing`, and usable as long as that is open."""

    def __init__(self, registry: SchemaRegistry, options: Coalescing) -> None:
        self._registry, self._options = registry, options
        self._turns = threading.Semaphore(options.calls)
        self._lock = threading.Lock()
        self._waiting: dict[SchemaSelector, Future[SchemaInfo]] = {}

    def get_schema(self, schema_id: SchemaId) -> SchemaInfo:
        """The version with this id. Raises SchemaNotFound, and what the call raises."""
        return self._read(identifier(schema_id))

    def get_schema_by_version(self, subject: str, version: str | int = "latest") -> SchemaInfo:
        """The version that a selector chooses. Raises SubjectNotFound, VersionNotFound, InvalidVersion."""
        return self._read((text(subject, "subject"), selector(version)))

    def get_latest_version(self, subject: str) -> SchemaInfo:
        """The newest version. Raises SubjectNotFound, VersionNotFound."""
        return self.get_schema_by_version(subject)

    def _read(self, wanted: SchemaSelector) -> SchemaInfo:
        with self._lock:
            answer = self._waiting.setdefault(wanted, Future())
        with self._turns:  # whoever gets a turn asks for all who wait
            with self._lock:
                taken = _first(self._waiting, self._options.most) if wanted in self._waiting else {}
            if taken:
                self._ask(taken)
        return answer.result()

    def _ask(self, taken: dict[SchemaSelector, Future[SchemaInfo]]) -> None:
        left = iter(taken.values())
        why: Exception = _too_few()
        try:
            for found in self._registry.get_many(tuple(taken), timeout=self._options.timeout):
                _settle(next(left), found)
        except Exception as error:  # whatever it is, those who wait are told
            why = error
        _fail(left, why)


class AsyncCoalescingReader:
    """Reads schemas for many tasks. Made by `AsyncSchemaRegistry.coalescing`, and usable as long as that is open."""

    def __init__(self, registry: AsyncSchemaRegistry, options: Coalescing) -> None:
        self._registry, self._options = registry, options
        self._waiting: dict[SchemaSelector, asyncio.Future[SchemaInfo]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._scheduled = False

    async def get_schema(self, schema_id: SchemaId) -> SchemaInfo:
        """The version with this id. Raises SchemaNotFound, and what the call raises."""
        return await self._read(identifier(schema_id))

    async def get_schema_by_version(self, subject: str, version: str | int = "latest") -> SchemaInfo:
        """The version that a selector chooses. Raises SubjectNotFound, VersionNotFound, InvalidVersion."""
        return await self._read((text(subject, "subject"), selector(version)))

    async def get_latest_version(self, subject: str) -> SchemaInfo:
        """The newest version. Raises SubjectNotFound, VersionNotFound."""
        return await self.get_schema_by_version(subject)

    async def _read(self, wanted: SchemaSelector) -> SchemaInfo:
        answer = self._waiting.get(wanted)
        if answer is None:
            answer = self._waiting[wanted] = asyncio.get_running_loop().create_future()
            self._go_on()
        return await asyncio.shield(answer)  # others may wait for it, too

    def _go_on(self) -> None:
        """Asks for what waits, once those who are about to ask have done so."""
        if self._waiting and not self._scheduled and len(self._running) < self._options.calls:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._scheduled = False
        task = asyncio.get_running_loop().create_task(
            self._ask(_first(self._waiting, self._options.most)), name="coalesced reads"
        )
        self._running.add(task)
        task.add_done_callback(self._done)
        self._go_on()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._go_on()

    async def _ask(self, taken: dict[SchemaSelector, asyncio.Future[SchemaInfo]]) -> None:
        left = iter(taken.values())
        why: Exception = _too_few()
        try:
            asked = self._registry.get_many(tuple(taken), timeout=self._options.timeout)
            async with aclosing(asked) as answers:
                async for found in answers:
                    _settle(next(left), found)
        except Exception as error:  # whatever it is, those who wait are told
            why = error
        _fail(left, why)


def _first(waiting: dict[SchemaSelector, A], most: int) -> dict[SchemaSelector, A]:
    """Takes the first of those that wait."""
    return {wanted: waiting.pop(wanted) for wanted in tuple(waiting)[:most]}


def _settle(answer: Answer, found: SchemaOrError) -> None:
    try:
        answer.set_result(found.get())
    except RegistryError as error:
        _fail(iter((answer,)), error)


def _fail(answers: Iterator[Answer], why: Exception) -> None:
    for answer in answers:
        answer.set_exception(why)
        answer.exception()  # perhaps nobody waits for it any more


def _too_few() -> RegistryError:
    return RegistryError("the registry has answered fewer items than it was asked for")
