"""Schemas that come as descriptors in base64: a file, a set of files, and what is neither."""

from __future__ import annotations

import base64

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_registry_server.errors import InvalidSchema
from tests.formats.protobuf.kit import ENGINE, parse, reference

TEXT = 'syntax = "proto3"; package t; message M { int32 a = 1; }'
INNER = 'syntax = "proto3"; package t; message I { int32 a = 1; }'
ROOT = 'syntax = "proto3"; package t; import "inner.proto"; import "google/protobuf/any.proto"; message M { I i = 1; google.protobuf.Any b = 2; }'


def refused(data: bytes) -> str:
    with pytest.raises(InvalidSchema) as caught:
        ENGINE.parse(SchemaSource(base64.b64encode(data)))
    return caught.value.issues[0].rule


def test_a_set_of_one_file_is_that_file() -> None:
    files = FileDescriptorSet.FromString(parse(TEXT).artifact)

    parsed = ENGINE.parse(SchemaSource(base64.b64encode(files.SerializeToString())))

    assert parsed.canonical == parse(TEXT).canonical
    assert parsed.names == ("t.M", "a")


def test_a_set_with_its_imports_is_its_root() -> None:
    uses = (reference("inner.proto", INNER),)
    parsed = ENGINE.parse(SchemaSource(ROOT.encode(), uses))

    again = ENGINE.parse(SchemaSource(base64.b64encode(parsed.artifact), uses))

    assert again.canonical == parsed.canonical
    assert refused(parsed.artifact) == "DESCRIPTOR_SET"


@pytest.mark.parametrize(
    "data", [b"\x0a\x03abc", b"\x0a\x00", FileDescriptorProto(package="t").SerializeToString()]
)
def test_a_descriptor_of_nothing_is_refused(data: bytes) -> None:
    assert refused(data) == "DESCRIPTOR_EMPTY"


@pytest.mark.parametrize("where", ["file", "message", "field"])
def test_unknown_bytes_are_refused(where: str) -> None:
    file = FileDescriptorSet.FromString(parse(TEXT).artifact).file[-1]
    part = {"file": file, "message": file.message_type[0], "field": file.message_type[0].field[0]}[where]
    part.MergeFromString(b"\xc0\x3e\x01")

    assert refused(file.SerializeToString()) == "DESCRIPTOR_UNKNOWN"


def test_two_references_that_define_one_type_are_named_by_the_compiler() -> None:
    uses = (reference("a.proto", INNER), reference("b.proto", INNER))
    text = 'syntax = "proto3"; import "a.proto"; import "b.proto"; message M { t.I i = 1; }'

    with pytest.raises(InvalidSchema) as caught:
        ENGINE.parse(SchemaSource(text.encode(), uses))

    assert caught.value.issues[0].rule == "NAME_DUPLICATE"
    assert "t.I" in caught.value.issues[0].message
