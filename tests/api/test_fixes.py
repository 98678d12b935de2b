"""FixService over every wire: edits under which a refused schema could become the next version."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from llm_schema_registry.v1 import fixes_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2 as registry

from .helpers import AVRO, avro, closed, refused, register
from .server import ServerProcess
from .wires import GrpcWire, Wire

Name = Callable[[str], str]
STRING = {"type": "string"}
PROTO = b'syntax = "proto3";\npackage p;\nmessage M {\n  int32 a = 1;\n  // a name\n  %b b = 2;\n}\n'


def find(wire: Wire, subject: str, content: bytes, **fields: object) -> pb.FindFixesResponse:
    found: pb.FindFixesResponse = wire.call(
        "FindFixes", pb.FindFixesRequest(subject=subject, new_schema=content, **fields)
    )
    return found


def check(wire: Wire, subject: str, content: bytes) -> registry.CompatibilityReport:
    report: registry.CompatibilityReport = wire.call(
        "CheckCompatibility", registry.CompatibilityCheckRequest(subject=subject, new_schema=content)
    )
    return report


def test_a_fix_of_a_refused_json_schema_may_be_registered(wire: Wire, name: Name) -> None:
    subject = name("fixed")
    register(wire, subject, closed(a=STRING))
    wanted = closed(a=STRING, b=STRING, required=("b",))

    found = find(wire, subject, wanted)

    assert not check(wire, subject, wanted).compatible
    assert [(e.kind, e.place) for e in found.fixes[0].edits] == [(pb.FIX_KIND_MAKE_OPTIONAL, "/required")]
    assert found.compared_versions == ["1.0.0"]
    assert found.level == registry.COMPATIBILITY_LEVEL_BACKWARD
    assert found.complete
    assert [(p.version, p.direction) for p in found.fixes[0].proofs] == [("1.0.0", "backward")]
    assert json.loads(found.fixes[0].patch) == [{"op": "remove", "path": "/required"}]
    for fix in found.fixes:
        assert check(wire, subject, fix.schema_content).compatible
    assert register(wire, subject, found.fixes[0].schema_content).version == "1.1.0"


def test_avro_and_protobuf(wire: Wire, name: Name) -> None:
    records, messages = name("records"), name("messages")
    register(wire, records, avro({"name": "a", "type": "int"}), AVRO)
    register(wire, messages, PROTO % b"string", registry.SCHEMA_TYPE_PROTOBUF)
    field = find(wire, records, avro({"name": "a", "type": "int"}, {"name": "b", "type": "int"}), limit=1)
    number = find(wire, messages, PROTO % b"int32", limit=1)

    assert [e.kind for e in field.fixes[0].edits] == [pb.FIX_KIND_MAKE_OPTIONAL]
    assert [e.kind for e in number.fixes[0].edits] == [pb.FIX_KIND_NEW_NUMBER]
    assert b"string b = 2;\n  // a name\n  int32 b_2 = 3;" in number.fixes[0].schema_content
    assert number.fixes[0].patch == ""
    assert check(wire, records, field.fixes[0].schema_content).compatible
    assert check(wire, messages, number.fixes[0].schema_content).compatible


def test_the_versions_are_those_of_the_level_that_is_asked_for(wire: Wire, name: Name) -> None:
    subject = name("levels")
    register(wire, subject, closed(k={"enum": ["a", "b"]}))
    register(wire, subject, closed(k={"enum": ["a", "b", "c"]}))
    wanted = closed(k={"enum": ["a", "d"]})

    all_versions = find(
        wire, subject, wanted, level=registry.COMPATIBILITY_LEVEL_BACKWARD_TRANSITIVE, limit=1
    )
    one = find(wire, subject, wanted, compare_version="1", limit=1)

    assert sorted(all_versions.compared_versions) == ["1.0.0", "1.1.0"]
    assert {p.version for p in all_versions.fixes[0].proofs} == {"1.0.0", "1.1.0"}
    assert one.compared_versions == ["1.0.0"]
    assert json.loads(one.fixes[0].schema_content)["properties"]["k"]["enum"] == ["a", "d", "b"]


def test_what_needs_no_fix_and_what_has_none_are_answers(wire: Wire, name: Name) -> None:
    subject = name("none")
    register(wire, subject, closed(a={"type": "string", "maxLength": 5}))

    fine = find(wire, subject, closed(a={"type": "string", "maxLength": 9}))
    none = find(
        wire,
        subject,
        closed(a={"type": "string", "maxLength": 4}),
        level=registry.COMPATIBILITY_LEVEL_FULL,
    )
    first = find(wire, name("new"), closed(a=STRING), schema_type=registry.SCHEMA_TYPE_JSON)

    assert (fine.compatible, len(fine.fixes)) == (True, 0)
    assert (none.compatible, len(none.fixes), none.reason) == (
        False,
        0,
        "the only edits that help take the whole change back",
    )
    assert first.compatible


def test_wrong_arguments_are_refused(wire: Wire, name: Name) -> None:
    subject = name("wrong")
    register(wire, subject, closed(a=STRING))

    def refuses(field: str, reason: str = "INVALID_REQUEST", **fields: object) -> None:
        request = pb.FindFixesRequest(**{"subject": subject, "new_schema": b"{}", **fields})
        refused(wire, "FindFixes", request, "INVALID_ARGUMENT", reason, field)

    refuses("limit", limit=6)
    refuses("limit", limit=-1)
    refuses("new_schema", "INVALID_SCHEMA", new_schema=b'{"type": 7}')
    refuses("subject", "INVALID_SUBJECT", subject="")
    refused(
        wire,
        "FindFixes",
        pb.FindFixesRequest(subject=name("nobody"), new_schema=b"{}"),
        "NOT_FOUND",
        "SUBJECT_NOT_FOUND",
    )


def test_a_search_ends_with_its_budget(tmp_path: Path, name: Name) -> None:
    server = ServerProcess(tmp_path, WORKERS__COMPARE_SECONDS="0.001")
    wire = GrpcWire("short", server.grpc)
    try:
        subject = name("short")
        register(wire, subject, avro({"name": "a", "type": "int"}), AVRO)
        found = find(wire, subject, avro({"name": "b", "type": "int"}))
    finally:
        wire.close()
        server.stop()

    assert not found.complete
    assert found.reason
