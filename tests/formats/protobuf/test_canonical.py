"""What is equal after normalisation, what stays different, and that canonical text compiles to the same schema."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.protobuf.normalise import normalise
from tests.formats.protobuf.kit import ENGINE, parse, reference

P3 = 'syntax = "proto3"; package p; '
P2 = 'syntax = "proto2"; package p; '

EQUAL = {
    "field order": (
        P3 + "message M { int32 a = 1; int32 b = 2; }",
        P3 + "message M { int32 b = 2; int32 a = 1; }",
    ),
    "white space": (P3 + "message M { int32 a = 1; }", P3 + "message M\n{\n\tint32 a=1;}"),
    "comments": (P3 + "message M { int32 a = 1; }", P3 + "/* M */ message M { int32 a = 1; // a\n }"),
    "file options order": (
        P3 + 'option java_package = "j"; option go_package = "g";',
        P3 + 'option go_package = "g"; option java_package = "j";',
    ),
    "enum value order": (
        P3 + "enum E { Z = 0; A = 1; B = 2; }",
        P3 + "enum E { Z = 0; B = 2; A = 1; }",
    ),
    "oneof order": (
        P3 + "message M { oneof a { int32 x = 1; } oneof b { int32 y = 2; } }",
        P3 + "message M { oneof b { int32 y = 2; } oneof a { int32 x = 1; } }",
    ),
    "map order": (
        P3 + "message M { map<int32, int32> a = 1; map<int32, int32> b = 2; }",
        P3 + "message M { map<int32, int32> b = 2; map<int32, int32> a = 1; }",
    ),
    "reserved order and merging": (
        P3 + 'message M { reserved 1 to 3; reserved "a", "b"; }',
        P3 + 'message M { reserved 3, 1, 2; reserved "b"; reserved "a"; }',
    ),
    "enum reserved merging": (
        P3 + "enum E { Z = 0; reserved 1 to 3; }",
        P3 + "enum E { Z = 0; reserved 2, 3, 1; }",
    ),
    "default json_name": (
        P3 + "message M { int32 a_b = 1; }",
        P3 + 'message M { int32 a_b = 1 [json_name = "aB"]; }',
    ),
    "hexadecimal number": (P3 + "message M { int32 a = 16; }", P3 + "message M { int32 a = 0x10; }"),
    "qualified names": (
        P3 + "message M { N n = 1; } message N {}",
        P3 + "message M { .p.N n = 1; } message N {}",
    ),
    "no syntax means proto2": (P2 + "message M {}", "package p; message M {}"),
    "import order": (
        P3 + 'import "google/protobuf/any.proto"; import "google/protobuf/empty.proto";',
        P3 + 'import "google/protobuf/empty.proto"; import "google/protobuf/any.proto";',
    ),
    "extension order": (
        P2 + "message M { extensions 5 to 9; } extend M { optional int32 a = 5; optional int32 b = 6; }",
        P2
        + "message M { extensions 5 to 9; } extend M { optional int32 b = 6; } extend M { optional int32 a = 5; }",
    ),
    "empty rpc body": (
        P3 + "message M {} service S { rpc R(M) returns (M); }",
        P3 + "message M {} service S { rpc R(M) returns (M) {} }",
    ),
    "string quotes": (P3 + 'option java_package = "j";', P3 + "option java_package = 'j';"),
}

DIFFERENT = {
    "message order": (P3 + "message M {} message N {}", P3 + "message N {} message M {}"),
    "first enum value": (P2 + "enum E { A = 1; B = 2; }", P2 + "enum E { B = 2; A = 1; }"),
    "field name": (P3 + "message M { int32 a = 1; }", P3 + "message M { int32 b = 1; }"),
    "presence": (P3 + "message M { int32 a = 1; }", P3 + "message M { optional int32 a = 1; }"),
    "option": (P3 + "message M { int32 a = 1; }", P3 + "message M { int32 a = 1 [deprecated = true]; }"),
    "syntax": (P3 + "message M {}", P2 + "message M {}"),
    "rpc order": (
        P3 + "message M {} service S { rpc A(M) returns (M); rpc B(M) returns (M); }",
        P3 + "message M {} service S { rpc B(M) returns (M); rpc A(M) returns (M); }",
    ),
}


@pytest.mark.parametrize("name", EQUAL)
def test_what_has_no_meaning_keeps_the_validation_fingerprint(name: str) -> None:
    one, other = (parse(text) for text in EQUAL[name])

    assert one.fingerprints.validation == other.fingerprints.validation
    assert one.fingerprints.content != other.fingerprints.content


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_has_meaning_changes_the_validation_fingerprint(name: str) -> None:
    one, other = (parse(text) for text in DIFFERENT[name])

    assert one.fingerprints.validation != other.fingerprints.validation
    assert one.canonical != other.canonical


def test_the_generation_fingerprint_ignores_white_space_only() -> None:
    text = P3 + "/* An order\n   of things. */ message M { int32 a = 1; int32 b = 2; }"
    spaced = parse(text.replace(" ", "  ").replace("{", "{\n"))
    reordered = parse(P3 + "/* An order of things. */ message M { int32 b = 2; int32 a = 1; }")
    reworded = parse(text.replace("things", "wishes"))

    assert parse(text).fingerprints.generation == spaced.fingerprints.generation
    assert parse(text).fingerprints.generation != reordered.fingerprints.generation
    assert parse(text).fingerprints.generation != reworded.fingerprints.generation
    assert parse(text).fingerprints.validation == reworded.fingerprints.validation


def test_comments_stay_in_the_canonical_form_with_their_element() -> None:
    one = parse(P3 + "message M {\n // first\n int32 a = 1;\n // second\n int32 b = 2;\n}")
    other = parse(P3 + "message M {\n // second\n int32 b = 2;\n // first\n int32 a = 1;\n}")

    assert one.canonical == other.canonical
    assert b"// first\n  int32 a = 1;" in one.canonical


def test_a_change_in_a_reference_changes_the_fingerprints() -> None:
    text = (P3 + 'import "m.proto"; message A { .p.Money m = 1; }').encode()
    old = reference("m.proto", P3 + "message Money { int32 a = 1; }")
    new = reference("m.proto", P3 + "message Money { int64 a = 1; }")
    reworded = reference("m.proto", P3 + "/* now said */ message Money { int32 a = 1; }")
    prints = [ENGINE.parse(SchemaSource(text, (r,))).fingerprints for r in (old, new, reworded)]

    assert prints[0].validation != prints[1].validation
    assert prints[0].generation != prints[1].generation
    assert prints[0].validation == prints[2].validation


ROUND_TRIP = {
    "groups": P2
    + "message M { optional group G = 1 { optional int32 a = 1; } repeated group H = 2 {} oneof o { group I = 3 {} int32 j = 4; } extensions 9 to max; }"
    + " extend M { optional group X = 10 { optional int32 b = 1; } }",
    "defaults": P2
    + 'message M { optional string s = 1 [default = "a\\"\\\\\\n\\303\\251"]; optional bytes b = 2 [default = "\\"\\377\\001\'"];'
    + " optional float f = 3 [default = inf]; optional double d = 4 [default = -1.5e300]; optional float n = 5 [default = nan];"
    + " optional bool t = 6 [default = true]; optional E e = 7 [default = B]; optional int64 i = 8 [default = -5]; } enum E { A = 1; B = 2; }",
    "aliases": P3 + "enum E { option allow_alias = true; Z = 0; A = 1; B = 1; }",
    "nested extension": P2
    + "message M { extensions 5; message N { extend M { repeated int32 x = 5 [packed = true]; } } }",
    "custom options": P3
    + 'import "google/protobuf/descriptor.proto"; message O { repeated string s = 1; map<string, int32> m = 2; O o = 3; }'
    + " extend google.protobuf.FieldOptions { O opt = 50001; repeated int32 ns = 50002; }"
    + ' message M { int32 a = 1 [(opt) = { s: "x" s: "y" m { key: "k" value: 1 } o { s: "\\001" } }, (ns) = 1, (ns) = 2]; }',
    "edition features": 'edition = "2023"; package p; option features.field_presence = IMPLICIT; message M { int32 a = 1; '
    + "repeated int32 b = 2 [features.repeated_field_encoding = EXPANDED]; M m = 3 [features.message_encoding = DELIMITED]; reserved x, y; }"
    + " enum E { option features.enum_type = CLOSED; A = 1; }",
    "edition 2024": 'edition = "2024"; package p; export message M { local enum E { Z = 0; } int32 a = 1; }',
    "language features": 'edition = "2023"; import "google/protobuf/cpp_features.proto"; message M { string s = 1 [features.(pb.cpp).string_type = VIEW]; }',
    "extension declarations": P2
    + 'message M { extensions 4 to 9 [declaration = { number: 4 full_name: ".p.x" type: "int32" }, verification = DECLARATION]; }',
    "http rules": P3
    + 'import "google/api/annotations.proto"; message M {} service S { rpc R(stream M) returns (M) {'
    + ' option (google.api.http) = { post: "/v1/{a=x/*}" body: "*" additional_bindings { get: "/b" } }; option deprecated = true; } }',
    "oneof options and json names": P3
    + 'message M { oneof o { int32 a = 1 [json_name = "A!"]; } optional int32 b = 2; }',
    "public imports": P3
    + 'import public "google/protobuf/any.proto"; message M { google.protobuf.Any a = 1; }',
}


@pytest.mark.parametrize("name", ROUND_TRIP)
def test_canonical_text_compiles_to_the_same_schema(name: str) -> None:
    first = parse(ROUND_TRIP[name])
    second = parse(first.canonical.decode())

    assert second.canonical == first.canonical
    assert second.fingerprints.validation == first.fingerprints.validation
    files = [normalise(FileDescriptorSet.FromString(p.artifact).file[-1]) for p in (first, second)]
    assert files[0] == files[1]
