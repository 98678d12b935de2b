"""The committed stubs are what the protos say, and every RPC declares its HTTP rule and its permission."""

from pathlib import Path

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor

from llm_schema_registry.v1 import config_pb2, lifecycle_pb2, policy_pb2, schema_registry_pb2
from protos.generate import STUBS, generate

FILES = (schema_registry_pb2.DESCRIPTOR, config_pb2.DESCRIPTOR, lifecycle_pb2.DESCRIPTOR)
METHODS = [
    method for file in FILES for service in file.services_by_name.values() for method in service.methods
]


def test_generating_again_changes_nothing(tmp_path: Path) -> None:
    generate(tmp_path)

    fresh = {p.name: p.read_text() for p in tmp_path.iterdir()}
    assert fresh == {p.name: p.read_text() for p in STUBS.iterdir() if p.is_file()}


def test_the_registry_has_twenty_rpcs() -> None:
    assert len(schema_registry_pb2.DESCRIPTOR.services_by_name["SchemaRegistry"].methods) == 20


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_every_rpc_has_a_route_and_a_permission(method: MethodDescriptor) -> None:
    options = method.GetOptions()

    assert options.Extensions[annotations_pb2.http].WhichOneof("pattern")
    assert options.Extensions[policy_pb2.policy].permission
