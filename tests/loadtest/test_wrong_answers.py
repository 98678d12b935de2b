"""A wrong answer fails a run of `make load`, whatever was asked and on every wire."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import grpc
import load
import pytest
from loads import corpus
from loads.plan import Plan
from loads.records import Record

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc
from tests.loadtest.generators import Target, run

pytestmark = pytest.mark.slow


def other_contents(plan: Plan) -> Plan:
    """One that takes other contents for right."""
    return replace(plan, corpus=tuple(replace(e, content=e.content + " ") for e in plan.corpus))


def other_verdicts(plan: Plan) -> Plan:
    """One that takes invalid data for valid."""
    return replace(plan, corpus=tuple(replace(e, valid=e.invalid) for e in plan.corpus))


def other_types(plan: Plan) -> Plan:
    """One that takes ids for numbers, and so schemas for compatible that are not."""
    entries = (e for e in plan.corpus if e.schema_type == corpus.JSON)
    changed = (
        replace(e, content=e.content.replace('"id": {"type": "string"', '"id": {"type": "integer"'))
        for e in entries
    )
    return replace(plan, corpus=tuple(changed))


@pytest.mark.parametrize(
    ("scenario", "tamper"),
    [("reads", other_contents), ("validate", other_verdicts), ("compatibility", other_types)],
)
def test_a_wrong_answer_fails_the_run(
    target: Target, tmp_path: Path, scenario: str, tamper: Callable[[Plan], Plan]
) -> None:
    plans = [replace(tamper(target.plan(tmp_path, scenario, wire)), seconds=0.5) for wire in ("grpc", "http")]

    for code, record, out in run(plans).values():
        assert code == 1, out
        assert record.wrong_count > 0
        assert "and not" in record.wrong[0]


def test_a_version_that_was_there_before_is_no_right_answer_to_a_registration(
    target: Target, tmp_path: Path
) -> None:
    plan = replace(target.plan(tmp_path, "storm", "grpc"), run="twice", seconds=0.5)
    ((code, _, out),) = run([plan]).values()
    assert code == 0, out

    ((code, record, _),) = run([plan]).values()

    assert code == 1
    assert any("`created`" in text or "ordinal" in text for text in record.wrong)


@pytest.mark.parametrize("wire", ["grpc", "http"])
def test_a_subscriber_that_misses_a_version_fails_the_run(target: Target, tmp_path: Path, wire: str) -> None:
    plan = replace(target.plan(tmp_path, "watch", wire), run=f"missed-{wire}", seconds=1.0)
    with grpc.insecure_channel(f"127.0.0.1:{target.ports['grpc']}") as channel:
        stub = schema_registry_pb2_grpc.SchemaRegistryStub(channel)
        subject = f"storm.{plan.run}.of-another-writer"
        ordinals = itertools.count(1)

        def write() -> None:
            content = corpus.growing(subject, next(ordinals)).encode()
            request = pb.RegisterSchemaRequest(
                subject=subject, schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON
            )
            stub.RegisterSchema(request)

        write()  # before anybody is told of it
        process = load.start_generator(plan, tmp_path / "plan")
        while process.poll() is None:
            write()
            time.sleep(0.05)

    process.communicate()
    record = Record.read(Path(plan.result))
    assert process.returncode == 1
    assert any(f"of {subject} came after version 0" in text for text in record.wrong), record.wrong
