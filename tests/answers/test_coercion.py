"""Corrections: each only on demand, none of a valid document, none twice, each told as a patch."""

from __future__ import annotations

import json
from copy import deepcopy
from random import Random
from typing import Any

import pytest

from llm_schema_engines import Coercion, coerce, parse, validate
from tests.formats.json_schema import oracles

SCHEMA = {
    "type": "object",
    "properties": {
        "category": {"enum": ["billing", "technical", "Sales", "SALES"]},
        "priority": {"type": "integer", "minimum": 1, "maximum": 5},
        "score": {"type": ["number", "null"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "who": {"anyOf": [{"$ref": "#/$defs/person"}, {"type": "null"}]},
        "due": {"type": "string", "format": "date"},
        "at": {"type": "string", "format": "date-time"},
        "note": {"type": "string"},
        "id": {"type": "string", "pattern": "^T-[0-9]+$"},
        "closed": {"type": "object", "properties": {"a": {}}, "additionalProperties": False},
    },
    "required": ["category"],
    "$defs": {"person": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
}
PARSED = parse(json.dumps(SCHEMA), format_policy="ASSERT")
ALL = frozenset(Coercion)

CASES: list[tuple[Coercion, str, Any, Any]] = [
    (Coercion.ENUM_CASE, "category", "Billing", "billing"),
    (Coercion.NUMERIC_STRING, "priority", "3", 3),
    (Coercion.NUMERIC_STRING, "priority", " 3.0 ", 3),
    (Coercion.NUMERIC_STRING, "score", "-1.5e2", -150),
    (Coercion.STRINGIFIED_JSON, "tags", '["a", "b"]', ["a", "b"]),
    (Coercion.STRINGIFIED_JSON, "who", '{"n": 4}', {"n": 4}),
    (Coercion.SINGLE_VALUE, "tags", "a", ["a"]),
    (Coercion.NULL_FOR_ABSENT, "note", None, "removed"),
    (Coercion.UNKNOWN_KEYS, "closed", {"a": 1, "b": 2}, {"a": 1}),
    (Coercion.WHITESPACE, "id", " T-1\n", "T-1"),
    (Coercion.DATE, "due", "2026/2/3", "2026-02-03"),
    (Coercion.DATE, "due", "20260203", "2026-02-03"),
    (Coercion.DATE, "at", "2026-02-03 10:00:00+0200", "2026-02-03T10:00:00+02:00"),
]
LEFT_ALONE: list[tuple[str, Any]] = [
    ("category", "sales"),  # two fit
    ("category", "other"),
    ("priority", "3.5"),
    ("priority", "9"),  # above the maximum all the same
    ("priority", "0x3"),
    ("tags", 5),  # [5] is no better
    ("due", "03/02/2026"),  # which is the month?
    ("due", "2026-02-30"),
    ("at", "2026-02-03T10:00:00"),  # in no time zone
    ("id", " x "),
]


def document(name: str, value: Any) -> bytes:
    return json.dumps({"category": "billing", name: value}).encode()


@pytest.mark.parametrize(("kind", "name", "given", "made"), CASES)
def test_each_kind_corrects_what_it_says(kind: Coercion, name: str, given: Any, made: Any) -> None:
    done = coerce(PARSED, document(name, given), [kind])

    want = {"category": "billing", name: made}
    if made == "removed":
        del want[name]
    assert json.loads(done.document) == want
    assert done.report.valid
    assert done.counts == {kind: 1}
    assert patched(json.loads(document(name, given)), done.patch) == want


@pytest.mark.parametrize(("kind", "name", "given", "made"), CASES)
def test_nothing_is_corrected_unasked(kind: Coercion, name: str, given: Any, made: Any) -> None:
    done = coerce(PARSED, document(name, given), ALL - {kind})

    assert kind not in done.counts
    if not done.report.valid:
        assert done.document == document(name, given)


@pytest.mark.parametrize(("name", "given"), LEFT_ALONE)
def test_what_is_not_certain_is_left_alone(name: str, given: Any) -> None:
    done = coerce(PARSED, document(name, given), ALL)

    assert done.document == document(name, given)
    assert done.patch == ()
    assert not done.report.valid


def test_a_required_null_is_not_left_out() -> None:
    assert coerce(PARSED, b'{"category": null}', ALL).patch == ()


def test_what_is_no_json_is_left_alone() -> None:
    done = coerce(PARSED, b'{"category": ', ALL)

    assert (done.document, done.report.errors[0].error_type) == (b'{"category": ', "json/syntax")


def test_valid_documents_are_never_changed_and_corrections_are_made_once() -> None:
    random = Random(4)
    counts = {"valid": 0, "corrected": 0}
    for _ in range(400):
        value = oracles.instance(random, SCHEMA, SCHEMA)
        if isinstance(value, dict):
            for _, name, given, _ in random.sample(CASES, random.randint(0, 3)):
                value[name] = given
        raw = json.dumps(value).encode()
        done = coerce(PARSED, raw, ALL)
        if validate(PARSED, raw):
            assert (done.document, done.patch) == (raw, ())
            counts["valid"] += 1
        again = coerce(PARSED, done.document, ALL)
        assert (again.document, again.patch) == (done.document, ())
        assert patched(value, done.patch) == json.loads(done.document)
        assert bool(done.report) is validate(PARSED, done.document).valid
        counts["corrected"] += done.changed

    assert min(counts.values()) > 5, counts


def patched(value: Any, patch: Any) -> Any:
    """The value after the operations of a JSON Patch."""
    root = {"": deepcopy(value)}
    for operation in patch:
        *way, last = ["", *operation["path"].split("/")[1:]]
        at: Any = root
        for token in way:
            at = at[int(token) if isinstance(at, list) else token]
        key = int(last) if isinstance(at, list) else last
        if operation["op"] == "remove":
            del at[key]
        else:
            at[key] = json.loads(json.dumps(operation["value"], default=float))
    return root[""]


def test_a_patch_is_what_json_writes() -> None:
    schema = '{"properties": {"a": {"type": "array"}, "n": {"type": "number"}}}'
    done = coerce(schema, '{"a": {"b": 1.5}, "n": "2.25"}', ["SINGLE_VALUE", "NUMERIC_STRING"])

    assert json.loads(json.dumps(done.patch)) == [
        {"op": "replace", "path": "/a", "value": [{"b": 1.5}]},
        {"op": "replace", "path": "/n", "value": 2.25},
    ]
