"""A client that has taken the wrong port is told the right one."""

from __future__ import annotations

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from llm_schema_registry.v1 import config_pb2, config_pb2_grpc, schema_registry_pb2_grpc
from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .conftest import Servers


def test_a_grpc_client_on_the_http_port_is_told_the_grpc_port(servers: Servers) -> None:
    server = servers["native"]
    with grpc.insecure_channel(server.http.removeprefix("http://")) as channel:
        calls = [
            lambda: schema_registry_pb2_grpc.SchemaRegistryStub(channel).GetSchema(pb.GetSchemaRequest()),
            lambda: list(
                schema_registry_pb2_grpc.SchemaRegistryStub(channel).ListSchemas(pb.ListSchemasRequest())
            ),
            lambda: config_pb2_grpc.ConfigServiceStub(channel).GetConfig(config_pb2.GetConfigRequest()),
            lambda: health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()),
        ]
        for call in calls:
            with pytest.raises(grpc.RpcError) as caught:
                call()
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED  # type: ignore[attr-defined]
            said = caught.value.details()  # type: ignore[attr-defined]
            assert f"gRPC is served on port {server.grpc.rsplit(':', 1)[1]}" in said


def test_anybody_else_at_such_a_path_is_told_in_plain_text(servers: Servers) -> None:
    server = servers["native"]
    answer = httpx.post(f"{server.http}/schema_registry.v1.SchemaRegistry/GetSchema", json={})
    assert answer.status_code == 400
    assert "this is the HTTP port" in answer.text
