"""What a server does beside its calls, as the settings say; each part is started and stopped with the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from .auth.access import Access
from .errors import Unavailable
from .model.change import format_revision
from .registry.api_keys import ApiKeys
from .registry.dialect_watch import DialectWatch
from .registry.granting import Grants
from .registry.leasing import LeaseKeeper
from .registry.library import Library
from .registry.observing import Observing
from .registry.outcome_sweep import OutcomeSweep
from .registry.periodic import PeriodicWork
from .registry.policing import Policies
from .registry.profiles import Profiles
from .registry.retention import SWEEP_SECONDS, Retention, RetentionPolicy, SweepProgress, sweep_all
from .registry.revoking import Revoking
from .registry.statistics import StatisticsCounter
from .registry.usage import Readings, UsageRecorder
from .registry.validating import Validating
from .registry.warming import Answers, Warmed, Warming
from .settings import (
    CachesSettings,
    ChangesSettings,
    ConformanceSettings,
    ProvidersSettings,
    StatisticsSettings,
    UsageSettings,
)
from .storage.store import Store
from .telemetry import logs
from .telemetry.metrics import Metrics
from .telemetry.work import Work

_LOG = logs.get("app")
Clock = Callable[[], datetime]

KEY_USES_SECONDS = 60.0
KEY_BATCH = 500
"""Keys whose last uses are written in one transaction."""
REVOKED_SECONDS = 600.0
GRANTS_SECONDS = 600.0
OBSERVE_SECONDS = 60.0
_AWAY_SECONDS = 1.0
_WATCH_LEASE_SECONDS = 30.0


def held_by_cursors(settings: ChangesSettings) -> RetentionPolicy:
    """What durable cursors hold back from being forgotten."""
    return RetentionPolicy(timedelta(seconds=settings.cursor_hold_seconds), settings.cursor_hold_changes)


def make_sweeper(settings: ChangesSettings, store: Store, clock: Clock) -> PeriodicWork | None:
    """Deletes old changes from the change log; None when the settings keep all."""
    age = settings.retention_seconds
    keep = RetentionPolicy(None if age is None else timedelta(seconds=age), settings.retention_changes)
    if keep.keeps_everything:
        return None
    hold = held_by_cursors(settings)

    def swept(step: SweepProgress) -> None:
        _LOG.info(
            "changes_forgotten", changes=step.changes, upto=format_revision(store.registry_id, step.upto)
        )

    retention = Retention(store, keep, clock, hold)
    return PeriodicWork(
        "retention",
        lambda: sweep_all(retention, swept),
        clock,
        every_seconds=SWEEP_SECONDS,
        # Longer than a pause, so that the same server goes on; after its death another one takes over within that time.
        lease=LeaseKeeper(store, "retention", 2 * SWEEP_SECONDS),
    )


def make_recorder(
    settings: UsageSettings, store: Store, readings: Readings, clock: Clock
) -> UsageRecorder | None:
    """Counts how often schemas are used; None when the settings turn it off."""
    if not settings.flush_seconds:
        return None

    return UsageRecorder(store, readings, clock, every_seconds=settings.flush_seconds)


def make_key_uses(access: Access, keys: ApiKeys, clock: Clock) -> PeriodicWork:
    """Writes down when API keys were used last."""

    async def write() -> None:
        at, used = clock(), access.standings.used_keys()
        for first in range(0, len(used), KEY_BATCH):
            await keys.note_used(dict.fromkeys(used[first : first + KEY_BATCH], at))

    return PeriodicWork(
        "api_key_uses", write, clock, every_seconds=KEY_USES_SECONDS, waits_first=True, runs_at_stop=True
    )


def make_revoked(access: Access, revoking: Revoking, clock: Clock) -> PeriodicWork:
    """Reads the revoked tokens anew, when changes were missed and now and then, and forgets those that have ended."""

    async def renew() -> None:
        await access.revoked.load()
        await revoking.forget_ended()

    return PeriodicWork("revoked_tokens", renew, clock, every_seconds=REVOKED_SECONDS, waits_first=True)


def make_granted(grants: Grants, policies: Policies, clock: Clock) -> PeriodicWork:
    """Reads grants and policies anew: when they have changed, and now and then. While the storage is away it is asked every second."""

    async def renew() -> None:
        while True:
            try:
                await grants.load()
                return await policies.load()
            except Unavailable:
                await asyncio.sleep(_AWAY_SECONDS)

    return PeriodicWork("grants", renew, clock, every_seconds=GRANTS_SECONDS, waits_first=True)


def make_observing(observing: Observing, clock: Clock) -> PeriodicWork:
    """Reads numbers of the store for the metrics."""
    return PeriodicWork("observing", observing.read, clock, every_seconds=OBSERVE_SECONDS)


def make_outcome_sweeper(settings: ConformanceSettings, store: Store, clock: Clock) -> PeriodicWork:
    """Forgets counts of days that are past, and reports that nobody repeats any more."""
    lease = LeaseKeeper(store, "conformance", 2 * SWEEP_SECONDS)
    sweep = OutcomeSweep(store, clock, keep_days=settings.keep_days, confirm=lease.confirm)
    return PeriodicWork(
        "conformance", sweep.run, clock, every_seconds=SWEEP_SECONDS, lease=lease, waits_first=True
    )


def make_dialect_watch(
    settings: ProvidersSettings,
    store: Store,
    library: Library,
    profiles: Profiles,
    clock: Clock,
    work: Work,
) -> PeriodicWork | None:
    """Judges versions by the profiles of providers; None when the settings turn it off."""
    if not settings.watch_seconds:
        return None
    watch = DialectWatch(store, library, profiles, clock, share=settings.watch_share, work=work)
    # Longer than a pause, so that the same server goes on; after its death another one takes over within that time.
    lease = LeaseKeeper(store, "profiles", max(2 * settings.watch_seconds, _WATCH_LEASE_SECONDS))
    watch.confirmed_by(lease.confirm)
    return PeriodicWork(
        "profiles", watch.run, clock, every_seconds=settings.watch_seconds, lease=lease, waits_first=True
    )


def make_counting(settings: StatisticsSettings, store: Store, clock: Clock) -> StatisticsCounter:
    """Counts what the registry holds, periodically and on request."""

    def counted(seconds: float) -> None:
        _LOG.info("statistics_counted", seconds=round(seconds, 3))

    return StatisticsCounter(
        store,
        clock,
        every_seconds=settings.refresh_seconds,
        timeout_seconds=settings.timeout_seconds,
        on_counted=counted,
    )


def make_warming(
    settings: CachesSettings,
    store: Store,
    library: Library,
    validating: Validating,
    answers: Answers,
    metrics: Metrics,
) -> Warming | None:
    """Loads the most-read schemas when the server starts; None when the settings turn it off."""
    if not settings.warms:
        return None

    def ended(end: Warmed) -> None:
        metrics.warming_seconds.set(end.seconds)
        metrics.warmed_schemas.set(end.schemas)
        facts = {"schemas": end.schemas, "wanted": end.wanted, "seconds": round(end.seconds, 2)}
        if end.trouble:
            _LOG.warning("warming_incomplete", **facts, why=end.trouble)
        elif end.wanted:
            _LOG.info("warmed", **facts)

    return Warming(
        store,
        library,
        validating,
        answers,
        schemas=settings.warm_schemas,
        seconds=settings.warm_seconds,
        on_end=ended,
    )
