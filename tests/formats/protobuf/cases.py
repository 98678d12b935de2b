"""Single changes of a schema and what they do to data, one row each.

backward: does the new schema read old data, forward: does the old one read new data. A row without a comment follows
from protobuf.dev/programming-guides/proto3/#updating and was confirmed with random data (test_oracle.py).
"""

from __future__ import annotations

from typing import NamedTuple

HEADS = {
    "proto2": 'syntax = "proto2"; package t;',
    "proto3": 'syntax = "proto3"; package t;',
    "2023": 'edition = "2023"; package t;',
}


class Case(NamedTuple):
    name: str
    old: str
    new: str
    backward: bool
    forward: bool


def _file(body: str, syntax: str) -> str:
    return body if body.startswith(("syntax", "edition")) else f"{HEADS[syntax]} {body}"


def _case(
    name: str, old: str, new: str, backward: bool, forward: bool, syntax: str = "proto3", new_syntax: str = ""
) -> Case:
    return Case(name, _file(old, syntax), _file(new, new_syntax or syntax), backward, forward)


def _field(name: str, old: str, new: str, backward: bool, forward: bool, syntax: str = "proto3") -> Case:
    """A change of one field of message M; helper types A, B, E, F are declared beside it."""
    first = "" if syntax == "proto2" else "A0 = 0; "
    second = "" if syntax == "proto2" else "B0 = 0; "
    label = "optional " if syntax == "proto2" else ""
    types = (
        f"enum E {{ {first}A1 = 1; A2 = 2; }} enum F {{ {second}B1 = 1; B2 = 2; }} "
        f"message A {{ {label}int32 a = 1; {label}string b = 2; }} "
        f"message B {{ {label}int32 a = 1; {label}string b = 2; }} "
        f"message C {{ {label}string a = 1; }} "
    )
    return _case(
        name, f"message M {{ {old} }} {types}", f"message M {{ {new} }} {types}", backward, forward, syntax
    )


def _type(old: str, new: str, backward: bool, forward: bool, syntax: str = "proto3") -> Case:
    label = "optional " if syntax == "proto2" else ""
    return _field(
        f"{syntax}: {old} -> {new}", f"{label}{old} f = 1;", f"{label}{new} f = 1;", backward, forward, syntax
    )


OK, NO = True, False

_ZERO_ONE = "Z f = 1; enum Z { ZERO = 0; ONE = 1; }"

TYPES = [
    _type("int32", "int64", OK, NO),
    _type("int64", "int32", NO, OK),
    _type("int32", "uint32", NO, NO),
    _type("int32", "uint64", NO, NO),
    _type("uint32", "int64", OK, NO),
    _type("uint32", "uint64", OK, NO),
    _type("bool", "int32", OK, NO),
    _type("bool", "uint64", OK, NO),
    _type("int32", "sint32", NO, NO),
    _type("sint32", "sint64", OK, NO),
    _type("int32", "fixed32", NO, NO),
    _type("fixed32", "sfixed32", NO, NO),
    _type("fixed64", "sfixed64", NO, NO),
    _type("fixed32", "fixed64", NO, NO),
    _type("fixed32", "float", NO, NO),
    _type("fixed64", "double", NO, NO),
    _type("string", "bytes", OK, NO),
    _type("float", "double", NO, NO),
    _type("int64", "string", NO, NO),
    _type("E", "int32", OK, OK),
    _type("E", "int64", OK, NO),
    _type("E", "uint32", NO, NO),  # an open enum carries any int32
    _type("E", "bool", NO, OK),
    _type("E", "F", OK, OK),
    _type("A", "B", OK, OK),
    _type("A", "C", NO, NO),
    _type("A", "bytes", OK, NO),
    _type("A", "string", NO, NO),
    _type("int32", "E", NO, OK, "proto2"),
    _type("E", "F", OK, OK, "proto2"),
    _type("E", "uint32", OK, NO, "proto2"),  # a closed enum carries only what it lists
    _type("bool", "E", NO, NO, "proto2"),  # E lists 1 and 2
    _type("string", "bytes", OK, NO, "proto2"),  # text in every syntax
    # A bool is true for any number but zero, of which a closed enum knows some.
    *(
        _field(
            f"{label} bool to closed enum of 0 and 1",
            f"{label} bool f = 1;",
            f"{label} {_ZERO_ONE}",
            NO,
            OK,
            "proto2",
        )
        for label in ("optional", "required", "repeated")
    ),
    _field(
        "values of a map, bool to closed enum of 0 and 1",
        "map<string, bool> f = 1;",
        f"map<string, {_ZERO_ONE.replace(' f', '> f', 1)}",
        NO,
        OK,
        "proto2",
    ),
]

