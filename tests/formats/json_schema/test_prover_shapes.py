"""Questions that a person decides at once, and a fuzz of their kinds against the validator, from both sides."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest

from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.formats.json_schema.prover import formats
from llm_schema_engines.model.compatibility import CompareOptions, Verdict

from .build import source

ENGINE = JsonSchemaEngine()
LATEST = "https://json-schema.org/draft/2020-12/schema"
DRAFT_07 = "http://json-schema.org/draft-07/schema#"
ROUNDS = 40


def verdict(reader: Any, writer: Any) -> Verdict:
    return ENGINE.compare(source(reader), source(writer), CompareOptions()).verdict


def text(name: str, **bounds: int) -> dict[str, Any]:
    return {"$schema": DRAFT_07, "type": "string", "format": name, **bounds}


def tagged(count: int, keyword: str = "oneOf", changed: str = "integer") -> dict[str, Any]:
    return {
        keyword: [
            {
                "type": "object",
                "properties": {
                    "kind": {"const": f"T{n}"},
                    "value": {"type": changed if n == count // 2 else "integer"},
                },
                "required": ["kind", "value"],
                "additionalProperties": False,
            }
            for n in range(count)
        ]
    }


def conditional(count: int, changed: str = "integer") -> dict[str, Any]:
    return {
        "$schema": LATEST,
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": [f"T{n}" for n in range(count)]}},
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": f"T{n}"}}},
                "then": {"properties": {f"p{n}": {"type": changed if n == 3 else "integer"}}},
            }
            for n in range(count)
        ],
        "unevaluatedProperties": False,
    }


def recursive(order: list[int]) -> dict[str, Any]:
    branches = [
        {"type": "object", "properties": {"id": {"const": n}, f"p{n}": {"$ref": "#/$defs/node"}}}
        for n in order
    ]
    return {"$schema": LATEST, "$ref": "#/$defs/node", "$defs": {"node": {"oneOf": branches}}}


def overlapping_patterns(count: int, least: int) -> dict[str, Any]:
    letters = [chr(97 + n) for n in range(count)]
    return {"patternProperties": {letter: {"type": "integer", "minimum": least} for letter in letters}}


YES, NO = Verdict.YES, Verdict.NO
CASES = {
    "email shortened": (text("email", maxLength=128), text("email", maxLength=255), NO),
    "email lengthened": (text("email", maxLength=255), text("email", maxLength=128), YES),
    "date needs no bound": (text("date", maxLength=10), text("date"), YES),
    "time of eight characters": (text("time", minLength=9), text("time"), YES),
    "hostname": (text("hostname", maxLength=253), text("hostname"), YES),
    "date-time": (text("date-time", maxLength=40), text("date-time", maxLength=60), NO),
    "fewer items": ({"maxItems": 500}, {"type": "array", "maxItems": 1000}, NO),
    "more items": ({"minItems": 2000}, {"type": "array", "minItems": 1000}, NO),
    "fewer different items": (
        {"maxItems": 400},
        {"type": "array", "maxItems": 1000, "uniqueItems": True, "items": {"type": "string"}},
        NO,
    ),
    "fewer properties": ({"maxProperties": 500}, {"type": "object", "maxProperties": 1000}, NO),
    "range as enum": (
        {"enum": [*range(1, 4001)]},
        {"type": "integer", "minimum": 1, "maximum": 4000},
        YES,
    ),
    "enum as range": (
        {"type": "integer", "minimum": 1, "maximum": 4000},
        {"enum": [*range(1, 4001)]},
        YES,
    ),
    "reordered recursive union": (recursive([*range(12)]), recursive([*range(11, -1, -1)]), YES),
    "tagged union shrinks": (tagged(200), tagged(201), NO),
    "tagged union widens": (tagged(200, changed="number"), tagged(200), YES),
    "tagged union narrows": (tagged(200), tagged(200, changed="number"), NO),
    "oneOf to anyOf": (tagged(200, "anyOf"), tagged(200), YES),
    "conditions widen": (conditional(30, "number"), conditional(30), YES),
    "conditions narrow": (conditional(30), conditional(30, "number"), NO),
    "patterns widen": (overlapping_patterns(10, -1), overlapping_patterns(10, 0), YES),
    "patterns narrow": (overlapping_patterns(10, 0), overlapping_patterns(10, -1), NO),
    "unique items of an enum": (
        {"type": "array", "uniqueItems": True, "items": {"minLength": 1}},
        {"type": "array", "uniqueItems": True, "items": {"anyOf": [{"enum": ["a", "b"]}, {"const": 3}]}},
        YES,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_person_decides_it_at_once(name: str) -> None:
    reader, writer, expected = CASES[name]

    assert verdict(reader, writer) is expected


@pytest.mark.parametrize("name", [*formats.LENGTHS, "idn-email", "uri", "iri", "json-pointer", "regex"])
def test_texts_of_formats_have_the_wanted_length(name: str) -> None:
    least, most = formats.LENGTHS.get(name, (1, None))
    lengths = [n for n in range(1, 400) if formats.accepts(name, formats.text_of(name, n))]

    assert all(len(formats.text_of(name, n)) == n for n in lengths)
    assert all(least <= n and (most is None or n <= most) for n in lengths)
    if name not in ("date", "uuid"):  # these have one length, and samples
        assert set(range(least + 3, min(most or 399, 399))) <= set(lengths)


VALUES = ("a", "b", "c")


def _branch(r: random.Random, n: int) -> dict[str, Any]:
    """A branch that may look at the tag, may require it, and may declare a property."""
    out: dict[str, Any] = {}
    if r.random() < 0.8:
        tag = {"const": r.choice(VALUES)} if r.random() < 0.7 else {"enum": r.sample(VALUES, 2)}
        out["properties"] = {"k": tag}
    if r.random() < 0.4:
        out["required"] = ["k"]
    if r.random() < 0.6:
        out.setdefault("properties", {})[f"p{n}"] = r.choice([{"type": "integer"}, {"type": "number"}, True])
    if r.random() < 0.4:
        out["type"] = "object"
    return out


def _unevaluated(r: random.Random) -> dict[str, Any]:
    out: dict[str, Any] = {"$schema": LATEST, "unevaluatedProperties": r.choice([False, {"type": "null"}])}
    if r.random() < 0.5:
        out["type"] = "object"
    if r.random() < 0.6:
        out["required"] = ["k"]
    if r.random() < 0.5:
        out["properties"] = {"k": {"enum": [*VALUES]}}
    count = r.randint(1, 4)
    match r.choice(["oneOf", "anyOf", "if", "mixed"]):
        case "if":
            out["allOf"] = [
                {"if": _branch(r, n), r.choice(["then", "else"]): _branch(r, n)} for n in range(count)
            ]
        case "mixed":
            out["allOf"] = [
                {r.choice(["oneOf", "anyOf"]): [_branch(r, n), _branch(r, n + 1)]} for n in range(2)
            ]
        case keyword:
            out[keyword] = [_branch(r, n) for n in range(count)]
    return out


def _union(r: random.Random) -> dict[str, Any]:
    branches = [r.choice([_branch(r, n), {"$ref": "#/$defs/x"}]) for n in range(r.randint(1, 4))]
    r.shuffle(branches)
    return {
        "$schema": LATEST,
        r.choice(["oneOf", "anyOf", "allOf"]): branches,
        "$defs": {"x": {"oneOf": [_branch(r, 1), {"properties": {"p0": {"$ref": "#/$defs/x"}}}]}},
    }


def _array(r: random.Random) -> dict[str, Any]:
    out: dict[str, Any] = {"$schema": LATEST, "type": "array"}
    leaf = ({"type": "integer"}, {"enum": [1, "a"]}, {"enum": [1]}, {"type": "string"}, True)
    for keyword, values in (
        ("minItems", (1, 2, 3)),
        ("maxItems", (1, 2, 3, 4)),
        ("uniqueItems", (True,)),
        ("items", leaf),
        ("prefixItems", tuple([a, b] for a in leaf for b in leaf)),
        ("contains", leaf),
        ("maxContains", (1, 2)),
        ("minContains", (0, 2)),
        ("not", ({"maxItems": 2}, {"uniqueItems": True}, {"items": {"type": "integer"}})),
    ):
        if r.random() < 0.35:
            out[keyword] = r.choice(values)
    return out


def _objects() -> list[Any]:
    values = ("a", "b", "d", 1)
    out: list[Any] = [1, "a", None, [], {}]
    for tag in (*values, None):
        for chosen in itertools.product((None, 1, 0.5, "x"), repeat=2):
            value = {} if tag is None else {"k": tag}
            out.append(value | {f"p{n}": item for n, item in enumerate(chosen) if item is not None})
        out.append(({} if tag is None else {"k": tag}) | {"z": None})
    return out


def _arrays() -> list[Any]:
    return [
        list(items) for length in range(5) for items in itertools.product((1, 2, "a", None)[: 4 - length // 4], repeat=length)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "values"),
    [(_unevaluated, _objects()), (_union, _objects()), (_array, _arrays())],
    ids=["unevaluated", "union", "array"],
)
def test_fuzz_against_the_validator(make: Any, values: list[Any]) -> None:
    r = random.Random(f"{make.__name__} 1")
    decided = 0
    for _ in range(ROUNDS):
        reader, writer = make(r), make(r)
        if r.random() < 0.5:  # a small difference is nearer to a wrong YES
            reader = {**writer, **dict(r.sample(sorted(reader.items()), min(2, len(reader))))}
        read, written = ENGINE.compile_validator(source(reader)), ENGINE.compile_validator(source(writer))
        answer = verdict(reader, writer)
        decided += answer is not Verdict.UNDECIDED
        if answer is Verdict.YES:
            wrong = [v for v in values if written.accepts(_json(v)) and not read.accepts(_json(v))]
            assert not wrong, (reader, writer, wrong[:3])
        value = r.choice(values)
        accepted = read.accepts(_json(value))
        assert verdict(reader, {"const": value}) in (YES if accepted else NO, Verdict.UNDECIDED)
        excluded = {"$schema": LATEST, "not": {"const": value}}
        assert verdict(excluded, reader) in (NO if accepted else YES, Verdict.UNDECIDED), (reader, value)
    assert decided > ROUNDS * 0.9


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
