"""What a registration runs of the lint rules: the quick ones, only where they may find something, a bounded number of findings."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from llm_schema_engines import LINT_RULES, LintReport, Severity
from llm_schema_engines.formats.avro.engine import AvroEngine
from llm_schema_engines.formats.engine import ParsedSchema, SchemaSource
from llm_schema_engines.formats.json_schema.compiled import open_schema
from llm_schema_engines.formats.json_schema.engine import JsonSchemaEngine
from llm_schema_engines.formats.json_schema.limits import DEFAULT_LIMITS
from llm_schema_engines.formats.protobuf.engine import ProtobufEngine
from llm_schema_engines.linter import avro, linting, registering
from llm_schema_engines.linter.keywords import EVERY, OPENAPI
from llm_schema_engines.linter.linting import lint_schema, settled
from llm_schema_engines.linter.plain_values import plainly_valid
from llm_schema_engines.linter.registering import ALL, ERRORS, MOST_TEXT, MOST_TOLD, QUICK, parse_and_lint
from llm_schema_engines.linter.screening import rules_for
from llm_schema_engines.linter.subschema import Budget, Subschema
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.protoc.in_process import InProcessProtoc

from .test_lint import CASES, RULES

JSON, AVRO, PROTOBUF = JsonSchemaEngine(), AvroEngine(), ProtobufEngine(InProcessProtoc())
ENGINES = {SchemaType.JSON: JSON, SchemaType.AVRO: AVRO, SchemaType.PROTOBUF: PROTOBUF}
TEXTS = [
    (RULES[rule].schema_type, text)
    for rule, (wrong, right) in CASES.items()
    for text in (*(text for text, _ in wrong), *right)
]


def parsed(text: str, kind: SchemaType = SchemaType.JSON) -> ParsedSchema:
    return parse_and_lint(ENGINES[kind], SchemaSource(text.encode()))


def whole(text: str, kind: SchemaType, rules: frozenset[str]) -> LintReport:
    source = SchemaSource(text.encode())
    schema = ENGINES[kind].parse(source)
    return lint_schema(ENGINES[kind], settled(source, schema), schema.warnings, rules)


@pytest.mark.parametrize(("kind", "text"), TEXTS)
def test_a_registration_finds_what_the_quick_rules_find(kind: SchemaType, text: str) -> None:
    found = {(f.rule, f.pointer, f.message) for f in parsed(text, kind).lint.findings}
    quick = {(f.rule, f.pointer, f.message) for f in whole(text, kind, QUICK).findings}

    assert found == quick


def test_the_quick_rules_are_those_that_are_worse_than_info_and_not_costly() -> None:
    by_default = {rule.id for rule in LINT_RULES if rule.by_default}

    assert by_default == ALL
    assert {"json/unsatisfiable", "json/required-forbidden", "json/empty-range"} == ERRORS
    assert {"json/unsatisfiable", "json/missing-dialect", "json/unreachable-definition"} == ALL - QUICK


def test_parsing_alone_does_not_lint() -> None:
    assert JSON.parse(SchemaSource(b'{"tpye": "string", "propertes": {}}')).lint.findings == ()


def test_findings_of_a_registration_are_bounded() -> None:
    many = {"properties": {f"{'k' * 100}{n}": {"type": "string", "minimum": 1} for n in range(500)}}
    told = parsed(json.dumps(many)).lint

    assert 0 < len(told.findings) <= MOST_TOLD
    assert sum(len(f.message) + len(f.pointer) + len(f.hint) for f in told.findings) <= MOST_TEXT
    assert told.truncated


def test_the_gravest_findings_are_kept() -> None:
    decoys = {f"p{n}": {"type": "string", "minimum": 1} for n in range(2_000)}
    text = json.dumps({"properties": {**decoys, "last": {"minLength": 2, "maxLength": 1}}})
    report = whole(text, SchemaType.JSON, ALL)

    assert len(report.findings) == 200
    assert report.truncated
    assert "json/empty-range" in {f.rule for f in report.findings}
    assert report.from_severity(Severity.ERROR).findings[0].pointer == "/properties/last/minLength"


def test_a_report_says_when_not_everything_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps({"properties": {f"p{n}": {"format": "email", "default": f"{n}"} for n in range(40)}})
    assert not whole(text, SchemaType.JSON, ALL).incomplete

    monkeypatch.setattr(linting, "Budget", lambda: Budget(bytes_tried=100))
    assert whole(text, SchemaType.JSON, ALL).incomplete


def test_small_values_cost_no_compilation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registering, "MOST_TRIED", 0)
    plain = {
        "type": "object",
        "default": {},
        "properties": {"a": {"enum": ["x", None], "default": None, "examples": ["x"]}},
    }

    assert parsed(json.dumps(plain)).lint == LintReport()


_WORDS = st.sampled_from([*sorted(EVERY | set(OPENAPI)), "x-own", "propertes", "anything"])
_SCHEMAS = st.sampled_from([True, False, {"type": "string"}, {"$ref": "#"}])
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(["string", "integer", "object", ["array", "null"]]),
    "enum": st.sampled_from([[1, 1.0], ["a", None], [{}]]),
    "required": st.sampled_from([["a"], ["a", "b"], []]),
    "properties": st.sampled_from([{}, {"a": True}, {"b": {"type": "null"}}]),
    "format": st.sampled_from(["email", "emial"]),
    "$schema": st.just("https://json-schema.org/draft/2020-12/schema"),
    "examples": st.just([1, "a"]),
    "default": st.sampled_from([1, "a", None, [], {}]),
    "additionalProperties": st.sampled_from([True, False]),
    **{word: st.just({"a": True}) for word in ("$defs", "definitions", "patternProperties", "dependentSchemas")},
    **dict.fromkeys(("items", "contains", "not", "if", "then", "else", "propertyNames"), _SCHEMAS),
    **{word: st.sampled_from([[True], [False], [{"type": "string"}]]) for word in ("allOf", "anyOf", "oneOf")},
    **{
        word: st.integers(0, 3)
        for word in (
            *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems"),
            *("maxItems", "minProperties", "maxProperties", "minContains", "maxContains"),
        )
    },
    **{word: st.just(1) for word in ("x-own", "propertes", "anything", "nullable", "example", "xml", "title2")},
}  # fmt: skip


@st.composite
def _schema(draw: st.DrawFn) -> dict[str, Any]:
    words = draw(st.lists(_WORDS, min_size=1, max_size=5, unique=True))
    return {word: draw(_VALUES[word]) for word in words if word in _VALUES}


@settings(max_examples=300, deadline=None)
@given(_schema())
def test_rules_that_are_left_out_find_nothing(schema: dict[str, Any]) -> None:
    every = frozenset(rule.id for rule in LINT_RULES)
    source = SchemaSource(json.dumps({"anyOf": [schema], **schema}).encode())
    opened = open_schema(source, DEFAULT_LIMITS)
    for place in opened.document_index.walk(opened.root):
        if isinstance(place.schema, dict):
            at = Subschema(JSON, source, opened, place, Budget())
            chosen = rules_for(place, every)
            for rule in LINT_RULES:
                if (
                    rule.schema_type is SchemaType.JSON
                    and rule not in chosen
                    and rule.id != "json/unsatisfiable"
                ):
                    assert list(rule.check(at)) == [], rule.id


@settings(max_examples=300, deadline=None)
@given(_schema(), st.sampled_from([1, 0, 1.5, "a", "", None, [], {}, True, [1], {"a": 1}]))
def test_what_is_plainly_valid_is_valid(schema: dict[str, Any], value: Any) -> None:
    text = json.dumps(value)
    if plainly_valid(json.loads(text, parse_float=Decimal), schema):
        source = SchemaSource(json.dumps(schema).encode())
        assert JSON.compile_validator(source).validate(text.encode()).valid


def test_avro_rules_that_are_left_out_find_nothing() -> None:
    every = frozenset(rule.id for rule in LINT_RULES)
    for kind, text in TEXTS:
        for part in avro.parts(text.encode()) if kind is SchemaType.AVRO else ():
            for rule in avro.RULES:
                if rule not in avro.rules_for(part, every):
                    assert list(rule.check(part)) == [], (rule.id, text)


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"exclusiveMinimum": 5, "maximum": 5}, True),
        ({"minimum": 5, "exclusiveMaximum": 5}, True),
        ({"minimum": 5, "maximum": 5}, False),
        ({"type": "integer", "minimum": 1.2, "maximum": 1.8}, True),
        ({"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2}, True),
        ({"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 3}, False),
        ({"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 2}, False),
        ({"type": "string", "minimum": 3, "maximum": 2}, False),  # numbers are not valid anyway
        ({"minContains": 3, "maxContains": 2}, False),  # without contains they say nothing
        ({"minContains": 3, "maxContains": 2, "contains": True}, True),
        ({"type": "array", "required": ["a", "b"], "maxProperties": 1}, False),
        ({"required": ["a", "b"], "maxProperties": 1}, True),
    ],
)  # fmt: skip
def test_bounds_that_contradict(schema: dict[str, Any], found: bool) -> None:
    assert bool(whole(json.dumps(schema), SchemaType.JSON, ERRORS & QUICK).findings) is found


@pytest.mark.parametrize("sharp", [True, False])
def test_bounds_of_draft_4(sharp: bool) -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "minimum": 5,
        "maximum": 5,
        "exclusiveMaximum": sharp,
    }

    assert bool(whole(json.dumps(schema), SchemaType.JSON, ERRORS & QUICK).findings) is sharp


def test_a_property_is_not_forbidden_to_what_is_no_object() -> None:
    array = {"type": "array", "required": ["a"], "additionalProperties": False}

    assert not whole(json.dumps(array), SchemaType.JSON, ERRORS & QUICK).findings
