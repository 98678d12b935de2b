"""Fixes of refused Protobuf schemas: edits in the text, so that comments and order stay."""

from __future__ import annotations

import pytest

from llm_schema_engines.fixes.proto_text import ProtoText
from llm_schema_engines.model.compatibility import CompareOptions, Strictness

from .kit import kinds, search

THREE = 'syntax = "proto3"; package a.b;\n'
TWO = 'syntax = "proto2"; package a.b;\n'

CASES: dict[str, tuple[str, str, str, str, str, str]] = {
    # name: head, old, new, strictness, kind, text that the fix holds
    "deleted": (THREE, "message M {int32 a = 1; string b = 2;}", "message M {int32 a = 1;}", "WIRE_JSON",
                "RESERVE", 'reserved 2; reserved "b";'),
    "editions": ('edition = "2023"; package a.b;', "message M {int32 a = 1; string b = 2;}", "message M {int32 a = 1;}",
                 "WIRE_JSON", "RESERVE", "reserved b;"),
    "type": (THREE, "message M {int32 a = 1;}", "message M {string a = 1;}", "WIRE", "NEW_NUMBER",
             "int32 a = 1; string a_2 = 2;"),
    "name": (THREE, "message M {int32 a = 1;}", "message M {int32 b = 1;}", "WIRE_JSON", "NEW_NUMBER",
             "int32 a = 1; int32 b = 2;"),
    "cardinality": (THREE, "message M {int32 a = 1;}", "message M {repeated int32 a = 1;}", "SOURCE", "NEW_NUMBER",
                    "repeated int32 a_2 = 2;"),
    "map": (THREE, "message M {map<string, int32> m = 1;}", "message M {map<string, bytes> m = 1;}", "WIRE", "NEW_NUMBER",
            "map<string, int32> m = 1;"),
    "nested": (THREE, "message M {message I {int32 q = 1;} I i = 1;}", "message M {message I {bytes q = 1;} I i = 1;}",
               "WIRE", "NEW_NUMBER", "bytes q_2 = 2;"),
    "above what is reserved": (THREE, "message M {reserved 5 to 9; int32 a = 1;}", "message M {reserved 5 to 9; string a = 1;}",
                               "WIRE", "NEW_NUMBER", "string a_2 = 10;"),
    "no longer reserved": (THREE, "message M {reserved 4; int32 a = 1;}", "message M {int32 a = 1; int32 b = 2;}",
                           "WIRE_JSON", "RESERVE", "reserved 4;"),
    "message": (THREE, "message M {} message N {int32 a = 1;}", "message M {int32 c = 1;}", "WIRE", "KEEP_MEMBER",
                "message N {int32 a = 1;}"),
    "value": (THREE, "enum E {A = 0; B = 1;} message M {E e = 1;}", "enum E {A = 0; C = 2;} message M {E e = 1;}", "SOURCE",
              "KEEP_VALUES", "B = 1;"),
    "oneof": (THREE, "message M {int32 a = 1; oneof x {int32 c = 3;} int32 b = 2;}",
              "message M {int32 a = 1; oneof x {int32 c = 3; int32 b = 2;} int32 n = 4;}", "WIRE", "KEEP_PART",
              "oneof x {int32 c = 3; }"),
    "required": (TWO, "message M {optional int32 a = 1;}", "message M {optional int32 a = 1; required int32 b = 2;}", "WIRE",
                 "MAKE_OPTIONAL", "optional int32 b = 2;"),
    "closed enum": (TWO, "enum E {A = 0; B = 1;} message M {optional E e = 1;}",
                    "enum E {A = 0; C = 2;} message M {optional E e = 1;}", "WIRE", "KEEP_VALUES", "B = 1;"),
    "method": (THREE, "message M {} service S {rpc X(M) returns (M); rpc Y(M) returns (M) {}}",
               "message M {int32 a = 1;} service S {rpc X(M) returns (M);}", "SOURCE", "KEEP_MEMBER", "rpc Y(M) returns (M) {}"),
    "option": (THREE, 'option java_package = "x"; message M {}', 'option java_package = "y"; message M {int32 a = 1;}',
               "SOURCE", "KEEP_RULE", 'option java_package = "x";'),
    "lost option": (THREE, 'option java_package = "x"; message M {}', "message M {int32 a = 1;}",
                    "SOURCE", "KEEP_RULE", 'option java_package = "x";'),
    "type that is gone": (THREE, "message M {N n = 1; N m = 2;} message N {E e = 1;} enum E {A = 0;}",
                          "message M {int32 n = 1; int32 k = 3;}", "SOURCE", "KEEP_MEMBER", "message N {E e = 1;}"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_edits_are_found_and_proved(case: str) -> None:
    head, old, new, strictness, kind, text = CASES[case]
    options = CompareOptions(strictness=Strictness[strictness])
    found = search(head + new, head + old, "BACKWARD", "PROTOBUF", options)

    assert kind in [k for fix in kinds(found) for k in fix]
    assert any(text in fix.content.decode() for fix in found.fixes)


def test_the_package_as_it_was() -> None:
    found = search(
        'syntax = "proto3";\npackage a.c;\nmessage M { int32 n = 1; }\n',
        'syntax = "proto3";\npackage a.b;\nmessage M {}\n',
        kind="PROTOBUF",
    )

    assert kinds(found) == [["KEEP_RULE"]]
    assert b"package a.b;" in found.fixes[0].content


def test_comments_and_layout_stay() -> None:
    old = (
        THREE + "message M {\n  // the id\n  string id = 1;\n\n  // how many\n  int32 n = 2;  // pieces\n}\n"
    )
    new = (
        THREE
        + "message M {\n  // the id\n  string id = 1;\n\n  // how many, as text\n  string n = 2;  // pieces\n}\n"
    )

    found = search(new, old, kind="PROTOBUF")

    assert found.fixes[0].content.decode() == THREE + (
        "message M {\n  // the id\n  string id = 1;\n\n  // how many\n  int32 n = 2;\n"
        "  // how many, as text\n  string n_2 = 3;  // pieces\n}\n"
    )


def test_a_deleted_field_is_reserved_on_lines_of_its_own() -> None:
    old = THREE + "message M {\n  int32 a = 1;\n  string b = 2;\n}\n"
    options = CompareOptions(strictness=Strictness.WIRE_JSON)

    found = search(THREE + "message M {\n  int32 a = 1;\n}\n", old, kind="PROTOBUF", options=options)

    assert found.fixes[0].content.decode().endswith('  int32 a = 1;\n  reserved 2;\n  reserved "b";\n}\n')


def test_statements_are_found_whatever_stands_between_them() -> None:
    text = """
    // message No { int32 x = 9; }
    syntax = "proto3"; /* package no; */ package p;
    option (x) = { a: 1, b: [{c: "}"}] };
    message M { option deprecated = true; ;
      string s = 1 [(o) = { k: "; }" }, deprecated = true]; reserved 3 to 5, 7; reserved "r";
      oneof one { int32 i = 0x10; M.I n = 12; } message I { enum E { Z = 0; NEG = -1; } }
      map<string, .p.M> m = 13; }
    service S { rpc A(M) returns (stream M) { option (h) = { get: "/{x}" }; } rpc B(M) returns (M); }
    """
    found = ProtoText(text)

    assert {name: s.number for name, s in found.named.items()} == {
        "p.M": None, "p.M.s": 1, "p.M.one": None, "p.M.i": 16, "p.M.n": 12, "p.M.I": None, "p.M.I.E": None,
        "p.M.I.E.Z": 0, "p.M.I.E.NEG": -1, "p.M.m": 13, "p.S": None, "p.S.A": None, "p.S.B": None,
    }  # fmt: skip
    assert found.of(found.named["p.M.s"]).endswith("deprecated = true];")
    assert found.of(found.named["p.S.A"]).endswith("}; }")
