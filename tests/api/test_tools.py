"""ToolsService: what differs between two schemas, registered or given."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import tools_pb2

from .helpers import AVRO, FIRST, JSON, PROTOBUF, SECOND, V1, V2_BREAKING, refused, register
from .wires import Wire

Name = Callable[[str], str]
Operand = tools_pb2.SchemaOperand
Kind = tools_pb2.SchemaDifference


@pytest.mark.parametrize(("schema_type", "path"), [(JSON, "/properties/b"), (2, "R.b"), (PROTOBUF, "t.M.b")])
def test_an_added_field_is_named_in_every_type(wire: Wire, name: Name, schema_type: int, path: str) -> None:
    subject = name(f"s{schema_type}")
    for content in (FIRST[schema_type], SECOND[schema_type]):
        register(wire, subject, content, schema_type=schema_type)

    answer = wire.call(
        "DiffSchemas",
        tools_pb2.DiffSchemasRequest(
            old=Operand(subject=subject, version="1"), new=Operand(version="latest")
        ),
    )

    (added,) = [d for d in answer.differences if d.path == path]
    assert added.kind == Kind.KIND_ADDED
    assert answer.change_class == pb.CHANGE_CLASS_COMPATIBLE
    assert answer.backward.compatible
    assert (answer.old_version, answer.new_version) == (f"{subject} 1.0.0", f"{subject} 1.1.0")
    assert added.message in answer.text


def test_a_given_schema_is_compared_with_a_registered_one(wire: Wire, name: Name) -> None:
    done = register(wire, name("s"))

    answer = wire.call(
        "DiffSchemas",
        tools_pb2.DiffSchemasRequest(
            old=Operand(schema_id=done.schema_id), new=Operand(schema_content=V2_BREAKING, schema_type=JSON)
        ),
    )

    assert answer.change_class == pb.CHANGE_CLASS_BREAKING
    assert not answer.backward.compatible
    assert answer.backward.violations[0].witness
    assert [d.path for d in answer.differences] == ["/properties/a/type"]


def test_equal_schemas_do_not_differ(wire: Wire) -> None:
    same = Operand(schema_content=V1, schema_type=JSON)

    answer = wire.call("DiffSchemas", tools_pb2.DiffSchemasRequest(old=same, new=same))

    assert (list(answer.differences), answer.change_class) == ([], pb.CHANGE_CLASS_NONE)


@pytest.mark.parametrize(
    ("old", "new", "reason", "field"),
    [
        (Operand(), Operand(), "INVALID_REQUEST", "old"),
        (Operand(schema_id="x"), Operand(schema_id="y"), "SCHEMA_NOT_FOUND", None),
        (Operand(subject="nobody"), Operand(), "SUBJECT_NOT_FOUND", None),
        (Operand(schema_content=b"{}"), Operand(schema_content=b"{}"), "INVALID_REQUEST", "old.schema_type"),
        (Operand(subject="s", schema_id="x"), Operand(), "INVALID_REQUEST", "old.subject"),
    ],
)
def test_what_names_no_schema_is_refused(
    wire: Wire, old: Operand, new: Operand, reason: str, field: str | None
) -> None:
    code = "NOT_FOUND" if reason.endswith("NOT_FOUND") else "INVALID_ARGUMENT"
    refused(wire, "DiffSchemas", tools_pb2.DiffSchemasRequest(old=old, new=new), code, reason, field)


@pytest.mark.parametrize("target", [JSON, AVRO, PROTOBUF])
@pytest.mark.parametrize("source", [JSON, AVRO, PROTOBUF])
def test_a_converted_schema_is_a_schema_of_its_type_and_takes_the_document(
    wire: Wire, source: int, target: int
) -> None:
    answer = wire.call(
        "ConvertSchema",
        tools_pb2.ConvertSchemaRequest(
            source=Operand(schema_content=SECOND[source], schema_type=source),
            target_type=target,
            data=b'{"a": "x", "b": 1}',
        ),
    )
    judged = wire.call(
        "ValidateSchema",
        pb.ValidateSchemaRequest(schema_content=answer.schema_content, schema_type=target),
    )

    assert judged.valid, judged.errors
    assert json.loads(answer.data)["a"] == "x"


def test_what_cannot_be_carried_is_listed(wire: Wire) -> None:
    bounded = b'{"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}}'

    answer = wire.call(
        "ConvertSchema",
        tools_pb2.ConvertSchemaRequest(
            source=Operand(schema_content=bounded, schema_type=JSON), target_type=PROTOBUF
        ),
    )

    assert any(loss.path.startswith("/properties/n") for loss in answer.losses)


@pytest.mark.parametrize(
    ("request_", "code", "reason", "field"),
    [
        (
            tools_pb2.ConvertSchemaRequest(source=Operand(schema_content=V1, schema_type=JSON)),
            "INVALID_ARGUMENT",
            "INVALID_REQUEST",
            "target_type",
        ),
        (
            tools_pb2.ConvertSchemaRequest(
                source=Operand(schema_content=V1, schema_type=JSON), target_type=pb.SCHEMA_TYPE_THRIFT
            ),
            "UNIMPLEMENTED",
            "UNSUPPORTED_SCHEMA_TYPE",
            None,
        ),
        (
            tools_pb2.ConvertSchemaRequest(
                source=Operand(schema_content=V1, schema_type=JSON), target_type=AVRO, data=b'{"a": 1}'
            ),
            "INVALID_ARGUMENT",
            "DATA_REFUSED",
            "data",
        ),
        (
            tools_pb2.ConvertSchemaRequest(
                source=Operand(schema_content=FIRST[PROTOBUF], schema_type=PROTOBUF),
                target_type=AVRO,
                message_name="t.Nobody",
            ),
            "INVALID_ARGUMENT",
            "CONVERSION_REFUSED",
            "source",
        ),
    ],
)
def test_what_cannot_be_converted_is_refused(
    wire: Wire, request_: tools_pb2.ConvertSchemaRequest, code: str, reason: str, field: str | None
) -> None:
    refused(wire, "ConvertSchema", request_, code, reason, field)
