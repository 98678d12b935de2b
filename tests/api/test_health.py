"""HealthCheck, grpc.health.v1, reflection, /health*, /metrics."""

from __future__ import annotations

from typing import Any

import httpx
from google.protobuf.empty_pb2 import Empty
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .wires import GrpcWire, Wire


def test_a_running_server_is_healthy_with_all_its_parts(wire: Wire) -> None:
    health = wire.call("HealthCheck", Empty())

    assert health.status == pb.HealthCheckResponse.STATUS_HEALTHY
    assert {"storage", "workers", "changes"} <= set(health.components)
    assert {c.status for c in health.components.values()} == {pb.ComponentHealth.STATUS_UP}
    assert health.version
    assert health.timestamp.seconds


def test_the_standard_health_service_tells_of_server_and_services(engine: Any) -> None:
    wire = GrpcWire("raw", engine.grpc)
    stub = health_pb2_grpc.HealthStub(wire.channel)
    for service in ("", "schema_registry.v1.SchemaRegistry", "storage"):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING, service
    wire.close()


def test_reflection_tells_of_every_service(engine: Any) -> None:
    wire = GrpcWire("raw", engine.grpc)
    services = set(ProtoReflectionDescriptorDatabase(wire.channel).get_services())
    wire.close()

    assert {"schema_registry.v1.SchemaRegistry", "schema_registry.v1.ConfigService"} <= services


def test_metrics_count_the_calls(engine: Any) -> None:
    wire = GrpcWire("raw", engine.grpc)
    wire.call("HealthCheck", Empty())
    wire.close()
    text = httpx.get(engine.metrics, trust_env=False).text

    assert 'method="/schema_registry.v1.SchemaRegistry/HealthCheck"' in text
    assert text.count("# HELP") > 10


def test_http_tells_how_the_server_is(servers: Any) -> None:
    base = str(servers.wire("http").client.base_url)
    for path in ("/health", "/health/live", "/health/ready", "/health/startup"):
        answer = httpx.get(base + path, trust_env=False)
        assert answer.status_code == 200, path
