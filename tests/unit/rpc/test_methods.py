"""The descriptors are the only list of RPCs."""

from __future__ import annotations

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2

from llm_schema_registry.v1 import config_pb2, policy_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.calls.operation import Idempotency
from llm_schema_registry_server.rpc.protobuf.method import Binding, methods, snake_case

REGISTRY = pb.DESCRIPTOR.services_by_name["SchemaRegistry"]
CONFIG = config_pb2.DESCRIPTOR.services_by_name["ConfigService"]


def test_each_rpc_becomes_a_method_with_its_shape_and_policy() -> None:
    table = {m.name: m for m in methods((REGISTRY, CONFIG), policy_pb2.policy)}

    assert len(table) == 23
    register, batch = table["RegisterSchema"], table["BatchValidate"]
    assert register.path == "/schema_registry.v1.SchemaRegistry/RegisterSchema"
    asked = register.operation
    assert (asked.id, asked.name) == (register.path, "RegisterSchema")
    assert (asked.permission, asked.mutates, asked.streams) == ("schema:write", True, False)
    assert (batch.operation.client_streaming, batch.operation.server_streaming) == (True, True)
    assert not batch.operation.mutates
    assert register.request_type is pb.RegisterSchemaRequest


def test_every_http_rule_of_an_rpc_is_a_binding() -> None:
    table = {m.name: m for m in methods((CONFIG,), policy_pb2.policy)}

    assert table["SetConfig"].bindings == (
        Binding("PUT", "/api/v1/config", "config"),
        Binding("PUT", "/api/v1/config/contexts/{context}", "config"),
        Binding("PUT", "/api/v1/config/subjects/{subject}", "config"),
    )


def test_an_rpc_without_permission_is_refused() -> None:
    with pytest.raises(TypeError, match=r"grpc\.health\.v1\.Health\.Check declares no permission"):
        methods((health_pb2.DESCRIPTOR.services_by_name["Health"],), policy_pb2.policy)


def test_a_custom_verb_of_http_and_the_idempotency_level_are_kept() -> None:
    pool = descriptor_pool.Default()
    file = descriptor_pb2.FileDescriptorProto(
        name="tests/custom_verb.proto",
        package="tests.custom_verb",
        syntax="proto3",
        dependency=["google/api/annotations.proto", "schema_registry/v1/policy.proto"],
    )
    file.message_type.add(name="Nothing")
    rpc = file.service.add(name="S").method.add(
        name="Peek", input_type=".tests.custom_verb.Nothing", output_type=".tests.custom_verb.Nothing"
    )
    rule = rpc.options.Extensions[annotations_pb2.http]
    rule.custom.kind, rule.custom.path = "head", "/peek"
    rpc.options.Extensions[policy_pb2.policy].permission = "none"
    rpc.options.idempotency_level = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    pool.AddSerializedFile(file.SerializeToString())

    (method,) = methods((pool.FindServiceByName("tests.custom_verb.S"),), policy_pb2.policy)

    assert method.bindings == (Binding("HEAD", "/peek", ""),)
    assert method.operation.idempotency is Idempotency.NO_SIDE_EFFECTS


def test_a_cached_path_that_is_no_method_stops_the_start() -> None:
    with pytest.raises(TypeError, match="/x/Y"):
        methods((CONFIG,), policy_pb2.policy, {"/x/Y"})


@pytest.mark.parametrize("name", ["SetConfig", "DeleteConfig"])
def test_answers_of_what_changes_something_are_never_cached(name: str) -> None:
    with pytest.raises(TypeError, match="cannot be cached"):
        methods((CONFIG,), policy_pb2.policy, {f"/{CONFIG.full_name}/{name}"})


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("GetSchema", "get_schema"),
        ("GetSchemaByVersion", "get_schema_by_version"),
        ("HealthCheck", "health_check"),
    ],
)
def test_handlers_are_named_in_snake_case(name: str, snake: str) -> None:
    assert snake_case(name) == snake
