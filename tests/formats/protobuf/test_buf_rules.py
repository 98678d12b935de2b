"""One change for each of Buf's rules; the rule fires at the strictness whose category holds it, and nowhere else.

The rules are those of buf.build/docs/breaking/rules that concern one schema file: all but FILE_NO_DELETE and
PACKAGE_NO_DELETE, which speak of whole modules.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from llm_schema_engines.formats.protobuf.compare import RULES
from llm_schema_engines.formats.protobuf.compare.file_rules import FILE_OPTIONS
from llm_schema_engines.model.compatibility import Strictness
from tests.formats.protobuf.kit import compare, errors, warnings

WIRE, WIRE_JSON, SOURCE = Strictness


class Row(NamedTuple):
    """`fires`: where the rule is an error. `warns`: whether it is advice at WIRE."""

    rule: str
    old: str
    new: str
    fires: set[Strictness]
    warns: bool = False


def row(
    rule: str, old: str, new: str, *fires: Strictness, warns: bool = False, syntax: str = "proto3"
) -> Row:
    head = 'edition = "2023";' if syntax == "2023" else f'syntax = "{syntax}";'
    return Row(rule, f"{head} package t; {old}", f"{head} package t; {new}", set(fires), warns)


def option_row(option: str) -> Row:
    values = {
        "optimize_for": ("SPEED", "CODE_SIZE"),
        "cc_enable_arenas": ("true", "false"),
    }
    if option in values:
        old, new = values[option]
    elif option.endswith(("_services", "_files")):
        old, new = "false", "true"
    else:
        old, new = '"a.b"', '"a.c"'
    return row(
        f"FILE_SAME_{option.upper()}",
        f"option {option} = {old}; message M {{}}",
        f"option {option} = {new}; message M {{}}",
        SOURCE,
    )


STRING = "message M { string s = 1%s; }"
ENUM = "enum E { %s }"
RPC = "message A {} message B {} service S { rpc R(%sA) returns (%sA)%s }"

ROWS = [
    row("ENUM_NO_DELETE", ENUM % "Z = 0;" + "message M {}", "message M {}", SOURCE),
    row("PACKAGE_ENUM_NO_DELETE", "message M { enum E { Z = 0; } }", "message M {}", SOURCE),
    row("MESSAGE_NO_DELETE", "message M { message N {} }", "message M {}", SOURCE),
    row("PACKAGE_MESSAGE_NO_DELETE", "message M { message N {} }", "message M {}", SOURCE),
    row("PACKAGE_MESSAGE_NO_DELETE", "message M {} message N {}", "message M {}", WIRE, WIRE_JSON, SOURCE),
    row("SERVICE_NO_DELETE", "message M {} service S {}", "message M {}", SOURCE),
    row("PACKAGE_SERVICE_NO_DELETE", "message M {} service S {}", "message M {}", SOURCE),
    *(
        row(
            rule,
            "message M { extensions 10; } extend M { optional int32 x = 10; }",
            "message M { extensions 10; }",
            SOURCE,
            syntax="proto2",
        )
        for rule in ("EXTENSION_NO_DELETE", "PACKAGE_EXTENSION_NO_DELETE")
    ),
    row(
        "ENUM_SAME_TYPE",
        "enum E { Z = 0; }",
        "enum E { option features.enum_type = CLOSED; Z = 0; }",
        SOURCE,
        syntax="2023",
    ),
    row("ENUM_VALUE_NO_DELETE", ENUM % "Z = 0; A = 1;", ENUM % 'Z = 0; reserved 1; reserved "A";', SOURCE),
    row(
        "ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED",
        ENUM % "Z = 0; A = 1;",
        ENUM % 'Z = 0; reserved "A";',
        WIRE_JSON,
        warns=True,
    ),
    row(
        "ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED",
        ENUM % "Z = 0; A = 1;",
        ENUM % "Z = 0; reserved 1;",
        WIRE_JSON,
    ),
    row("ENUM_VALUE_SAME_NAME", ENUM % "Z = 0; A = 1;", ENUM % "Z = 0; B = 1;", WIRE_JSON, SOURCE),
    row(
        "EXTENSION_MESSAGE_NO_DELETE",
        "message M { extensions 10 to 20; }",
        "message M { extensions 10 to 12, 14 to 20; }",
        SOURCE,
        syntax="proto2",
    ),
    row(
        "FIELD_NO_DELETE",
        "message M { int32 a = 1; }",
        'message M { reserved 1; reserved "a"; }',
        SOURCE,
    ),
    row(
        "FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED",
        "message M { int32 a = 1; }",
        'message M { reserved "a"; }',
        WIRE_JSON,
        warns=True,
    ),
    row(
        "FIELD_NO_DELETE_UNLESS_NAME_RESERVED",
        "message M { int32 a = 1; }",
        "message M { reserved 1; }",
        WIRE_JSON,
    ),
    row(
        "FIELD_SAME_CARDINALITY", "message M { int32 a = 1; }", "message M { optional int32 a = 1; }", SOURCE
    ),
    row(
        "FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY",
        "message M { string a = 1; }",
        "message M { repeated string a = 1; }",
        WIRE_JSON,
    ),
    row(
        "FIELD_WIRE_COMPATIBLE_CARDINALITY",
        "message M { repeated string a = 1; }",
        "message M { string a = 1; }",
        WIRE,
        WIRE_JSON,
        SOURCE,
    ),
    row("FIELD_SAME_CPP_STRING_TYPE", STRING % "", STRING % " [ctype = CORD]", SOURCE),
    row(
        "FIELD_SAME_CPP_STRING_TYPE",
        'import "google/protobuf/cpp_features.proto"; ' + STRING % "",
        'import "google/protobuf/cpp_features.proto"; ' + STRING % " [features.(pb.cpp).string_type = VIEW]",
        SOURCE,
        syntax="2023",
    ),
    row(
        "FIELD_SAME_JAVA_UTF8_VALIDATION",
        "message M { optional string s = 1; }",
        "option java_string_check_utf8 = true; message M { optional string s = 1; }",
        SOURCE,
        syntax="proto2",
    ),
    row(
        "FIELD_SAME_JAVA_UTF8_VALIDATION",
        'import "google/protobuf/java_features.proto"; ' + STRING % " [features.utf8_validation = NONE]",
        'import "google/protobuf/java_features.proto"; '
        + STRING % " [features.utf8_validation = NONE, features.(pb.java).utf8_validation = VERIFY]",
        SOURCE,
        syntax="2023",
    ),
    row(
        "FIELD_SAME_JSTYPE",
        "message M { int64 a = 1; }",
        "message M { int64 a = 1 [jstype = JS_STRING]; }",
        SOURCE,
    ),
    row("FIELD_SAME_TYPE", "message M { int32 a = 1; }", "message M { int64 a = 1; }", SOURCE),
    row(
        "FIELD_SAME_TYPE",
        "message M { N a = 1; } message N {} message O {}",
        "message M { O a = 1; } message N {} message O {}",
        SOURCE,
    ),
    row(
        "FIELD_WIRE_JSON_COMPATIBLE_TYPE",
        "message M { int32 a = 1; }",
        "message M { int64 a = 1; }",
        WIRE_JSON,
    ),
    row(
        "FIELD_WIRE_COMPATIBLE_TYPE",
        "message M { int64 a = 1; }",
        "message M { int32 a = 1; }",
        WIRE,
        WIRE_JSON,
        SOURCE,
    ),
    row(
        "FIELD_SAME_UTF8_VALIDATION",
        STRING % "",
        STRING % " [features.utf8_validation = NONE]",
        SOURCE,
        syntax="2023",
    ),
    row(
        "FIELD_SAME_UTF8_VALIDATION",
        STRING % " [features.utf8_validation = NONE]",
        STRING % "",
        SOURCE,
        warns=True,
        syntax="2023",
    ),
    *(option_row(option) for option in FILE_OPTIONS),
    Row("FILE_SAME_SYNTAX", 'syntax = "proto3"; message M {}', 'edition = "2023"; message M {}', {SOURCE}),
    Row(
        "FILE_SAME_PACKAGE",
        'syntax = "proto3"; package a; message M {}',
        'syntax = "proto3"; package b; message M {}',
        {WIRE, WIRE_JSON, SOURCE},
    ),
    row(
        "MESSAGE_NO_REMOVE_STANDARD_DESCRIPTOR_ACCESSOR",
        "message M {}",
        "message M { option no_standard_descriptor_accessor = true; }",
        SOURCE,
    ),
    row(
        "MESSAGE_SAME_MESSAGE_SET_WIRE_FORMAT",
        "message M { extensions 4 to max; }",
        "message M { option message_set_wire_format = true; extensions 4 to max; }",
        SOURCE,
        syntax="proto2",
    ),
    row("ONEOF_NO_DELETE", "message M { oneof o { int32 a = 1; } }", "message M { int32 a = 1; }", SOURCE),
    row("RPC_NO_DELETE", RPC % ("", "", ";"), "message A {} message B {} service S {}", SOURCE),
    row(
        "ENUM_SAME_JSON_FORMAT",
        "enum E { Z = 0; }",
        "enum E { option features.json_format = LEGACY_BEST_EFFORT; Z = 0; }",
        WIRE_JSON,
        SOURCE,
        syntax="2023",
    ),
    row(
        "MESSAGE_SAME_JSON_FORMAT",
        "message M {}",
        "message M { option features.json_format = LEGACY_BEST_EFFORT; }",
        WIRE_JSON,
        SOURCE,
        syntax="2023",
    ),
    row("FIELD_SAME_JSON_NAME", STRING % "", STRING % ' [json_name = "z"]', WIRE_JSON, SOURCE),
    row("FIELD_SAME_NAME", "message M { int32 a = 1; }", "message M { int32 b = 1; }", WIRE_JSON, SOURCE),
    row(
        "FIELD_SAME_DEFAULT",
        "message M { optional int32 a = 1 [default = 1]; }",
        "message M { optional int32 a = 1 [default = 2]; }",
        WIRE_JSON,
        SOURCE,
        warns=True,
        syntax="proto2",
    ),
    row(
        "FIELD_SAME_DEFAULT",
        "message M { optional E e = 1; } enum E { A = 1; B = 2; }",
        "message M { optional E e = 1; } enum E { B = 2; A = 1; }",
        WIRE_JSON,
        SOURCE,
        warns=True,
        syntax="proto2",
    ),
    row(
        "FIELD_SAME_ONEOF",
        "message M { int32 a = 1; }",
        "message M { oneof o { int32 a = 1; } }",
        WIRE_JSON,
        SOURCE,
    ),
    row(
        "FIELD_SAME_ONEOF",
        "message M { int32 a = 1; int32 b = 2; }",
        "message M { oneof o { int32 a = 1; int32 b = 2; } }",
        WIRE,
        WIRE_JSON,
        SOURCE,
    ),
    row(
        "MESSAGE_SAME_REQUIRED_FIELDS",
        "message M { required int32 a = 1; }",
        "message M { optional int32 a = 1; }",
        WIRE_JSON,
        SOURCE,
        syntax="proto2",
    ),
    row(
        "MESSAGE_SAME_REQUIRED_FIELDS",
        "message M { optional int32 a = 1; }",
        "message M { required int32 a = 1; }",
        WIRE,
        WIRE_JSON,
        SOURCE,
        syntax="proto2",
    ),
    row(
        "RESERVED_MESSAGE_NO_DELETE",
        "message M { reserved 1 to 9; }",
        "message M { reserved 1 to 4, 6 to 9; }",
        WIRE_JSON,
        SOURCE,
        warns=True,
    ),
    row(
        "RESERVED_MESSAGE_NO_DELETE",
        'message M { reserved "a"; }',
        "message M {}",
        WIRE_JSON,
        SOURCE,
        warns=True,
    ),
    row(
        "RESERVED_ENUM_NO_DELETE",
        ENUM % "Z = 0; reserved 5 to max;",
        ENUM % "Z = 0; reserved 6 to max;",
        WIRE_JSON,
        SOURCE,
        warns=True,
    ),
    row(
        "RPC_SAME_CLIENT_STREAMING",
        RPC % ("", "", ";"),
        RPC % ("stream ", "", ";"),
        WIRE_JSON,
        SOURCE,
        warns=True,
    ),
    row(
        "RPC_SAME_SERVER_STREAMING",
        RPC % ("", "", ";"),
        RPC % ("", "stream ", ";"),
        WIRE_JSON,
        SOURCE,
        warns=True,
    ),
    row(
        "RPC_SAME_IDEMPOTENCY_LEVEL",
        RPC % ("", "", ";"),
        RPC % ("", "", " { option idempotency_level = IDEMPOTENT; }"),
        WIRE_JSON,
        SOURCE,
        warns=True,
    ),
    row(
        "RPC_SAME_REQUEST_TYPE",
        RPC % ("", "", ";"),
        "message A {} message B {} service S { rpc R(B) returns (A); }",
        WIRE_JSON,
        SOURCE,
        warns=True,
    ),
    row(
        "RPC_SAME_RESPONSE_TYPE",
        RPC % ("", "", ";"),
        "message A {} message B {} service S { rpc R(A) returns (B); }",
        WIRE_JSON,
        SOURCE,
        warns=True,
    ),
]


@pytest.mark.parametrize("case", ROWS, ids=lambda case: case.rule)
def test_a_rule_fires_where_its_category_says(case: Row) -> None:
    found = {s: compare(case.new, case.old, s) for s in Strictness}

    assert {s for s, comparison in found.items() if case.rule in errors(comparison)} == case.fires
    assert (case.rule in warnings(found[WIRE])) == case.warns


@pytest.mark.parametrize("case", ROWS, ids=lambda case: case.rule)
def test_a_message_names_both_sides_without_placeholders(case: Row) -> None:
    for strictness in Strictness:
        for violation in compare(case.new, case.old, strictness).violations:
            assert "{" not in violation.message
            assert violation.message
            assert violation.path


OURS = {
    "CLOSED_ENUM_VALUE_UNKNOWN",
    "JSON_NAME_REUSED",
    "JSON_ENUM_VALUE_UNKNOWN",
    "JSON_ANY_TYPE_UNKNOWN",
}
"""Facts that Buf has no rule for; see cases.py and test_imported.py."""


def test_every_rule_has_a_row() -> None:
    assert {r.id for r in RULES} - OURS == {case.rule for case in ROWS}


def test_all_rules_of_buf_that_concern_a_schema_file_are_there() -> None:
    assert len({r.id for r in RULES}) == 65 - 2 + len(OURS)  # less two that speak of modules


def test_the_documentation_names_every_rule() -> None:
    text = (Path(__file__).parents[3] / "docs" / "protobuf.md").read_text(encoding="utf-8")

    assert [rule.id for rule in RULES if rule.id not in text] == []
