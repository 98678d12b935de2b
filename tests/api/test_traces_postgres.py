"""Statements that are gathered for many callers: each caller's spans stay its own."""

from __future__ import annotations

import secrets
from pathlib import Path

import grpc
import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc as rpc
from tests.support.otlp import over_grpc
from tests.support.postgres import Postgres

from .helpers import V1
from .server import ServerProcess
from .test_metrics import series

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MANY = 40


async def test_batches_have_traces_of_their_own_with_links_to_those_of_their_callers(
    tmp_path: Path, postgres: Postgres
) -> None:
    dsn = await postgres.empty_database()
    with over_grpc() as receiver:
        server = ServerProcess(
            tmp_path,
            STORAGE__KIND="postgres",
            STORAGE__POSTGRES__DSN=dsn,
            TRACING__ENDPOINT=receiver.endpoint,
            TRACING__SAMPLE_RATIO="0",
            TRACING__ASKED_FOR_PER_SECOND="1000",
        )
        callers = {secrets.token_hex(16): f"batch.{n}" for n in range(MANY)}
        with grpc.insecure_channel(server.grpc) as channel:
            stub = rpc.SchemaRegistryStub(channel)
            calls = [
                stub.RegisterSchema.future(
                    pb.RegisterSchemaRequest(
                        subject=subject, schema_type=pb.SCHEMA_TYPE_JSON, schema_content=V1
                    ),
                    metadata=[("traceparent", f"00-{trace_id}-{'1' * 16}-01")],
                )
                for trace_id, subject in callers.items()
            ]
            for call in calls:
                call.result()
        pools = {name: value for name, value in series(server).items() if "db_connections" in name}
        assert server.stop() == 0  # exports what is left

    roots = {t: [s for s in receiver.of(t) if s.parent == "1" * 16] for t in callers}
    assert {t: found[0].attributes["schema_registry.subject"] for t, found in roots.items()} == callers
    together = [s for s in receiver.spans if s.name == "append versions" and s.links]
    assert together, "no two registrations were appended together"
    for batch in together:
        assert batch.trace_id not in callers
        assert set(batch.links) <= callers.keys()
        assert batch.attributes["db.operation.batch.size"] >= len(batch.links) > 1
    alone = [s for s in receiver.spans if s.name == "append versions" and not s.links]
    assert all(s.trace_id in callers for s in alone)
    inserted = [s for s in receiver.spans if "INSERT INTO" in s.attributes.get("db.query.text", "")]
    assert {s.trace_id for s in inserted} <= {s.trace_id for s in (*together, *alone)}
    assert all("batch." not in s.attributes["db.query.text"] for s in inserted)
    assert pools['schema_registry_db_connections_max{pool="postgres"}'] == 10