CARDINALITY = [
    _field("implicit to repeated", "int32 f = 1;", "repeated int32 f = 1;", OK, NO),
    _field("explicit to repeated", "optional int32 f = 1;", "repeated int32 f = 1;", OK, NO),
    _field("unpacked to singular", "repeated int32 f = 1;", "optional int32 f = 1;", NO, OK, "proto2"),
    _field("repeated string to singular", "repeated string f = 1;", "string f = 1;", NO, OK),
    _field("repeated message to singular", "repeated A f = 1;", "A f = 1;", NO, OK),
    _field("implicit to explicit presence", "int32 f = 1;", "optional int32 f = 1;", OK, OK),
    _field("packed to unpacked", "repeated int32 f = 1;", "repeated int32 f = 1 [packed = false];", OK, OK),
    _field(
        "map to repeated entry",
        "map<string, int32> f = 1;",
        "repeated P f = 1; message P { string key = 1; int32 value = 2; }",
        OK,
        NO,
    ),
    _field("map value widened", "map<string, int32> f = 1;", "map<string, int64> f = 1;", OK, NO),
    _field("map value changed", "map<string, int32> f = 1;", "map<string, string> f = 1;", NO, NO),
    _field("map key changed", "map<int32, int32> f = 1;", "map<string, int32> f = 1;", NO, NO),
    _field(
        "group to message",
        "optional group G = 1 { optional int32 a = 1; }",
        "optional A g = 1;",
        NO,
        NO,
        "proto2",
    ),
    _field(
        "required added",
        "optional int32 a = 1;",
        "optional int32 a = 1; required int32 f = 2;",
        NO,
        OK,
        "proto2",
    ),
    _field("optional to required", "optional int32 f = 1;", "required int32 f = 1;", NO, OK, "proto2"),
    _field(
        "optional string to required", "optional string f = 1;", "required string f = 1;", NO, OK, "proto2"
    ),
    _field("optional message to required", "optional A f = 1;", "required A f = 1;", NO, OK, "proto2"),
    _field(
        "default changed",
        "optional int32 f = 1 [default = 1];",
        "optional int32 f = 1 [default = 2];",
        OK,
        OK,
        "proto2",
    ),
]

FIELDS = [
    _field("add field", "int32 a = 1;", "int32 a = 1; string b = 2;", OK, OK),
    _field(
        "remove field and reserve",
        "int32 a = 1; int32 b = 2;",
        'int32 a = 1; reserved 2; reserved "b";',
        OK,
        OK,
    ),
    _field("rename field", "int32 a = 1;", "int32 b = 1;", OK, OK),
    _field("change json_name", "int32 a = 1;", 'int32 a = 1 [json_name = "z"];', OK, OK),
    _field("renumber field", "int32 a = 1;", "int32 a = 2;", OK, OK),
    _field("swap names", "int32 a = 1; int32 b = 2;", "int32 b = 1; int32 a = 2;", OK, OK),
    _field("drop reserved", "int32 a = 1; reserved 2;", "int32 a = 1;", OK, OK),
    _field("reuse reserved", "int32 a = 1; reserved 2;", "int32 a = 1; int32 b = 2;", OK, OK),
]

ONEOFS = [
    _field("one field into new oneof", "int32 a = 1;", "oneof o { int32 a = 1; }", OK, OK),
    _field(
        "two fields into new oneof",
        "int32 a = 1; int32 b = 2;",
        "oneof o { int32 a = 1; int32 b = 2; }",
        NO,
        OK,
    ),
    _field(
        "field into existing oneof",
        "oneof o { int32 a = 1; } int32 b = 2;",
        "oneof o { int32 a = 1; int32 b = 2; }",
        NO,
        OK,
    ),
    _field(
        "field out of oneof",
        "oneof o { int32 a = 1; int32 b = 2; }",
        "oneof o { int32 a = 1; } int32 b = 2;",
        OK,
        NO,
    ),
    _field("all out of oneof", "oneof o { int32 a = 1; int32 b = 2; }", "int32 a = 1; int32 b = 2;", OK, NO),
    _field("add field to oneof", "oneof o { int32 a = 1; }", "oneof o { int32 a = 1; int32 b = 2; }", OK, OK),
    _field("delete oneof", "int32 c = 3; oneof o { int32 a = 1; int32 b = 2; }", "int32 c = 3;", OK, OK),
    _field(
        "rename oneof",
        "oneof o { int32 a = 1; int32 b = 2; }",
        "oneof p { int32 a = 1; int32 b = 2; }",
        OK,
        OK,
    ),
    _field(
        "split oneof",
        "oneof o { int32 a = 1; int32 b = 2; int32 c = 3; int32 d = 4; }",
        "oneof o { int32 a = 1; int32 b = 2; } oneof p { int32 c = 3; int32 d = 4; }",
        OK,
        NO,
    ),
]


def _enum(name: str, old: str, new: str, backward: bool, forward: bool, syntax: str = "proto3") -> Case:
    label = "optional " if syntax == "proto2" else ""
    return _case(
        name,
        f"message M {{ {label}G f = 1; }} enum G {{ {old} }}",
        f"message M {{ {label}G f = 1; }} enum G {{ {new} }}",
        backward,
        forward,
        syntax,
    )


