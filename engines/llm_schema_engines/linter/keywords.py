"""The keywords of each JSON Schema dialect, and the types of value that they look at. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ..formats.json_schema.dialects import Dialect

_COMMON = frozenset(
    [
        "$schema",
        "$id",
        "$ref",
        "$comment",
        "title",
        "description",
        "default",
        "examples",
        "readOnly",
        "writeOnly",
        "type",
        "enum",
        "const",
        "format",
        "multipleOf",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "maxLength",
        "minLength",
        "pattern",
        "contentMediaType",
        "contentEncoding",
        "items",
        "maxItems",
        "minItems",
        "uniqueItems",
        "contains",
        "maxProperties",
        "minProperties",
        "required",
        "properties",
        "patternProperties",
        "additionalProperties",
        "propertyNames",
        "dependencies",
        "definitions",
        "if",
        "then",
        "else",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
    ]
)
_LATER = frozenset(
    [
        "$defs",
        "$anchor",
        "$vocabulary",
        "dependentSchemas",
        "dependentRequired",
        "minContains",
        "maxContains",
        "unevaluatedItems",
        "unevaluatedProperties",
        "deprecated",
        "contentSchema",
    ]
)
_SECOND = frozenset(["$id", "const", "contains", "propertyNames", "examples"])
_FIRST = (
    (_COMMON | {"additionalItems"}) - _SECOND - {"if", "then", "else", "$comment", "readOnly", "writeOnly"}
)
KNOWN: Mapping[Dialect, frozenset[str]] = {
    Dialect.DRAFT_04: _FIRST - {"contentMediaType", "contentEncoding"} | {"id"},
    Dialect.DRAFT_06: _FIRST | _SECOND,
    Dialect.DRAFT_07: _COMMON | {"additionalItems"},
    Dialect.DRAFT_2019_09: _COMMON | _LATER | {"additionalItems", "$recursiveRef", "$recursiveAnchor"},
    Dialect.DRAFT_2020_12: _COMMON | _LATER | {"prefixItems", "$dynamicRef", "$dynamicAnchor"},
}
EVERY = frozenset().union(*KNOWN.values())
HARMLESS_ELSEWHERE = frozenset({"$defs", "$vocabulary", "deprecated", "contentSchema"})
"""Keywords of other dialects that lose nothing when they are ignored: references still find what is in `$defs`."""
FORMER: Mapping[str, str] = {
    "divisibleBy": "multipleOf",
    "disallow": '"not": {"type": ...}',
    "extends": "allOf",
}
"""Keywords of draft 3 that no dialect here has, and what says the same."""
OF_OTHERS = frozenset({"example", "nullable", "discriminator", "xml", "externalDocs", "id", *FORMER})
"""Keywords of OpenAPI and of older drafts, which are no slips of the pen."""

_TYPES: Mapping[str, str] = {
    "number": "multipleOf maximum exclusiveMaximum minimum exclusiveMinimum",
    "string": "maxLength minLength pattern contentMediaType contentEncoding contentSchema",
    "array": "items prefixItems additionalItems maxItems minItems uniqueItems contains minContains maxContains "
    "unevaluatedItems",
    "object": "maxProperties minProperties required properties patternProperties additionalProperties propertyNames "
    "dependencies dependentSchemas dependentRequired unevaluatedProperties",
}
TYPE_OF: Mapping[str, str] = {keyword: kind for kind, text in _TYPES.items() for keyword in text.split()}
"""Keyword -> the only type of value that it looks at ("number" includes integers)."""

OPENAPI: Mapping[str, str] = {
    "nullable": 'write "type": ["...", "null"]',
    "discriminator": "the branches of oneOf are told apart by const",
    "example": 'write "examples": [...]',
    "xml": "it has no meaning in JSON",
    "externalDocs": "$comment and description hold texts",
}
"""Keywords of OpenAPI's schemas, and what says the same in JSON Schema."""

FORMATS = (
    *(
        "date",
        "date-time",
        "time",
        "duration",
        "email",
        "idn-email",
        "hostname",
        "idn-hostname",
        "ipv4",
        "ipv6",
    ),
    *("uri", "uri-reference", "uri-template", "iri", "iri-reference", "uuid", "json-pointer"),
    *("relative-json-pointer", "regex"),
)
"""The formats of the specification."""

CONSTRAINING = frozenset(
    {*TYPE_OF, "type", "enum", "const", "format", "allOf", "anyOf", "oneOf", "not", "if"}
    | {"$ref", "$dynamicRef", "$recursiveRef"}
)
"""Keywords that may refuse a value."""
