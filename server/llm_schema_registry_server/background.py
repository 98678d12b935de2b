"""What a server does beside its calls, as the settings choose: each is started with it and stopped with it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from datetime import datetime, timedelta

from .errors import RegistryError
from .model.change import format_revision
from .registry.library import Library
from .registry.retention import Retention, RetentionPolicy, Sweeper, SweepProgress
from .registry.statistics import StatisticsCounter
from .registry.usage import Readings, UsageRecorder
from .registry.validating import Validating
from .registry.warming import Answers, Warmed, Warming
from .settings import CachesSettings, ChangesSettings, StatisticsSettings, UsageSettings
from .storage.store import Store
from .telemetry import logs
from .telemetry.metrics import Metrics

_LOG = logs.get("app")
Clock = Callable[[], datetime]

COLLECT_AFTER = (5_000, 10, 20)
"""gc.set_threshold: new objects before the young are looked at, and how often that is before the older and the oldest are.
What a call leaves behind is mostly freed by itself; Python's own thresholds look at all that the caches hold every few
thousand registrations, and nobody is answered meanwhile."""


def settle_memory() -> None:
    """Tell Python's collector of circular garbage, when the server stands, that what there is now stays, and to look less
    often at the rest."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def held_by_cursors(settings: ChangesSettings) -> RetentionPolicy:
    """What durable cursors hold back from being forgotten."""
    return RetentionPolicy(timedelta(seconds=settings.cursor_hold_seconds), settings.cursor_hold_changes)


def make_sweeper(settings: ChangesSettings, store: Store, clock: Clock) -> Sweeper | None:
    """Forgets old changes, if any are to be forgotten."""
    age = settings.retention_seconds
    keep = RetentionPolicy(None if age is None else timedelta(seconds=age), settings.retention_changes)
    if keep.keeps_everything:
        return None
    hold = held_by_cursors(settings)

    def swept(step: SweepProgress) -> None:
        _LOG.info(
            "changes_forgotten", changes=step.changes, upto=format_revision(store.registry_id, step.upto)
        )

    def trouble(error: RegistryError) -> None:
        _LOG.warning("changes_not_forgotten", error=error.message)

    return Sweeper(Retention(store, keep, clock, hold), on_swept=swept, on_trouble=trouble)


def make_recorder(
    settings: UsageSettings, store: Store, readings: Readings, clock: Clock
) -> UsageRecorder | None:
    """Adds up how often schemas are used, if that is to be counted."""
    if not settings.flush_seconds:
        return None

    def trouble(error: RegistryError) -> None:
        _LOG.warning("usage_not_recorded", error=error.message)

    return UsageRecorder(store, readings, clock, every_seconds=settings.flush_seconds, on_trouble=trouble)


def make_counting(settings: StatisticsSettings, store: Store, clock: Clock) -> StatisticsCounter:
    """Counts what the registry holds, now and then."""

    def counted(seconds: float) -> None:
        _LOG.info("statistics_counted", seconds=round(seconds, 3))

    def trouble(error: RegistryError) -> None:
        _LOG.warning("statistics_not_counted", error=error.message)

    return StatisticsCounter(
        store,
        clock,
        every_seconds=settings.refresh_seconds,
        timeout_seconds=settings.timeout_seconds,
        on_counted=counted,
        on_trouble=trouble,
    )


def make_warming(
    settings: CachesSettings,
    store: Store,
    library: Library,
    validating: Validating,
    answers: Answers,
    metrics: Metrics,
) -> Warming | None:
    """Loads what is read most when the server starts, if anything is to be loaded."""
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
