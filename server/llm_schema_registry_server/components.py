"""What lies under the calls of a server, made from the settings: store, caches, workers, use cases, background work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from llm_schema_engines.formats.catalogue import engines
from llm_schema_engines.model.compatibility import CompatibilityLevel

from . import __version__
from .background import make_counting, make_recorder, make_sweeper, make_warming
from .calls.answer_cache import AnswerCache
from .calls.guards.min_revision import MIN_REVISION
from .errors import RegistryError
from .factories import (
    engine_limits,
    make_authenticator,
    make_blobs,
    make_queues,
    make_redis,
    make_store,
    request_limits,
)
from .model.change import Change, parse_revision
from .model.config import LintPolicy
from .model.health import Component
from .model.subject import Subject
from .probes import VITAL, probes, tier_counts
from .registry.changes import ChangeFeed
from .registry.coherence import Coherence
from .registry.configuration import built_in
from .registry.health import Health
from .registry.library import Library
from .registry.periodic import component
from .registry.use_cases import Rules, UseCases, build
from .registry.warming import Answers, Warming
from .settings import Settings
from .storage import unreadable
from .storage.blobs.blobs import Blobs
from .storage.wrappers.blobbed import blobbed_store
from .telemetry import logs
from .telemetry.metrics import Metrics, components_of
from .workers.engines import FACTORY
from .workers.inline import InlineWorkers
from .workers.placement import PlacedWorkers
from .workers.processes import ProcessWorkers
from .workers.task import Workers

_LOG = logs.get("app")


class Components:
    """Everything is made in the constructor; nothing happens before `start`.

    `use` are the use cases, `answers` the cache of serialized answers, `queues` what callers wait in; all are for the faces.
    """

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._settings, self.clock = settings, clock
        self._blobs = make_blobs(settings.blobs)
        self._redis = make_redis(settings.caches.redis)
        self.queues = make_queues(settings.queues)
        self.authenticator = make_authenticator(settings.auth)
        self.store = blobbed_store(
            make_store(settings.storage, self.queues, clock),
            self._blobs,
            threshold=settings.blobs.threshold if settings.blobs.kind != "inline" else None,
            memory_bytes=settings.blobs.memory_bytes,
        )
        limits = engine_limits(settings)
        self._engines = engines(limits)
        self._workers: Workers = PlacedWorkers(
            InlineWorkers(self._engines),
            ProcessWorkers(settings.workers, FACTORY, limits, queues=self.queues),
        )
        self._feed = ChangeFeed(
            self.store,
            ring=settings.changes.ring,
            on_change=self._on_change,
            on_gap=self._on_gap,
            on_trouble=self._on_trouble,
        )
        self.metrics = Metrics()
        self.answers = AnswerCache(
            settings.caches.answers_bytes, count_reads=bool(settings.usage.flush_seconds)
        )
        self._coherence = Coherence()
        self._coherence.listen(self._drop_answers)
        self._library = Library(
            self.store,
            self._engines,
            self._workers,
            cache_bytes=settings.caches.schema_bytes,
            most_references=settings.limits.references,
            inline_seconds=settings.workers.inline_seconds,
            shared=self._redis,
        )
        self._recorder = make_recorder(settings.usage, self.store, self.answers.readings, clock)
        self._counting = make_counting(settings.statistics, self.store, clock)
        self._sweeper = make_sweeper(settings.changes, self.store, clock)
        self._background = [t for t in (self._sweeper, self._recorder, self._counting) if t is not None]
        self._warming: Warming | None = None
        self.use = self._build_use_cases(clock)
        self._export()

    async def start(self) -> None:
        """Open the store, start the workers and what runs beside the calls. What was started is stopped again when a
        later step fails. Raises RegistryError."""
        await self.store.open()
        try:
            await self.authenticator.start()
            await self._workers.start()
            await self._feed.start()
            for task in self._background:
                task.start()
        except BaseException:
            await self.stop()
            raise

    async def warm(self, answers: Answers) -> None:
        """Begin to load what is read most, if the settings ask for it; `answers` takes the serialized ones."""
        self._warming = make_warming(
            self._settings.caches, self.store, self._library, self.use.validating, answers, self.metrics
        )
        if self._warming is not None:
            await self._warming.start()

    async def stop_warming(self) -> None:
        """Load no more."""
        if self._warming is not None:
            await self._warming.stop()

    async def stop(self) -> None:
        """Stop everything that was started."""
        await self.stop_warming()
        for task in self._background:
            await task.stop()
        await self._feed.stop()
        await self.authenticator.stop()
        await self._workers.stop()
        await self.store.close()
        if self._redis is not None:
            await self._redis.close()

    async def end_streams(self) -> None:
        """End every subscription with a revision to resume from."""
        self._feed.close()

    async def reach(self, revision: str) -> None:
        """Wait until this instance has seen a revision; raises RevisionUnknown for one of another registry."""
        await self._feed.reach(parse_revision(self.store.registry_id, revision, MIN_REVISION))

    def _build_use_cases(self, clock: Callable[[], datetime]) -> UseCases:
        settings = self._settings
        parts = probes(self.store, self._workers, self._feed, self._object_store, self._redis)
        if self._recorder is not None:
            parts["usage"] = self._recorder.probe
        parts["background"] = self._probe_background
        if settings.caches.warms:
            parts["warming"] = self._probe_warming
        return build(
            self.store,
            self._library,
            self._engines,
            self._feed,
            self._coherence,
            Health(
                parts,
                vital=VITAL,
                version=__version__,
                clock=clock,
                seconds=settings.health.probe_seconds,
            ),
            self._counting,
            Rules(
                defaults=built_in(
                    CompatibilityLevel[settings.compatibility_level], LintPolicy(settings.lint)
                ),
                limits=request_limits(settings.limits),
                record_failures=settings.changes.record_failures,
                subjects_per_stream=settings.changes.subjects_per_stream,
                remedy_seconds=settings.workers.remedy_seconds,
            ),
            clock,
            stage=self.store.stage,
            validated=self._recorder.validated if self._recorder is not None else _not_counted,
        )

    async def _probe_background(self) -> Component:
        works = [part.work for part in (self._recorder, self._counting) if part is not None]
        return component([*works, *([self._sweeper] if self._sweeper is not None else [])])

    def _export(self) -> None:
        """Let /metrics read what the parts count by themselves."""
        self.metrics.build_info.labels(__version__).set(1)
        self.metrics.read_answer_cache(self.answers.stats)
        self.metrics.read_unreadable(unreadable.counts)
        self.metrics.read_queues(self.queues.all)
        self.metrics.read_statistics(lambda: self._counting.newest)
        if self._recorder is not None:
            self.metrics.read_usage(self._recorder.stats)
        self.metrics.read_tiers(
            lambda: tier_counts(self._library, self.store, self._object_store, self._redis)
        )
        # The gRPC listener asks for a report every few seconds, so that the newest one is fresh.
        self.metrics.read_components(lambda: components_of(self.use.health.newest))

    @property
    def _object_store(self) -> Blobs | None:
        return None if self._settings.blobs.kind == "inline" else self._blobs

    async def _probe_warming(self) -> Component:
        assert self._warming is not None  # it is made before anything listens
        return await self._warming.probe()

    def _on_change(self, change: Change) -> None:
        """A change that this or another instance made."""
        self._coherence.changed(change.subject)
        self.metrics.revision.set(change.sequence)

    def _on_gap(self) -> None:
        """Changes that this instance has not seen: everything cached may be stale."""
        _LOG.warning("change_log_gap", why="cut off for longer than changes are kept; all caches are dropped")
        self._coherence.changed(None)

    def _on_trouble(self, error: RegistryError) -> None:
        _LOG.warning("change_log_unreadable", error=str(error))

    def _drop_answers(self, subject: Subject | None) -> None:
        if subject is None:
            self.answers.clear()
        else:
            self.answers.invalidate(str(subject))


def _not_counted(schema_id: str) -> None:
    """Takes the place of the recorder where usage is not counted."""
