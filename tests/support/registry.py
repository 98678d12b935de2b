"""The use cases on the memory store with the engine of words: everything real but the wire and the formats."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server.model.change import Change
from llm_schema_registry_server.model.lifecycle import SchemaState
from llm_schema_registry_server.model.principal import READ, REGISTER, Actor, Principal
from llm_schema_registry_server.model.schema import Reference, SchemaVersion
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry.assessment import Assessor
from llm_schema_registry_server.registry.changes import ChangeFeed
from llm_schema_registry_server.registry.checking import Checking
from llm_schema_registry_server.registry.coherence import Coherence
from llm_schema_registry_server.registry.configuration import Configuration, built_in
from llm_schema_registry_server.registry.deletion import Deletion
from llm_schema_registry_server.registry.graph import ReferenceGraph
from llm_schema_registry_server.registry.library import Library
from llm_schema_registry_server.registry.lifecycle import Lifecycle, Update
from llm_schema_registry_server.registry.limits import RequestLimits
from llm_schema_registry_server.registry.profiles import Profiles
from llm_schema_registry_server.registry.reading import Reading
from llm_schema_registry_server.registry.register import CONFIGURE, Register
from llm_schema_registry_server.registry.registration import Registration, RegistrationResult
from llm_schema_registry_server.registry.subscribing import Subscribing
from llm_schema_registry_server.registry.validating import Validating
from llm_schema_registry_server.storage.memory import MemoryStore
from llm_schema_registry_server.workers.inline import InlineWorkers

from .words import WordEngine

LIMITS = RequestLimits(schema_bytes=1000, data_bytes=1000, references=8, tags=5, metadata_bytes=200, page=100)
ADMIN = Actor(Principal("ada", frozenset({CONFIGURE, READ, REGISTER})), "call-1")
WRITER = Actor(Principal("bob", frozenset({READ, REGISTER})), "call-2")


S = SchemaState
STEPS_TO = {
    S.DRAFT: (),
    S.VALIDATING: (S.VALIDATING,),
    S.VALIDATION_FAILED: (S.VALIDATING, S.VALIDATION_FAILED),
    S.COMPATIBILITY_CHECK: (S.VALIDATING, S.COMPATIBILITY_CHECK),
    S.INCOMPATIBLE_REJECTED: (S.VALIDATING, S.COMPATIBILITY_CHECK, S.INCOMPATIBLE_REJECTED),
    S.REGISTERED: (S.VALIDATING, S.COMPATIBILITY_CHECK, S.REGISTERED),
    S.ACTIVE: (S.VALIDATING, S.COMPATIBILITY_CHECK, S.REGISTERED, S.ACTIVE),
    S.DEPRECATED: (S.VALIDATING, S.COMPATIBILITY_CHECK, S.REGISTERED, S.ACTIVE, S.DEPRECATED),
    S.ARCHIVED: (S.VALIDATING, S.COMPATIBILITY_CHECK, S.REGISTERED, S.ACTIVE, S.DEPRECATED, S.ARCHIVED),
    S.ABANDONED: (S.VALIDATING, S.COMPATIBILITY_CHECK, S.REGISTERED, S.ABANDONED),
    S.ROLLING_BACK: (S.VALIDATING, S.COMPATIBILITY_CHECK, S.REGISTERED, S.ACTIVE, S.ROLLING_BACK),
}
"""The states that a draft is moved to, one after the other, until it has this one."""


class Clock:
    """Every look at it moves it on by a second."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


class World:
    """A registry and short words for what tests do with it."""

    def __init__(self, store: MemoryStore, *, record_failures: bool = False) -> None:
        self.store, self.clock = store, Clock()
        self.engine = WordEngine()
        engines = {SchemaType.JSON: self.engine, SchemaType.AVRO: WordEngine(SchemaType.AVRO)}
        self.coherence = Coherence()
        defaults = built_in(CompatibilityLevel.BACKWARD)
        self.library = Library(
            store, engines, InlineWorkers(engines), cache_bytes=1 << 20, most_references=LIMITS.references
        )
        assessor = Assessor(self.library)
        self.register_ = Register(
            store,
            self.library,
            assessor,
            engines,
            self.coherence,
            defaults=defaults,
            limits=LIMITS,
            record_failures=record_failures,
            clock=self.clock,
        )
        self.reading = Reading(store, self.library, LIMITS)
        self.lifecycle = Lifecycle(
            store,
            self.library,
            assessor,
            self.coherence,
            defaults=defaults,
            limits=LIMITS,
            clock=self.clock,
        )
        self.deletion = Deletion(
            store, self.library, assessor, self.coherence, defaults=defaults, clock=self.clock
        )
        self.checking = Checking(store, self.library, assessor, engines, defaults=defaults, limits=LIMITS)
        self.validating = Validating(store, self.library, engines, defaults=defaults, limits=LIMITS)
        self.coherence.listen(self.validating.forget)
        self.profiles = Profiles(store, self.clock)
        self.configuration = Configuration(store, defaults, self.coherence, self.clock, self.profiles)
        self.graph = ReferenceGraph(store, LIMITS)
        self.seen: list[Change] = []
        self.gaps = 0
        self.feed = ChangeFeed(
            store, ring=8, on_change=self.seen.append, on_gap=self._gap, on_trouble=lambda error: None
        )
        self.subscribing = Subscribing(store, self.feed)

    def _gap(self) -> None:
        self.gaps += 1

    async def register(
        self,
        subject: str,
        text: str,
        *,
        by: Actor = ADMIN,
        schema_type: SchemaType = SchemaType.JSON,
        references: tuple[tuple[str, str, str], ...] = (),
        **options: object,
    ) -> RegistrationResult:
        """Register `text`; references are (name, subject, version)."""
        return await self.register_(
            Registration(
                Subject.parse(subject),
                schema_type,
                text.encode(),
                tuple(Reference(n, Subject.parse(s), v) for n, s, v in references),
                **options,  # type: ignore[arg-type]
            ),
            by,
        )

    async def in_state(self, state: SchemaState, text: str = "a") -> str:
        """The schema id of a version of subject `s` that went from DRAFT to this state."""
        done = await self.register("s", text, as_draft=True)
        for step in STEPS_TO[state]:
            await self.lifecycle.update(done.version.schema_id, Update(state=step), ADMIN)
        return done.version.schema_id

    async def versions(self, subject: str) -> list[SchemaVersion]:
        async with self.store.read() as tx:
            return list(await tx.versions(Subject.parse(subject), include_deleted=True))

    async def changes(self) -> list[Change]:
        async with self.store.read() as tx:
            return list(await tx.changes(0, 10_000))


@asynccontextmanager
async def world(*, record_failures: bool = False) -> AsyncIterator[World]:
    store = MemoryStore()
    await store.open()
    made = World(store, record_failures=record_failures)
    await made.feed.start()
    try:
        yield made
    finally:
        await made.feed.stop()
        await store.close()
