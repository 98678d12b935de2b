"""Subschemas below keywords that no dialect knows are checked like all others when references lead to them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_schema_engines.errors import InvalidSchema
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.model.compatibility import CompareOptions, Verdict

ENGINE = JsonSchemaEngine()
DIALECTS = [
    "http://json-schema.org/draft-04/schema#",
    "http://json-schema.org/draft-06/schema#",
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
]
BAD: dict[str, tuple[Any, str, str]] = {
    "required of objects": ({"required": [{"a": 1}, "b"]}, "json/metaschema", "/required/0"),
    "no type": ({"type": "objct"}, "json/metaschema", "/type"),
    "deeper": ({"properties": {"a": {"minimum": "1"}}}, "json/metaschema", "/properties/a/minimum"),
    "a pattern": ({"pattern": "("}, "json/pattern", "/pattern"),
    "a reference": ({"properties": {"a": {"$ref": "#/nowhere"}}}, "json/reference", "/properties/a/$ref"),
    "further": ({"properties": {"a": {"$ref": "#/definitions/group/other"}}}, "json/metaschema", "/maximum"),
}


def schema(dialect: str, member: Any) -> SchemaSource:
    content = {
        "$schema": dialect,
        "type": "object",
        "properties": {"x": {"$ref": "#/definitions/group/member"}, "y": {"$ref": "#/definitions/plain"}},
        "definitions": {
            "plain": {"type": "string"},
            "group": {"member": member, "other": {"maximum": "much"}, "unused": {"type": "objct"}},
        },
    }
    return SchemaSource(json.dumps(content).encode())


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("what", BAD)
def test_what_a_reference_leads_to_is_refused_where_it_stands(dialect: str, what: str) -> None:
    member, rule, below = BAD[what]
    with pytest.raises(InvalidSchema) as refused:
        ENGINE.parse(schema(dialect, member))

    issue = refused.value.issues[0]
    assert issue.rule == rule
    assert issue.pointer.startswith("/definitions/group/")
    assert issue.pointer.endswith(below)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_groups_of_definitions_are_read_compared_and_found(dialect: str) -> None:
    old = schema(
        dialect, {"type": "object", "properties": {"deep": {"type": "integer"}}, "required": ["deep"]}
    )
    new = schema(
        dialect, {"type": "object", "properties": {"deep": {"type": "number"}}, "required": ["deep"]}
    )

    assert "deep" in ENGINE.parse(old).names
    assert ENGINE.compare(new, old, CompareOptions()).verdict is Verdict.YES
    assert ENGINE.compare(old, new, CompareOptions()).verdict is Verdict.NO


def test_a_stored_schema_that_was_not_checked_is_undecided_and_crashes_nothing() -> None:
    stored, sound = (schema(DIALECTS[2], m) for m in ({"required": [{"a": 1}]}, {"required": ["a"]}))

    assert ENGINE.parse(stored, strict=False)
    for reader, writer in ((stored, sound), (sound, stored)):
        compared = ENGINE.compare(reader, writer, CompareOptions())
        assert compared.verdict is Verdict.UNDECIDED
        assert "/definitions/group/member/required/0" in compared.violations[0].message


def test_groups_in_groups_are_walked_once() -> None:
    member: dict[str, Any] = {"type": "integer"}
    for _ in range(40):
        member = {"type": "object", "group": {"member": member}}
    references, pointer = {}, ""
    for depth in range(40):
        pointer += "/group/member"
        references[f"p{depth}"] = {"$ref": f"#{pointer}"}
    content = {"$schema": DIALECTS[4], "properties": dict(reversed(references.items())), **member}

    assert ENGINE.parse(SchemaSource(json.dumps(content).encode())).names
