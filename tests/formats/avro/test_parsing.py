"""Errors have places, stored schemas are read leniently, references bring types, and limits hold."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from llm_schema_engines.formats.avro import AvroEngine, AvroLimits
from llm_schema_engines.formats.engine import ReferencedSchema, SchemaSource
from llm_schema_registry_server.errors import InvalidSchema, SchemaIssue
from tests.formats.avro.battery import BATTERY, encode
from tests.formats.avro.support import ENGINE, field, record, reference, source

ADDRESS = {"type": "record", "name": "shop.Address", "fields": [field("city", "string")]}


def issues(
    given: SchemaSource, engine: AvroEngine = ENGINE, *, strict: bool = True
) -> tuple[SchemaIssue, ...]:
    with pytest.raises(InvalidSchema) as raised:
        engine.parse(given, strict=strict)
    return raised.value.issues


def test_all_faults_are_reported_each_with_pointer_line_and_column() -> None:
    content = b"""{"type": "record", "name": "R",
 "fields": [
  {"name": "a", "type": "banana"},
  {"name": "b-c", "type": "int", "default": "x"}
]}"""

    assert [(i.rule, i.pointer, i.line, i.column) for i in issues(SchemaSource(content))] == [
        ("AVRO_TYPE_UNKNOWN", "/fields/0/type", 3, 25),
        ("AVRO_NAME_INVALID", "/fields/1/name", 4, 12),
        ("AVRO_DEFAULT_INVALID", "/fields/1/default", 4, 45),
    ]


def test_a_syntax_error_has_line_and_column() -> None:
    (issue,) = issues(SchemaSource(b'{"type":\n  int}'))

    assert (issue.rule, issue.line, issue.column) == ("AVRO_SYNTAX", 2, 3)


def test_bytes_that_are_not_utf_8_have_a_place() -> None:
    (issue,) = issues(SchemaSource(b'{"type":\n "\xff"}'))

    assert (issue.rule, issue.line, issue.column) == ("AVRO_SYNTAX", 2, 3)


def test_a_repeated_key_has_the_place_of_its_second_value() -> None:
    (issue,) = issues(SchemaSource(b'[{"type": "int",\n "a~/b": {"x": [1, {}]}, "a~/b": 2}]'))

    assert (issue.rule, issue.pointer, issue.line, issue.column) == ("AVRO_KEY_REPEATED", "/0/a~0~1b", 2, 34)


def test_at_most_a_hundred_issues_are_reported() -> None:
    assert len(issues(source(record(*[field(f"f{i}", "banana") for i in range(500)])))) == 100


def test_a_suggestion_helps_with_a_wrong_namespace() -> None:
    schema = record(
        field("a", {"type": "enum", "name": "m.E", "symbols": []}), field("b", "E"), namespace="n"
    )

    assert "'m.E'" in issues(source(schema))[0].message


FATAL = {
    "AVRO_SYNTAX", "AVRO_LIMIT", "AVRO_TYPE_INVALID", "AVRO_TYPE_UNKNOWN", "AVRO_NAME_MISSING", "AVRO_FIELDS_INVALID",
    "AVRO_FIELD_INVALID", "AVRO_SYMBOLS_INVALID", "AVRO_SIZE_INVALID", "AVRO_ITEMS_MISSING", "AVRO_VALUES_MISSING",
}  # fmt: skip


@pytest.mark.parametrize(("name", "schema", "rule"), [r for r in BATTERY if r[2] and r[2] not in FATAL],
                         ids=lambda value: value if isinstance(value, str) else "")  # fmt: skip
def test_a_stored_schema_that_breaks_a_rule_can_still_be_used(name: str, schema: Any, rule: str) -> None:
    given = SchemaSource(encode(name, schema))
    parsed = ENGINE.parse(given, strict=False)

    assert rule in {warning.rule for warning in parsed.warnings}
    ENGINE.compile_validator(given).validate(b"")


@pytest.mark.parametrize("rule", sorted(FATAL))
def test_a_stored_schema_without_a_usable_type_is_refused(rule: str) -> None:
    content = next(encode(name, schema) for name, schema, broken in BATTERY if broken == rule)

    assert rule in {issue.rule for issue in issues(SchemaSource(content), strict=False)}


def test_ignored_logical_types_and_endless_records_are_warnings() -> None:
    schema = record(field("a", "R"), field("b", {"type": "int", "logicalType": "decimal"}))

    assert {w.rule for w in ENGINE.parse(source(schema)).warnings} == {
        "AVRO_LOGICAL_IGNORED",
        "AVRO_NO_FINITE_VALUE",
    }


def test_the_types_of_a_reference_are_visible_under_their_full_names() -> None:
    given = source(record(field("to", "shop.Address")), reference("shop.Address", ADDRESS))
    parsed = ENGINE.parse(given)

    assert parsed.dependencies == ("shop.Address",)
    assert parsed.names == ("R", "to")
    assert parsed.canonical.count(b"city") == 0
    assert ENGINE.compile_validator(given).validate(b'{"to": {"city": "Oslo"}}').valid


def test_an_inner_type_of_a_reference_is_visible_and_so_are_the_types_behind_it() -> None:
    order = record(field("to", "shop.Address"), field("state", {"type": "enum", "name": "State", "symbols": ["A"]}),
                   name="shop.Order")  # fmt: skip
    behind = reference("shop.Order", order, reference("shop.Address", ADDRESS))
    schema = record(field("a", "shop.State"), field("b", "shop.Address"))

    assert ENGINE.parse(source(schema, behind)).dependencies == ("shop.Order",)


def test_a_reference_that_is_not_used_or_misnamed_is_a_warning() -> None:
    parsed = ENGINE.parse(source("int", reference("shop.Addres", ADDRESS)))

    assert {w.rule for w in parsed.warnings} == {"AVRO_REFERENCE_UNUSED", "AVRO_REFERENCE_NAME"}
    assert parsed.dependencies == ()


def test_a_type_of_a_reference_cannot_be_defined_again() -> None:
    found = issues(source(ADDRESS, reference("shop.Address", ADDRESS)))

    assert [i.rule for i in found] == ["AVRO_NAME_REPEATED"]


def test_two_references_with_different_types_of_one_name_are_refused() -> None:
    other = {**ADDRESS, "fields": []}
    a = reference("a.A", record(field("x", "shop.Address"), name="a.A"), reference("shop.Address", ADDRESS))
    b = reference("b.B", record(field("x", "shop.Address"), name="b.B"), reference("shop.Address", other))

    assert [i.rule for i in issues(source(["a.A", "b.B"], a, b))] == ["AVRO_REFERENCE_CONFLICT"]


def test_one_type_reached_through_two_references_is_one_type() -> None:
    address = reference("shop.Address", ADDRESS)
    a = reference("a.A", record(field("x", "shop.Address"), name="a.A"), address)
    b = reference("b.B", record(field("x", "shop.Address"), name="b.B"), address)

    assert ENGINE.parse(source(["a.A", "b.B"], a, b)).dependencies == ("a.A", "b.B")


def test_a_broken_reference_is_named() -> None:
    broken = ReferencedSchema("shop.Address", "0" * 64, b"{")

    (issue,) = issues(source("int", broken))
    assert issue.rule == "AVRO_REFERENCE_INVALID"
    assert "shop.Address" in issue.message


def test_a_changed_reference_changes_the_fingerprints() -> None:
    schema = record(field("to", "shop.Address"))
    old = ENGINE.parse(source(schema, reference("shop.Address", ADDRESS))).fingerprints
    documented = ENGINE.parse(source(schema, reference("shop.Address", {**ADDRESS, "doc": "d"}))).fingerprints
    changed = ENGINE.parse(source(schema, reference("shop.Address", {**ADDRESS, "fields": []}))).fingerprints

    assert old.content == documented.content == changed.content
    assert old.generation != documented.generation
    assert old.validation == documented.validation != changed.validation


def test_a_schema_with_references_has_the_interop_fingerprints_of_the_schema_written_out() -> None:
    split = ENGINE.parse(source(record(field("to", "shop.Address")), reference("shop.Address", ADDRESS)))
    whole = ENGINE.parse(source(record(field("to", ADDRESS))))

    assert split.interop == whole.interop
    assert split.fingerprints.validation == whole.fingerprints.validation


def chain(length: int) -> list[Any]:
    """Records in one text, each with a field of the one before."""
    return [record(*([field("f", f"C{i - 1}")] if i else []), name=f"C{i}") for i in range(length)]


def test_a_reference_entered_at_the_end_of_a_long_chain_is_refused_not_crashed() -> None:
    found = issues(source(record(field("x", "C3000")), reference("C3000", chain(3001))))

    assert [i.rule for i in found] == ["AVRO_LIMIT"]


def test_a_long_chain_of_types_in_one_text_is_fine() -> None:
    given = source(chain(3000))

    ENGINE.parse(given)
    assert ENGINE.compile_validator(given).validate(b"\x00").valid


def test_a_lattice_of_references_is_walked_once() -> None:
    behind: tuple[ReferencedSchema, ...] = ()
    for i in range(30):
        behind = tuple(
            reference(f"{side}{i}", record(*[field(f"f{j}", r.name) for j, r in enumerate(behind)], name=f"{side}{i}"),
                      *behind)
            for side in "AB"
        )  # fmt: skip

    # 2^30 steps would not end within the test's timeout.
    assert ENGINE.parse(source([r.name for r in behind], *behind)).dependencies == ("A29", "B29")


@pytest.mark.parametrize(
    ("content", "limit"),
    [
        (b'"' + b"a" * 3_000_000 + b'"', "limit is 2097152"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"type":' * 5_000 + b'"int"' + b"}" * 5_000, "nested too deeply"),
        (json.dumps(record(*[field(f"f{i}", "int") for i in range(6000)])).encode(), "5000 fields"),
        (b'{"type":"int","x":' + b"9" * 5000 + b"}", "digits"),
        (json.dumps([{"type": "fixed", "name": f"F{i}", "size": 1} for i in range(11_000)]).encode(), "10000 types"),
    ],
)  # fmt: skip
def test_limits_are_named(content: bytes, limit: str) -> None:
    assert limit in issues(SchemaSource(content))[0].message


def test_a_long_default_is_fine() -> None:
    ENGINE.parse(source(record(field("f", {"type": "array", "items": "int"}, default=[0] * 100_000))))


def test_a_deep_default_is_refused_or_read_but_never_crashes() -> None:
    value: Any = None
    for _ in range(450):
        value = {"n": value}
    schema = record(field("n", ["null", "R"], default=value))

    assert issues(source(schema))[0].rule == "AVRO_LIMIT"


def test_a_default_that_fits_none_of_many_nested_unions_is_decided_at_once() -> None:
    value: Any = 5
    for _ in range(40):
        value = {"x": value}
    inner = record(field("x", ["null", "A", "B"]), name="A")
    b = record(field("x", ["null", "A", "B"]), name="B")
    inner["fields"][0]["type"] = ["null", "A", b]
    schema = record(field("u", inner, default=value), name="Top")

    assert issues(source(schema))[0].rule == "AVRO_DEFAULT_INVALID"


def test_limits_can_be_set() -> None:
    assert issues(source(record(field("f", "int"))), AvroEngine(AvroLimits(fields=0)))[0].rule == "AVRO_LIMIT"


def test_what_parsing_tells_crosses_processes() -> None:
    parsed = ENGINE.parse(source(ADDRESS))

    assert pickle.loads(pickle.dumps(parsed)) == parsed


def test_what_is_shown_of_hostile_names_is_short() -> None:
    long = "é" * 100_000
    content = json.dumps({"type": long, long: 1, "items": [long]}).encode().replace(b'"items"', b'"type"')

    for issue in issues(SchemaSource(content)):
        assert len(issue.message) <= 500
        assert len(issue.pointer) <= 1000
