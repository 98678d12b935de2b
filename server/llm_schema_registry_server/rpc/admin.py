"""The handlers of AdminService."""

from __future__ import annotations

from datetime import UTC, datetime, time

from google.protobuf.timestamp_pb2 import Timestamp

from llm_schema_registry.v1 import admin_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2 as registry_pb

from ..auth.granting import GrantBook
from ..calls.call import Call
from ..model.statistics import Group
from ..registry.statistics import PopularVersion, StatisticsReport
from ..registry.use_cases import UseCases
from .access import AccessHandlers
from .convert import timestamp
from .credentials import CredentialHandlers


class AdminService(CredentialHandlers, AccessHandlers):
    """One method per RPC, named as the RPC is."""

    def __init__(self, use: UseCases, book: GrantBook) -> None:
        CredentialHandlers.__init__(self, use)
        AccessHandlers.__init__(self, use, book)
        self._counting = use.statistics

    async def get_statistics(self, request: pb.GetStatisticsRequest, call: Call) -> pb.GetStatisticsResponse:
        report = await self._counting(fresh=request.fresh)
        return _statistics(report.shown_to(call.rights))


def _statistics(report: StatisticsReport) -> pb.GetStatisticsResponse:
    s = report.statistics
    return pb.GetStatisticsResponse(
        as_of=timestamp(s.at),
        subjects=s.subjects,
        deleted_subjects=s.deleted_subjects,
        versions=s.versions,
        deleted_versions=s.deleted_versions,
        by_type=[
            pb.TypeCount(schema_type=registry_pb.SchemaType.ValueType(kind), versions=count)
            for kind, count in s.by_type.items()
        ],
        by_state=[
            pb.StateCount(state=registry_pb.SchemaState.ValueType(state), versions=count)
            for state, count in s.by_state.items()
        ],
        by_level=[
            pb.LevelCount(compatibility_level=registry_pb.CompatibilityLevel.ValueType(level), versions=count)
            for level, count in s.by_level.items()
        ],
        contexts=map(_group, s.contexts),
        prefixes=map(_group, s.prefixes),
        largest=[
            pb.SubjectCount(
                subject=x.subject, versions=x.versions, deleted_versions=x.deleted, content_bytes=x.size
            )
            for x in s.largest
        ],
        registered=[
            pb.DayCount(day=timestamp(datetime.combine(day, time(), UTC)), versions=count)
            for day, count in s.registered
        ],
        contents=s.contents.count,
        content_bytes=s.contents.size,
        object_store_bytes=s.contents.elsewhere,
        row_bytes=s.contents.rows,
        changes=s.log.changes,
        oldest_change=_optional(s.log.oldest),
        newest_change=_optional(s.log.newest),
        popular=map(_popular, report.popular),
    )


def _group(group: Group) -> pb.GroupCount:
    return pb.GroupCount(name=group.name, subjects=group.subjects, versions=group.versions)


def _popular(p: PopularVersion) -> pb.PopularVersion:
    return pb.PopularVersion(
        schema_id=p.version.schema_id,
        subject=str(p.version.subject),
        version=str(p.version.version),
        reads=p.usage.uses.reads,
        validations=p.usage.uses.validations,
        recent=p.recent,
        used_at=timestamp(p.usage.used_at),
    )


def _optional(at: datetime | None) -> Timestamp | None:
    return None if at is None else timestamp(at)
