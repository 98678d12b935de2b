"""The protos follow the style rules that clients in every language rely on, and every RPC is fully declared."""

import re
from collections.abc import Iterator

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, MethodDescriptor

from llm_schema_registry.v1 import (
    admin_pb2,
    config_pb2,
    lifecycle_pb2,
    policy_pb2,
    schema_registry_pb2,
    tools_pb2,
)

FILES = [
    schema_registry_pb2.DESCRIPTOR,
    config_pb2.DESCRIPTOR,
    lifecycle_pb2.DESCRIPTOR,
    tools_pb2.DESCRIPTOR,
    admin_pb2.DESCRIPTOR,
]
METHODS: list[MethodDescriptor] = [m for f in FILES for s in f.services_by_name.values() for m in s.methods]


def messages() -> Iterator[Descriptor]:
    for file in FILES:
        for message in file.message_types_by_name.values():
            yield message
            yield from (n for n in message.nested_types if not n.GetOptions().map_entry)


def enums() -> Iterator[EnumDescriptor]:
    for file in FILES:
        yield from file.enum_types_by_name.values()
    for message in messages():
        yield from message.enum_types


@pytest.mark.parametrize("enum", list(enums()), ids=lambda e: e.full_name)
def test_enums_begin_unspecified_and_carry_their_name(enum: EnumDescriptor) -> None:
    prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper() + "_"

    assert enum.values[0].number == 0
    assert enum.values[0].name == prefix + "UNSPECIFIED"
    assert all(v.name.startswith(prefix) for v in enum.values)


@pytest.mark.parametrize("message", list(messages()), ids=lambda m: m.full_name)
def test_fields_are_lower_snake_case(message: Descriptor) -> None:
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", f.name) for f in message.fields)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.full_name)
def test_every_rpc_has_a_permission_and_an_http_rule(method: MethodDescriptor) -> None:
    policy = method.GetOptions().Extensions[policy_pb2.policy]

    assert policy.permission == "none" or re.fullmatch(r"[a-z]+(:[a-z]+)+", policy.permission)
    assert method.GetOptions().Extensions[annotations_pb2.http].WhichOneof("pattern")


def test_there_are_twenty_rpcs_and_four_of_them_stream() -> None:
    twenty = [m for m in METHODS if m.containing_service.name == "SchemaRegistry"]

    assert len(twenty) == 20
    assert sum(m.server_streaming for m in twenty) == 4
    assert sum(m.client_streaming for m in twenty) == 2
