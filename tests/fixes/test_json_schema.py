"""Fixes of refused JSON Schemas: which edits are found for which change, and that each is proved."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_schema_engines import find_fixes
from llm_schema_engines.fixes.documents import patched
from llm_schema_engines.fixes.schema_places import earlier_part
from llm_schema_engines.model.compatibility import CompareOptions, WriterModel

from .kit import CHECKS, apply_patch, kinds, search

S: Any = {"type": "string"}
INT: Any = {"type": "integer"}


def closed(properties: dict[str, Any], required: list[str] | None = None, **more: Any) -> dict[str, Any]:
    made = {"type": "object", "properties": properties, "additionalProperties": False, **more}
    return {**made, "required": required} if required else made


BACKWARD: dict[str, tuple[Any, Any, str, str]] = {
    # name: old, new, kind of the first edit, its place
    "newly required": (closed({"a": S}), closed({"a": S}, ["a"]), "MAKE_OPTIONAL", "/required"),
    "value removed": ({"enum": ["x", "y"]}, {"enum": ["x", "z"]}, "KEEP_VALUES", "/enum"),
    "const changed": ({"const": 1}, {"const": 2}, "KEEP_VALUES", "/enum"),
    "true is no 1": ({"enum": [1]}, {"enum": [True]}, "KEEP_VALUES", "/enum"),
    "type changed": ({"properties": {"a": S}}, {"properties": {"a": INT}}, "ACCEPT_BOTH", "/properties/a/type"),
    "integer for number": ({"type": "number"}, INT, "ACCEPT_BOTH", "/type"),
    "property removed": (closed({"a": S, "b": INT}), closed({"a": S}, title="t"), "KEEP_MEMBER", "/properties"),
    "property in an open object": ({"type": "object"}, {"type": "object", "properties": {"a": {**S, "title": "A"}}},
                                   "DOCUMENT_ONLY", "/properties/a"),
    "longer": ({**S, "minLength": 1}, {**S, "minLength": 3, "maxLength": 9}, "KEEP_RULE", "/minLength"),
    "branch removed": ({"anyOf": [S, INT]}, {"anyOf": [S, {"type": "null"}]}, "ACCEPT_BOTH", "/anyOf"),
    "items": ({"type": "array", "items": S}, {"type": "array", "items": INT}, "ACCEPT_BOTH", "/items/type"),
    "a definition": (
        {"$defs": {"k": {"enum": [1, 2]}}, "properties": {"a": {"$ref": "#/$defs/k"}}},
        {"$defs": {"k": {"enum": [1, 3]}}, "properties": {"a": {"$ref": "#/$defs/k"}}},
        "KEEP_VALUES", "/$defs/k/enum",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BACKWARD)
def test_a_change_that_readers_cannot_follow(case: str) -> None:
    old, new, kind, place = BACKWARD[case]
    found = search({**new, "title": "with something of the change that stays"}, old)

    assert (kind, place) in [(e.kind.name, e.place) for fix in found.fixes for e in fix.edits]
    assert found.complete


FORWARD: dict[str, tuple[Any, Any, str]] = {
    "no longer required": (closed({"a": S}, ["a"]), closed({"a": S, "b": S}, ["b"]), "KEEP_REQUIRED"),
    "value added": ({"enum": ["x", "y"]}, {"enum": ["x", "z"]}, "LEAVE_OUT_VALUES"),
    "type widened": ({"type": ["string", "null"]}, {"type": ["string", "integer"]}, "KEEP_TO_BOTH"),
    "property dropped": (
        {"type": "object", "properties": {"a": S}},
        {"type": "object", "properties": {"b": S}},
        "KEEP_MEMBER",
    ),
}


@pytest.mark.parametrize("case", FORWARD)
def test_a_change_that_earlier_readers_cannot_follow(case: str) -> None:
    old, new, kind = FORWARD[case]
    found = search({**new, "title": "with something of the change that stays"}, old, "FORWARD")

    assert kind in [k for fix in kinds(found) for k in fix]


def test_several_faults_are_mended_together_and_no_edit_is_superfluous() -> None:
    old = closed({"id": S, "kind": {"enum": ["a", "b"]}})
    new = closed({"id": INT, "kind": {"enum": ["a"]}, "note": S}, ["id", "note"])

    found = search(new, old)

    assert kinds(found)[0] == ["MAKE_OPTIONAL", "ACCEPT_BOTH", "KEEP_VALUES"]
    assert not found.fixes[0].takes_back
    patch = json.loads(found.fixes[0].patch)
    for left_out in range(len(patch)):
        fewer = patch[:left_out] + patch[left_out + 1 :]
        assert not CHECKS.check(json.dumps(apply_patch(new, fewer)), json.dumps(old)).compatible


def test_all_versions_of_a_transitive_level_are_proved() -> None:
    versions = (closed({"k": {"enum": ["a", "b"]}}), closed({"k": {"enum": ["a", "b", "c"]}, "x": S}))
    new = closed({"k": {"enum": ["a", "d"]}})

    found = search(new, versions, "BACKWARD_TRANSITIVE")

    assert {p.version for p in found.fixes[0].proofs} == {"1", "2"}
    assert {p.direction.value for p in found.fixes[0].proofs} == {"backward"}


def test_what_means_the_same_as_before_is_said_to_take_the_change_back() -> None:
    old = {"type": "object"}
    new = {"type": "object", "properties": {"a": {"type": "string", "description": "new"}}}

    found = search(new, old)

    assert [(k, f.takes_back) for k, f in zip(kinds(found), found.fixes, strict=True)][-1][1]
    assert "accepts any value" in " ".join(f.message for f in found.fixes)


def test_at_level_full_the_only_edit_may_be_the_whole_change() -> None:
    found = search({**S, "minLength": 3}, {**S, "minLength": 1}, "FULL")

    assert not found.fixes
    assert found.complete
    assert found.reason == "the only edits that help take the whole change back"


def test_a_default_helps_where_readers_fill_in_defaults() -> None:
    old, new = {"type": "object", "properties": {"a": S}}, {
        "type": "object", "properties": {"a": S}, "required": ["a"],
    }  # fmt: skip

    found = search(new, old, options=CompareOptions(apply_defaults=True))

    assert ["ADD_DEFAULT"] in kinds(found)
    assert ["ADD_DEFAULT"] not in kinds(search(new, old))


def test_with_declared_keys_a_new_property_needs_no_fix() -> None:
    found = search(
        {"type": "object", "properties": {"a": S, "b": S}},
        {"type": "object", "properties": {"b": S}},
        options=CompareOptions(writer_model=WriterModel.DECLARED_KEYS),
    )

    assert found.compatible
    assert not found.fixes


def test_definitions_of_the_earlier_version_come_along_under_a_name_that_is_free() -> None:
    old = {"$defs": {"k": {"$ref": "#/$defs/l"}, "l": S, "m": INT}}
    new = {"$defs": {"k": {"$ref": "#/$defs/l"}, "l": INT, "l_before": {}}}

    part, steps = earlier_part({"items": {"$ref": "#/$defs/k"}, "not": {"$ref": "#/$defs/m"}}, old, new)

    assert part == {"items": {"$ref": "#/$defs/k_before"}, "not": {"$ref": "#/$defs/m"}}
    assert patched(new, steps)["$defs"] == {
        **new["$defs"],
        "k_before": {"$ref": "#/$defs/l_before_before"},
        "l_before_before": S,
        "m": INT,
    }


def test_order_numbers_and_layout_of_the_author_stay() -> None:
    new = '{\n    "z": 1.50,\n    "type": "object",\n    "required": ["a"],\n    "a": 1e400\n}\n'

    fix = search(new, {"type": "object"}).fixes[0]

    assert fix.content.decode().startswith('{\n    "z": 1.50,\n    "type": "object"')
    assert fix.content.endswith(b"\n}\n")
    assert b'"a": 1E+400' in fix.content


def test_both_forms_of_a_document_are_joined_once_whatever_is_refused() -> None:
    old = {"type": "object", "properties": {"k": {"enum": ["a", "b"]}}, "additionalProperties": False}
    new = {
        "type": "object",
        "properties": {"k": {"enum": ["a", "c"]}, "n": {"type": "string"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    found = find_fixes(json.dumps(new), json.dumps(old), "BACKWARD").fixes

    joined = [branch for fix in found for branch in json.loads(fix.content).get("anyOf", ())]

    assert joined == [new, old]
