"""/metrics tells what happened and how the parts are."""

from __future__ import annotations

import httpx

from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import register
from .server import ServerProcess
from .wires import GrpcWire


def series(server: ServerProcess) -> dict[str, float]:
    page = httpx.get(f"http://127.0.0.1:{server.ports['metrics']}/metrics").text
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    }


def test_calls_kept_answers_and_parts_are_counted(engine: ServerProcess) -> None:
    wire = GrpcWire("metrics", engine.grpc)
    path = "/schema_registry.v1.SchemaRegistry/GetSchema"
    made = register(wire, "counted")
    before = series(engine)

    for _ in range(3):
        wire.call("GetSchema", pb.GetSchemaRequest(schema_id=made.schema_id))
    after = series(engine)
    wire.close()

    kept = f'schema_registry_answer_cache_hits_total{{method="{path}",wire="grpc"}}'
    ran = f'schema_registry_calls_total{{code="OK",method="{path}",wire="grpc"}}'
    assert after[kept] - before[kept] == 2
    assert after[ran] - before.get(ran, 0) == 1
    assert after['schema_registry_component_up{component="storage"}'] == 1
    assert 'schema_registry_component_fact{component="changes",fact="subscribers"}' in after
