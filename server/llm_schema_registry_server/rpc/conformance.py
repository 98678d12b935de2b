"""The handlers of ConformanceService."""

from __future__ import annotations

from llm_schema_registry.v1 import conformance_pb2 as pb

from ..calls.call import Call
from ..model.outcomes import Outcomes
from ..model.schema import SchemaVersion
from ..model.subject import Subject
from ..registry.conformance import Conformance, ConformanceQuestion, Rate, ReportedItem, rate_of
from ..registry.drops import passes_of
from ..registry.use_cases import UseCases
from . import convert
from .actors import actor, named_or_learnt
from .credentials import time_in


class ConformanceService:
    """One method per RPC, named as the RPC is."""

    def __init__(self, use: UseCases) -> None:
        self._conformance = use.conformance

    async def report_outcomes(
        self, request: pb.ReportOutcomesRequest, call: Call
    ) -> pb.ReportOutcomesResponse:
        def touch(version: SchemaVersion, schema_id: str) -> None:
            named_or_learnt(version, schema_id, call)

        items = [_item(item) for item in request.items]
        done = await self._conformance.report(request.report_id, items, actor(call).name, touch)
        return pb.ReportOutcomesResponse(repeated_report=not done.counted, unknown_items=done.unknown)

    async def get_conformance(
        self, request: pb.GetConformanceRequest, call: Call
    ) -> pb.GetConformanceResponse:
        question = ConformanceQuestion(
            Subject.parse(request.subject),
            request.version,
            request.model,
            time_in(request, "since"),
            time_in(request, "until"),
            request.limit,
            request.page_token,
        )
        found, token = await self._conformance.of_subject(question)
        return pb.GetConformanceResponse(items=map(_conformance, found), next_page_token=token)


def _item(item: pb.ModelOutcomes) -> ReportedItem:
    outcomes = Outcomes(item.answers, item.first_pass, item.retried, item.coerced, item.truncated)
    return ReportedItem(item.schema_id, item.subject, item.version, item.model, outcomes)


def _conformance(found: Conformance) -> pb.ModelConformance:
    return pb.ModelConformance(
        schema_id=found.version.schema_id,
        version=str(found.version.version),
        ordinal=found.version.ordinal,
        model=found.all.model,
        answers=found.outcomes.answers,
        first_pass=_rate(found.first_pass),
        retried=_rate(found.retried),
        coerced=_rate(found.coerced),
        truncated=_rate(found.truncated),
        reported_at=convert.timestamp(found.all.reported_at),
        drop=_drop(found),
    )


def _rate(rate: Rate) -> pb.ConformanceRate:
    return pb.ConformanceRate(count=rate.count, rate=rate.rate, low=rate.bounds.low, high=rate.bounds.high)


def _drop(found: Conformance) -> pb.ConformanceDrop | None:
    test, dropped_at = found.drop, found.all.dropped_at
    if test is None:
        return None
    earlier, later = passes_of(test.before), passes_of(found.all)
    return pb.ConformanceDrop(
        found=test.found,
        earlier_version="" if found.before is None else str(found.before.version),
        earlier_ordinal=test.before.ordinal,
        earlier=_rate(rate_of(earlier.passed, earlier.answers)),
        later=_rate(rate_of(later.passed, later.answers)),
        evidence=test.evidence,
        needed=test.needed,
        found_at=convert.timestamp(dropped_at) if dropped_at is not None and test.found else None,
    )
