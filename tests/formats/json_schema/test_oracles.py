"""The prover against three judges that know nothing of it. Small here; `make test-deep` runs them at length."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.model.compatibility import CompareOptions, Verdict

from . import oracles, suite
from .build import ENGINE

SEEDS: list[Any] = [
    {
        "type": "object",
        "properties": {
            "id": {"type": "integer", "minimum": 1},
            "name": {"type": "string", "minLength": 1, "maxLength": 40},
            "kind": {"enum": ["a", "b", 3, None]},
            "tags": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}, "maxItems": 3},
            "owner": {"$ref": "#/$defs/person"},
        },
        "required": ["id", "kind"],
        "additionalProperties": False,
        "$defs": {
            "person": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "boss": {"$ref": "#/$defs/person"}},
                "required": ["name"],
            }
        },
    },
    {
        "oneOf": [
            {
                "type": "object",
                "properties": {"t": {"const": "x"}, "v": {"type": "number"}},
                "required": ["t"],
            },
            {
                "type": "object",
                "properties": {"t": {"const": "y"}, "w": {"type": "array"}},
                "required": ["t"],
            },
            {"type": "string", "pattern": "^a"},
        ]
    },
    {
        "type": ["object", "array", "integer"],
        "patternProperties": {"^x": {"type": "string"}, "y$": {"maxLength": 2}},
        "propertyNames": {"maxLength": 5},
        "contains": {"type": "integer"},
        "uniqueItems": True,
        "multipleOf": 3,
    },
    {
        "if": {"properties": {"k": {"const": 1}}, "required": ["k"]},
        "then": {"required": ["a"], "properties": {"a": {"type": "string"}}},
        "else": {"minProperties": 1},
        "dependentRequired": {"b": ["c"]},
        "anyOf": [{"properties": {"p": {"type": "null"}}}, {"required": ["q"]}],
        "unevaluatedProperties": {"type": ["string", "integer"]},
    },
    {
        "type": "array",
        "prefixItems": [{"type": "string"}, {"minimum": 0}],
        "items": {"type": ["integer", "null"]},
    },
    {"not": {"anyOf": [{"type": "string", "minLength": 3}, {"enum": [1, 2]}]}},
]


def suite_pairs(dialect: str, count: int, seed: int) -> oracles.Tally:
    """Random pairs of the suite's schemas against all of the suite's instances."""
    found = [
        case
        for group in ("", "optional")
        for case in suite.cases(dialect, group)
        if not case.source.references and oracles.parses(ENGINE, case.source)
    ]
    instances = sorted({json.dumps(data).encode() for case in found for _, data, _ in case.tests})
    judged = [
        oracles.Judged(case.schema, case.source, oracles.truth_table(ENGINE, case.source, instances))
        for case in found
    ]
    tally = oracles.Tally()
    r = random.Random(seed)
    for _ in range(count):
        oracles.compare_tables(ENGINE, r.choice(judged), r.choice(judged), instances, tally)
    return tally


def real_schemas(dialect: str) -> list[Any]:
    """Schemas of the suite and small real ones, to be edited."""
    found = [*SEEDS] if dialect == "2020-12" else []
    found += [case.schema for case in suite.cases(dialect) if not case.source.references]
    pairs = suite.ROOT.parent / "schemastore-pairs.jsonl"
    for line in pairs.read_text(encoding="utf-8").splitlines():
        schema = json.loads(line)["new"]
        schema = json.loads(schema) if isinstance(schema, str) else schema
        declared = schema.get("$schema", "") if isinstance(schema, dict) else ""
        if ("draft-07" in declared) == (dialect == "draft-07") and len(json.dumps(schema)) < 20_000:
            found.append(schema)
    return found


def test_edited_schemas_are_judged_right_by_instances_and_by_a_second_engine() -> None:
    tally = oracles.fuzz(ENGINE, SEEDS, random.Random(1), pairs=250, instances=20, dialect="2020-12")

    print(tally)
    assert tally.findings == []
    assert tally.verdicts["YES"] > 25
    assert tally.verdicts["NO"] > 25
    assert tally.verdicts["UNDECIDED"] < 25


@pytest.mark.skipif(not suite.PRESENT, reason="the official suite is not beside the repository")
@pytest.mark.parametrize("dialect", [*suite.OLDER, *suite.DRAFTS])
def test_pairs_of_the_suite_agree_with_every_instance_of_the_suite(dialect: str) -> None:
    tally = suite_pairs(dialect, 300, seed=3)

    print(dialect, tally)
    assert tally.findings == []
    assert tally.verdicts["UNDECIDED"] < 20


@pytest.mark.deep
@pytest.mark.skipif(not suite.PRESENT, reason="the official suite is not beside the repository")
@pytest.mark.parametrize("dialect", [*suite.OLDER, *suite.DRAFTS])
def test_many_pairs_of_the_suite(dialect: str) -> None:
    tally = suite_pairs(dialect, 15_000, seed=11)

    print(dialect, tally)
    assert tally.findings == []


@pytest.mark.deep
@pytest.mark.skipif(not suite.PRESENT, reason="real schemas are not beside the repository")
@pytest.mark.parametrize("dialect", ["draft-07", "2020-12"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_many_edits_of_real_schemas(dialect: str, seed: int) -> None:
    tally = oracles.fuzz(
        ENGINE, real_schemas(dialect), random.Random(seed), pairs=2_500, instances=30, dialect=dialect
    )

    print(dialect, tally)
    assert tally.findings == []


def real_pairs(step: int) -> list[tuple[SchemaSource, SchemaSource]]:
    """Every `step`-th pair of consecutive real revisions, where both may be registered."""
    out = []
    for line in (
        (suite.ROOT.parent / "schemastore-pairs.jsonl").read_text(encoding="utf-8").splitlines()[::step]
    ):
        pair = json.loads(line)
        sides = [
            SchemaSource((side if isinstance(side, str) else json.dumps(side)).encode())
            for side in (pair["old"], pair["new"])
        ]
        if all(oracles.parses(ENGINE, side) for side in sides):
            out.append((sides[0], sides[1]))
    return out


@pytest.mark.skipif(not suite.PRESENT, reason="real schemas are not beside the repository")
@pytest.mark.parametrize(
    "step", [pytest.param(5, id="sample"), pytest.param(1, id="all", marks=pytest.mark.deep)]
)
def test_real_revisions_are_decided_and_their_witnesses_believed(step: int) -> None:
    pairs = real_pairs(step)
    undecided, faults = 0, []
    for old, new in pairs:
        for writer, reader in ((old, new), (new, old)):
            comparison = ENGINE.compare(reader, writer, CompareOptions())
            undecided += comparison.verdict is Verdict.UNDECIDED
            contradiction = {comparison.verdict, oracles.second_opinion(writer, reader)} == {
                Verdict.YES,
                Verdict.NO,
            }
            if contradiction:
                faults.append(f"contradiction: {comparison.verdict.name}")
            if comparison.verdict is Verdict.NO:
                faults += [
                    error
                    for violation in comparison.violations
                    if violation.witness
                    and (error := oracles.disbelieve(writer, reader, violation.witness.text))
                ]

    assert faults == []
    print(f"{len(pairs)} pairs, {undecided} of {2 * len(pairs)} questions undecided")
    assert undecided <= max(1, 0.05 * 2 * len(pairs))


def membership(dialect: str, step: int) -> tuple[int, int, list[str]]:
    """Each instance of the suite as a schema of its own: it is included exactly when the suite calls it valid."""
    asked, undecided, wrong = 0, 0, []
    cases = [case for group in ("", "optional") for case in suite.cases(dialect, group)]
    for case in cases[::step]:
        if not oracles.parses(ENGINE, case.source):
            continue
        for description, data, valid in case.tests:
            one = SchemaSource(json.dumps({"enum": [data]}).encode(), (), {"dialect": dialect})
            verdict = ENGINE.compare(case.source, one, CompareOptions()).verdict
            asked += 1
            undecided += verdict is Verdict.UNDECIDED
            if verdict is (Verdict.NO if valid else Verdict.YES):
                wrong.append(f"{case.name}: {description}: {verdict.name}")
    return asked, undecided, wrong


@pytest.mark.skipif(not suite.PRESENT, reason="the official suite is not beside the repository")
@pytest.mark.parametrize("dialect", [*suite.OLDER, *suite.DRAFTS])
@pytest.mark.parametrize(
    "step", [pytest.param(9, id="sample"), pytest.param(1, id="all", marks=pytest.mark.deep)]
)
def test_the_prover_knows_of_every_instance_of_the_suite_whether_it_belongs(dialect: str, step: int) -> None:
    asked, undecided, wrong = membership(dialect, step)

    print(f"{dialect}: {asked} instances, {undecided} undecided")
    assert wrong == []
    assert undecided <= 0.01 * asked


APICURIO = suite.ROOT.parent / "apicurio" / "json-schema-compatibility.json"

BY_MEANING = {
    "String: pattern 1": "both",  # [a-z]* matches every text
    "String: pattern 2": "both",
    "Const": "both",  # a string that equals an array: neither side accepts anything
    "String: contentEncoding 3": "backward",  # an unknown encoding asserts nothing
    "String: contentMediaType 2": "both",  # nor does an unknown media type
    "String: contentMediaType 3": "both",
    "Complex: anyOf 1": "both",  # the other branch accepts every text already
    "Complex: oneOf 1": "forward",  # "aaaaaa" now matches two branches
    "Complex: oneOf 3": "none",  # "" now matches two branches
    "Conditional: if": "both",
    "Conditional: then": "both",
    "Conditional: else": "both",
}
"""Where Apicurio's verdict goes by the text, ours by the data that is accepted."""


