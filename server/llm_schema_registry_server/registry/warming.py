"""Warming: a server that starts loads what is read most, and reports itself ready when it has it.

It answers calls meanwhile. After its time limit the server reports itself ready all the same, with cold caches: when the
store is slow or away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from ..errors import ConcurrentUpdate, RegistryError, StorageUnavailable
from ..model.health import Component, ComponentStatus
from ..model.schema import SchemaVersion
from ..model.selector import Latest
from ..model.subject import Subject
from ..model.usage import Usage
from ..storage.store import Store
from .library import Library
from .reading import FoundSchema
from .validating import Validating

T = TypeVar("T")

BATCH = 200
"""Versions read together."""
RETRY_SECONDS = 0.5
STOP_SECONDS = 1.0
AT_ONCE_SECONDS = 0.2
"""How long `start` waits for a warming that may end quickly."""


class Answers(Protocol):
    """The cache of serialized answers."""

    @property
    def room(self) -> bool:
        """Whether more fit without dropping others."""
        ...

    def begin(self) -> int:
        """A token for answers about to be made; taken before anything is read."""
        ...

    def keep(self, token: int, found: FoundSchema, *, latest: bool) -> None:
        """The answer to who asks for this version by its id or, `latest`, for the latest of its subject."""
        ...


@dataclass(frozen=True, slots=True)
class Warmed:
    """How a warming ended: how many versions are ready of how many, after how many seconds, and why not all ("" when all
    are, or memory is full)."""

    schemas: int
    wanted: int
    seconds: float
    trouble: str


class Warming:
    """Loads the versions with the greatest scores, most used first, until all, the memory or the time is used up.

    schemas: how many, at most. seconds: after that the server is ready all the same. on_end: called once.
    """

    def __init__(
        self,
        store: Store,
        library: Library,
        validating: Validating,
        answers: Answers,
        *,
        schemas: int,
        seconds: float,
        on_end: Callable[[Warmed], None],
    ) -> None:
        self._store, self._library, self._validating, self._answers = store, library, validating, answers
        self._schemas, self._seconds, self._on_end = schemas, seconds, on_end
        self._wanted: int | None = None
        self._done = 0
        self._latest: set[Subject] = set()
        self._trouble = self._outage = ""
        self._ended: Warmed | None = None
        self._task: asyncio.Task[None] | None = None
        self._loading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin; returns at once, or a moment later when that is enough to end."""
        self._task = asyncio.create_task(self._run(), name="warming")
        await asyncio.wait([self._task], timeout=AT_ONCE_SECONDS)

    async def stop(self) -> None:
        """End it; a store that hangs is not waited for."""
        tasks = [task for task in (self._task, self._loading) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)

    async def probe(self) -> Component:
        """DOWN while it goes on: the server should get no traffic yet."""
        if self._ended is not None:
            facts = {"schemas": str(self._ended.schemas), "seconds": f"{self._ended.seconds:.0f}"}
            return Component(ComponentStatus.UP, details=facts)
        if self._wanted is None:
            return Component(ComponentStatus.DOWN, "warming: asking what is read most")
        return Component(ComponentStatus.DOWN, f"warming {self._done:,} of {self._wanted:,}")

    async def _run(self) -> None:
        began = time.monotonic()
        self._loading = asyncio.create_task(self._load(), name="warming: load")
        # Not cancelled and awaited: a store that hangs would hold it until its own time-out.
        await asyncio.wait([self._loading], timeout=self._seconds)
        if not self._loading.done():
            self._trouble = self._outage or self._trouble or f"not done within {self._seconds:g} s"
            self._loading.cancel()
        elif error := self._loading.exception():
            self._trouble = str(error) or repr(error)
        self._ended = Warmed(self._done, self._wanted or 0, time.monotonic() - began, self._trouble)
        self._on_end(self._ended)

    async def _load(self) -> None:
        most_used = await self._load_with_retries(self._most_used)
        self._wanted = len(most_used)
        for first in range(0, len(most_used), BATCH):
            if not self._answers.room:
                return
            try:
                self._done += await self._load_with_retries(
                    partial(self._warm, most_used[first : first + BATCH])
                )
            except RegistryError as error:  # of one of them; the other batches go on
                self._trouble = error.message

    async def _load_with_retries(self, load: Callable[[], Awaitable[T]]) -> T:
        """The result of `load`, tried again as long as the store is away."""
        while True:
            try:
                loaded = await load()
            except (StorageUnavailable, ConcurrentUpdate) as error:
                self._outage = error.message
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._outage = ""
                return loaded

    async def _most_used(self) -> Sequence[Usage]:
        async with self._store.read() as tx:
            return await tx.most_used(self._schemas)

    async def _warm(self, batch: Sequence[Usage]) -> int:
        """Load these; how many."""
        token = self._answers.begin()
        versions, latest = await self._read(batch)
        contents = await self._library.contents.warm([*versions.values(), *latest])
        for used in batch:
            version = versions.get(used.schema_id)
            if version is not None and version.identity in contents:
                self._answers.keep(
                    token, FoundSchema(version, contents[version.identity].content), latest=False
                )
                if used.uses.validations:
                    await self._prepare(version)
        for version in latest:
            if version.identity in contents:
                self._answers.keep(
                    token, FoundSchema(version, contents[version.identity].content), latest=True
                )
        return len(batch)

    async def _read(
        self, batch: Sequence[Usage]
    ) -> tuple[Mapping[str, SchemaVersion], Sequence[SchemaVersion]]:
        """These versions, and the latest ones of their subjects, unless those were read before."""
        latest: dict[Subject, SchemaVersion] = {}
        async with self._store.read() as tx:
            versions = await tx.versions_by_id([used.schema_id for used in batch])
            for subject in {v.subject for v in versions.values()} - self._latest:
                newest = await tx.selected(subject, Latest())
                if newest is not None:
                    latest[subject] = newest
        self._latest |= latest.keys()
        return versions, list(latest.values())

    async def _prepare(self, version: SchemaVersion) -> None:
        """Compile its validator. An error of one schema does not keep the others from being warmed; its callers will get it."""
        try:
            await self._validating.prepare(version.schema_id)
        except StorageUnavailable:
            raise
        except RegistryError as error:
            self._trouble = error.message
