"""Dialects: drafts 4 and 6, changes of dialect between versions, and `$schema` at other places than the root."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_schema_engines.errors import InvalidSchema
from llm_schema_engines.formats.json_schema.dialects import URIS, Dialect
from llm_schema_engines.formats.json_schema.diff import diff
from llm_schema_engines.model.compatibility import CompareOptions, Verdict

from .build import ENGINE, compare, reference, source

D4, D6, D7 = (URIS[d] for d in (Dialect.DRAFT_04, Dialect.DRAFT_06, Dialect.DRAFT_07))
D19, D20 = URIS[Dialect.DRAFT_2019_09], URIS[Dialect.DRAFT_2020_12]


def valid(schema: Any, data: str, *references: Any) -> bool:
    return ENGINE.compile_validator(source(schema, *references)).validate(data.encode()).valid


ABOVE_1 = {"$schema": D4, "type": "integer", "minimum": 1, "exclusiveMinimum": True}


@pytest.mark.parametrize(
    ("writer", "reader", "verdict"),
    [
        (ABOVE_1, {"$schema": D4, "type": "integer", "minimum": 2}, Verdict.YES),
        (ABOVE_1, {**ABOVE_1, "minimum": 2}, Verdict.NO),
        (ABOVE_1, {**ABOVE_1, "exclusiveMinimum": False}, Verdict.YES),
        ({**ABOVE_1, "exclusiveMinimum": False}, ABOVE_1, Verdict.NO),
        (ABOVE_1, {"$schema": D20, "type": "integer", "exclusiveMinimum": 1}, Verdict.YES),
        ({"$schema": D7, "type": "integer", "exclusiveMinimum": 1}, ABOVE_1, Verdict.YES),
        ({"$schema": D7, "exclusiveMinimum": 1}, {"$schema": D4, "maximum": 1, "exclusiveMaximum": True}, Verdict.NO),
        ({"$schema": D4, "multipleOf": 1, "type": "number"}, {"$schema": D4, "type": "integer"}, Verdict.YES),
        # What a draft does not know constrains nothing in it.
        ({"$schema": D4, "const": 1}, {"$schema": D4, "enum": [1]}, Verdict.NO),
        ({"$schema": D4, "enum": [1]}, {"$schema": D4, "const": 2}, Verdict.YES),
        ({"$schema": D4, "contains": {}}, {"$schema": D6, "contains": {}}, Verdict.NO),
        ({"$schema": D6, "if": True, "then": False}, {"$schema": D7, "if": True, "then": False}, Verdict.NO),
        ({"$schema": D6, "const": 1, "if": True, "then": False}, {"$schema": D6, "enum": [1]}, Verdict.YES),
        ({"$schema": D7, "type": "string"}, {"$schema": D6, "if": True, "then": False}, Verdict.YES),
        ({"$schema": D4, "propertyNames": {"maxLength": 1}}, {"$schema": D6, "propertyNames": {"maxLength": 1}}, Verdict.NO),
        # Nothing beside $ref counts.
        (
            {"$schema": D4, "$ref": "#/definitions/a", "type": "string", "definitions": {"a": {"type": "integer"}}},
            {"$schema": D20, "type": "integer"},
            Verdict.YES,
        ),
    ],
)  # fmt: skip
def test_versions_in_different_drafts_are_compared_by_what_they_accept(
    writer: Any, reader: Any, verdict: Verdict
) -> None:
    assert compare(writer, reader).verdict is verdict


def test_draft_4_identifies_with_id_and_names_places_with_it() -> None:
    schema = {
        "$schema": D4,
        "id": "http://example.com/root",
        "type": "object",
        "properties": {"id": {"$ref": "other"}, "b": {"$ref": "#place"}, "$id": {"type": "string"}},
        "definitions": {"o": {"id": "other", "type": "integer"}, "p": {"id": "#place", "type": "null"}},
    }

    assert valid(schema, '{"id": 1, "b": null, "$id": ""}')
    assert not valid(schema, '{"id": ""}')
    assert not valid(schema, '{"b": 1}')
    assert not valid(schema, '{"$id": 1}')


def test_a_leftover_id_means_nothing_in_later_drafts() -> None:
    schema = {
        "$schema": D7,
        "id": "http://example.com/root",
        "definitions": {
            "a": {"$schema": D7, "id": "a.json", "$ref": "#/definitions/b"},
            "b": {"type": "null"},
        },
        "$ref": "#/definitions/a",
    }

    assert valid(schema, "null")
    assert not valid(schema, "1")


@pytest.mark.parametrize("number", ["1.0", "1e0", "10e-1", "1"])
@pytest.mark.parametrize("uri", URIS.values())
def test_a_number_is_an_integer_by_its_value_in_every_draft(number: str, uri: str) -> None:
    schema = {"$schema": uri, "type": "object", "additionalProperties": {"type": "integer"}}

    assert valid(schema, f'{{"a": {number}}}')
    assert not valid(schema, '{"a": 1.5}')


def test_a_boolean_is_no_schema_in_draft_4() -> None:
    with pytest.raises(InvalidSchema):
        ENGINE.parse(source(True, dialect="draft-04"))
    with pytest.raises(InvalidSchema):
        ENGINE.parse(source({"$schema": D4, "properties": {"a": True}}))
    assert ENGINE.parse(source({"$schema": D6, "properties": {"a": True}}))


@pytest.mark.parametrize("around", [D6, D7, D19, D20])
@pytest.mark.parametrize("identifier", ["id", "$id"])
def test_an_embedded_resource_is_judged_by_its_own_dialect(around: str, identifier: str) -> None:
    embedded = {identifier: "http://example.com/x", "$schema": D4, "minimum": 1, "exclusiveMinimum": True}
    schema = {
        "$schema": around,
        "properties": {"a": embedded, "b": {"$ref": "http://example.com/x"}},
    }

    assert ENGINE.parse(source(schema)).warnings == ()
    for name in ("a", "b"):
        assert valid(schema, f'{{"{name}": 2}}')
        assert not valid(schema, f'{{"{name}": 1}}')
    plain = {"$schema": around, "properties": {name: {"exclusiveMinimum": 1} for name in "ab"}}
    assert compare(schema, plain).verdict is Verdict.YES
    assert compare(plain, schema).verdict is Verdict.YES
    embedded["minimum"] = "one"
    with pytest.raises(InvalidSchema) as caught:
        ENGINE.parse(source(schema))
    assert caught.value.issues[0].pointer == "/properties/a/minimum"


def test_an_embedded_resource_of_a_later_dialect_is_judged_by_that() -> None:
    schema = {
        "$schema": D4,
        "properties": {"a": {"id": "http://example.com/x", "$schema": D20, "prefixItems": [{"const": 1}]}},
    }

    assert valid(schema, '{"a": [1]}')
    assert not valid(schema, '{"a": [2]}')
    assert compare({"$schema": D20}, schema).verdict is Verdict.NO


@pytest.mark.parametrize("declared", [D7, "https://example.com/unknown"])
def test_a_dialect_without_an_identifier_beside_it_is_ignored_with_a_warning(declared: Any) -> None:
    inner = {"$schema": declared, "dependentRequired": {"a": ["b"]}}
    schema = {"properties": {"x": inner}}

    (warning,) = ENGINE.parse(source(schema)).warnings
    assert (warning.rule, warning.pointer) == ("json/dialect-ignored", "/properties/x/$schema")
    assert not valid(schema, '{"x": {"a": 1}}')
    reader = {"properties": {"x": {"dependentRequired": {"a": ["b"]}}}}
    assert compare(schema, reader).verdict is Verdict.YES
    assert compare(reader, schema).verdict is Verdict.YES


def test_a_hidden_dialect_is_found() -> None:
    text = b'{"properties": {"x": {"$s\\u0063hema": "%s", "dependentRequired": {"a": ["b"]}}}}' % D7.encode()

    assert not ENGINE.compile_validator(source(text)).validate(b'{"x": {"a": 1}}').valid


def test_an_embedded_resource_in_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(InvalidSchema) as caught:
        ENGINE.parse(source({"properties": {"x": {"$id": "http://e.com/", "$schema": "http://e.com/d"}}}))

    assert caught.value.issues[0].rule == "json/dialect"
    assert caught.value.issues[0].pointer == "/properties/x/$schema"


@pytest.mark.parametrize(
    "declared",
    ["http://json-schema.org/schema#", "https://json-schema.org/draft-07/schema#", "http://json-schema.org/draft-07/schema"],
)  # fmt: skip
def test_an_odd_spelling_is_read_with_a_warning_that_says_what_to_write(declared: str) -> None:
    schema = {"$schema": declared, "properties": {"a": {"$ref": "#"}}, "type": ["object", "null"]}

    parsed = ENGINE.parse(source(schema))

    assert [warning.rule for warning in parsed.warnings] == ["json/dialect-spelling"]
    assert parsed.options["dialect"] in parsed.warnings[0].message
    assert valid(schema, '{"a": {"a": null}}')
    assert not valid(schema, '{"a": 1}')


@pytest.mark.parametrize("root", [D7, D20, None])
def test_a_referenced_schema_is_read_in_its_own_dialect(root: str | None) -> None:
    old = reference(
        "http://example.com/old", {"$schema": D4, "minimum": 1, "exclusiveMinimum": True, "const": 9}
    )
    silent = reference("http://example.com/silent", {"dependentRequired": {"a": ["b"]}})
    schema = {"properties": {"x": {"$ref": old.name}, "y": {"$ref": silent.name}}}
    if root:
        schema["$schema"] = root  # type: ignore[assignment]

    assert valid(schema, '{"x": 2}', old, silent)
    assert not valid(schema, '{"x": 1}', old, silent)
    # It says nothing, so that it is in the default dialect, whatever the dialect of the root.
    assert not valid(schema, '{"y": {"a": 1}}', old, silent)
    one = source({"$schema": D20, "properties": {"y": {"dependentRequired": {"a": ["b"]}}}})
    assert ENGINE.compare(one, source(schema, old, silent), CompareOptions()).verdict is Verdict.YES


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ({"maximum": 1, "exclusiveMaximum": True}, {"maximum": 1, "exclusiveMaximum": False}, "WIDENED"),
        ({"maximum": 1, "exclusiveMaximum": False}, {"maximum": 1, "exclusiveMaximum": True}, "NARROWED"),
        ({"minimum": 1, "exclusiveMinimum": True}, {"minimum": 1}, "WIDENED"),
        ({"minimum": 1}, {"minimum": 1, "exclusiveMinimum": True}, "NARROWED"),
        ({"minimum": 1}, {"minimum": 1, "exclusiveMinimum": False}, "ADDED"),
        ({}, {"minimum": 0}, "NARROWED"),
        ({"uniqueItems": False}, {}, "REMOVED"),
    ],
)
def test_differences_of_flags(old: Any, new: Any, kind: str) -> None:
    (found,) = diff(source({"$schema": D4, **old}), source({"$schema": D4, **new})).items

    assert found.kind.name == kind


def test_the_same_schema_in_another_draft_is_another_schema() -> None:
    prints = {
        json.dumps(ENGINE.parse(source({"$schema": uri, "type": "string"})).fingerprints.validation)
        for uri in URIS.values()
    }

    assert len(prints) == len(URIS)


# Where the validator departs from the specification


@pytest.mark.parametrize("uri", URIS.values())
@pytest.mark.parametrize("spelled", ['"$ref":""', '"$ref" : ""', '"$re\\u0066":""'])
def test_an_empty_reference_is_the_document(uri: str, spelled: str) -> None:
    schema = f'{{"$schema": "{uri}", "type": "object", "properties": {{"a": {{{spelled}}}}}}}'.encode()

    assert valid(schema, '{"a": {}}')
    assert not valid(schema, '{"a": 1}')
    assert compare(schema, {"properties": {"a": {"type": "object"}}}).verdict is Verdict.YES


def test_an_empty_reference_in_an_embedded_resource_is_the_resource() -> None:
    inner = {"$id": "http://e.com/x", "type": "object", "properties": {"b": {"$ref": ""}}}
    schema = {"type": "object", "required": ["a"], "properties": {"a": inner}}

    assert valid(schema, '{"a": {"b": {}}}')
    assert not valid(schema, '{"a": {"b": 1}}')


def test_a_dynamic_reference_may_be_empty_too() -> None:
    assert not valid({"type": "object", "properties": {"a": {"$dynamicRef": ""}}}, '{"a": 1}')
    assert not valid(
        {"$schema": D19, "type": "object", "properties": {"a": {"$recursiveRef": ""}}}, '{"a": 1}'
    )


@pytest.mark.parametrize("name", ["items", "it%25m/~"])
def test_a_static_reference_to_a_dynamic_anchor_is_static(name: str) -> None:
    held = {
        "type": "array",
        "items": {"$ref": "#items"},
        "$defs": {name: {"$dynamicAnchor": "items", "type": "integer"}},
    }
    schema = {
        "$id": "http://e.com/root",
        "$ref": "list",
        "$defs": {"foo": {"$dynamicAnchor": "items", "type": "string"}, "list": {"$id": "list", **held}},
    }

    assert valid(schema, "[1]")
    assert not valid(schema, '["a"]')
    assert compare({"type": "array", "items": {"const": 1}}, schema).verdict is Verdict.YES
    schema["$defs"]["list"]["items"] = {"$dynamicRef": "#items"}  # type: ignore[index]
    assert valid(schema, '["a"]')
    assert compare({"type": "array", "items": {"const": 1}}, schema).verdict is Verdict.NO


@pytest.mark.parametrize(
    "held",
    [
        {"contains": {"type": "string"}},
        {"allOf": [{"contains": {"type": "string"}}]},
        {"if": {"contains": {"type": "string"}}},
        {"$ref": "#/$defs/c", "$defs": {"c": {"contains": {"type": "string"}, "minContains": 1}}},
    ],
)
def test_contains_evaluates_items_from_2020_12_on_only(held: Any) -> None:
    schema = {"$schema": D19, **held, "unevaluatedItems": False}

    assert not valid(schema, '["a"]')
    assert valid({**schema, "$schema": D20}, '["a"]')
    assert compare({"const": ["a"]}, schema).verdict is Verdict.NO
    assert compare({"const": ["a"]}, {**schema, "$schema": D20}).verdict is Verdict.YES


def test_contains_of_2019_09_is_reported_as_contains() -> None:
    schema = {"$schema": D19, "properties": {"a": {"contains": {"type": "string"}, "maxContains": 2}}}
    report = ENGINE.compile_validator(source(schema)).validate(b'{"a": [1]}')

    (issue,) = report.errors
    assert (issue.error_type, issue.path, issue.schema_path) == ("contains", "/a", "/properties/a/contains")
    (violation,) = compare({"$schema": D19}, schema).violations
    assert (violation.rule, violation.path) == ("JSON_CONTAINS_NARROWED", "/properties/a/contains")
