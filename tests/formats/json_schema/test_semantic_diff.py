"""What a difference between two versions says."""

from __future__ import annotations

from typing import Any

import pytest

from llm_schema_engines.formats.json_schema.diff import MAX_DIFFERENCES, diff
from llm_schema_engines.formats.reask import reask_text
from llm_schema_engines.model.validation import DataIssue, DataReport

from .build import source

P = "/properties/a"


def prop(schema: Any) -> Any:
    return {"properties": {"a": schema}}


@pytest.mark.parametrize(
    ("old", "new", "kind", "pointer"),
    [
        ({"type": "string"}, {"type": ["string", "null"]}, "widened", "/type"),
        ({"type": "number"}, {"type": "integer"}, "narrowed", "/type"),
        ({"type": "string"}, {"type": "object"}, "changed", "/type"),
        ({"minimum": 1}, {"minimum": 2}, "narrowed", "/minimum"),
        ({"minimum": 1}, {"minimum": 0.5}, "widened", "/minimum"),
        ({"maxLength": 1}, {"maxLength": 2}, "widened", "/maxLength"),
        ({}, {"maxLength": 2}, "narrowed", "/maxLength"),
        ({"maxLength": 2}, {}, "widened", "/maxLength"),
        ({"multipleOf": 4}, {"multipleOf": 2}, "widened", "/multipleOf"),
        ({"multipleOf": 4}, {"multipleOf": 8}, "narrowed", "/multipleOf"),
        ({"multipleOf": 4}, {"multipleOf": 6}, "changed", "/multipleOf"),
        ({"required": ["a"]}, {"required": ["a", "b"]}, "narrowed", "/required"),
        ({"required": ["a", "b"]}, {"required": ["b"]}, "widened", "/required"),
        ({"enum": [1, 2]}, {"enum": [1, 2, 3]}, "widened", "/enum"),
        ({"enum": [1, 2]}, {"enum": [2, 1]}, "changed", "/enum"),
        ({"pattern": "^a"}, {"pattern": "^ab"}, "narrowed", "/pattern"),
        ({"pattern": "^[0-9]+$"}, {"pattern": r"^\d+$"}, "changed", "/pattern"),
        ({"uniqueItems": True}, {"uniqueItems": False}, "widened", "/uniqueItems"),
        ({"properties": {}}, prop({}), "added", P),
        (prop({"type": "string"}), {"properties": {}}, "removed", P),
        (prop({"type": "string"}), {}, "removed", P),
        (prop({"title": "x"}), prop({"title": "y"}), "changed", P + "/title"),
        (prop({"items": {"minimum": 1}}), prop({"items": {"minimum": 0}}), "widened", P + "/items/minimum"),
        ({}, {"additionalProperties": False}, "narrowed", "/additionalProperties"),
        ({"additionalProperties": False}, {}, "widened", "/additionalProperties"),
        ({"additionalProperties": False}, {"additionalProperties": {"type": "string"}}, "widened", "/additionalProperties"),
        ({"anyOf": [{"type": "string"}]}, {"anyOf": [{"type": "null"}, {"type": "string"}]}, "widened", "/anyOf/0"),
        ({"allOf": [{"type": "string"}]}, {"allOf": [{"type": "string"}, {"minLength": 1}]}, "narrowed", "/allOf/1"),
        ({"$defs": {"a": {"maximum": 1}}}, {"$defs": {"a": {"maximum": 2}}}, "widened", "/$defs/a/maximum"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {}, "b": {}}}, {"$ref": "#/$defs/b", "$defs": {"a": {}, "b": {}}}, "changed", "/$ref"),
        ({"not": {"type": "string"}}, {"not": {"type": "null"}}, "changed", "/not"),
        ({"dependentRequired": {"a": ["b"]}}, {"dependentRequired": {"a": ["b", "c"]}}, "narrowed", "/dependentRequired"),
        ({"x-unknown": 1}, {"x-unknown": 2}, "changed", "/x-unknown"),
        (True, False, "narrowed", ""),
        (False, {"type": "string"}, "widened", ""),
    ],
)  # fmt: skip
def test_one_change_is_one_difference(old: Any, new: Any, kind: str, pointer: str) -> None:
    (difference,) = diff(source(old), source(new)).items

    assert (difference.kind.name.lower(), difference.path) == (kind, pointer)
    assert difference.message.startswith(f"at {pointer}: " if pointer else "at the root: ")


def test_equal_schemas_have_no_difference_whatever_their_spelling() -> None:
    assert (
        diff(source(b'{"maximum":1.0,"type":"string"}'), source(b'{ "type":"string", "maximum":1 }')).items
        == ()
    )


def test_a_moved_and_changed_branch_is_recognised_by_its_tag() -> None:
    def branch(tag: str, limit: int) -> Any:
        return {"properties": {"kind": {"const": tag}, "text": {"maxLength": limit}}}

    old = {"oneOf": [branch("a", 1), branch("b", 1)]}
    new = {"oneOf": [branch("b", 2), branch("a", 1)]}

    (difference,) = diff(source(old), source(new)).items

    assert difference.path == "/oneOf/0/properties/text/maxLength"


def test_the_list_is_bounded() -> None:
    found = diff(source({}), source({"properties": {f"p{i}": {} for i in range(3000)}}))

    assert (len(found.items), found.truncated) == (MAX_DIFFERENCES, True)


def test_the_reask_text_is_one_line_for_each_error_from_the_outside_in() -> None:
    report = DataReport(
        False,
        (
            DataIssue("/items/0/price", '"x" is not of type number', "type"),
            DataIssue("", "property 'id' is required and missing", "required"),
        ),
    )

    assert reask_text(report) == (
        "(root): required: property 'id' is required and missing\n/items/0/price: type: \"x\" is not of type number"
    )


def test_the_reask_text_is_bounded_and_silent_about_valid_data() -> None:
    many = DataReport(
        False, tuple(DataIssue(f"/{i}", "x\n" * 500, "type") for i in range(50)), truncated=True
    )

    lines = reask_text(many, lines=5).splitlines()

    assert len(lines) == 6
    assert all(len(line) <= 200 for line in lines)
    assert reask_text(DataReport(True)) == ""
