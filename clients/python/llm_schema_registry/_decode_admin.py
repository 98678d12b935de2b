"""From the messages of AdminService to frozen values."""

from __future__ import annotations

from collections.abc import Iterable

from ._decode import time
from .enums import CompatibilityLevel, SchemaState, SchemaType
from .statistics import (
    DayCount,
    GroupCount,
    LevelCount,
    PopularVersion,
    StateCount,
    Statistics,
    SubjectCount,
    TypeCount,
)
from .v1 import admin_pb2


def statistics(m: admin_pb2.GetStatisticsResponse) -> Statistics:
    return Statistics(
        as_of=time(m, "as_of"),
        subjects=m.subjects,
        deleted_subjects=m.deleted_subjects,
        versions=m.versions,
        deleted_versions=m.deleted_versions,
        by_type=tuple(TypeCount(SchemaType(c.schema_type), c.versions) for c in m.by_type),
        by_state=tuple(StateCount(SchemaState(c.state), c.versions) for c in m.by_state),
        by_level=tuple(LevelCount(CompatibilityLevel(c.compatibility_level), c.versions) for c in m.by_level),
        contexts=_groups(m.contexts),
        prefixes=_groups(m.prefixes),
        largest=tuple(
            SubjectCount(x.subject, x.versions, x.deleted_versions, x.content_bytes) for x in m.largest
        ),
        registered=tuple(DayCount(time(x, "day"), x.versions) for x in m.registered),
        contents=m.contents,
        content_bytes=m.content_bytes,
        object_store_bytes=m.object_store_bytes,
        row_bytes=m.row_bytes,
        changes=m.changes,
        oldest_change=time(m, "oldest_change"),
        newest_change=time(m, "newest_change"),
        popular=tuple(
            PopularVersion(
                p.schema_id, p.subject, p.version, p.reads, p.validations, p.recent, time(p, "used_at")
            )
            for p in m.popular
        ),
    )


def _groups(messages: Iterable[admin_pb2.GroupCount]) -> tuple[GroupCount, ...]:
    return tuple(GroupCount(g.name, g.subjects, g.versions) for g in messages)
