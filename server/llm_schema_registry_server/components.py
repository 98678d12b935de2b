"""What lies under the calls of a server, made from the settings: store, caches, workers, use cases, background work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from llm_schema_engines.formats.catalogue import engines
from llm_schema_engines.model.compatibility import CompatibilityLevel

from . import __version__
from .audit.recording import Recorder, audited_store
from .auditing import AuditWork
from .auth.access import Access
from .auth.tickets import Tickets
from .background import (
    make_counting,
    make_dialect_watch,
    make_granted,
    make_key_uses,
    make_observing,
    make_outcome_sweeper,
    make_recorder,
    make_revoked,
    make_sweeper,
    make_warming,
)
from .calls.answer_cache import AnswerCache
from .calls.guards.authenticate import Certificates
from .calls.guards.granted import GrantedAuthenticator, GrantedCertificates
from .calls.guards.min_revision import MIN_REVISION
from .errors import RegistryError
from .factories import (
    conformance_limits,
    engine_limits,
    make_authenticator,
    make_blobs,
    make_certificates,
    make_envelope,
    make_grants,
    make_queues,
    make_rates,
    make_redis,
    make_roles,
    make_store,
    make_ticket_secret,
    request_limits,
)
from .model.change import Change, ServerEvent, parse_revision
from .model.config import LintPolicy
from .model.health import Component, ComponentStatus
from .model.quota import Quota
from .model.subject import Subject
from .probes import VITAL, memories, probes, tier_counts
from .registry.changes import ChangeFeed
from .registry.coherence import Coherence
from .registry.configuration import built_in
from .registry.granting import GrantRules
from .registry.health import Health
from .registry.library import Library
from .registry.observing import Observing
from .registry.periodic import component
from .registry.profiles import SCOPE, ProfileLimits, read_files
from .registry.providing import ProviderLimits
from .registry.use_cases import Credentials, Rules, Signing, UseCases, build
from .registry.warming import Answers, Warming
from .settings import Settings
from .siblings.siblings import COMPONENT, Siblings
from .storage import unreadable
from .storage.blobs.blobs import Blobs
from .storage.store import Store
from .storage.wrappers.blobbed import BlobbedStore, blobbed_store
from .storage.wrappers.encrypted import EncryptedStore, encrypted_store
from .storage.wrappers.observed import observed_store
from .telemetry import logs
from .telemetry.confluent import ConfluentNames
from .telemetry.metrics import Metrics, components_of
from .telemetry.work import Pool, Tasks
from .workers.engines import FACTORY
from .workers.inline import InlineWorkers
from .workers.placement import PlacedWorkers
from .workers.processes import ProcessWorkers
from .workers.task import Workers

_LOG = logs.get("app")
_SYSTEMS = {"memory": "memory", "sqlite": "sqlite", "postgres": "postgresql"}
"""`db.system.name` of the semantic conventions by `storage.kind`."""


class Components:
    """Everything is made in the constructor; nothing happens before `start`.

    `use` are the use cases, `answers` the cache of serialized answers, `queues` what callers wait in, `rates` how much they may ask (None: as they like); all are
    for the faces. `siblings`: who serves on the same ports, None: nobody.
    """

    def __init__(
        self, settings: Settings, clock: Callable[[], datetime], siblings: Siblings | None = None
    ) -> None:
        self._settings, self.clock, self.siblings = settings, clock, siblings
        self.metrics = Metrics()
        operations = self.metrics.operations
        self._blobs = make_blobs(settings.blobs, operations)
        self._redis = make_redis(settings.caches.redis, operations)
        self.queues = make_queues(settings.queues)
        self._back_end = make_store(settings.storage, self.queues, clock, shared=siblings is not None)
        stored: Store = observed_store(self._back_end, operations, _SYSTEMS[settings.storage.kind])
        blobbed = blobbed_store(
            audited_store(stored, Recorder()) if settings.audit.enabled else stored,
            self._blobs,
            threshold=settings.blobs.threshold if settings.blobs.kind != "inline" else None,
            memory_bytes=settings.blobs.memory_bytes,
        )
        envelope = make_envelope(settings.encryption)
        self.store: BlobbedStore | EncryptedStore = (
            blobbed if envelope is None else encrypted_store(blobbed, envelope)
        )
        self.audit = AuditWork(settings.audit, self.store, clock) if settings.audit.enabled else None
        self.rates = make_rates(settings, self._redis)
        self.tickets = Tickets(self.store, make_ticket_secret(settings.auth))
        self._roles = make_roles(settings.auth)
        self._access = Access(
            self.store,
            reload=lambda: self._revoked.run_soon(),
            granted=lambda: self._granted.run_soon(),
        )
        self.book = make_grants(settings.auth, self._roles)
        self.authenticator = make_authenticator(
            settings, self._roles, self._access, self.store, self.queues, self._user_changed
        )
        self.certificates: Certificates | None = make_certificates(settings, self._roles)
        if settings.asks_who:
            granted = self.authenticator = GrantedAuthenticator(self.authenticator, self.book)
            if self.certificates is not None:
                self.certificates = GrantedCertificates(self.certificates, granted)
        limits, tasks = engine_limits(settings), Tasks()
        self.metrics.read(tasks.collect)
        self._engines = engines(limits)
        self._workers: Workers = PlacedWorkers(
            InlineWorkers(self._engines),
            ProcessWorkers(settings.workers, FACTORY, limits, queues=self.queues, tasks=tasks),
        )
        self._feed = ChangeFeed(
            self.store,
            ring=settings.changes.ring,
            on_change=self._on_change,
            on_gap=self._on_gap,
            on_trouble=self._on_trouble,
        )
        self.answers = AnswerCache(settings.caches.answers, count_reads=bool(settings.usage.flush_seconds))
        self._coherence = Coherence()
        self._coherence.listen(self._drop_answers)
        self._library = Library(
            self.store,
            self._engines,
            self._workers,
            cache_bytes=settings.caches.schemas,
            most_references=settings.limits.references,
            most_reference_depth=settings.limits.reference_depth,
            inline_seconds=settings.workers.inline_seconds,
            lanes=settings.workers.processes,
            shared=self._redis,
        )
        self._recorder = make_recorder(settings.usage, self.store, self.answers.readings, clock)
        self._counting = make_counting(settings.statistics, self.store, clock)
        self._sweeper = make_sweeper(settings.changes, self.store, clock)
        self._background = [t for t in (self._sweeper, self._recorder, self._counting) if t is not None]
        self._warming: Warming | None = None
        self._profile_files = read_files(settings.providers.files)
        self.use = self._build_use_cases(clock)
        self._dialects = make_dialect_watch(
            settings.providers, self.store, self._library, self.use.profiles, clock, self.metrics.work
        )
        if self._dialects is not None:
            self._background.append(self._dialects)
        self._observing = Observing(self.store, self.use.profiles, clock)
        self._numbers = [
            make_observing(self._observing, clock),
            make_outcome_sweeper(settings.conformance, self.store, clock),
        ]
        self._background += self._numbers
        self._revoked = make_revoked(self._access, self.use.revoking, clock)
        self._granted = make_granted(self.use.grants, self.use.policies, clock)
        self._credentials = [
            self._revoked,
            self._granted,
            make_key_uses(self._access, self.use.api_keys, clock),
        ]
        self._export()

    async def start(self) -> None:
        """Open the store, start the workers and what runs beside the calls. What was started is stopped again when a
        later step fails. Raises RegistryError."""
        await self.store.open()
        try:
            await self.authenticator.start()
            await self._workers.start()
            await self._feed.start()
            await self._access.revoked.load()  # once later ones are followed
            await self.use.grants.load()
            await self.use.policies.load()
            if self.audit is not None:
                await self.audit.start()
            for task in (*self._background, *self._credentials):
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
        for task in (*self._background, *self._credentials):
            await task.stop()
        await self.use.conformance.stop()
        await self._feed.stop()
        await self.authenticator.stop()
        await self._workers.stop()
        if self.audit is not None:
            await self.audit.stop()
        await self.store.close()
        if self._redis is not None:
            await self._redis.close()

    async def serves(self) -> bool:
        """Whether calls are answered well here, whatever becomes of those who serve on the same ports."""
        components = (await self.use.health()).components
        return all(
            components[n].status is not ComponentStatus.DOWN for n in VITAL - {COMPONENT} if n in components
        )

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
        if self.siblings is not None:
            parts[COMPONENT] = self.siblings.probe
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
                    CompatibilityLevel[settings.compatibility_level],
                    LintPolicy(settings.lint),
                    Quota(settings.quotas.subjects, settings.quotas.versions, settings.quotas.bytes),
                ),
                limits=request_limits(settings.limits),
                record_failures=settings.changes.record_failures,
                subjects_per_stream=settings.changes.subjects_per_stream,
                remedy_seconds=settings.workers.remedy_seconds,
                profile_limits=ProfileLimits(settings.providers.profiles, settings.providers.profile_bytes),
                provider_limits=ProviderLimits(
                    settings.providers.prove_seconds, settings.providers.form_bytes
                ),
                profile_files=self._profile_files,
                conformance=conformance_limits(settings.conformance),
                fix_seconds=0.6 * settings.workers.compare_seconds,  # the last candidate may take longer
            ),
            Credentials(
                self._roles.of,
                self.book.of_key,
                self._access.changed,
                keys=settings.auth.api_keys.most,
                revoked=settings.auth.revoked_tokens,
                leeway=timedelta(seconds=settings.auth.jwt.leeway_seconds),
            ),
            GrantRules(
                self._roles.of,
                self.book.fixed,
                self.book.replace,
                most=settings.auth.most_grants,
            ),
            self.book.replace_policies if settings.auth.policies else lambda policies, version: (),
            clock,
            signing=Signing(None if self.audit is None else self.audit.key, __version__),
            stage=self.store.stage,
            validated=self._recorder.validated if self._recorder is not None else _not_counted,
            work=self.metrics.work,
        )

    async def _probe_background(self) -> Component:
        works = [part.work for part in (self._recorder, self._counting) if part is not None]
        sweeper = [part for part in (self._sweeper, self._dialects) if part is not None]
        audit = [] if self.audit is None else self.audit.works
        return component([*works, *sweeper, *self._numbers, *self._credentials, *audit])

    def _export(self) -> None:
        """Let /metrics read what the parts count by themselves."""
        self.metrics.build_info.labels(__version__).set(1)
        if self.siblings is not None:
            self.metrics.read(self.siblings.collect)
        self.metrics.read_answer_cache(self.answers.stats)
        self.metrics.read_unreadable(unreadable.counts)
        self.metrics.read_queues(self.queues.all)
        self.metrics.read_memories(lambda: memories(self._library, self.store))
        self.metrics.read_feed(lambda: self._feed)
        self.metrics.read_workers(self._workers.facts)
        self.metrics.read_pools(self._pools)
        if self._settings.metrics.confluent_names:
            names = ConfluentNames(self.metrics.calls, self.metrics.requests, lambda: self._counting.newest)
            self.metrics.read(names.collect)
        self.metrics.read_observed(lambda: self._observing.newest, watched=self._dialects is not None)
        self.metrics.read_statistics(lambda: self._counting.newest)
        if self.audit is not None:
            self.metrics.read(self.audit.collect)
        if self._recorder is not None:
            self.metrics.read_usage(self._recorder.stats)
        self.metrics.read_tiers(
            lambda: tier_counts(self._library, self.store, self._object_store, self._redis)
        )
        # The gRPC listener asks for a report every few seconds, so that the newest one is fresh.
        self.metrics.read_components(lambda: components_of(self.use.health.newest))

    def _pools(self) -> Mapping[str, Pool]:
        redis = {} if self._redis is None else {"redis": self._redis.pool}
        return {**self._back_end.pools(), **redis}

    @property
    def _object_store(self) -> Blobs | None:
        return None if self._settings.blobs.kind == "inline" else self._blobs

    async def _probe_warming(self) -> Component:
        assert self._warming is not None  # it is made before anything listens
        return await self._warming.probe()

    def _on_change(self, change: Change) -> None:
        """A change that this or another instance made."""
        if change.event_type is ServerEvent.ACCESS_UPDATED:
            self._access.logged(change.metadata)
        else:
            self._coherence.changed(change.subject)
            if self._dialects is not None and change.metadata.get("scope", "").startswith(SCOPE):
                self._dialects.run_soon()
        self.metrics.revision.set(change.sequence)
        self.metrics.changes.add(change.event_type.name)
        self.metrics.change_delay.observe(max(0.0, (self.clock() - change.at).total_seconds()))

    def _on_gap(self) -> None:
        """Changes that this instance has not seen: everything cached may be stale."""
        _LOG.warning("change_log_gap", why="cut off for longer than changes are kept; all caches are dropped")
        self._coherence.changed(None)
        self._access.anything_changed()

    def _on_trouble(self, error: RegistryError) -> None:
        _LOG.warning("change_log_unreadable", error=str(error))

    def _user_changed(self, name: str) -> None:
        self._access.user_changed(name)
        if self.audit is not None:
            self.audit.user_changed(name)

    def _drop_answers(self, subject: Subject | None) -> None:
        if subject is None:
            self.answers.clear()
        else:
            self.answers.invalidate(str(subject))


def _not_counted(schema_id: str) -> None:
    """Takes the place of the recorder where usage is not counted."""
