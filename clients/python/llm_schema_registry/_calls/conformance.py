"""Calls about how often models answer as versions ask. `report_outcome` of the clients collects what becomes of single answers.

Common to all: `timeout` is in seconds and overrides the client's; failures raise the exceptions of `llm_schema_registry.errors`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime

from .. import _decode_conformance as decode
from .._arguments import many, selector
from .._call import CONFORMANCE, Unary, unary
from .._checked import checked
from .._encode import timestamp
from ..results import Items, ModelConformance, ModelOutcomes, OutcomesReported
from ..v1 import conformance_pb2 as pb


@checked
def report_outcomes(
    items: Iterable[ModelOutcomes], *, report_id: str = "", timeout: float | None = None
) -> Unary[OutcomesReported]:
    """Count what became of answers, up to 1,000 items. They are stored when this returns.

    `report_id` names the report: one that is sent again within a day is not counted twice. Without one it is new. Raises InvalidRequest, and
    LimitExceeded when the registry cannot keep up: report the same again later.
    """
    request = pb.ReportOutcomesRequest(
        report_id=report_id or uuid.uuid4().hex, items=map(_item, _given(items))
    )
    return unary(CONFORMANCE + "ReportOutcomes", pb.ReportOutcomesResponse, decode.reported, request, timeout)


@checked
def get_conformance(
    subject: str,
    version: str | int | None = None,
    *,
    model: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
    page_token: str = "",
    timeout: float | None = None,
) -> Unary[Items[ModelConformance]]:
    """One page of the rates of a subject by version and model, in the order of the versions; `page_token` goes on from the `next_page_token` of
    the page before.

    All versions without `version`, all models without `model`. `since` and `until` are whole days (UTC), the last one not included. Raises
    SubjectNotFound, VersionNotFound.
    """
    request = pb.GetConformanceRequest(
        subject=subject,
        version="" if version is None else selector(version, "version"),
        model=model,
        since=timestamp(since, "since"),
        until=timestamp(until, "until"),
        limit=0 if limit is None else limit,
        page_token=page_token,
    )
    return unary(
        CONFORMANCE + "GetConformance", pb.GetConformanceResponse, decode.conformance, request, timeout
    )


def _given(items: Iterable[ModelOutcomes]) -> Iterable[ModelOutcomes]:
    for place, item in enumerate(many(items, "items", "ModelOutcomes")):
        if not isinstance(item, ModelOutcomes):
            raise TypeError(f"items[{place}]: a ModelOutcomes is expected, not {type(item).__name__}")
        yield item


def _item(item: ModelOutcomes) -> pb.ModelOutcomes:
    return pb.ModelOutcomes(
        schema_id=item.schema_id,
        subject=item.subject,
        version=item.version,
        model=item.model,
        answers=item.answers,
        first_pass=item.first_pass,
        retried=item.retried,
        coerced=item.coerced,
        truncated=item.truncated,
    )