@pytest.mark.skipif(not APICURIO.exists(), reason="Apicurio's pairs are not beside the repository")
def test_another_registrys_pairs_are_decided_and_the_differences_are_known() -> None:
    different, faults = {}, []
    for case in json.loads(APICURIO.read_text(encoding="utf-8"))["tests"]:
        old, new = (
            SchemaSource(json.dumps(case[side]).encode(), (), {"dialect": "draft-07"})
            for side in ("original", "updated")
        )
        if not oracles.parses(ENGINE, old) or not oracles.parses(ENGINE, new):
            continue  # draft-04
        verdicts = []
        for writer, reader in ((old, new), (new, old)):
            comparison = ENGINE.compare(reader, writer, CompareOptions())
            verdicts.append(comparison.verdict)
            if comparison.verdict is Verdict.NO:
                witness = comparison.violations[0].witness
                faults += filter(
                    None, [oracles.disbelieve(writer, reader, witness.text if witness else None)]
                )
        name = {
            (Verdict.YES, Verdict.YES): "both",
            (Verdict.YES, Verdict.NO): "backward",
            (Verdict.NO, Verdict.YES): "forward",
            (Verdict.NO, Verdict.NO): "none",
        }.get((verdicts[0], verdicts[1]), "undecided")
        if name != case["compatibility"]:
            different[case["id"]] = name

    assert faults == []
    assert different == BY_MEANING
