"""The rules that a JSON Schema comparison can find broken: one for each keyword of the reader. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """`id` is stable; `sentence` says what the reader does with data that the writer may produce."""

    id: str
    sentence: str


REFUSED = Rule("JSON_VALUE_REFUSED", "the reader refuses a value that the writer accepts")

RULES: Mapping[str, Rule] = {
    "type": Rule("JSON_TYPE_REFUSED", "the reader does not accept this type"),
    "required": Rule(
        "JSON_PROPERTY_REQUIRED", "the reader requires a property that the writer may leave out"
    ),
    "additionalProperties": Rule(
        "JSON_PROPERTY_REFUSED", "the reader does not allow a property that the writer may send"
    ),
    "unevaluatedProperties": Rule(
        "JSON_PROPERTY_REFUSED", "the reader does not allow a property that the writer may send"
    ),
    "patternProperties": Rule(
        "JSON_PROPERTY_REFUSED", "the reader does not allow a property that the writer may send"
    ),
    "propertyNames": Rule(
        "JSON_PROPERTY_NAME_REFUSED", "the reader does not accept a property name that the writer may use"
    ),
    "enum": Rule("JSON_ENUM_VALUE_REFUSED", "the reader does not list a value that the writer may send"),
    "const": Rule("JSON_CONST_CHANGED", "the reader accepts only one value, and the writer may send another"),
    "minimum": Rule("JSON_MINIMUM_RAISED", "the reader demands a greater number"),
    "exclusiveMinimum": Rule("JSON_MINIMUM_RAISED", "the reader demands a greater number"),
    "maximum": Rule("JSON_MAXIMUM_LOWERED", "the reader demands a smaller number"),
    "exclusiveMaximum": Rule("JSON_MAXIMUM_LOWERED", "the reader demands a smaller number"),
    "multipleOf": Rule("JSON_MULTIPLE_OF_NARROWED", "the reader demands a multiple that the writer does not"),
    "minLength": Rule("JSON_LENGTH_NARROWED", "the reader demands a longer string"),
    "maxLength": Rule("JSON_LENGTH_NARROWED", "the reader demands a shorter string"),
    "pattern": Rule(
        "JSON_PATTERN_NARROWED", "the reader's pattern does not match a string that the writer may send"
    ),
    "format": Rule("JSON_FORMAT_NARROWED", "the reader demands a format that the writer does not"),
    "contentEncoding": Rule(
        "JSON_FORMAT_NARROWED", "the reader demands an encoding that the writer does not"
    ),
    "contentMediaType": Rule(
        "JSON_FORMAT_NARROWED", "the reader demands a media type that the writer does not"
    ),
    "minItems": Rule("JSON_ITEM_COUNT_NARROWED", "the reader demands more items"),
    "maxItems": Rule("JSON_ITEM_COUNT_NARROWED", "the reader demands fewer items"),
    "additionalItems": Rule(
        "JSON_ITEM_REFUSED", "the reader does not allow an item that the writer may send"
    ),
    "unevaluatedItems": Rule(
        "JSON_ITEM_REFUSED", "the reader does not allow an item that the writer may send"
    ),
    "items": Rule("JSON_ITEM_REFUSED", "the reader does not allow an item that the writer may send"),
    "uniqueItems": Rule("JSON_UNIQUE_ITEMS_DEMANDED", "the reader demands that items differ"),
    "contains": Rule("JSON_CONTAINS_NARROWED", "the reader demands other counts of matching items"),
    "minContains": Rule("JSON_CONTAINS_NARROWED", "the reader demands more matching items"),
    "maxContains": Rule("JSON_CONTAINS_NARROWED", "the reader demands fewer matching items"),
    "minProperties": Rule("JSON_PROPERTY_COUNT_NARROWED", "the reader demands more properties"),
    "maxProperties": Rule("JSON_PROPERTY_COUNT_NARROWED", "the reader demands fewer properties"),
    "dependentRequired": Rule(
        "JSON_DEPENDENCY_ADDED", "the reader demands a property when another is present"
    ),
    "dependencies": Rule("JSON_DEPENDENCY_ADDED", "the reader demands a property when another is present"),
    "anyOf": Rule("JSON_ALTERNATIVES_NARROWED", "none of the reader's alternatives accepts the value"),
    "oneOf": Rule(
        "JSON_ALTERNATIVES_NARROWED", "not exactly one of the reader's alternatives accepts the value"
    ),
    "not": Rule("JSON_EXCLUSION_ADDED", "the reader excludes the value"),
    "false": Rule("JSON_VALUE_FORBIDDEN", "the reader allows nothing here"),
}

UNDECIDED = Rule("JSON_UNDECIDED", "the question could not be decided")
DEFAULT_WAIVED = Rule(
    "JSON_DEFAULT_SUPPLIES_PROPERTY",
    "the reader requires a property that the writer may leave out; its default supplies it",
)


def rule_of(keyword: str) -> Rule:
    """The rule behind a failed keyword."""
    return RULES.get(keyword, REFUSED)
