"""AdminService: how much the registry holds, over each wire, on the metrics page and from the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from llm_schema_registry.cli.app import app
from llm_schema_registry.v1 import admin_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import AVRO, AVRO_V1, JSON, V1, V2_COMPATIBLE, register
from .server import ServerProcess
from .test_metrics import series
from .wires import GrpcWire, HttpWire, Wire

KEPT = admin_pb2.GetStatisticsRequest()
FRESH = admin_pb2.GetStatisticsRequest(fresh=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that counts only when it is asked, with three versions in it."""
    settings = {"STATISTICS__REFRESH_SECONDS": "0", "USAGE__FLUSH_SECONDS": "0.1"}
    made = ServerProcess(tmp_path_factory.mktemp("statistics"), **settings)
    wire = GrpcWire("filling", made.grpc)
    register(wire, "shop.orders", V1)
    register(wire, "shop.orders", V2_COMPATIBLE)
    register(wire, ":.staging:shop.items", AVRO_V1, schema_type=AVRO)
    wire.close()
    yield made
    assert made.stop() == 0


@pytest.fixture(params=["grpc", "http"])
def wire(request: pytest.FixtureRequest, server: ServerProcess) -> Iterator[Wire]:
    made = HttpWire(server.http) if request.param == "http" else GrpcWire("grpc", server.grpc)
    yield made
    made.close()


def test_what_there_is(wire: Wire) -> None:
    found = wire.call("GetStatistics", KEPT)

    assert (found.subjects, found.versions, found.deleted_versions) == (2, 3, 0)
    assert {c.schema_type: c.versions for c in found.by_type} == {JSON: 2, AVRO: 1}
    assert [(c.state, c.versions) for c in found.by_state] == [(pb.SCHEMA_STATE_ACTIVE, 3)]
    assert [(c.compatibility_level, c.versions) for c in found.by_level] == [
        (pb.COMPATIBILITY_LEVEL_BACKWARD, 3)
    ]
    assert [(g.name, g.subjects, g.versions) for g in found.contexts] == [(".", 1, 2), (".staging", 1, 1)]
    assert [(g.name, g.versions) for g in found.prefixes] == [(":.staging:shop.", 1), ("shop.", 2)]
    assert [(s.subject, s.versions) for s in found.largest] == [
        ("shop.orders", 2),
        (":.staging:shop.items", 1),
    ]
    assert sum(day.versions for day in found.registered[-2:]) == 3
    assert found.contents == 3
    assert found.content_bytes == len(V1) + len(V2_COMPATIBLE) + len(AVRO_V1)
    assert (found.object_store_bytes, found.changes) == (0, 3)
    assert found.oldest_change.ToDatetime(UTC) <= found.newest_change.ToDatetime(UTC)
    assert found.newest_change.ToDatetime(UTC) <= found.as_of.ToDatetime(UTC) <= datetime.now(UTC)


def test_it_is_counted_once_for_all_who_ask(server: ServerProcess, wire: Wire) -> None:
    first = wire.call("GetStatistics", KEPT)
    later = GrpcWire("later", server.grpc)
    answers = [later.call("GetStatistics", KEPT) for _ in range(3)]
    later.close()

    assert {answer.as_of.ToNanoseconds() for answer in answers} == {first.as_of.ToNanoseconds()}
    assert len(server.events("statistics_counted")) == 1


def test_they_are_on_the_metrics_page(server: ServerProcess, wire: Wire) -> None:
    found = wire.call("GetStatistics", KEPT)
    page = series(server)

    assert page["schema_registry_subjects"] == 2
    assert page['schema_registry_versions{state="ACTIVE"}'] == 3
    assert page['schema_registry_versions_by_type{type="AVRO"}'] == 1
    assert page['schema_registry_content_bytes{where="storage"}'] == found.content_bytes
    assert page["schema_registry_statistics_timestamp_seconds"] == pytest.approx(
        found.as_of.ToNanoseconds() / 1e9, abs=1e-3
    )


def test_the_command_tells_them(server: ServerProcess) -> None:
    where = ["--server", server.grpc]
    shown = CliRunner().invoke(app, [*where, "stats"], env={"COLUMNS": "100"})
    told = CliRunner().invoke(app, [*where, "-o", "json", "stats"])

    assert shown.exit_code == told.exit_code == 0
    assert "shop.orders" in shown.stdout
    assert "JSON 2, AVRO 1" in shown.stdout
    tree = json.loads(told.stdout)
    assert tree["versions"] == 3
    assert tree["by_type"] == [{"schema_type": "JSON", "versions": 2}, {"schema_type": "AVRO", "versions": 1}]
    assert tree["largest"][0] == {
        "subject": "shop.orders",
        "versions": 2,
        "deleted_versions": 0,
        "content_bytes": len(V1) + len(V2_COMPATIBLE),
    }
