"""The protos follow the style rules that clients in every language rely on, and every RPC is fully declared."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FileDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from llm_schema_registry import _methods
from llm_schema_registry.v1 import policy_pb2

PROTOS = Path(__file__).parents[2] / "protos/schema_registry/v1"
FILES: list[FileDescriptor] = [
    importlib.import_module(f"llm_schema_registry.v1.{proto.stem}_pb2").DESCRIPTOR
    for proto in sorted(PROTOS.glob("*.proto"))
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


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.full_name)
def test_every_rpc_says_whether_it_may_be_repeated(method: MethodDescriptor) -> None:
    options = method.GetOptions()

    assert options.HasField("idempotency_level"), (
        "say IDEMPOTENCY_UNKNOWN where a repetition may do more or fail"
    )
    reads = options.idempotency_level == MethodOptions.NO_SIDE_EFFECTS
    assert reads is not options.Extensions[policy_pb2.policy].mutates


def test_the_sdk_repeats_what_the_protos_allow() -> None:
    unsafe = {
        m.name for m in METHODS if f"/{m.containing_service.full_name}/{m.name}" not in _methods.IDEMPOTENT
    }

    assert unsafe == {
        "CreateApiKey",
        "DeleteApiKey",
        "DeleteGrant",
        "DeleteProfile",
        "DeleteConfig",
        "DeleteSchema",
        "DeleteSubject",
        "RotateApiKey",
        "SetPolicies",
        "UndeleteSchema",
        "UpdateSchemaMetadata",
    }


def test_the_sdk_knows_every_write() -> None:
    writes = {
        f"/{m.containing_service.full_name}/{m.name}"
        for m in METHODS
        if m.GetOptions().Extensions[policy_pb2.policy].mutates
    }

    assert writes == _methods.MUTATING


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_every_file_names_its_package_in_each_language(file: FileDescriptor) -> None:
    options = file.GetOptions()

    assert options.go_package == "llm-schema-registry/go/schemaregistry/v1;schemaregistryv1"
    assert options.java_package == "llm.schemaregistry.v1"
    assert options.java_multiple_files
    assert options.java_outer_classname.endswith("Proto")
    assert options.csharp_namespace == options.ruby_package.replace("::", ".") == "LlmSchemaRegistry.V1"
    assert options.php_namespace == "LlmSchemaRegistry\\V1"


def test_there_are_twenty_rpcs_and_four_of_them_stream() -> None:
    twenty = [m for m in METHODS if m.containing_service.name == "SchemaRegistry"]

    assert len(twenty) == 20
    assert sum(m.server_streaming for m in twenty) == 4
    assert sum(m.client_streaming for m in twenty) == 2
