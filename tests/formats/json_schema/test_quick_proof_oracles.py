"""The quick proof against the prover and against payloads, on pairs made at random. Every comparison of the other tests
runs it too (build.CheckingEngine). Small here; `make test-deep` runs them at length.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.model.compatibility import CompareOptions, Verdict, WriterModel

from . import oracles, suite
from .build import ENGINE
from .test_oracles import real_schemas

DIALECTS = ("draft-07", "2019-09", "2020-12")
NAMES = ("a", "b", "xa")
SCALARS = (None, True, False, 0, 1, 1.0, 2, 1.5, "", "a", "bb", "2020-01-02")


def schema(r: random.Random, depth: int = 2) -> Any:
    """A random schema of few words, so that two of them often have something to do with each other."""
    if r.random() < 0.1:
        return r.choice([True, False, {}])
    out: dict[str, Any] = {}
    for _ in range(r.choice([1, 1, 2, 2, 3])):
        keyword = r.choice(list(SHALLOW) if depth == 0 or r.random() < 0.5 else list(DEEP))
        out[keyword] = SHALLOW[keyword](r) if keyword in SHALLOW else DEEP[keyword](r, depth - 1)
    return out


SHALLOW: dict[str, Any] = {
    "type": lambda r: r.choice(
        ["string", "integer", "number", "object", "array", ["string", "null"], ["integer", "boolean"]]
    ),
    "const": lambda r: r.choice([*SCALARS, [1], [True], {"a": 1}]),
    "enum": lambda r: r.sample([*SCALARS], r.randint(1, 4)),
    "minimum": lambda r: r.choice([0, 1, 1.0, 2]),
    "exclusiveMinimum": lambda r: r.choice([0, 0.5, 1]),
    "maximum": lambda r: r.choice([0, 1, 2, 2.5]),
    "exclusiveMaximum": lambda r: r.choice([1, 2]),
    "multipleOf": lambda r: r.choice([1, 2, 4, 0.5]),
    "minLength": lambda r: r.choice([0, 1, 2]),
    "maxLength": lambda r: r.choice([0, 1, 2.0, 3]),
    "pattern": lambda r: r.choice(["^a", "b"]),
    "format": lambda r: r.choice(["date", "email"]),
    "minItems": lambda r: r.choice([0, 1, 2]),
    "maxItems": lambda r: r.choice([0, 1, 2]),
    "uniqueItems": lambda r: r.choice([True, False]),
    "minProperties": lambda r: r.choice([0, 1, 2]),
    "maxProperties": lambda r: r.choice([0, 1, 2]),
    "required": lambda r: r.sample(NAMES, r.randint(0, 2)),
    "dependentRequired": lambda r: {"a": ["b"]},
    "contentEncoding": lambda r: "base64",
    "title": lambda r: r.choice("xy"),
    "minContains": lambda r: r.choice([0, 1]),
}
DEEP: dict[str, Any] = {
    "properties": lambda r, d: {name: schema(r, d) for name in r.sample(NAMES, r.randint(0, 2))},
    "patternProperties": lambda r, d: {r.choice(["^x", "a$"]): schema(r, d)},
    "additionalProperties": schema,
    "propertyNames": lambda r, d: r.choice([{"maxLength": 1}, {"pattern": "^a"}]),
    "items": schema,
    "contains": schema,
    "not": schema,
    "if": schema,
    "then": schema,
    "else": schema,
    "allOf": lambda r, d: [schema(r, d) for _ in range(r.randint(1, 2))],
    "anyOf": lambda r, d: [schema(r, d) for _ in range(r.randint(1, 3))],
    "oneOf": lambda r, d: [schema(r, d) for _ in range(r.randint(1, 3))],
    "unevaluatedProperties": schema,
    "$ref": lambda r, d: f"#/definitions/{r.choice('de')}",
    "dependentSchemas": lambda r, d: {"a": schema(r, d)},
    "dependencies": lambda r, d: {"a": r.choice([["b"], schema(r, d)])},
}


def document(r: random.Random) -> Any:
    """A random schema with the definitions that it may refer to."""
    made = schema(r)
    if '"$ref"' in json.dumps(made):
        made["definitions"] = {"d": schema(r, 0), "e": schema(r, 1)}
    return made


def redrawn(r: random.Random, old: Any) -> Any:
    """The schema with one keyword of one of its places given another value, or added."""
    new = deepcopy(old)
    places = [new, *oracles.places(new)] if isinstance(new, dict) else []
    if places:
        place = r.choice(places)
        keyword = r.choice([*place, *place, r.choice(list(SHALLOW))])
        if keyword in SHALLOW:
            place[keyword] = SHALLOW[keyword](r)
        elif keyword in DEEP:
            place[keyword] = DEEP[keyword](r, 0)
    return new


def pair(r: random.Random, seeds: list[Any]) -> tuple[Any, Any]:
    """Two schemas: unrelated ones, or one and an edited version, in any order."""
    old = document(r) if r.random() < 0.7 or not seeds else r.choice(seeds)
    kind = r.random()
    if kind < 0.2:
        new = schema(r, 1)
    elif kind < 0.7:
        new = redrawn(r, old)
    else:
        new = oracles.edited(r, old, r.randint(1, 3))
    if isinstance(old, dict) and isinstance(new, dict) and r.random() < 0.3:
        new = {**old, **new}
    return (old, new) if r.random() < 0.5 else (new, old)


def quickly_proved_pairs(
    dialect: str, count: int, seed: int, seeds: list[Any]
) -> Iterator[tuple[SchemaSource, SchemaSource, Any]]:
    """The pairs (writer, reader) among `count` random ones that the quick proof proves, and the writer's schema."""
    r = random.Random(seed)
    for _ in range(count):
        writer, reader = pair(r, seeds)
        if json.dumps(writer) == json.dumps(reader):
            continue
        policy = r.choice(["DIALECT", "ASSERT", "IGNORE"])
        sides = [
            SchemaSource(json.dumps(side).encode(), (), {"dialect": dialect, "format_policy": policy})
            for side in (writer, reader)
        ]
        model = r.choice(list(WriterModel))
        if ENGINE.quick_proof(sides[1], sides[0], CompareOptions(writer_model=model)) is not None and all(
            oracles.parses(ENGINE, side) for side in sides
        ):
            yield sides[0], sides[1], writer


