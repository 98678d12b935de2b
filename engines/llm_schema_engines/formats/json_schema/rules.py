"""The rules of a JSON Schema comparison: one for each keyword of the reader. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JsonSchemaRule:
    """A rule of the comparison. `id` is stable; `sentence`: what the reader does with data that the writer may send."""

    id: str
    sentence: str


REFUSED = JsonSchemaRule("JSON_VALUE_REFUSED", "the reader refuses a value that the writer accepts")

RULES: Mapping[str, JsonSchemaRule] = {
    "type": JsonSchemaRule("JSON_TYPE_REFUSED", "the reader does not accept this type"),
    "required": JsonSchemaRule(
        "JSON_PROPERTY_REQUIRED", "the reader requires a property that the writer may leave out"
    ),
    "additionalProperties": JsonSchemaRule(
        "JSON_PROPERTY_REFUSED", "the reader does not allow a property that the writer may send"
    ),
    "unevaluatedProperties": JsonSchemaRule(
        "JSON_PROPERTY_REFUSED", "the reader does not allow a property that the writer may send"
    ),
    "patternProperties": JsonSchemaRule(
        "JSON_PROPERTY_REFUSED", "the reader does not allow a property that the writer may send"
    ),
    "propertyNames": JsonSchemaRule(
        "JSON_PROPERTY_NAME_REFUSED", "the reader does not accept a property name that the writer may use"
    ),
    "enum": JsonSchemaRule(
        "JSON_ENUM_VALUE_REFUSED", "the reader does not list a value that the writer may send"
    ),
    "const": JsonSchemaRule(
        "JSON_CONST_CHANGED", "the reader accepts only one value, and the writer may send another"
    ),
    "minimum": JsonSchemaRule("JSON_MINIMUM_RAISED", "the reader demands a greater number"),
    "exclusiveMinimum": JsonSchemaRule("JSON_MINIMUM_RAISED", "the reader demands a greater number"),
    "maximum": JsonSchemaRule("JSON_MAXIMUM_LOWERED", "the reader demands a smaller number"),
    "exclusiveMaximum": JsonSchemaRule("JSON_MAXIMUM_LOWERED", "the reader demands a smaller number"),
    "multipleOf": JsonSchemaRule(
        "JSON_MULTIPLE_OF_NARROWED", "the reader demands a multiple that the writer does not"
    ),
    "minLength": JsonSchemaRule("JSON_LENGTH_NARROWED", "the reader demands a longer string"),
    "maxLength": JsonSchemaRule("JSON_LENGTH_NARROWED", "the reader demands a shorter string"),
    "pattern": JsonSchemaRule(
        "JSON_PATTERN_NARROWED", "the reader's pattern does not match a string that the writer may send"
    ),
    "format": JsonSchemaRule("JSON_FORMAT_NARROWED", "the reader demands a format that the writer does not"),
    "contentEncoding": JsonSchemaRule(
        "JSON_FORMAT_NARROWED", "the reader demands an encoding that the writer does not"
    ),
    "contentMediaType": JsonSchemaRule(
        "JSON_FORMAT_NARROWED", "the reader demands a media type that the writer does not"
    ),
    "minItems": JsonSchemaRule("JSON_ITEM_COUNT_NARROWED", "the reader demands more items"),
    "maxItems": JsonSchemaRule("JSON_ITEM_COUNT_NARROWED", "the reader demands fewer items"),
    "additionalItems": JsonSchemaRule(
        "JSON_ITEM_REFUSED", "the reader does not allow an item that the writer may send"
    ),
    "unevaluatedItems": JsonSchemaRule(
        "JSON_ITEM_REFUSED", "the reader does not allow an item that the writer may send"
    ),
    "items": JsonSchemaRule(
        "JSON_ITEM_REFUSED", "the reader does not allow an item that the writer may send"
    ),
    "uniqueItems": JsonSchemaRule("JSON_UNIQUE_ITEMS_DEMANDED", "the reader demands that items differ"),
    "contains": JsonSchemaRule("JSON_CONTAINS_NARROWED", "the reader demands other counts of matching items"),
    "minContains": JsonSchemaRule("JSON_CONTAINS_NARROWED", "the reader demands more matching items"),
    "maxContains": JsonSchemaRule("JSON_CONTAINS_NARROWED", "the reader demands fewer matching items"),
    "minProperties": JsonSchemaRule("JSON_PROPERTY_COUNT_NARROWED", "the reader demands more properties"),
    "maxProperties": JsonSchemaRule("JSON_PROPERTY_COUNT_NARROWED", "the reader demands fewer properties"),
    "dependentRequired": JsonSchemaRule(
        "JSON_DEPENDENCY_ADDED", "the reader demands a property when another is present"
    ),
    "dependencies": JsonSchemaRule(
        "JSON_DEPENDENCY_ADDED", "the reader demands a property when another is present"
    ),
    "anyOf": JsonSchemaRule(
        "JSON_ALTERNATIVES_NARROWED", "none of the reader's alternatives accepts the value"
    ),
    "oneOf": JsonSchemaRule(
        "JSON_ALTERNATIVES_NARROWED", "not exactly one of the reader's alternatives accepts the value"
    ),
    "not": JsonSchemaRule("JSON_EXCLUSION_ADDED", "the reader excludes the value"),
    "false": JsonSchemaRule("JSON_VALUE_FORBIDDEN", "the reader allows nothing here"),
}

UNDECIDED = JsonSchemaRule("JSON_UNDECIDED", "the question could not be decided")
DEFAULT_WAIVED = JsonSchemaRule(
    "JSON_DEFAULT_SUPPLIES_PROPERTY",
    "the reader requires a property that the writer may leave out; its default supplies it",
)


def rule_of(keyword: str) -> JsonSchemaRule:
    """The rule behind a failed keyword."""
    return RULES.get(keyword, REFUSED)
