"""The composition root: settings in, a running server out. With factories.py, the only module that names concrete classes."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from llm_schema_engines.formats.catalogue import engines
from llm_schema_engines.model.compatibility import CompatibilityLevel

from . import __version__
from .background import (
    make_counting,
    make_recorder,
    make_sweeper,
    make_warming,
    settle_memory,
)
from .calls.answer_cache import AnswerCache
from .calls.guards.authenticate import Authenticate, OpenAuthenticator
from .calls.guards.authorize import Authorize
from .calls.guards.deadline import Deadline
from .calls.guards.limits import Limits
from .calls.guards.min_revision import MIN_REVISION, MinRevision
from .calls.guards.observe import Observe
from .calls.pipeline import Pipeline
from .errors import RegistryError, Unavailable
from .factories import (
    engine_limits,
    make_blobs,
    make_redis,
    make_store,
)
from .model.change import Change, parse_revision
from .model.health import Component, ComponentStatus
from .model.subject import Subject
from .ready_message import ready_message
from .registry.assessment import Assessor
from .registry.changes import ChangeFeed
from .registry.checking import Checking
from .registry.coherence import Coherence
from .registry.configuration import Configuration, built_in
from .registry.converting import Converting
from .registry.deletion import Deletion
from .registry.diffing import Diffing
from .registry.graph import Graph
from .registry.health import Health, optional
from .registry.library import Library
from .registry.lifecycle import Lifecycle
from .registry.limits import RequestLimits
from .registry.periodic import component
from .registry.reading import Reading
from .registry.register import Register
from .registry.subscribing import Subscribing
from .registry.validating import Validating
from .registry.warming import Warming
from .rpc import hot, http, methods
from .rpc.admin import AdminService
from .rpc.config import ConfigService
from .rpc.convert import Convert
from .rpc.lifecycle import LifecycleService
from .rpc.schema_registry import SchemaRegistryService, UseCases
from .rpc.tools import ToolsService
from .settings import Settings
from .storage.wrappers.blobbed import blobbed_store
from .telemetry import logs
from .telemetry.metrics import BREAKER_OPEN, Metrics, parts_of
from .transports.grpc.listener import GrpcListener
from .transports.http.app import HttpApp, HttpOptions
from .transports.http.listener import HttpListener
from .transports.http.probes import Probes
from .transports.listener import ListenError
from .transports.ops import MetricsListener
from .transports.servers import Servers
from .workers.engines import FACTORY
from .workers.inline import InlineWorkers
from .workers.placement import PlacedWorkers
from .workers.processes import ProcessWorkers
from .workers.task import Workers

CANNOT_START = 1

_LOG = logs.get("app")


def now() -> datetime:
    return datetime.now(UTC)


class App:
    """One server: `start`, then `drain`. Everything is made in the constructor; nothing happens before `start`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._blobs = make_blobs(settings.blobs)
        self._store = blobbed_store(
            make_store(settings.storage),
            self._blobs,
            threshold=settings.blobs.threshold if settings.blobs.kind != "inline" else None,
            memory_bytes=settings.blobs.memory_bytes,
        )
        self._redis = make_redis(settings.caches.redis)
        self._metrics = Metrics()
        self._coherence = Coherence()
        limits = engine_limits(settings)
        self._engines = engines(limits)
        self._workers: Workers = PlacedWorkers(
            InlineWorkers(self._engines), ProcessWorkers(settings.workers, FACTORY, limits)
        )
        self._feed = ChangeFeed(
            self._store,
            ring=settings.changes.ring,
            on_change=self._on_change,
            on_gap=self._on_gap,
            on_trouble=self._on_trouble,
        )
        counted = hot.schema_id if settings.usage.flush_seconds else None
        self._hot = AnswerCache(hot.CACHED_METHODS, hot.tags, settings.caches.hot_bytes, counted)
        self._recorder = make_recorder(settings.usage, self._store, self._hot.readings, now)
        self._counting = make_counting(settings.statistics, self._store, now)
        self._sweeper = make_sweeper(settings.changes, self._store, now)
        self._background = [
            task for task in (self._sweeper, self._recorder, self._counting) if task is not None
        ]
        self._metrics.read_hot(self._hot.stats)
        self._metrics.read_statistics(lambda: self._counting.newest)
        if self._recorder is not None:
            self._metrics.read_usage(self._recorder.stats)
        self._metrics.build_info.labels(__version__).set(1)
        self._coherence.listen(self._drop_answers)
        self._servers: Servers | None = None
        self._warming: Warming | None = None

    @property
    def ports(self) -> Mapping[str, int]:
        """The bound port of each listener by name; known after `start`."""
        return self._servers.ports if self._servers else {}

    async def start(self) -> None:
        """Open the store, start the workers, serve. What was started is stopped again when a later step fails.

        Raises RegistryError or ListenError.
        """
        await self._store.open()
        try:
            await self._workers.start()
            await self._feed.start()
            for task in self._background:
                task.start()
            self._servers = self._make_servers()
            if self._warming is not None:
                await self._warming.start()
            await self._servers.start()
        except BaseException:
            await self._stop_parts()
            raise

    async def drain(self) -> None:
        """Take no new calls, let those in flight finish, end streams with where to resume, and stop."""
        if self._warming is not None:
            await self._warming.stop()
        if self._servers is not None:
            await self._servers.drain(self._settings.drain_seconds)
        await self._stop_parts()

    async def _stop_parts(self) -> None:
        if self._warming is not None:
            await self._warming.stop()
        for task in self._background:
            await task.stop()
        await self._feed.stop()
        await self._workers.stop()
        await self._store.close()
        if self._redis is not None:
            await self._redis.close()

    async def _end_streams(self) -> None:
        self._feed.close()

    def _on_change(self, change: Change) -> None:
        """A change that this or another instance made."""
        self._coherence.changed(change.subject)
        self._metrics.revision.set(change.sequence)

    def _on_gap(self) -> None:
        """Changes that this instance has not seen are forgotten."""
        _LOG.warning("change_log_gap", why="cut off for longer than changes are kept; all caches are dropped")
        self._coherence.changed(None)

    async def _reach(self, revision: str) -> None:
        """Wait until this instance has seen a revision; raises RevisionUnknown for one of another registry."""
        await self._feed.reach(parse_revision(self._store.registry_id, revision, MIN_REVISION))

    def _on_trouble(self, error: Unavailable) -> None:
        _LOG.warning("change_log_unreadable", error=error.message)

    def _drop_answers(self, subject: Subject | None) -> None:
        if subject is None:
            self._hot.clear()
        else:
            self._hot.invalidate(str(subject))

    def _make_servers(self) -> Servers:
        settings, store, coherence = self._settings, self._store, self._coherence
        defaults = built_in(CompatibilityLevel[settings.compatibility_level])
        request_limits = RequestLimits(
            schema_bytes=settings.limits.schema_bytes,
            data_bytes=settings.limits.data_bytes,
            references=settings.limits.references,
            tags=settings.limits.tags,
            metadata_bytes=settings.limits.metadata_bytes,
            page=settings.limits.page,
        )
        library = Library(
            store,
            self._engines,
            self._workers,
            cache_bytes=settings.caches.schema_bytes,
            most_references=settings.limits.references,
            shared=self._redis,
        )
        self._metrics.read_tiers(lambda: self._tier_counts(library))
        assessor = Assessor(library)
        lifecycle = Lifecycle(
            store,
            library,
            assessor,
            coherence,
            defaults=defaults,
            limits=request_limits,
            clock=now,
        )
        deletion = Deletion(store, library, coherence, defaults=defaults, clock=now)
        validating = Validating(
            store,
            library,
            self._engines,
            defaults=defaults,
            limits=request_limits,
            **({"validated": self._recorder.validated} if self._recorder is not None else {}),
        )
        coherence.listen(validating.forget)
        wire = Convert(store.registry_id)
        answers = hot.PreparedAnswers(self._hot, wire)
        self._warming = make_warming(settings.caches, store, library, validating, answers, self._metrics)
        health = Health(
            {
                "storage": self._probe_store,
                "workers": self._probe_workers,
                "changes": self._probe_feed,
                **({"blobs": self._probe_blobs} if settings.blobs.kind != "inline" else {}),
                **({"redis": self._probe_redis} if self._redis is not None else {}),
                "background": self._probe_background,
                **({"usage": self._recorder.probe} if self._recorder is not None else {}),
                **({"warming": self._warming.probe} if self._warming is not None else {}),
            },
            vital=frozenset({"storage", "warming"}),
            version=__version__,
            clock=now,
        )
        # The gRPC listener asks for a report every few seconds, so that the newest one is fresh.
        self._metrics.read_parts(lambda: parts_of(health.newest))
        use = UseCases(
            register=Register(
                store,
                library,
                assessor,
                self._engines,
                coherence,
                defaults=defaults,
                limits=request_limits,
                record_failures=settings.changes.record_failures,
                clock=now,
                stage=self._store.stage,
            ),
            reading=Reading(store, library, request_limits),
            lifecycle=lifecycle,
            deletion=deletion,
            checking=Checking(
                store, library, assessor, self._engines, defaults=defaults, limits=request_limits
            ),
            validating=validating,
            graph=Graph(store),
            subscribing=Subscribing(store, self._feed, stall_seconds=settings.changes.stall_seconds),
            health=health,
        )
        comparing = Diffing(store, library, assessor, self._engines, defaults=defaults, limits=request_limits)
        table = methods.load()
        permissions = {m.permission for m in table}
        pipeline = Pipeline(
            table,
            {
                "schema_registry.v1.SchemaRegistry": SchemaRegistryService(use, wire, now),
                "schema_registry.v1.ConfigService": ConfigService(
                    Configuration(store, defaults, coherence, now)
                ),
                "schema_registry.v1.LifecycleService": LifecycleService(deletion, lifecycle, wire),
                "schema_registry.v1.AdminService": AdminService(self._counting),
                "schema_registry.v1.ToolsService": ToolsService(
                    comparing, Converting(comparing, library, self._engines, request_limits)
                ),
            },
            (
                Observe(self._metrics),
                Deadline(settings.grpc.default_deadline_seconds),
                Limits(calls=settings.limits.calls_in_flight, streams=settings.limits.streams),
                Authenticate(OpenAuthenticator(permissions)),
                Authorize(),
                MinRevision(self._reach),
            ),
            self._hot,
        )
        return Servers(
            [
                GrpcListener(settings.grpc, pipeline, health, stall_seconds=settings.changes.stall_seconds),
                HttpListener(
                    HttpApp(
                        pipeline,
                        Probes(health),
                        HttpOptions(
                            max_body_bytes=settings.http.max_body_bytes,
                            max_batch_bytes=settings.http.max_batch_bytes,
                            stall_seconds=settings.changes.stall_seconds,
                            live=http.LIVE,
                            sockets=http.SOCKETS,
                            statuses=http.STATUSES,
                        ),
                    ),
                    settings.http.host,
                    settings.http.port,
                ),
                MetricsListener(self._metrics, settings.metrics.host, settings.metrics.port),
            ],
            self._end_streams,
        )

    async def _probe_store(self) -> Component:
        facts = await self._store.ping()
        # Anyone may ask for health; paths of this machine are for its operators.
        return Component(ComponentStatus.UP, details={k: v for k, v in facts.items() if k != "file"})

    async def _probe_workers(self) -> Component:
        return Component(ComponentStatus.UP, details=self._workers.facts())

    async def _probe_background(self) -> Component:
        works = [part.work for part in (self._recorder, self._counting) if part is not None]
        return component([*works, *([self._sweeper] if self._sweeper is not None else [])])

    async def _probe_blobs(self) -> Component:
        return await optional(self._blobs.probe())

    async def _probe_redis(self) -> Component:
        assert self._redis is not None  # asked only when it is configured
        return await optional(self._redis.probe())

    def _tier_counts(self, library: Library) -> Mapping[str, Mapping[str, int]]:
        memories = {**library.stats(), "blobs": self._store.stats()}
        counts: dict[str, Mapping[str, int]] = {
            name: {"hit": s.hits, "miss": s.misses} for name, s in memories.items()
        }
        counts["storage"] = library.contents.read()
        if self._redis is not None:
            counts["redis"] = self._redis.outcomes()
        if self._settings.blobs.kind != "inline":
            counts["s3"] = {**self._store.fetched(), BREAKER_OPEN: int(self._blobs.broken)}
        return counts

    async def _probe_feed(self) -> Component:
        if self._feed.trouble:
            return Component(ComponentStatus.DEGRADED, self._feed.trouble)
        return Component(
            ComponentStatus.UP,
            details={
                "revision": self._feed.revision(self._feed.position),
                "subscribers": str(self._feed.subscribers),
            },
        )


def serve(settings: Settings, ready_file: Path | None = None) -> int:
    """Run a server until SIGTERM or SIGINT; answers with the exit code."""
    logs.configure(settings.logs.level, settings.logs.format)
    return uvloop.run(_serve(settings, ready_file))


async def _serve(settings: Settings, ready_file: Path | None) -> int:
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    try:
        app = App(settings)
        await app.start()
    except (RegistryError, ListenError) as error:
        print(f"schema-registry-server: cannot start: {error}", file=sys.stderr)
        return CANNOT_START
    settle_memory()
    if ready_file is not None:
        _write_ready(ready_file, app.ports)
    _LOG.info("serving", version=__version__, **{f"{name}_port": port for name, port in app.ports.items()})
    if sys.stdout.isatty():
        print(ready_message(settings, app.ports), flush=True)
    await asked_to_stop.wait()
    await app.drain()
    _LOG.info("stopped")
    return 0


def _write_ready(file: Path, ports: Mapping[str, int]) -> None:
    part = file.with_suffix(file.suffix + ".part")
    part.write_text(json.dumps(dict(ports)))
    part.rename(file)  # whoever waits for the file finds it whole
