"""Fixes of refused Avro schemas."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .kit import kinds, search


def record(*fields: Any, name: str = "R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


A = field("a", "string")
E2: Any = {"type": "enum", "name": "E", "symbols": ["X", "Y"]}
E1: Any = {"type": "enum", "name": "E", "symbols": ["X", "Z"]}

CASES: dict[str, tuple[Any, Any, str, list[str]]] = {
    # name: old, new, level, kinds that are found as the only edit of a fix
    "new field": (record(A), record(A, field("n", "int")), "BACKWARD", ["MAKE_OPTIONAL", "ADD_DEFAULT"]),
    "new field of a union": (record(A), record(A, field("n", ["int", "null"])), "BACKWARD", ["MAKE_OPTIONAL"]),
    "renamed field": (record(A), record(field("b", "string")), "BACKWARD", ["MAKE_OPTIONAL", "ADD_ALIAS"]),
    "lost symbol": (record(field("e", E2)), record(field("e", E1)), "BACKWARD", ["KEEP_VALUES", "ADD_DEFAULT"]),
    "type changed": (record(A, field("n", "long")), record(A, field("n", "int")), "BACKWARD", ["ACCEPT_BOTH"]),
    "branch missing": (record(field("n", ["int", "string"])), record(field("n", ["int", "boolean"])), "BACKWARD", ["ACCEPT_BOTH"]),
    "other name": (record(A), record(A, name="Q"), "BACKWARD", ["ADD_ALIAS"]),
    "fixed": (
        record(A, field("f", {"type": "fixed", "name": "F", "size": 4})),
        record(A, field("f", {"type": "fixed", "name": "F", "size": 8}), field("n", "int", default=0)),
        "BACKWARD", ["KEEP_RULE"],
    ),
    "lost field": (record(A, field("n", "int")), record(A, field("m", "int")), "FORWARD", ["KEEP_MEMBER"]),
    "new symbol": (record(A, field("e", E2)), record(A, field("e", {**E2, "symbols": ["X", "Y", "Z"]}), field("n", "int")),
                   "FORWARD", ["LEAVE_OUT_VALUES"]),
    "new branch": (record(field("n", ["int"])), record(field("n", ["int", "string"]), A), "FORWARD", ["LEAVE_OUT_VALUES"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_edits_are_found_and_proved(case: str) -> None:
    old, new, level, wanted = CASES[case]
    found = search(new, old, level, "AVRO", limit=5)

    assert [kind for kind in wanted if [kind] not in kinds(found)] == []


def test_a_field_inside_a_type_that_is_used_by_name_is_mended_where_it_is_defined() -> None:
    inner = record(A, name="Inner")
    old = record(field("one", inner), field("two", {"type": "array", "items": "Inner"}))
    wider = record(A, field("n", "int"), name="Inner")
    new = record(field("two", {"type": "array", "items": wider}), field("one", "Inner"))

    found = search(new, old, kind="AVRO")

    assert found.fixes[0].edits[0].place == "/fields/0/type/items/fields/1"


def test_a_type_that_is_taken_over_brings_its_definitions_by_full_names() -> None:
    key = {"type": "fixed", "name": "Key", "size": 2}
    old = record(field("k", key), field("m", {"type": "map", "values": "Key"}), namespace="n.s")
    new = record(field("m", {"type": "map", "values": "int"}), namespace="n.s")

    found = search(new, old, "FULL", "AVRO")

    assert found.fixes
    kept = json.loads(found.fixes[0].content)
    assert any(f["name"] == "k" for f in kept["fields"])


def test_the_whole_change_is_not_offered_as_a_fix() -> None:
    found = search(
        {"type": "fixed", "name": "F", "size": 8}, {"type": "fixed", "name": "F", "size": 4}, kind="AVRO"
    )

    assert not found.fixes
    assert found.reason == "the only edits that help take the whole change back"


def test_recursive_types_come_to_an_end() -> None:
    node = record(field("next", ["null", "R"]), field("v", "int"))
    other = record(field("next", ["null", "R"]), field("v", "string"), field("w", "string"))

    found = search(other, node, kind="AVRO")

    assert found.fixes
