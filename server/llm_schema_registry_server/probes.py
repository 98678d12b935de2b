"""How the parts of a server are, as its health report has it, and what its caches count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .caches.cache import CacheStats
from .model.health import Component, ComponentStatus
from .registry.changes import ChangeFeed
from .registry.health import Probe, optional
from .registry.library import Library
from .siblings.siblings import COMPONENT
from .storage.blobs.blobs import Blobs
from .storage.wrappers.blobbed import BlobbedStore
from .storage.wrappers.encrypted import EncryptedStore
from .telemetry.metrics import BREAKER_OPEN
from .workers.task import Workers

if TYPE_CHECKING:
    from .caches.redis import RedisTier

VITAL = frozenset({"storage", "warming", COMPONENT})
"""Parts without which a server is UNHEALTHY."""

_PLACES = frozenset({"file", "database"})


def probes(
    store: BlobbedStore | EncryptedStore,
    workers: Workers,
    feed: ChangeFeed,
    blobs: Blobs | None,
    redis: RedisTier | None,
) -> dict[str, Probe]:
    """A probe for each part; none for an object store or a Redis that is not configured."""

    async def storage() -> Component:
        facts = await store.ping()
        # Anyone may ask for health; paths of this machine and hosts of others are for its operators.
        return Component(ComponentStatus.UP, details={k: v for k, v in facts.items() if k not in _PLACES})

    async def engines() -> Component:
        return Component(ComponentStatus.UP, details=workers.facts())

    async def changes() -> Component:
        if feed.trouble:
            return Component(ComponentStatus.DEGRADED, feed.trouble)
        facts = {"revision": feed.revision(feed.position), "subscribers": str(feed.subscribers)}
        return Component(ComponentStatus.UP, details=facts)

    found: dict[str, Probe] = {"storage": storage, "workers": engines, "changes": changes}
    if blobs is not None:
        found["blobs"] = lambda: optional(blobs.probe())
    if redis is not None:
        found["redis"] = lambda: optional(redis.probe())
    return found


def memories(library: Library, store: BlobbedStore | EncryptedStore) -> Mapping[str, CacheStats]:
    """What the caches in memory hold, by name."""
    return {**library.stats(), "blobs": store.stats()}


def tier_counts(
    library: Library, store: BlobbedStore | EncryptedStore, blobs: Blobs | None, redis: RedisTier | None
) -> Mapping[str, Mapping[str, int]]:
    """Look-ups by cache and outcome, as Metrics.read_tiers exports them."""
    counts: dict[str, Mapping[str, int]] = {
        name: {"hit": s.hits, "miss": s.misses} for name, s in memories(library, store).items()
    }
    counts["storage"] = library.contents.read()
    if redis is not None:
        counts["redis"] = redis.outcomes()
    if blobs is not None:
        counts["s3"] = {**store.fetched(), BREAKER_OPEN: int(blobs.broken)}
    return counts
