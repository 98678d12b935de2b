"""A failed call is counted always and logged in a line, within reason."""

from __future__ import annotations

from typing import Any

import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.calls.guards.observe import LINES_PER_SECOND, AccessLog
from llm_schema_registry_server.errors import SchemaNotFound
from llm_schema_registry_server.telemetry.metrics import Metrics
from tests.unit.conftest import LogLines
from tests.unit.transports.toy import GET_SCHEMA, METHODS, ToyRegistry, rpcs

OPERATION = next(m.operation for m in METHODS if m.path == GET_SCHEMA)
LABELS = {"method": GET_SCHEMA, "wire": "grpc", "code": "NOT_FOUND"}


def failures(log_lines: LogLines) -> list[dict[str, Any]]:
    return [line for line in log_lines() if line["event"] == "call_failed"]


async def fail(times: int, metrics: Metrics) -> None:
    calls = rpcs(ToyRegistry(), metrics=metrics).pipeline
    for i in range(times):
        with pytest.raises(SchemaNotFound):
            await calls.unary(
                Call(OPERATION, {}, "peer", "grpc", f"id-{i}"), pb.GetSchemaRequest(schema_id="missing")
            )


async def test_the_line_of_a_failed_call_says_what_an_operator_asks_first(log_lines: LogLines) -> None:
    await fail(1, Metrics())

    (line,) = failures(log_lines)
    assert line["seconds"] >= 0
    assert {
        k: line[k] for k in ("event", "level", "method", "code", "reason", "principal", "request_id")
    } == {
        "event": "call_failed",
        "level": "info",
        "method": "GetSchema",
        "code": "NOT_FOUND",
        "reason": "SCHEMA_NOT_FOUND",
        "principal": "anonymous",
        "request_id": "id-0",
    }


async def test_a_storm_of_failures_is_counted_whole_and_logged_in_part(log_lines: LogLines) -> None:
    metrics = Metrics()
    await fail(500, metrics)

    assert metrics.registry.get_sample_value("schema_registry_calls_total", LABELS) == 500
    assert LINES_PER_SECOND <= len(failures(log_lines)) < 500


@pytest.mark.parametrize(
    ("share", "ok", "failed"), [(0.0, 0, 0), (0.1, 2, 10), (1.0, 20, 10)], ids=["off", "a tenth", "all"]
)
async def test_the_access_log_has_its_share_of_calls_and_every_failed_one(
    log_lines: LogLines, share: float, ok: int, failed: int
) -> None:
    access = AccessLog.sampled(share)
    call = Call(OPERATION, {}, "peer", "grpc", "id")
    written = [access.wants(True) for _ in range(20)]
    assert sum(written) == ok
    assert sum(access.wants(False) for _ in range(10)) == failed
    if ok:
        call.ended(None)
        access.write(call, 0.5, cached=True)
        (line,) = [line for line in log_lines() if line["event"] == "call"]
        assert (line["logger"], line["code"], line["cached"], line["seconds"]) == ("access", "OK", True, 0.5)


async def test_a_call_that_its_face_turns_away_is_counted_and_logged_once(log_lines: LogLines) -> None:
    metrics = Metrics()
    calls = rpcs(ToyRegistry(), metrics=metrics).pipeline
    call = Call(OPERATION, {}, "peer", "grpc", "id")
    for _ in range(2):
        calls.turned_away(call, SchemaNotFound("a"))

    assert metrics.registry.get_sample_value("schema_registry_calls_total", LABELS) == 1
    assert len(failures(log_lines)) == 1
