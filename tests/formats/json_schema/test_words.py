"""What is wrong with a schema is said in a person's words, with its place and the way out."""

from __future__ import annotations

from typing import Any

import pytest

from llm_schema_engines.errors import InvalidSchema, SchemaIssue
from llm_schema_engines.formats.json_schema import JsonSchemaEngine

from .build import source

ENGINE = JsonSchemaEngine()
D4 = "http://json-schema.org/draft-04/schema#"
D7 = "http://json-schema.org/draft-07/schema#"


def issue(schema: Any) -> SchemaIssue:
    with pytest.raises(InvalidSchema) as refused:
        ENGINE.parse(source(schema))
    return refused.value.issues[0]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "objct"}, '"objct" is no type; did you mean "object"?'),
        ({"type": ["string", "nul"]}, '"nul" is no type; did you mean "null"?'),
        ({"type": "int"}, 'did you mean "integer"?'),
        ({"type": "Any"}, "leave the keyword out to allow every type"),
        ({"type": "zzz"}, "the types are array, boolean"),
        ({"type": 5}, "a type is a name"),
        ({"type": []}, "an empty list allows no type"),
        ({"type": ["null", "null"]}, '"null" stands in the list twice'),
        ({"required": "a"}, 'an array is expected, not "a"; write ["a"]'),
        ({"required": True}, "the object lists the names of its required properties"),
        ({"required": ["a", "b", "a"]}, '"a" stands in the list twice'),
        ({"minLength": -1}, "-1 is below 0"),
        ({"multipleOf": 0}, "0 is not above 0"),
        ({"anyOf": []}, "an empty list is not allowed"),
        ({"exclusiveMinimum": True}, "true and false are of draft-04"),
        ({"additionalProperties": "no"}, "a schema (an object, or true or false) is expected"),
        (
            {"$schema": D7, "items": 5},
            "a schema (an object, or true or false) or an array is expected, not 5",
        ),
        ({"$schema": D7, "dependencies": {"type": "objct"}}, "or an array is expected"),
        ({"$schema": D4, "exclusiveMinimum": True}, '"exclusiveMinimum" stands only beside "minimum"'),
        ({"$schema": D4, "exclusiveMaximum": True}, '"exclusiveMaximum" stands only beside "maximum"'),
    ],
)
def test_what_the_metaschema_refuses(schema: Any, words: str) -> None:
    assert words in issue(schema).message


def test_a_reference_that_leads_nowhere_says_how_to_supply_it() -> None:
    found = issue({"properties": {"a": {"$ref": "other.json#/x"}}})

    assert found.pointer == "/properties/a/$ref"
    assert "give it as a reference with the name 'other.json'" in found.message


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"$defs": {"a": {"$id": "http://[::1"}}}, "/$defs/a/$id"),
        ({"$id": "relative:::/\\"}, "/$id"),
    ],
)
def test_what_the_compiler_refuses_has_a_place(schema: Any, place: str) -> None:
    found = issue(schema)

    assert (found.rule, found.pointer) == ("json/compile", place)
    assert found.line
