"""Outcomes by the SDK: noted without waiting or failing, sent together, once, and told again by the registry."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_schema_registry import AsyncSchemaRegistry, ModelOutcomes, RetryPolicy, SchemaRegistry, Unavailable
from llm_schema_registry._outcomes import MOST_ITEMS, MOST_KEYS, OutcomeBuffer
from llm_schema_registry.errors import PermissionDenied
from tests.api.server import ServerProcess

SCHEMA = {"type": "object"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path)
    yield running
    running.stop()


async def test_both_clients_report_when_they_are_closed(server: ServerProcess) -> None:
    with SchemaRegistry(server.grpc) as registry:
        schema_id = registry.register_schema("answers", SCHEMA, schema_type="JSON").schema_id
        for _ in range(3):
            registry.report_outcome("gpt", schema_id)
        registry.report_outcome("gpt", schema_id, retried=True)
        registry.report_outcome("gpt", subject="answers", version=1, valid=False, truncated=True, count=2)
        assert registry.get_conformance("answers") == ()
    async with AsyncSchemaRegistry(server.grpc) as registry_:
        registry_.report_outcome("gpt", schema_id, coerced=True)
        assert await registry_.flush_outcomes()
        (found,) = await registry_.get_conformance("answers", "latest")
        assert found.answers == 7
        assert [r.count for r in (found.first_pass, found.retried, found.coerced, found.truncated)] == [
            3,
            1,
            1,
            2,
        ]
        assert not found.drop
        registry_.report_outcome("gpt", schema_id)
    with SchemaRegistry(server.grpc) as registry:
        assert [one.answers for one in registry.iter_conformance("answers", model="gpt")] == [8]
        assert registry.outcomes_dropped == 0


def test_reports_of_ones_own_count_once(server: ServerProcess) -> None:
    with SchemaRegistry(server.grpc) as registry:
        schema_id = registry.register_schema("answers", SCHEMA, schema_type="JSON").schema_id
        items = [
            ModelOutcomes("gpt", 10, 9, schema_id=schema_id),
            ModelOutcomes("gpt", 1, 1, subject="no", version="1"),
        ]
        assert not registry.report_outcomes(items, report_id="mine").repeated
        again = registry.report_outcomes(items, report_id="mine")
        assert (again.repeated, again.unknown_items) == (True, (1,))


def test_a_refused_outcome_takes_no_other_along(server: ServerProcess, caplog: Any) -> None:
    with SchemaRegistry(server.grpc) as registry, caplog.at_level(logging.WARNING):
        schema_id = registry.register_schema("answers", SCHEMA, schema_type="JSON").schema_id
        registry.report_outcome("gpt", schema_id)
        registry.report_outcome("not a model", subject="answers", version="1")
        registry.report_outcome("gpt", subject="answers", version="latest")
        assert registry.flush_outcomes()
        assert [one.answers for one in registry.get_conformance("answers")] == [1]
        assert registry.outcomes_dropped == 2
    assert len([r for r in caplog.records if "not reported" in r.message]) == 1


@pytest.mark.parametrize(
    "wrong", [{"model": 7}, {"model": "m", "count": 0}, {"model": "m", "valid": "yes"}, {"model": "m", "schema_id": 7}]
)  # fmt: skip
def test_nothing_is_raised_where_an_outcome_is_noted(wrong: dict[str, Any]) -> None:
    with SchemaRegistry("localhost:1") as registry:
        registry.report_outcome(**{"schema_id": "id", **wrong})
        assert registry.outcomes_dropped == 1


async def test_without_a_registry_outcomes_wait_and_closing_does_not() -> None:
    patience = RetryPolicy(attempts=1)
    with SchemaRegistry("localhost:1", retry=patience) as registry:
        registry.report_outcome("gpt", "id")
        assert not registry.flush_outcomes(timeout=1)
        assert registry._outcomes.buffer.waiting
    async with AsyncSchemaRegistry("localhost:1", retry=patience) as registry_:
        registry_.report_outcome("gpt", "id")
        assert not await registry_.flush_outcomes(timeout=1)


def test_what_failed_is_sent_again_as_the_same_report() -> None:
    buffer = OutcomeBuffer()
    note(buffer, "a")
    first = buffer.next(None)
    assert first is not None
    assert buffer.failed(Unavailable("away"))
    note(buffer, "b")
    again = buffer.next(None)
    assert again is not None
    assert again.request == first.request
    buffer.sent()
    other = buffer.next(None)
    assert other is not None
    assert [item.model for item in other.request.items] == ["b"]  # type: ignore[attr-defined]
    buffer.sent()
    assert buffer.next(None) is None


def test_a_refused_report_is_sent_in_parts() -> None:
    buffer = OutcomeBuffer()
    for schema_id in ("1", "2", "3"):
        note(buffer, "m", schema_id)
    sent, ids = [], set()
    while (call := buffer.next(None)) is not None:
        request: Any = call.request
        ids.add(request.report_id)
        found = [item.schema_id for item in request.items]
        if "2" in found:
            assert not buffer.failed(PermissionDenied("no"))
        else:
            sent += found
            buffer.sent()
    assert sorted(sent) == ["1", "3"]
    assert (buffer.dropped, buffer.waiting, len(ids)) == (1, False, 5)


def test_what_waits_is_bounded() -> None:
    buffer = OutcomeBuffer()
    for number in range(MOST_KEYS + 5):
        note(buffer, "m", str(number))
        note(buffer, "m", str(number))
    assert buffer.dropped == 10
    sizes = []
    while (call := buffer.next(None)) is not None:
        request: Any = call.request
        sizes.append(len(request.items))
        buffer.sent()
    assert sizes == [MOST_ITEMS] * (MOST_KEYS // MOST_ITEMS)


def note(buffer: OutcomeBuffer, model: str, schema_id: str = "id") -> None:
    buffer.note(model, schema_id, "", "", valid=True, retried=False, coerced=False, truncated=False, count=1)
