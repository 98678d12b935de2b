"""Verdicts of comparisons: proofs, witnesses, and where the reader breaks."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.json_schema import JsonSchemaEngine, JsonSchemaLimits
from llm_schema_engines.formats.json_schema.compiled import OpenedSchema, open_schema
from llm_schema_engines.formats.json_schema.prover.results import IMPOSSIBLE
from llm_schema_engines.formats.json_schema.prover.search import Prover
from llm_schema_engines.formats.json_schema.source_cache import SourceCache
from llm_schema_engines.model.compatibility import (
    CompareOptions,
    Severity,
    Verdict,
    WriterModel,
)

from .build import ENGINE, compare, reference, source
from .oracles import disbelieve

T = "#/$defs/t"


def tree(**leaf: Any) -> dict[str, Any]:
    return {
        "$ref": T,
        "$defs": {
            "t": {
                "type": "object",
                "properties": {
                    "v": {"type": "integer", **leaf},
                    "c": {"type": "array", "items": {"$ref": T}},
                },
            }
        },
    }


def tagged(*tags: str) -> dict[str, Any]:
    return {
        "oneOf": [
            {
                "type": "object",
                "properties": {"kind": {"const": tag}, "id": {"type": "string"}},
                "required": ["kind", "id"],
            }
            for tag in tags
        ]
    }


PROVED: list[tuple[str, Any, Any]] = [
    ("everything reads anything", {"type": "string"}, True),
    ("nothing writes nothing", False, {"type": "string"}),
    ("integer is a number", {"type": "integer"}, {"type": "number"}),
    ("bounds on integers", {"type": "integer", "minimum": 1}, {"type": "integer", "exclusiveMinimum": 0}),
    (
        "branches merged",
        {"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 3}]},
        {"type": ["integer", "string"]},
    ),
    ("values under a pattern", {"enum": ["a1", "b2"]}, {"type": "string", "pattern": "^[a-z][0-9]$"}),
    (
        "a pattern rewritten",
        {"type": "string", "pattern": "^[0-9]+$"},
        {"type": "string", "pattern": r"^\d{1,}$"},
    ),
    ("look-ahead written out", {"type": "string", "pattern": "^[a-wyz][a-z]*$"}, {"pattern": "^[^x]"}),
    (
        "multiples combined",
        {"allOf": [{"multipleOf": 4}, {"multipleOf": 6}], "type": "integer"},
        {"multipleOf": 12},
    ),
    ("decimal multiples", {"type": "number", "multipleOf": 0.1}, {"type": "number", "multipleOf": 0.01}),
    ("one item is always unique", {"type": "array", "maxItems": 1}, {"uniqueItems": True}),
    ("pigeonhole", {"type": "array", "uniqueItems": True, "items": {"enum": [1, 2]}}, {"maxItems": 2}),
    ("a tree stays a tree", tree(minimum=0), tree()),
    ("a union grows", tagged("a", "b"), tagged("a", "b", "c")),
    ("forty variants and one", tagged(*(f"t{i}" for i in range(40))), tagged(*(f"t{i}" for i in range(41)))),
    (
        "if and then become oneOf",
        {
            "properties": {"k": {"enum": ["a", "b"]}},
            "required": ["k"],
            "type": "object",
            "if": {"properties": {"k": {"const": "a"}}},
            "then": {"required": ["x"]},
            "else": {"required": ["y"]},
        },
        {
            "oneOf": [
                {"properties": {"k": {"const": "a"}}, "required": ["k", "x"]},
                {"properties": {"k": {"const": "b"}}, "required": ["k", "y"]},
            ]
        },
    ),
    (
        "a property under a pattern",
        {"properties": {"ab": {"const": "x"}}, "additionalProperties": False},
        {"patternProperties": {"^a": {"type": "string"}, "b$": {"maxLength": 1}}},
    ),
    (
        "unevaluated means additional",
        {"properties": {"a": True}, "additionalProperties": False},
        {"allOf": [{"properties": {"a": True}}], "unevaluatedProperties": False},
    ),
    (
        "unevaluated through a union",
        {
            "type": "object",
            "anyOf": [
                {"properties": {"a": {"type": "string"}}, "required": ["a"]},
                {"properties": {"b": {"type": "string"}}, "required": ["b"]},
            ],
            "unevaluatedProperties": False,
        },
        {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "additionalProperties": False},
    ),
    (
        "unevaluated items after contains",
        {"prefixItems": [True], "contains": {"type": "string"}, "unevaluatedItems": False, "type": "array"},
        {"prefixItems": [True], "items": {"type": "string"}},
    ),
    (
        "one dynamic anchor is a reference",
        {"$dynamicRef": "#n", "$defs": {"n": {"$dynamicAnchor": "n", "type": "integer"}}},
        {"type": "number"},
    ),
    ("dependent properties", {"dependentRequired": {"a": ["b", "c"]}}, {"dependentRequired": {"a": ["c"]}}),
    ("names under a longer limit", {"propertyNames": {"maxLength": 3}}, {"propertyNames": {"maxLength": 4}}),
    (
        "a closed object has few properties",
        {"properties": {"a": True}, "additionalProperties": False},
        {"maxProperties": 1},
    ),
    ("counting matches", {"contains": {"const": 1}, "minContains": 2, "type": "array"}, {"minItems": 2}),
    (
        "more matches than there may be",
        {"type": "array", "contains": {"type": "integer"}, "minContains": 10, "maxContains": 2},
        {"type": "object", "minProperties": 50, "maxProperties": 3},
    ),
    (
        "far more matches than there may be",
        {"type": "array", "contains": {"const": 1}, "minContains": 400_000_000, "maxContains": 399_999_999},
        {"type": "array", "items": False},
    ),
    (
        "more matches of a part than of the whole",
        {
            "type": "array",
            "allOf": [
                {"contains": {"type": "integer", "minimum": 5}, "minContains": 12},
                {"contains": {"type": "integer"}, "minContains": 0, "maxContains": 3},
            ],
        },
        {"type": "array", "maxItems": 2},
    ),
    (
        "more matches than items",
        {"type": "array", "contains": {"const": 1}, "minContains": 30, "maxItems": 29},
        {"type": "string"},
    ),
    ("a date looks like a date", {"type": "string", "format": "date"}, {"minLength": 10, "maxLength": 10}),
    ("identical formats", {"format": "uuid", "minLength": 1}, {"format": "uuid"}),
]

BROKEN: list[tuple[str, Any, Any, str, str]] = [
    ("type", {"type": ["string", "null"]}, {"type": "string"}, "JSON_TYPE_REFUSED", "/type"),
    ("number to integer", {"type": "number"}, {"type": "integer"}, "JSON_TYPE_REFUSED", "/type"),
    ("required", {"type": "object"}, {"required": ["a"]}, "JSON_PROPERTY_REQUIRED", "/required"),
    (
        "closed",
        {"type": "object"},
        {"properties": {"a": True}, "additionalProperties": False},
        "JSON_PROPERTY_REFUSED",
        "/additionalProperties",
    ),
    ("removed value", {"enum": [1, 2, 3]}, {"enum": [1, 2]}, "JSON_ENUM_VALUE_REFUSED", "/enum"),
    ("minimum", {"minimum": 0}, {"minimum": 1}, "JSON_MINIMUM_RAISED", "/minimum"),
    (
        "a little less",
        {"maximum": 1},
        b'{"maximum": 0.9999999999999999999}',
        "JSON_MAXIMUM_LOWERED",
        "/maximum",
    ),
    ("maximum length", {"type": "string"}, {"maxLength": 5}, "JSON_LENGTH_NARROWED", "/maxLength"),
    ("pattern", {"type": "string", "pattern": "^a"}, {"pattern": "^ab"}, "JSON_PATTERN_NARROWED", "/pattern"),
    ("format", {"type": "string"}, {"format": "ipv4"}, "JSON_FORMAT_NARROWED", "/format"),
    ("two formats", {"format": "date-time"}, {"format": "date"}, "JSON_FORMAT_NARROWED", "/format"),
    ("multiple", {"multipleOf": 5}, {"multipleOf": 10}, "JSON_MULTIPLE_OF_NARROWED", "/multipleOf"),
    (
        "items",
        {"items": {"type": "string"}},
        {"items": {"type": "string", "minLength": 1}},
        "JSON_LENGTH_NARROWED",
        "/items/minLength",
    ),
    (
        "tuple",
        {"prefixItems": [True, True]},
        {"prefixItems": [True, {"type": "null"}]},
        "JSON_TYPE_REFUSED",
        "/prefixItems/1/type",
    ),
    ("unique", {"type": "array"}, {"uniqueItems": True}, "JSON_UNIQUE_ITEMS_DEMANDED", "/uniqueItems"),
    ("contains", {"type": "array"}, {"contains": {"type": "null"}}, "JSON_CONTAINS_NARROWED", "/contains"),
    (
        "pattern property",
        {"patternProperties": {"^x": True}},
        {"patternProperties": {"^x": {"type": "null"}}},
        "JSON_TYPE_REFUSED",
        "/patternProperties/^x/type",
    ),
    (
        "names",
        {"type": "object"},
        {"propertyNames": {"pattern": "^a"}},
        "JSON_PROPERTY_NAME_REFUSED",
        "/propertyNames/pattern",
    ),
    (
        "overlapping oneOf",
        {"oneOf": [{"type": "integer"}, {"type": "string"}]},
        {"oneOf": [{"type": "integer"}, {"type": "string"}, {"type": "number"}]},
        "JSON_ALTERNATIVES_NARROWED",
        "/oneOf",
    ),
    (
        "variant removed",
        tagged("a", "b"),
        tagged("a"),
        "JSON_CONST_CHANGED",
        "/oneOf/0/properties/kind/const",
    ),
    ("recursive leaf", tree(), tree(minimum=0), "JSON_MINIMUM_RAISED", "/$defs/t/properties/v/minimum"),
    (
        "not",
        {"type": ["integer", "string"]},
        {"type": ["integer", "string"], "not": {"const": 7}},
        "JSON_EXCLUSION_ADDED",
        "/not",
    ),
    ("nothing", {"type": "null"}, False, "JSON_VALUE_FORBIDDEN", ""),
    (
        "dependency",
        {"type": "object"},
        {"dependentRequired": {"a": ["b"]}},
        "JSON_DEPENDENCY_ADDED",
        "/dependentRequired",
    ),
    (
        "then",
        {"if": {"type": "string"}, "then": {"minLength": 1}},
        {"if": {"type": "string"}, "then": {"minLength": 2}},
        "JSON_LENGTH_NARROWED",
        "/then/minLength",
    ),
    (
        "unevaluated",
        {"properties": {"a": True}},
        {"allOf": [{"properties": {"a": True}}], "unevaluatedProperties": False},
        "JSON_PROPERTY_REFUSED",
        "/unevaluatedProperties",
    ),
]


@pytest.mark.parametrize("applied", [{"items": True}, {"contains": {}}, {"prefixItems": [True]}])
def test_dependent_schemas_evaluate_no_items_of_arrays(applied: Any) -> None:
    schema = {"dependentSchemas": {"c": applied}, "unevaluatedItems": False}

    assert compare(schema, {"not": {"const": [1]}}).verdict is Verdict.YES
    assert compare({"const": [1]}, schema).verdict is Verdict.NO
    assert compare({"const": {"c": 1}}, schema).verdict is Verdict.YES


@pytest.mark.parametrize(("writer", "reader"), [p[1:] for p in PROVED], ids=[p[0] for p in PROVED])
def test_proved(writer: Any, reader: Any) -> None:
    assert compare(writer, reader, format_policy="ASSERT").verdict is Verdict.YES


@pytest.mark.parametrize(
    ("writer", "reader", "rule", "path"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN]
)
def test_broken_with_a_witness_at_the_keyword(writer: Any, reader: Any, rule: str, path: str) -> None:
    comparison = compare(writer, reader, format_policy="ASSERT")

    assert comparison.verdict is Verdict.NO
    assert (rule, path) in {(v.rule, v.path) for v in comparison.violations}
    for violation in comparison.violations:
        assert violation.witness is not None
        accepted, refused = (
            ENGINE.compile_validator(source(side, format_policy="ASSERT")).validate(violation.witness.data)
            for side in (writer, reader)
        )
        assert accepted.valid
        assert not refused.valid
        assert disbelieve(source(writer), source(reader), violation.witness.text) == ""


def test_draft_7_and_2020_12_are_compared_by_meaning() -> None:
    old = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "items": [{"type": "string"}],
        "additionalItems": False,
    }
    new = {"prefixItems": [{"type": "string"}], "items": False}

    assert compare(old, new).verdict is Verdict.YES
    assert compare(new, old).verdict is Verdict.YES


def test_references_are_followed_on_both_sides() -> None:
    def sides(limit: int) -> Any:
        return source({"properties": {"a": {"$ref": "a.json"}}}, reference("a.json", {"maxLength": limit}))

    assert ENGINE.compare(sides(5), sides(4), CompareOptions()).verdict is Verdict.YES
    (violation,) = ENGINE.compare(sides(4), sides(5), CompareOptions()).violations
    assert violation.witness is not None
    assert json.loads(violation.witness.text) == {"a": "aaaaa"}


def test_every_broken_property_is_reported_with_old_and_new_value() -> None:
    old = {
        "type": "object",
        "properties": {"a": {"maxLength": 9}, "b": {"minimum": 1}, "c": {"type": ["null", "string"]}},
    }
    new = {
        "type": "object",
        "properties": {"a": {"maxLength": 8}, "b": {"minimum": 2}, "c": {"type": "string"}},
    }

    found = {(v.path, v.old_value, v.new_value) for v in compare(old, new).violations}

    assert found == {
        ("/properties/a/maxLength", "9", "8"),
        ("/properties/b/minimum", "1", "2"),
        ("/properties/c/type", '["null","string"]', '"string"'),
    }


def test_a_witness_holds_nothing_that_it_does_not_need() -> None:
    old = {"type": "object", "properties": {"a": {"type": ["string", "null"]}, "b": {"type": "array"}}}
    new = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "array"}}}

    (violation,) = compare(old, new).violations

    assert violation.witness is not None
    assert violation.witness.text == '{"a":null}'


DECLARED = CompareOptions(writer_model=WriterModel.DECLARED_KEYS)


def test_a_new_optional_property_breaks_only_writers_that_send_undeclared_ones() -> None:
    old = {"type": "object", "properties": {"a": {"type": "string"}}}
    new = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}

    assert compare(old, new).verdict is Verdict.NO
    assert compare(old, new, options=DECLARED).verdict is Verdict.YES


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # Both alternatives may apply to one value, which then has both properties.
        (
            {"type": "object", "anyOf": [{"properties": {"a": True}}, {"properties": {"b": True}}]},
            {"maxProperties": 1},
        ),
        # Nothing is declared: a map, in which every key is data.
        ({"type": "object"}, {"properties": {"a": {"type": "null"}}}),
        (
            {"additionalProperties": {"type": "string"}, "properties": {"x": {}}},
            {"properties": {"a": {"type": "null"}}},
        ),
        ({"properties": {"a": {}}, "required": ["z"]}, {"properties": {"z": {"type": "null"}}}),
    ],
)
def test_declared_keys_still_break_what_they_can_break(old: Any, new: Any) -> None:
    comparison = compare(old, new, options=DECLARED)

    assert comparison.verdict is Verdict.NO


DEFAULTS = CompareOptions(apply_defaults=True)


def test_a_default_supplies_a_required_property_and_the_report_says_so() -> None:
    old = {"type": "object", "properties": {"a": {"type": "string"}}}
    new = {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}, "required": ["a"]}

    assert compare(old, new).verdict is Verdict.NO
    comparison = compare(old, new, options=DEFAULTS)

    assert comparison.verdict is Verdict.YES
    assert [(v.rule, v.severity) for v in comparison.violations] == [
        ("JSON_DEFAULT_SUPPLIES_PROPERTY", Severity.WARNING)
    ]


@pytest.mark.parametrize(
    "new",
    [
        {"properties": {"a": {"type": "string", "default": 1}}, "required": ["a"]},
        {"properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"properties": {"a": {"default": "x"}}, "required": ["a"], "maxProperties": 1},
    ],
)
def test_a_default_that_is_invalid_or_noticed_supplies_nothing(new: Any) -> None:
    old = {"type": "object", "properties": {"a": {"type": "string"}}, "maxProperties": 1}

    assert compare(old, new, options=DEFAULTS).verdict is Verdict.NO


def test_undecided_says_why_and_where() -> None:
    old = {"properties": {"a": {"type": "string", "pattern": r"^(\bx\b)+$"}}}
    new = {"properties": {"a": {"enum": ["x"]}}}

    comparison = compare(old, new)

    assert comparison.verdict is Verdict.UNDECIDED
    assert all(v.undecided and v.rule == "JSON_UNDECIDED" for v in comparison.violations)
    assert "a word boundary inside a repetition" in comparison.violations[0].message
    assert comparison.violations[0].path == "/properties/a"


def list_of(kind: str) -> dict[str, Any]:
    """A generic list whose items are what the outermost schema says."""
    return {
        "$id": "https://example.com/strings",
        "$ref": "list",
        "$defs": {
            "item": {"$dynamicAnchor": "item", "type": kind},
            "list": {
                "$id": "list",
                "type": "array",
                "items": {"$dynamicRef": "#item"},
                "$defs": {"any": {"$dynamicAnchor": "item"}},
            },
        },
    }


def test_dynamic_references_mean_what_the_way_to_them_says() -> None:
    assert compare(list_of("integer"), list_of("number")).verdict is Verdict.YES
    assert compare(list_of("integer"), {"items": {"type": "integer"}}).verdict is Verdict.YES
    (violation,) = compare(list_of("number"), list_of("integer")).violations
    assert (violation.path, violation.witness and violation.witness.text) == ("/$defs/item/type", "[0.5]")


def test_a_schema_that_cannot_be_used_is_undecided() -> None:
    comparison = compare({"$ref": "gone.json"}, {"type": "string"})

    assert comparison.verdict is Verdict.UNDECIDED
    assert "gone.json" in comparison.violations[0].message


def satisfiability(variables: int) -> dict[str, Any]:
    """Three-valued clauses over Boolean properties, no assignment of which satisfies all."""
    import random

    r = random.Random(7)
    names = [f"v{i}" for i in range(variables)]
    clauses = [
        {"anyOf": [{"properties": {n: {"const": r.random() < 0.5}}} for n in r.sample(names, 3)]}
        for _ in range(variables * 6)
    ]
    return {
        "type": "object",
        "properties": {n: {"type": "boolean"} for n in names},
        "required": names,
        "allOf": clauses,
    }


def test_a_question_that_is_too_hard_ends_as_undecided_after_the_same_steps_each_time() -> None:
    engine = JsonSchemaEngine(replace(JsonSchemaLimits(), compare_steps=5_000))

    answers = [engine.compare(source(False), source(satisfiability(60)), CompareOptions()) for _ in range(2)]

    assert answers[0] == answers[1]
    assert answers[0].verdict is Verdict.UNDECIDED
    assert "steps" in answers[0].violations[0].message


def test_depth_sixty_and_two_thousand_properties_are_decided() -> None:
    def deep(leaf: Any) -> Any:
        for _ in range(45):
            leaf = {"properties": {"a": leaf}}
        return leaf

    def wide(limit: int) -> Any:
        return {"properties": {f"p{i}": {"maxLength": limit if i == 1234 else 9} for i in range(2000)}}

    assert compare(deep({"maximum": 2}), deep({"maximum": 1})).verdict is Verdict.NO
    assert compare(wide(9), wide(8)).verdict is Verdict.NO
    assert compare(wide(8), wide(9)).verdict is Verdict.YES


def test_a_wrong_proof_is_caught_by_values_tried_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Prover, "refute", lambda *_: IMPOSSIBLE)

    comparison = compare({"type": ["string", "null"]}, {"type": "string"})

    assert comparison.verdict is Verdict.NO
    assert comparison.violations[0].witness is not None


def test_schemas_are_remembered_by_all_that_decides_them() -> None:
    opened_cache: SourceCache[OpenedSchema] = SourceCache(
        lambda one: open_schema(one, JsonSchemaLimits()), max_entries=2, max_bytes=1000
    )
    text = {"$ref": "a.json"}
    sources = [
        source(text, reference("a.json", {"type": kind}), dialect=dialect)
        for kind in ("string", "number")
        for dialect in ("draft-07", "2020-12")
    ]

    opened = [opened_cache(one) for one in sources]

    assert len({id(one) for one in opened}) == 4
    assert opened_cache(sources[3]) is opened[3]
    assert opened_cache(sources[0]) is not opened[0]


def test_what_is_too_large_to_be_remembered_drives_nothing_out() -> None:
    made: list[bytes] = []

    def make(one: SchemaSource) -> int:
        made.append(one.content)
        return len(made)

    opened_cache: SourceCache[int] = SourceCache(make, max_entries=10, max_bytes=100)
    small, large, other = (SchemaSource(text) for text in (b"small", b"x" * 101, b"other"))

    opened_cache.put(other, lambda: 7)
    opened_cache.put(large, lambda: pytest.fail("is not kept, and need not be made"))
    assert [
        opened_cache(small),
        opened_cache(large),
        opened_cache(small),
        opened_cache(large),
        opened_cache(other),
    ] == [1, 2, 1, 3, 7]
    assert made == [b"small", large.content, large.content]


def recursive_union(
    keyword: str, branches: int, *, changed: int = -1, tagged: bool = False
) -> dict[str, Any]:
    """Branches that all refer back to the union; without tags, every branch overlaps every other."""
    defs: dict[str, Any] = {"node": {keyword: [{"$ref": f"#/$defs/n{i}"} for i in range(branches)]}}
    for i in range(branches):
        properties: dict[str, Any] = {
            "id": {"type": "string" if i == changed else "integer"},
            "ref": {"$ref": "#/$defs/node"},
        }
        if tagged:
            properties["kind"] = {"const": i}
        defs[f"n{i}"] = {"type": "object", "properties": properties, "required": ["kind"] if tagged else []}
    return {"type": "object", "properties": {"root": {"$ref": "#/$defs/node"}}, "$defs": defs}


@pytest.mark.parametrize("keyword", ["oneOf", "anyOf"])
def test_twelve_untagged_recursive_branches_are_decided(keyword: str) -> None:
    same = recursive_union(keyword, 12)
    other = recursive_union(keyword, 12, changed=5)

    assert compare(same, other).verdict is Verdict.YES
    assert compare(other, same).verdict is Verdict.NO


def test_forty_tagged_recursive_branches_are_decided() -> None:
    forty = recursive_union("oneOf", 40, tagged=True)
    more = recursive_union("oneOf", 41, tagged=True)
    narrower = recursive_union("oneOf", 40, changed=7, tagged=True)

    assert compare(forty, more).verdict is Verdict.YES
    assert compare(more, forty).verdict is Verdict.NO
    assert compare(forty, narrower).verdict is Verdict.NO
