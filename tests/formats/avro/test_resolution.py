"""Each rule of schema resolution: what breaks it, where, and that its witness is data the reader cannot read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_schema_engines.formats.avro import AvroEngine, AvroLimits
from llm_schema_engines.formats.avro.resolution.rules import BRANCH_MISSING, PROMOTIONS, RULES
from llm_schema_engines.formats.avro.schema.nodes import PRIMITIVE_NAMES
from llm_schema_engines.model.compatibility import (
    CompareOptions,
    Comparison,
    Severity,
    Verdict,
)
from llm_schema_engines.model.validation import Encoding
from llm_schema_registry_server.errors import InvalidSchema
from tests.formats.avro.support import DATA, ENGINE, compare, field, record, source


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


def fixed(size: int, **more: Any) -> dict[str, Any]:
    return {"type": "fixed", "name": "F", "size": size, **more}


def decimal(precision: int, scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def logical(kind: str, name: str) -> dict[str, Any]:
    return {"type": kind, "logicalType": name}


# (a logical type, a default of its underlying type, whether it is no value of the logical type)
UNFIT: list[tuple[dict[str, Any], Any, bool]] = [
    (logical("string", "uuid"), "", True),
    (logical("string", "uuid"), "6ba7b810-9dad-11d1-80b4-00c04fd430c8", False),
    (decimal(2, 0), "\u0001\u0000", True),
    (decimal(2, 0), "\u0063", False),
    (fixed(2, logicalType="decimal", precision=2), "\u0001\u0000", True),
    (logical("int", "time-millis"), -1, True),
    (logical("long", "time-micros"), 86_400_000_000, True),
    (logical("long", "timestamp-millis"), -1, False),
]

# (what, reader, writer, the rules that break with their paths)
CASES: list[tuple[str, Any, Any, list[tuple[str, str]]]] = [
    ("other type", "string", "int", [("AVRO_TYPE_MISMATCH", "")]),
    ("narrowing", "int", "long", [("AVRO_TYPE_MISMATCH", "")]),
    ("enum to string", "string", enum("A"), [("AVRO_TYPE_MISMATCH", "")]),
    ("type inside a record", record(field("a", "int"), field("b", "boolean")), record(field("a", "int"), field("b", "int")),
     [("AVRO_TYPE_MISMATCH", "/fields/1/type")]),
    ("items", {"type": "array", "items": "int"}, {"type": "array", "items": "string"}, [("AVRO_TYPE_MISMATCH", "/items")]),
    ("values", {"type": "map", "values": "int"}, {"type": "map", "values": "string"}, [("AVRO_TYPE_MISMATCH", "/values")]),
    ("array and map", {"type": "array", "items": "int"}, {"type": "map", "values": "int"}, [("AVRO_TYPE_MISMATCH", "")]),
    ("record name", record(name="A"), record(name="B"), [("AVRO_NAME_MISMATCH", "/name")]),
    ("record name, other namespace", record(name="a.R"), record(name="b.R"), []),
    ("record renamed with an alias", record(name="A", aliases=["B"]), record(name="B"), []),
    ("alias belongs to the reader's namespace", record(name="n.A", aliases=["B"]), record(name="B"),
     [("AVRO_NAME_MISMATCH", "/name")]),
    ("alias in the writer does not help", record(name="A"), record(name="B", aliases=["A"]), [("AVRO_NAME_MISMATCH", "/name")]),
    ("fixed name", fixed(2), fixed(2, name="G"), [("AVRO_NAME_MISMATCH", "/name")]),
    ("fixed size", fixed(2), fixed(3), [("AVRO_FIXED_SIZE_MISMATCH", "/size")]),
    ("enum symbol removed", enum("A"), enum("A", "B"), [("AVRO_ENUM_SYMBOL_MISSING", "/symbols")]),
    ("enum symbol removed, enum default", enum("A", default="A"), enum("A", "B"), []),
    ("a field default does not help the enum", record(field("e", enum("A"), default="A")), record(field("e", enum("A", "B"))),
     [("AVRO_ENUM_SYMBOL_MISSING", "/fields/0/type/symbols")]),
    ("enum symbols in another order", enum("B", "A"), enum("A", "B"), []),
    *(
        (f"default that is no {kind['logicalType']}", record(field("a", wrap(kind), default=given)), record(),
         [("AVRO_FIELD_DEFAULT_UNFIT", "/fields/0/default")] if unfit else [])
        for kind, default, unfit in UNFIT
        for wrap, given in ((lambda k: k, default), (lambda k: ["null", k], default),
                            (lambda k: {"type": "array", "items": k}, [default]),
                            (lambda k: {"type": "map", "values": k}, {"k": default}),
                            (lambda k: record(field("b", k), name="S"), {"b": default}))
    ),
    ("field added", record(field("a", "int")), record(), [("AVRO_FIELD_DEFAULT_MISSING", "/fields/0")]),
    ("field added with a default", record(field("a", "int", default=1)), record(), []),
    ("nullable field added without a default", record(field("a", ["null", "int"])), record(),
     [("AVRO_FIELD_DEFAULT_MISSING", "/fields/0")]),
    ("field removed", record(), record(field("a", "int")), []),
    ("field renamed with an alias", record(field("b", "int", aliases=["a"])), record(field("a", "int")), []),
    ("field renamed with an alias, other type", record(field("b", "string", aliases=["a"])), record(field("a", "int")),
     [("AVRO_TYPE_MISMATCH", "/fields/0/type")]),
    ("alias and name both written", record(field("b", "int", aliases=["a"])), record(field("a", "int"), field("b", "int")),
     [("AVRO_FIELD_ALIAS_AMBIGUOUS", "/fields/0/aliases")]),
    ("union grows", ["null", "int", "string"], ["null", "int"], []),
    ("union shrinks", ["null", "int"], ["null", "string"], [("AVRO_UNION_BRANCH_MISSING", "")]),
    ("into a union", ["null", "long"], "int", []),
    ("into a union without a place for it", ["null", "int"], "string", [("AVRO_UNION_BRANCH_MISSING", "")]),
    ("out of a union", "int", ["null", "int"], [("AVRO_TYPE_MISMATCH", "")]),
    ("out of an empty union", "int", [], []),
    ("out of a union, all fit", "long", ["int", "long"], []),
    ("inside a branch", ["null", record(field("a", "int"))], ["null", record(field("a", "string"))],
     [("AVRO_TYPE_MISMATCH", "/1/fields/0/type")]),
    ("several branches could be meant", [record(field("a", "int"), name="n.R"), record(field("a", "long"), name="m.R")],
     record(field("a", "string")), [("AVRO_UNION_BRANCH_MISSING", "")]),
    ("the second of two branches of one short name fits",
     [record(field("a", "int"), name="n.R"), record(field("a", "string"), name="m.R")], record(field("a", "string")), []),
    ("error and record", {"type": "error", "name": "R", "fields": []}, record(), []),
    ("recursion", record(field("n", ["null", "R"]), field("v", "long")), record(field("n", ["null", "R"]), field("v", "int")), []),
    ("recursion that breaks", record(field("n", ["null", "R"]), field("v", "int")),
     record(field("n", ["null", "R"]), field("v", "long")), [("AVRO_TYPE_MISMATCH", "/fields/1/type")]),
    ("decimal scale", decimal(5, 2), decimal(5, 3), [("AVRO_DECIMAL_MISMATCH", "/scale")]),
    ("decimal precision shrinks", decimal(4, 2), decimal(5, 2), [("AVRO_DECIMAL_MISMATCH", "/precision")]),
    ("decimal precision grows", decimal(6, 2), decimal(5, 2), []),
    ("decimal scale, enough digits", decimal(9, 3), decimal(5, 2), [("AVRO_DECIMAL_MISMATCH", "/scale")]),
    *((f"{theirs} to {mine}", logical(reader, mine), logical(writer, theirs) if theirs else writer,
       [("AVRO_LOGICAL_TYPE_MISMATCH", "/logicalType")])
      for reader, mine, writer, theirs in (
          ("string", "uuid", "string", ""), ("string", "uuid", "bytes", ""), ("string", "uuid", "bytes", "big-decimal"),
          ("int", "time-millis", "int", ""), ("int", "time-millis", "int", "date"), ("long", "time-micros", "long", ""),
          ("long", "time-micros", "int", ""), ("long", "time-micros", "long", "timestamp-micros"),
          ("long", "timestamp-micros", "long", "timestamp-millis"), ("long", "timestamp-millis", "int", "date"),
          ("long", "time-micros", "int", "time-millis"), ("long", "local-timestamp-nanos", "long", "timestamp-micros"))),
    *((f"{mine} on {reader} from {theirs}", logical(reader, mine), logical(writer, theirs) if theirs else writer, [])
      for reader, mine, writer, theirs in (
          ("int", "date", "int", ""), ("long", "timestamp-millis", "int", ""), ("long", "timestamp-millis", "int", "time-millis"),
          ("long", "timestamp-micros", "long", "time-micros"), ("long", "local-timestamp-millis", "long", "timestamp-millis"),
          ("bytes", "big-decimal", "string", "uuid"), ("string", "fortnight", "string", "uuid"))),
    ("bytes to decimal", decimal(4, 2), "bytes", [("AVRO_LOGICAL_TYPE_MISMATCH", "/logicalType")]),
    ("string to decimal", decimal(4, 2), "string", [("AVRO_LOGICAL_TYPE_MISMATCH", "/logicalType")]),
    ("big-decimal to decimal", decimal(4, 2), logical("bytes", "big-decimal"), [("AVRO_LOGICAL_TYPE_MISMATCH", "/logicalType")]),
    ("decimal to big-decimal", logical("bytes", "big-decimal"), decimal(4, 2), [("AVRO_LOGICAL_TYPE_MISMATCH", "/logicalType")]),
    ("fixed to decimal", {**decimal(2, 0), **fixed(2)}, fixed(2), [("AVRO_LOGICAL_TYPE_MISMATCH", "/logicalType")]),
    ("fixed to uuid", {"logicalType": "uuid", **fixed(16)}, fixed(16), []),
    ("a union does not promote what it has with a logical type", [logical("int", "time-millis"), "long"], "int",
     [("AVRO_LOGICAL_TYPE_MISMATCH", "/0/logicalType")]),
    ("decimal on fixed", {**decimal(2, 0), **fixed(2)}, {**decimal(4, 0), **fixed(2)}, [("AVRO_DECIMAL_MISMATCH", "/precision")]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "reader", "writer", "broken"), CASES, ids=[case[0] for case in CASES])
def test_a_rule_breaks_where_it_should_with_data_to_show_it(
    what: str, reader: Any, writer: Any, broken: list[tuple[str, str]]
) -> None:
    comparison = compare(reader, writer)
    errors = [v for v in comparison.violations if v.severity is Severity.ERROR]

    assert [(v.rule, v.path) for v in errors] == broken
    assert comparison.verdict is (Verdict.NO if broken else Verdict.YES)
    for violation in errors:
        assert violation.witness is not None
        check_witness(writer, violation.witness.data, violation.witness.text)


def check_witness(writer: Any, data: bytes, text: str) -> None:
    validator = ENGINE.compile_validator(source(writer))
    assert validator.validate(data, encoding=Encoding.BINARY).valid
    assert validator.validate(text.encode(), encoding=Encoding.AVRO_JSON).valid


@pytest.mark.parametrize("writer", PRIMITIVE_NAMES)
@pytest.mark.parametrize("reader", PRIMITIVE_NAMES)
def test_primitives_are_promoted_as_the_specification_says(reader: str, writer: str) -> None:
    fits = reader == writer or reader in PROMOTIONS.get(writer, ())

    assert compare(reader, writer).verdict is (Verdict.YES if fits else Verdict.NO)


@pytest.mark.parametrize(
    ("reader", "writer", "rule", "severity", "words"),
    [
        ("string", "bytes", "AVRO_BYTES_READ_AS_STRING", Severity.WARNING, "UTF-8"),
        (logical("long", "local-timestamp-millis"), logical("long", "timestamp-millis"), "AVRO_LOGICAL_TYPE_CHANGED",
         Severity.WARNING, "local-timestamp-millis for the reader"),
        ("int", logical("int", "date"), "AVRO_LOGICAL_TYPE_CHANGED", Severity.WARNING, "date"),
        (enum("A", default="A"), enum("A", "B"), "AVRO_ENUM_SYMBOL_DEFAULTED", Severity.INFO, "'A' instead of B"),
    ],
)  # fmt: skip
def test_readable_data_whose_meaning_changes_is_a_warning(
    reader: Any, writer: Any, rule: str, severity: Severity, words: str
) -> None:
    comparison = compare(reader, writer)

    assert comparison.verdict is Verdict.YES
    (violation,) = comparison.violations
    assert (violation.rule, violation.severity) == (rule, severity)
    assert words in violation.message


def test_bytes_read_as_a_string_show_the_bytes_that_fail() -> None:
    (violation,) = compare(record(field("a", "string")), record(field("a", "bytes"))).violations

    assert violation.witness is not None
    assert violation.witness.data == b"\x02\xff"


def test_both_values_and_the_witness_are_told() -> None:
    (violation,) = compare(record(field("a", enum("A"))), record(field("a", enum("A", "B")))).violations

    assert (violation.old_value, violation.new_value) == ("A, B", "A")
    assert violation.witness is not None
    assert json.loads(violation.witness.text) == {"a": "B"}


def test_a_cycle_is_readable_only_when_nothing_in_it_breaks() -> None:
    """A and B need each other inside a union that has another way out: the assumption made first must not survive."""

    def schema(kind: str) -> Any:
        b = record(field("a", ["null", "A"]), name="B")
        return record(field("b", b), field("x", kind), name="A")

    other = record(field("u", [schema("int"), record(name="m.B")]), name="Top")
    comparison = compare(other, record(field("u", [schema("string")]), name="Top"))

    assert comparison.verdict is Verdict.NO


def test_every_rule_that_can_break_has_a_case() -> None:
    errors = {rule.id for rule in RULES if rule.severity is Severity.ERROR} | {BRANCH_MISSING.id}

    assert errors == {rule for case in CASES for rule, _ in case[3]}


def test_a_witness_reaches_into_items_values_branches_and_links() -> None:
    def tree(leaf: str) -> Any:
        node = record(
            field("next", ["null", "R"]),
            field("all", {"type": "array", "items": {"type": "map", "values": leaf}}),
        )
        return [node, "null"]

    (violation,) = compare(tree("int"), tree("string")).violations

    assert violation.path == "/0/fields/1/type/items/values"
    assert violation.witness is not None
    assert json.loads(violation.witness.text) == {"R": {"next": None, "all": [{"key": ""}]}}


def test_a_writer_without_any_data_breaks_rules_but_has_no_witness() -> None:
    endless = record(field("n", "R"), field("x", "int"))
    (violation,) = compare(record(field("n", "R"), field("x", "string")), endless).violations

    assert violation.witness is None


def test_a_witness_that_would_be_huge_is_left_out() -> None:
    wide = [record(field("a", "null"), field("b", "null"), name="W0")]
    wide += [record(field("a", f"W{i - 1}"), field("b", f"W{i - 1}"), name=f"W{i}") for i in range(1, 40)]
    writer = [*wide, record(field("w", "W39"), field("x", "int"), name="Top")]
    reader = [*wide, record(field("w", "W39"), field("x", "string"), name="Top")]
    comparison = compare(reader, writer)

    assert comparison.verdict is Verdict.NO
    assert comparison.violations[0].witness is None


def many(kind: str, count: int) -> list[Any]:
    return [record(field("x", kind), name=f"n{i}.R") for i in range(count)]


def test_a_comparison_that_costs_too_much_is_undecided_and_says_why() -> None:
    comparison = compare(many("int", 2000), many("string", 2000))

    assert comparison.verdict is Verdict.UNDECIDED
    assert comparison.violations[0].undecided
    assert "20000 pairs" in comparison.violations[0].message


def test_at_most_a_hundred_violations_are_reported() -> None:
    fields = [field(f"f{i}", "int") for i in range(500)]

    assert len(compare(record(*fields), record()).violations) == 100


def test_options_and_limits_are_the_engine_s() -> None:
    engine = AvroEngine(AvroLimits(violations=3))
    fields = [field(f"f{i}", "int") for i in range(10)]
    comparison: Comparison = engine.compare(source(record(*fields)), source(record()), CompareOptions())

    assert len(comparison.violations) == 3


@pytest.mark.skipif(not DATA.exists(), reason="the pairs of Apache Avro are not there")
def test_the_reader_writer_pairs_of_apache_avro() -> None:
    lines = (DATA / "reader-writer-pairs.jsonl").read_text().splitlines()
    for line in lines:
        pair = json.loads(line)
        comparison = compare(pair["reader"], pair["writer"])

        assert (comparison.verdict is Verdict.YES) == pair["compatible"], line
        for violation in comparison.violations:
            assert violation.severity is not Severity.ERROR or violation.witness is not None
    assert len(lines) >= 131


def test_fields_that_are_aliases_of_each_other_equal_themselves_but_are_ambiguous_for_another_schema() -> (
    None
):
    fields = [field("a", "int", aliases=["b", "a"]), field("b", "int", aliases=["a"])]
    reformatted = record(*({"aliases": f["aliases"], **f, "doc": "x"} for f in fields), namespace="")

    assert compare(record(*fields), record(*fields)).verdict is Verdict.YES
    assert compare(reformatted, record(*fields)).verdict is Verdict.YES
    assert compare(record(*fields), record(*fields, field("c", "int"))).verdict is Verdict.NO


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("kind", ["float", "double", {"type": "double"}])
def test_a_number_that_json_cannot_write_may_be_a_default(text: str, kind: Any) -> None:
    parsed = ENGINE.parse(source(record(field("x", kind, default=text))))

    assert not parsed.warnings
    for wrong in (field("x", ["null", kind], default=text), field("x", "long", default=text),
                  field("x", {"type": "array", "items": kind}, default=[text])):  # fmt: skip
        with pytest.raises(InvalidSchema):
            ENGINE.parse(source(record(wrong)))
