"""ConformanceService over every wire: outcomes are counted once, and told with rates, bounds and drops."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from llm_schema_registry.v1 import conformance_pb2 as pb
from tests.support.postgres import shared_server

from .helpers import V1, V2_COMPATIBLE, delete, refused, register
from .server import ServerProcess
from .wires import GrpcWire, Wire

Name = Callable[[str], str]


def item(schema_id: str = "", model: str = "gpt-4.1", **fields: Any) -> pb.ModelOutcomes:
    return pb.ModelOutcomes(schema_id=schema_id, model=model, **{"answers": 10, "first_pass": 8, **fields})


def report(wire: Wire, *items: pb.ModelOutcomes, report_id: str = "") -> pb.ReportOutcomesResponse:
    request = pb.ReportOutcomesRequest(report_id=report_id or uuid.uuid4().hex, items=items)
    done: pb.ReportOutcomesResponse = wire.call("ReportOutcomes", request)
    return done


def get(wire: Wire, subject: str, **fields: Any) -> pb.GetConformanceResponse:
    found: pb.GetConformanceResponse = wire.call(
        "GetConformance", pb.GetConformanceRequest(subject=subject, **fields)
    )
    return found


def test_what_is_reported_is_told_with_rates_and_bounds(wire: Wire, name: Name) -> None:
    subject = name("told")
    schema_id = register(wire, subject, V1).schema_id
    done = report(wire, item(schema_id, retried=1, coerced=2, truncated=1))
    assert (done.HasField("repeated_report"), done.repeated_report, list(done.unknown_items)) == (
        True,
        False,
        [],
    )
    report(
        wire,
        item(subject=subject, version="1.0.0"),
        item(schema_id, "anthropic/claude@2", answers=1, first_pass=1),
    )

    first, second = get(wire, subject).items

    assert (first.model, second.model) == ("anthropic/claude@2", "gpt-4.1")
    assert (second.schema_id, second.version, second.ordinal) == (schema_id, "1.0.0", 1)
    assert second.answers == 20
    rates = [(r.count, r.rate) for r in (second.first_pass, second.retried, second.coerced, second.truncated)]
    assert rates == [(16, 0.8), (1, 0.05), (2, 0.1), (1, 0.05)]
    assert 0.3 < second.first_pass.low < 0.8 < second.first_pass.high < 1
    assert not second.HasField("drop")
    assert second.HasField("reported_at")


def test_a_drop_between_versions_is_found(wire: Wire, name: Name) -> None:
    subject = name("drop")
    old = register(wire, subject, V1).schema_id
    new = register(wire, subject, V2_COMPATIBLE).schema_id
    report(wire, item(old, answers=2000, first_pass=1900), item(new, answers=2000, first_pass=1700))

    for _ in range(600):  # it is looked for when the report has been answered
        (found,) = get(wire, subject, version="latest").items
        if found.drop.HasField("found_at"):
            break
    drop = found.drop
    assert drop.found
    assert (drop.earlier_version, drop.earlier_ordinal) == ("1.0.0", 1)
    assert (drop.earlier.rate, drop.later.rate) == (0.95, 0.85)
    assert drop.evidence > drop.needed
    assert math.isclose(drop.needed, math.log(8 / 0.01))


def test_a_report_counts_once(wire: Wire, name: Name) -> None:
    subject = name("once")
    schema_id = register(wire, subject, V1).schema_id
    report_id = uuid.uuid4().hex
    assert not report(wire, item(schema_id), report_id=report_id).repeated_report
    assert report(wire, item(schema_id), report_id=report_id).repeated_report
    assert [found.answers for found in get(wire, subject).items] == [10]


def test_lists_are_narrowed_and_paged(wire: Wire, name: Name) -> None:
    subject = name("paged")
    schema_id = register(wire, subject, V1).schema_id
    report(wire, *(item(schema_id, f"m{n}") for n in range(5)))

    page = get(wire, subject, limit=3)
    rest = get(wire, subject, limit=3, page_token=page.next_page_token)
    assert [found.model for found in (*page.items, *rest.items)] == [f"m{n}" for n in range(5)]
    assert rest.next_page_token == ""
    assert [found.model for found in get(wire, subject, model="m3", version="1").items] == ["m3"]
    request = pb.GetConformanceRequest(subject=subject)
    request.since.FromDatetime(datetime.now(UTC) + timedelta(days=2))
    assert not wire.call("GetConformance", request).items
    request.since.FromDatetime(datetime.now(UTC) - timedelta(days=2))
    assert len(wire.call("GetConformance", request).items) == 5


def test_wrong_reports_are_refused_by_field(wire: Wire, name: Name) -> None:
    subject = name("wrong")
    schema_id = register(wire, subject, V1).schema_id

    def refuses(field: str, *items: pb.ModelOutcomes, report_id: str = "r") -> None:
        request = pb.ReportOutcomesRequest(report_id=report_id, items=items)
        refused(wire, "ReportOutcomes", request, "INVALID_ARGUMENT", "INVALID_REQUEST", field)

    right = item(schema_id)
    refuses("report_id", right, report_id="")
    refuses("report_id", right, report_id="a b")
    refuses("report_id", right, report_id="x" * 65)
    refuses("items")
    refuses("items", *[right] * 1001)
    for model in ("", " ", "a b", "m" * 129, "-m", "é", "m\n"):
        refuses("items[1].model", right, item(schema_id, model))
    refuses("items[0].answers", item(schema_id, answers=0, first_pass=0))
    refuses("items[0].answers", item(schema_id, answers=-1))
    refuses("items[0].answers", item(schema_id, answers=10**9 + 1))
    refuses("items[0].first_pass", item(schema_id, first_pass=11))
    refuses("items[0].first_pass", item(schema_id, first_pass=-1))
    for kind in ("retried", "coerced", "truncated"):
        refuses(f"items[0].{kind}", item(schema_id, **{kind: 3}))
    refuses("items[0]", item())
    refuses("items[0].schema_id", item(schema_id, subject=subject, version="1"))
    for version in ("", "latest", "^1"):
        refuses("items[0].version", item(subject=subject, version=version))
    assert not get(wire, subject).items


def test_wrong_questions_are_refused_by_field(wire: Wire, name: Name) -> None:
    subject = name("question")
    register(wire, subject, V1)

    def refuses(field: str, reason: str = "INVALID_REQUEST", **fields: Any) -> None:
        request = pb.GetConformanceRequest(**{"subject": subject, **fields})
        refused(wire, "GetConformance", request, "INVALID_ARGUMENT", reason, field)

    refuses("limit", limit=-1)
    refuses("model", model="a b")
    refuses("page_token", "PAGE_TOKEN_INVALID", page_token="nonsense")
    refuses("version", "INVALID_VERSION", version="one")
    refuses("subject", "INVALID_SUBJECT", subject="" if wire.name != "http" else "a\x01")
    refuses("until", since={"seconds": 86_400}, until={"seconds": 86_400})
    refused(
        wire,
        "GetConformance",
        pb.GetConformanceRequest(subject=name("no")),
        "NOT_FOUND",
        "SUBJECT_NOT_FOUND",
    )


def test_counts_go_with_their_version(wire: Wire, name: Name) -> None:
    subject = name("gone")
    old = register(wire, subject, V1).schema_id
    new = register(wire, subject, V2_COMPATIBLE).schema_id
    report(wire, item(old), item(new))
    delete(wire, old)
    assert [found.ordinal for found in get(wire, subject).items] == [2]
    delete(wire, old, permanent=True)

    done = report(wire, item(old), item(new))
    assert list(done.unknown_items) == [0]
    (found,) = get(wire, subject).items
    assert (found.ordinal, found.answers, found.HasField("drop")) == (2, 20, False)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_what_was_answered_is_there_after_a_crash_and_on_another_server(tmp_path: Path, kind: str) -> None:
    storage = {"STORAGE__KIND": kind}
    if kind == "postgres":
        storage["STORAGE__POSTGRES__DSN"] = asyncio.run(shared_server().empty_database())
    server = ServerProcess(tmp_path, **storage)
    wire = GrpcWire("native", server.grpc)
    schema_id = register(wire, "crash", V1).schema_id
    report(wire, item(schema_id), report_id="r")
    server.kill()
    wire.close()

    again = ServerProcess(tmp_path, CONFORMANCE__MODELS="1", **storage)
    wire = GrpcWire("native", again.grpc)
    assert report(wire, item(schema_id), report_id="r").repeated_report
    report(wire, item(schema_id, "second"), item(schema_id, "third"))
    assert [(f.model, f.answers) for f in get(wire, "crash").items] == [("gpt-4.1", 10), ("other", 20)]
    page = httpx.get(f"{again.metrics}/metrics", trust_env=False).text
    assert 'schema_registry_answers_reported_total{kind="answers"} 20.0' in page
    assert 'schema_registry_answers_reported_total{kind="first_pass"} 16.0' in page
    assert 'schema_registry_outcome_reports_total{outcome="repeated"} 1.0' in page
    assert "schema_registry_conformance_drops 0.0" in page
    assert "schema_registry_dialect_watch_behind " in page
    wire.close()
    assert again.stop() == 0