def check(dialect: str, count: int, seed: int, seeds: list[Any]) -> tuple[int, int, list[str]]:
    """How many pairs the quick proof proved, how many payloads the writer's side accepted, and what contradicts."""
    r = random.Random(seed)
    found = accepted = 0
    faults = []
    for writer, reader, written_as in quickly_proved_pairs(dialect, count, seed, seeds):
        found += 1
        says = f"{writer.content!r} -> {reader.content!r}"
        for model in WriterModel:
            comparison = ENGINE.compare(reader, writer, CompareOptions(writer_model=model))
            if comparison.verdict is not Verdict.YES or comparison.violations:
                faults.append(f"the prover says {comparison.verdict.name}: {says}")
        made = [json.dumps(oracles.instance(r, written_as, written_as)).encode() for _ in range(10)]
        written = oracles.truth_table(ENGINE, writer, made)
        accepted += written.bit_count()
        if written & ~oracles.truth_table(ENGINE, reader, made):
            faults.append(f"a payload contradicts: {says}")
    return found, accepted, faults


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_the_quick_proof_proves_no_prover_and_no_payload_contradicts(dialect: str) -> None:
    found, accepted, faults = check(dialect, 5_000, 7, [])

    print(f"{dialect}: {found} pairs proved quickly, {accepted} payloads")
    assert faults == []
    assert found > 300
    assert accepted > 1_000


@pytest.mark.deep
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_many_quickly_proved_pairs(dialect: str, seed: int) -> None:
    seeds = real_schemas(dialect) if suite.PRESENT else []
    found, accepted, faults = check(dialect, 60_000, seed, seeds)

    print(f"{dialect}: {found} pairs proved quickly, {accepted} payloads")
    assert faults == []
