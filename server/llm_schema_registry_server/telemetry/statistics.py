"""What the registry holds, as series. All servers of a store export the same numbers: take the maximum, not the sum."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import Metric

from ..model.statistics import Statistics
from . import families as f
from .collectors import gauged


def collect_statistics(s: Statistics | None) -> Iterable[Metric]:
    """Series of the newest statistics; none as long as there are none."""
    if s is None:
        return
    yield f.SUBJECTS.one(s.subjects)
    yield from gauged(f.VERSIONS, {k.name: n for k, n in s.by_state.items()})
    yield from gauged(f.VERSIONS_BY_TYPE, {k.name: n for k, n in s.by_type.items()})
    yield f.VERSIONS_DELETED.one(s.deleted_versions)
    yield f.CONTENTS.one(s.contents.count)
    stored = s.contents.size - s.contents.elsewhere
    yield from gauged(f.CONTENT_BYTES, {"storage": stored, "object_store": s.contents.elsewhere})
    yield f.LOG_CHANGES.one(s.log.changes)
    yield f.STATISTICS_AT.one(s.at.timestamp())
