"""Errors are listed only where there cannot be more of them than fit into a bounded memory: the bound is never below what there are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.json_schema.compiled import compile_schema, open_schema
from llm_schema_engines.formats.json_schema.error_costs import ErrorListingCosts
from llm_schema_engines.formats.json_schema.limits import JsonSchemaLimits
from llm_schema_engines.formats.json_schema.validation import JsonDataValidator

LIMITS = JsonSchemaLimits()
NUMBERS = [{"minimum": n + 5} for n in range(40)]
PAIRS: dict[str, tuple[Any, Any]] = {
    "flat": ({"properties": {"a": {"type": "string", "enum": ["x"]}}, "required": ["b", "c"]}, {"a": 1}),
    "items": ({"items": {"type": "string", "enum": ["x"]}}, [1, 2, 3]),
    "allOf": ({"items": {"allOf": NUMBERS}}, [1] * 20),
    "allOf of items": ({"allOf": [{"items": each} for each in NUMBERS]}, [1] * 20),
    "required": ({"items": {"required": [f"p{n}" for n in range(40)]}}, [{}] * 20),
    "dependent": ({"dependentRequired": {"a": ["b", "c", "d"]}}, {"a": 1}),
    "$ref": ({"$defs": {"d": {"allOf": NUMBERS}}, "items": {"allOf": [{"$ref": "#/$defs/d"}] * 3}}, [1] * 9),
    "patterns": ({"patternProperties": {f"^k.*{n}?$": {"minimum": n + 5} for n in range(9)}}, {"k1": 1, "k2": 2}),
    "patterns of patterns": (
        {"patternProperties": {f"^k{n}?": {"patternProperties": {f"^l{m}?": {"minimum": 9} for m in range(5)}} for n in range(5)}},
        {"k": {"l": 1, "l1": 2}},
    ),
    "nothing else": ({"properties": {"a": False}, "additionalProperties": False, "items": False}, {"a": 1, "b": 2}),
    "tree": (
        {"properties": {"v": {"type": "string"}, "c": {"items": {"$ref": "#"}}}, "required": ["v", "w"]},
        {"v": 1, "c": [{"v": 1, "c": [{"v": 2}, {}]}, {"c": [{}]}]},
    ),
    "if": ({"if": True, "then": {"minimum": 5, "multipleOf": 7}, "else": False}, 3),
    "dependentSchemas": ({"dependentSchemas": {"a": {"required": ["x", "y"], "minProperties": 9}}}, {"a": 1}),
    "prefixItems": ({"prefixItems": [{"minimum": 5}, {"minimum": 5}], "items": {"minimum": 7}}, [1, 1, 1]),
    "contains": ({"contains": {"minimum": 9, "multipleOf": 7}, "items": {"minimum": 3}}, [1, 2]),
    "names": ({"propertyNames": {"maxLength": 1, "pattern": "^x"}}, {"abc": 1, "abd": 2}),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_there_are_never_more_errors_than_the_bound_says(name: str) -> None:
    schema, value = PAIRS[name]
    source = SchemaSource(json.dumps(schema).encode(), ())
    opened = open_schema(source, LIMITS)
    errors = list(compile_schema(source, LIMITS, opened).validator.iter_errors(value))
    assert errors
    bound = ErrorListingCosts(opened, LIMITS).errors_of_values()

    assert not bound.within(len(errors) - 1, value)
    assert bound.within(10 * len(errors) + 10, value)


def report(schema: Any, value: Any) -> Any:
    validator = JsonDataValidator(SchemaSource(json.dumps(schema).encode(), ()), LIMITS)
    return validator.validate(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"items": {"allOf": [{"minimum": n + 5} for n in range(900)]}}, [1] * 500),
        ({"items": {"required": [f"p{n}" for n in range(900)]}}, [{}] * 900),
    ],
    ids=["allOf", "required"],
)
def test_of_hundreds_of_thousands_of_errors_only_the_first_is_made(schema: Any, value: Any) -> None:
    found = report(schema, value)

    assert (found.valid, len(found.errors), found.truncated) == (False, 1, True)


def test_all_errors_of_a_usual_document_of_60_kb_are_listed() -> None:
    row = {
        "type": "object",
        "required": ["id", "name", "price", "tags"],
        "additionalProperties": False,
        "properties": {
            "id": {"type": "integer", "minimum": 1},
            "name": {"type": "string", "minLength": 1, "maxLength": 60},
            "price": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5},
            "tags": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}, "maxItems": 5},
        },
    }
    good = {"id": 1, "name": "a name", "price": 2.5, "tags": ["a", "b"]}
    found = report({"type": "array", "items": row}, [*[good] * 950, {"id": "x", "tags": [1, "A"]}])

    assert len(found.errors) == 5
    assert not found.truncated
