"""From the messages of ConformanceService to frozen values."""

from __future__ import annotations

from ._decode import time
from .results import (
    ConformanceDrop,
    ConformanceRate,
    Items,
    ModelConformance,
    OutcomesReported,
)
from .v1 import conformance_pb2 as pb


def reported(m: pb.ReportOutcomesResponse) -> OutcomesReported:
    return OutcomesReported(m.repeated_report, tuple(m.unknown_items))


def conformance(m: pb.GetConformanceResponse) -> Items[ModelConformance]:
    return Items.of(map(_one, m.items), m.next_page_token)


def _one(m: pb.ModelConformance) -> ModelConformance:
    return ModelConformance(
        schema_id=m.schema_id,
        version=m.version,
        ordinal=m.ordinal,
        model=m.model,
        answers=m.answers,
        first_pass=_rate(m.first_pass),
        retried=_rate(m.retried),
        coerced=_rate(m.coerced),
        truncated=_rate(m.truncated),
        reported_at=time(m, "reported_at"),
        drop=_drop(m.drop) if m.HasField("drop") else None,
    )


def _rate(m: pb.ConformanceRate) -> ConformanceRate:
    return ConformanceRate(m.count, m.rate, m.low, m.high)


def _drop(m: pb.ConformanceDrop) -> ConformanceDrop:
    return ConformanceDrop(
        found=m.found,
        earlier_version=m.earlier_version,
        earlier_ordinal=m.earlier_ordinal,
        earlier=_rate(m.earlier),
        later=_rate(m.later),
        evidence=m.evidence,
        needed=m.needed,
        found_at=time(m, "found_at"),
    )
