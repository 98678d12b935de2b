"""Whatever a caller sends, it is told what is wrong with which field; nothing is stored and nobody else notices."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import (
    AVRO,
    AVRO_V1,
    JSON,
    PROTO_V1,
    PROTOBUF,
    V1,
    V1_DESCRIBED,
    V2_COMPATIBLE,
    refused,
    register,
    versions,
)
from .wires import CallFailed, GrpcWire, Wire

Name = Callable[[str], str]
LIMIT = 2 * 1024 * 1024
DEEP = 20_000

NESTED_MESSAGES = "".join(f"message M{n} {{" for n in range(200)) + "}" * 200
OPTION_BOMB = 'syntax = "proto3"; option (a) = ' + "{a " * 100 + "}" * 100 + ";"

BAD_SCHEMAS: dict[str, tuple[Any, bytes]] = {
    "json blank": (JSON, b" \n"),
    "json not utf-8": (JSON, b'{"type": "\xff"}'),
    "json utf-16": (JSON, '{"type": "string"}'.encode("utf-16")),
    "json nul": (JSON, b"\x00"),
    "json truncated": (JSON, V1[:-1]),
    "json trailing": (JSON, V1 + b"}"),
    "json deep arrays": (JSON, b"[" * DEEP),
    "json deep objects": (JSON, b'{"not":' * DEEP + b"{}" + b"}" * DEEP),
    "json duplicate key": (JSON, b'{"type": "string", "type": "integer"}'),
    "json nan": (JSON, b'{"minimum": NaN}'),
    "json number": (JSON, b"7"),
    "json wrong keyword value": (JSON, b'{"type": 7}'),
    "json unresolved ref": (JSON, b'{"$ref": "#/$defs/nothing"}'),
    "json remote ref": (JSON, b'{"$ref": "http://127.0.0.1:9/x.json"}'),
    "json file ref": (JSON, b'{"$ref": "file:///etc/passwd"}'),
    "json unknown dialect": (JSON, b'{"$schema": "https://example.com/nothing"}'),
    "json bad pattern": (JSON, b'{"pattern": "("}'),
    "json long number": (JSON, b'{"minimum": ' + b"9" * 100_000 + b"}"),
    "json exponent bomb": (JSON, b'{"minimum": 1e999999999}'),
    "avro not utf-8": (AVRO, b'{"type": "record", "name": "\xff", "fields": []}'),
    "avro truncated": (AVRO, AVRO_V1[:-1]),
    "avro deep": (AVRO, b'{"type": "array", "items": ' * DEEP + b'"int"' + b"}" * DEEP),
    "avro duplicate key": (AVRO, b'{"type": "string", "type": "int"}'),
    "avro duplicate field": (
        AVRO,
        b'{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}, {"name": "a", "type": "int"}]}',
    ),
    "avro unknown name": (AVRO, b'"Nobody"'),
    "avro bad name": (AVRO, b'{"type": "enum", "name": "a b", "symbols": ["A"]}'),
    "avro nothing but itself": (
        AVRO,
        b'{"type": "record", "name": "R", "fields": [{"name": "r", "type": "R", "default": 1}]}',
    ),
    "protobuf not utf-8": (PROTOBUF, b'syntax = "proto3"; message \xff {}'),
    "protobuf truncated": (PROTOBUF, PROTO_V1.rstrip()[:-1]),
    "protobuf deep": (PROTOBUF, f'syntax = "proto3"; {NESTED_MESSAGES}'.encode()),
    "protobuf option bomb": (PROTOBUF, OPTION_BOMB.encode()),
    "protobuf duplicate number": (
        PROTOBUF,
        b'syntax = "proto3"; message M { string a = 1; string b = 1; }',
    ),
    "protobuf missing import": (PROTOBUF, b'syntax = "proto3"; import "nobody.proto"; message M {}'),
    "protobuf path import": (PROTOBUF, b'syntax = "proto3"; import "../../etc/passwd"; message M {}'),
    "protobuf unknown edition": (PROTOBUF, b'edition = "99999"; message M {}'),
    "protobuf nul": (PROTOBUF, b"\x00" * 100),
}


def registration(subject: str, content: bytes = V1, schema_type: Any = JSON, **fields: Any) -> Any:
    return pb.RegisterSchemaRequest(
        subject=subject, schema_content=content, schema_type=schema_type, **fields
    )


def nothing_is_stored(wire: Wire, subject: str) -> None:
    refused(wire, "ListVersions", pb.ListVersionsRequest(subject=subject), "NOT_FOUND", "SUBJECT_NOT_FOUND")


@pytest.mark.parametrize("what", BAD_SCHEMAS)
def test_a_schema_that_is_none_is_refused_with_its_fault(wire: Wire, name: Name, what: str) -> None:
    schema_type, content = BAD_SCHEMAS[what]
    request = registration(name("s"), content, schema_type)
    error = refused(wire, "RegisterSchema", request, "INVALID_ARGUMENT", "INVALID_SCHEMA", "schema_content")
    report = wire.call(
        "ValidateSchema", pb.ValidateSchemaRequest(schema_content=content, schema_type=schema_type)
    )

    assert error.metadata["rule"]
    assert (report.valid, report.issues[0].rule) == (False, error.metadata["rule"])
    assert "/tmp" not in error.message
    assert "/proc" not in error.message
    nothing_is_stored(wire, name("s"))


@pytest.mark.parametrize("schema_type", [JSON, AVRO, PROTOBUF])
def test_an_empty_schema_is_refused(wire: Wire, name: Name, schema_type: Any) -> None:
    request = registration(name("s"), b"", schema_type)
    error = refused(wire, "RegisterSchema", request, "INVALID_ARGUMENT", "INVALID_REQUEST", "schema_content")

    assert "empty" in error.message
    nothing_is_stored(wire, name("s"))


@pytest.mark.parametrize("schema_type", [JSON, AVRO, PROTOBUF])
def test_a_schema_over_the_limit_is_refused_with_size_and_limit(
    wire: Wire, name: Name, schema_type: Any
) -> None:
    request = registration(name("s"), b" " * (LIMIT + 1), schema_type)
    error = refused(wire, "RegisterSchema", request, "INVALID_ARGUMENT", "SCHEMA_TOO_LARGE", "schema_content")

    assert (error.metadata["size"], error.metadata["limit"]) == (str(LIMIT + 1), str(LIMIT))
    nothing_is_stored(wire, name("s"))


def test_a_message_over_the_limit_is_refused_and_the_connection_lives(wire: Wire, name: Name) -> None:
    with pytest.raises(CallFailed) as caught:
        wire.call("RegisterSchema", registration(name("s"), b" " * (20 << 20)))

    assert caught.value.code == 8 or caught.value.http == 413
    assert register(wire, name("s")).version == "1.0.0"


@pytest.mark.parametrize("number", [0, 5, 99, -1])
def test_a_type_that_does_not_exist_is_refused(wire: Wire, name: Name, number: int) -> None:
    request = registration(name("s"), V1, number)

    refused(wire, "RegisterSchema", request, "INVALID_ARGUMENT", "INVALID_REQUEST", "schema_type")
    refused(
        wire,
        "ValidateSchema",
        pb.ValidateSchemaRequest(schema_content=V1, schema_type=number),  # type: ignore[arg-type]
        "INVALID_ARGUMENT",
        "INVALID_REQUEST",
        "schema_type",
    )


def test_thrift_is_said_to_be_not_implemented(wire: Wire, name: Name) -> None:
    request = registration(name("s"), b"struct S {}", pb.SCHEMA_TYPE_THRIFT)
    error = refused(
        wire, "RegisterSchema", request, "UNIMPLEMENTED", "UNSUPPORTED_SCHEMA_TYPE", "schema_type"
    )

    assert "THRIFT" in error.message
    for alternative in ("JSON", "AVRO", "PROTOBUF"):
        assert alternative in error.message


@pytest.mark.parametrize(
    "subject",
    [
        "",
        " ",
        " a",
        "a ",
        "a\nb",
        "a\x00",
        "a\x7f",
        "a\x85b",
        "x" * 256,
        "x" * 10_000,
        ":.ctx:",
        ":.ctx",
        "\t",
    ],
    ids=lambda s: repr(s[:12]),
)
def test_a_name_that_is_no_subject_is_refused(wire: Wire, subject: str) -> None:
    refused(wire, "RegisterSchema", registration(subject), "INVALID_ARGUMENT", "INVALID_SUBJECT", "subject")
    for rpc, request in (
        ("CheckCompatibility", pb.CompatibilityCheckRequest(subject=subject, new_schema=V1)),
        ("GetLatestVersion", pb.GetLatestVersionRequest(subject=subject)),
    ):
        if wire.name != "http" or rpc == "CheckCompatibility":  # elsewhere it would be another path
            refused(wire, rpc, request, "INVALID_ARGUMENT", "INVALID_SUBJECT", "subject")


@pytest.mark.parametrize(
    "ending",
    [
        "with space",
        "a/b",
        "100%",
        "%2F",
        "%",
        "ünï😀",
        "a+b&c=d?e#f",
        "..",
        "a:b",
        "~",
        "x" * 200,
        "versions",
    ],
)
def test_a_name_of_unusual_characters_is_one_subject_everywhere(wire: Wire, name: Name, ending: str) -> None:
    subject = name(ending)
    made = register(wire, subject)

    assert versions(wire, subject) == ["1.0.0"]
    by_version = pb.GetSchemaByVersionRequest(subject=subject, version="1")
    assert wire.call("GetSchemaByVersion", by_version).schema.id == made.schema_id
    assert list(wire.call("ListSubjects", pb.ListSubjectsRequest(prefix=subject)).subjects) == [subject]


LISTS: list[tuple[str, Callable[..., Message]]] = [
    ("ListVersions", lambda **f: pb.ListVersionsRequest(subject="x", **f)),
    ("ListSubjects", lambda **f: pb.ListSubjectsRequest(**f)),
    ("SearchSchemas", lambda **f: pb.SearchSchemasRequest(**f)),
]


@pytest.mark.parametrize(("rpc", "make"), LISTS, ids=[rpc for rpc, _ in LISTS])
@pytest.mark.parametrize("field", ["limit", "offset"])
def test_negative_numbers_are_refused(wire: Wire, rpc: str, make: Any, field: str) -> None:
    for number in (-1, -(2**31)):
        refused(wire, rpc, make(**{field: number}), "INVALID_ARGUMENT", "INVALID_REQUEST", field)


@pytest.mark.parametrize("field", ["limit", "offset"])
def test_negative_numbers_are_refused_in_streams_too(wire: Wire, field: str) -> None:
    with pytest.raises(CallFailed) as caught:
        list(wire.listing("ListSchemas", pb.ListSchemasRequest(**{field: -1})))  # type: ignore[arg-type]

    assert (caught.value.reason, caught.value.fields) == ("INVALID_REQUEST", (field,))


@pytest.mark.parametrize(("rpc", "make"), LISTS, ids=[rpc for rpc, _ in LISTS])
@pytest.mark.parametrize("token", ["junk", "!", "x" * 5000, "eyJhIjoxfQ==", "\x00"])
def test_a_token_that_is_none_is_refused(wire: Wire, rpc: str, make: Any, token: str) -> None:
    request = make(page_token=token)

    refused(wire, rpc, request, "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID", "page_token")


def test_a_reference_to_nothing_is_refused(wire: Wire, name: Name) -> None:
    for reference in (
        pb.SchemaReference(name="r", subject=name("nobody"), version="1"),
        pb.SchemaReference(name="r", subject=name("base"), version="7"),
    ):
        register(wire, name("base"))
        request = registration(name("s"), V1, references=[reference])
        error = refused(wire, "RegisterSchema", request, "INVALID_ARGUMENT", "REFERENCE_NOT_FOUND")
        assert error.fields[0].startswith("references")
    nothing_is_stored(wire, name("s"))


def test_a_reference_to_itself_is_refused(wire: Wire, name: Name) -> None:
    reference = pb.SchemaReference(name="r", subject=name("s"), version="1")
    register(wire, name("s"))
    request = registration(name("s"), V2_COMPATIBLE, references=[reference])
    error = refused(wire, "RegisterSchema", request, "INVALID_ARGUMENT", "REFERENCE_CYCLE")

    assert error.fields[0].startswith("references")
    assert versions(wire, name("s")) == ["1.0.0"]


def test_a_reference_in_a_circle_is_refused_with_its_path(wire: Wire, name: Name) -> None:
    uri = {s: f"https://example.com/{name(s)}" for s in "abc"}

    def using(subject: str, *uses: str) -> Any:
        content = {"$id": uri[subject], "anyOf": [{}, *({"$ref": uri[use]} for use in uses)]}
        references = [pb.SchemaReference(name=uri[use], subject=name(use), version="latest") for use in uses]
        return registration(name(subject), json.dumps(content).encode(), references=references)

    wire.call("RegisterSchema", using("a"))
    wire.call("RegisterSchema", using("b", "a"))
    wire.call("RegisterSchema", using("c", "b"))
    error = refused(wire, "RegisterSchema", using("a", "c"), "INVALID_ARGUMENT", "REFERENCE_CYCLE")

    for subject in "abc":
        assert name(subject) in error.message
    assert versions(wire, name("a")) == ["1.0.0"]


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        (pb.SchemaReference(name="", subject="a", version="1"), "INVALID_REQUEST"),
        (pb.SchemaReference(name="r", subject="", version="1"), "INVALID_SUBJECT"),
        (pb.SchemaReference(name="r", subject="a", version="newest"), "INVALID_VERSION"),
    ],
)
def test_a_reference_with_a_bad_part_is_refused_with_its_place(
    wire: Wire, name: Name, reference: Any, reason: str
) -> None:
    register(wire, name("base"))
    good = pb.SchemaReference(name="g", subject=name("base"), version="1")
    request = registration(name("s"), V1, references=[good, reference])
    error = refused(wire, "RegisterSchema", request, "INVALID_ARGUMENT", reason)

    assert error.fields[0].startswith("references[1]")


def test_more_references_than_allowed_are_refused(wire: Wire, name: Name) -> None:
    many = [pb.SchemaReference(name=f"r{n}", subject=name("base"), version="1") for n in range(257)]
    with pytest.raises(CallFailed) as caught:
        wire.call("RegisterSchema", registration(name("s"), V1, references=many))

    assert "256" in caught.value.message
    assert caught.value.fields[0] == "references"


def test_a_version_that_goes_backwards_is_refused(wire: Wire, name: Name) -> None:
    register(wire, name("s"), version="2.0.0")
    request = registration(name("s"), V1_DESCRIBED, version="1.9.9")
    error = refused(wire, "RegisterSchema", request, "FAILED_PRECONDITION", "VERSION_NOT_GREATER", "version")

    assert error.metadata["minimum"] == "2.0.1"
    assert versions(wire, name("s")) == ["2.0.0"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tags": [f"t{n}" for n in range(51)]}, "tags"),
        ({"tags": [""]}, "tags"),
        ({"tags": ["x" * 10_000]}, "tags"),
        ({"metadata": {"k": "x" * 11_000}}, "metadata"),
        ({"metadata": {"": "x"}}, "metadata"),
        ({"description": "x" * 2_000_000}, "description"),
        ({"compatibility_level": 42}, "compatibility_level"),
    ],
    ids=str,
)
def test_what_goes_with_a_schema_is_bounded_too(
    wire: Wire, name: Name, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(CallFailed) as caught:
        wire.call("RegisterSchema", registration(name("s"), **fields))

    assert caught.value.reason in {"INVALID_REQUEST", "LIMIT_EXCEEDED"}
    assert caught.value.fields[0].startswith(field)
    nothing_is_stored(wire, name("s"))


@pytest.mark.parametrize(
    ("revision", "said"),
    [
        ("00000000.0000000000000001", "another registry"),
        ("junk", "not a revision"),
        ("x" * 5000, "not a revision"),
        ("-1", "not a revision"),
    ],
    ids=lambda r: r[:20],
)
def test_a_revision_of_another_registry_is_refused(wire: Wire, revision: str, said: str) -> None:
    with pytest.raises(CallFailed) as caught:
        next(wire.listing("StreamSchemaChanges", pb.StreamRequest(from_revision=revision)))

    assert (caught.value.reason, caught.value.fields) == ("REVISION_UNKNOWN", ("from_revision",))
    assert said in caught.value.message


def test_a_revision_that_is_yet_to_come_is_refused(wire: Wire, name: Name) -> None:
    registry = register(wire, name("s")).revision.partition(".")[0]
    request = pb.StreamRequest(from_revision=f"{registry}.{2**40:016x}")
    with pytest.raises(CallFailed) as caught:
        next(wire.listing("StreamSchemaChanges", request))

    assert caught.value.reason == "REVISION_UNKNOWN"


@pytest.mark.parametrize("number", [77, -1])
def test_an_event_type_that_does_not_exist_is_refused(wire: Wire, number: int) -> None:
    request = pb.StreamRequest(event_types=[1, number])  # type: ignore[list-item]
    with pytest.raises(CallFailed) as caught:
        next(wire.listing("StreamSchemaChanges", request))

    assert caught.value.reason == "INVALID_REQUEST"
    assert caught.value.fields[0].startswith("event_types")


def test_bytes_that_are_no_message_are_refused(engine: Any) -> None:
    wire = GrpcWire("raw", engine.grpc)
    for method in ("RegisterSchema", "GetSchema", "GetLatestVersion"):
        call = wire.channel.unary_unary(f"/schema_registry.v1.SchemaRegistry/{method}")
        with pytest.raises(CallFailed) as caught:
            wire.calling(call, b"\xff\xff\xff")
        assert (caught.value.code, caught.value.reason) == (3, "MALFORMED_REQUEST")
    assert wire.call("HealthCheck", Empty()).status == pb.HealthCheckResponse.STATUS_HEALTHY
    wire.close()


def test_a_method_that_does_not_exist_is_unimplemented(engine: Any) -> None:
    wire = GrpcWire("raw", engine.grpc)
    call = wire.channel.unary_unary("/schema_registry.v1.SchemaRegistry/Nothing")
    with pytest.raises(CallFailed) as caught:
        wire.calling(call, b"")

    assert caught.value.code == 12
    wire.close()