ENUMS = [
    _enum("add enum value", "Z = 0; A = 1;", "Z = 0; A = 1; B = 2;", OK, OK),
    _enum("remove enum value", "Z = 0; A = 1;", "Z = 0;", OK, OK),
    _enum("rename enum value", "Z = 0; A = 1;", "Z = 0; B = 1;", OK, OK),
    _enum("renumber enum value", "Z = 0; A = 1;", "Z = 0; A = 2;", OK, OK),
    _enum("remove closed value", "Z = 0; A = 1;", "Z = 0;", NO, OK, "proto2"),
    _enum("add closed value", "Z = 0; A = 1;", "Z = 0; A = 1; B = 2;", OK, NO, "proto2"),
    _enum("remove closed and reserve", "Z = 0; A = 1;", "Z = 0; reserved 1;", NO, OK, "proto2"),
    _case(
        "open to closed enum",
        "message M { E f = 1; } enum E { Z = 0; }",
        "message M { E f = 1; } enum E { option features.enum_type = CLOSED; Z = 0; }",
        NO,
        OK,
        "2023",
    ),
    _case("remove unused enum", "message M {} enum E { Z = 0; }", "message M {}", OK, OK),
]

MESSAGES = [
    _case("remove message", "message M { int32 a = 1; } message N {}", "message M { int32 a = 1; }", NO, OK),
    _case("rename message", "message M { int32 a = 1; }", "message N { int32 a = 1; }", NO, NO),
    _case(
        "reorder messages",
        "message M { int32 a = 1; } message N {}",
        "message N {} message M { int32 a = 1; }",
        OK,
        OK,
    ),
    _case(
        "rename nested helper",
        "message M { H f = 1; message H { int32 a = 1; } }",
        "message M { K f = 1; message K { int32 a = 1; } }",
        OK,
        OK,
    ),
    _case(
        "nested field breaks",
        "message M { H f = 1; message H { int32 a = 1; } }",
        "message M { H f = 1; message H { string a = 1; } }",
        NO,
        NO,
    ),
    _case(
        "recursive message breaks deep",
        "message M { M m = 1; map<string, K> k = 2; } message K { repeated M m = 1; int64 n = 2; }",
        "message M { M m = 1; map<string, K> k = 2; } message K { repeated M m = 1; int32 n = 2; }",
        NO,
        OK,
    ),
    _case(
        "proto2 to proto3",
        "message M { optional int32 a = 1; repeated int32 b = 2; optional bytes c = 3; }",
        "message M { int32 a = 1; repeated int32 b = 2; bytes c = 3; }",
        OK,
        OK,
        "proto2",
        "proto3",
    ),
    _case(
        "proto3 to edition 2023",
        "message M { int32 a = 1; string s = 2; }",
        "message M { int32 a = 1 [features.field_presence = IMPLICIT]; string s = 2; }",
        OK,
        OK,
        "proto3",
        "2023",
    ),
    _case(
        "message becomes delimited",
        "message M { H f = 1; message H { int32 a = 1; } }",
        "message M { H f = 1 [features.message_encoding = DELIMITED]; message H { int32 a = 1; } }",
        NO,
        NO,
        "2023",
    ),
    _case(
        "extension range removed", "message M { extensions 100 to 199; }", "message M {}", OK, OK, "proto2"
    ),
    _case(
        "extension retyped",
        "message M { extensions 100 to 199; } extend M { optional int32 x = 100; }",
        "message M { extensions 100 to 199; } extend M { optional string x = 100; }",
        NO,
        NO,
        "proto2",
    ),
    _case(
        "package changed",
        "syntax = 'proto3'; package a; message M {}",
        "syntax = 'proto3'; package b; message M {}",
        NO,
        NO,
    ),
    _case(
        "rpc removed", "message M {} service S { rpc R(M) returns (M); }", "message M {} service S {}", OK, OK
    ),
    _case(
        "rpc request changed",
        "message M {} message N {} service S { rpc R(M) returns (M); }",
        "message M {} message N {} service S { rpc R(N) returns (M); }",
        OK,
        OK,
    ),
    _case(
        "rpc becomes streaming",
        "message M {} service S { rpc R(M) returns (M); }",
        "message M {} service S { rpc R(stream M) returns (M); }",
        OK,
        OK,
    ),
    _case(
        "editions: string stops being checked",
        "message M { string s = 1; }",
        "message M { string s = 1 [features.utf8_validation = NONE]; }",
        OK,
        OK,
        "2023",
    ),
    _case(
        "bytes to unchecked string",
        "message M { bytes s = 1; }",
        "message M { string s = 1 [features.utf8_validation = NONE]; }",
        NO,
        OK,
        "2023",
    ),
]

CASES = [*TYPES, *CARDINALITY, *FIELDS, *ONEOFS, *ENUMS, *MESSAGES]
