"""The kinds of questions about JSON Schema."""

from __future__ import annotations

import json
from functools import cache
from random import Random
from typing import Any

import referencing
import referencing.exceptions
import referencing.jsonschema

from llm_schema_engines.errors import InvalidSchema
from llm_schema_engines.formats.engine import ReferencedSchema, SchemaSource
from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.formats.json_schema.dialects import URIS, Dialect
from llm_schema_engines.formats.json_schema.uris import DEFAULT_BASE
from llm_schema_engines.model.compatibility import CompareOptions, Verdict
from tests.answers import test_streaming_differential
from tests.formats.conversion.kit import AVRO, JSON, PROTOBUF
from tests.formats.conversion.test_promises import check_direction
from tests.formats.json_schema import oracles, suite, test_defaults, test_differential, test_oracles
from tests.formats.json_schema.build import ENGINE

from . import mutations
from .kinds import Kind, Outcome

DIALECTS = tuple(URIS)
REAL = {"draft-07": Dialect.DRAFT_07, "2020-12": Dialect.DRAFT_2020_12}


def membership(random: Random, outcome: Outcome) -> None:
    """Random schemas of all keywords and dialects: does S include the schema of one value?"""
    dialect = random.choice(DIALECTS)
    with outcome.timed("five schemas of twenty-five values", dialect):
        counts, wrong = test_differential.examine(dialect, 5, random.getrandbits(40))
    outcome.counts += counts
    outcome.findings += wrong


@cache
def seeds(dialect: str) -> list[Any]:
    return test_oracles.real_schemas(dialect) if suite.PRESENT else list(test_oracles.SEEDS)


def edits(random: Random, outcome: Outcome) -> None:
    """A schema and an edit of it, against documents made for them and a second engine."""
    dialect = random.choice(list(REAL))
    with outcome.timed("three comparisons of real schemas", dialect):
        tally = oracles.fuzz(ENGINE, seeds(dialect), random, pairs=3, instances=20, dialect=dialect)
    outcome.counts += tally.verdicts
    outcome.findings += tally.findings


def validator(random: Random, outcome: Outcome) -> None:
    """Edited schemas: what the validator says of documents made for them, beside the `jsonschema` library."""
    name = random.choice(list(REAL))
    schema = oracles.edited(random, random.choice(seeds(name)), random.randint(0, 3))
    source = SchemaSource(json.dumps(schema).encode(), (), {"dialect": name})
    if not oracles.parses(ENGINE, source) or oracles.beyond_reference(source):
        outcome.counts["not asked"] += 1
        return
    judged = ENGINE.compile_validator(source)
    for _ in range(15):
        value = oracles.instance(random, schema, schema)
        mine = judged.validate(json.dumps(value).encode()).valid
        theirs = oracles.reference_accepts(source, value)
        outcome.counts["valid" if mine else "invalid"] += 1
        if theirs is not None and theirs is not mine:
            outcome.findings.append(
                f"valid is {mine}, not {theirs}: {json.dumps(value)} under {json.dumps(schema)}"
            )


def defaults(random: Random, outcome: Outcome) -> None:
    """What apply_defaults waives, against documents that are filled in."""
    counts, wrong = test_defaults.examine(5, random.getrandbits(40))
    outcome.counts += counts
    outcome.findings += wrong


NAMES = ("http://e.com/a.json", "http://e.com/b.json", "http://e.com/root.json", "x.json")
ANCHORS = ("p", "q")
OTHERS = NAMES[:2]


class Identified:
    """Documents whose subschemas have identifiers, some of them twice, and references to them, across documents too."""

    def __init__(self, dialect: Dialect, random: Random) -> None:
        self.dialect, self.random = dialect, random
        self.keyword = "id" if dialect is Dialect.DRAFT_04 else "$id"

    def document(self, *, root: bool) -> dict[str, Any]:
        r = self.random
        out: dict[str, Any] = {"$schema": self.dialect.uri, **self.body(1)}
        if root and r.random() < 0.5:
            out[self.keyword] = NAMES[2]
        out[self.dialect.definitions] = {
            name: self.identified() for name in r.sample(["one", "two", "three"], r.randint(1, 3))
        }
        return out

    def identified(self) -> dict[str, Any]:
        r = self.random
        out = self.body(r.randint(0, 1))
        if r.random() < 0.35:
            out = {self.keyword: r.choice(NAMES), **out}
        if r.random() < 0.5:
            if self.dialect <= Dialect.DRAFT_07:
                out.setdefault(self.keyword, f"#{r.choice(ANCHORS)}")
            else:
                out["$anchor"] = r.choice(ANCHORS)
        if self.dialect is Dialect.DRAFT_2020_12 and r.random() < 0.2:
            out["$dynamicAnchor"] = r.choice(ANCHORS)
        if r.random() < 0.3:
            out[self.dialect.definitions] = {
                "inner": {**self.leaf(), **({} if r.random() < 0.5 else self.anchor())}
            }
        return out

    def anchor(self) -> dict[str, Any]:
        name = self.random.choice(ANCHORS)
        return {self.keyword: f"#{name}"} if self.dialect <= Dialect.DRAFT_07 else {"$anchor": name}

    def body(self, depth: int) -> dict[str, Any]:
        r = self.random
        if depth <= 0:
            return self.leaf()
        out: dict[str, Any] = {}
        for word in r.sample(
            ["properties", "items", "allOf", "anyOf", "$ref", "additionalProperties"], r.choice([1, 2])
        ):
            if word == "$ref":
                out.update(self.reference())
            elif word == "properties":
                out[word] = {name: self.inner(depth) for name in r.sample("ab", r.choice([1, 2]))}
            elif word in ("allOf", "anyOf"):
                out[word] = [self.inner(depth) for _ in range(r.choice([1, 2]))]
            else:
                out[word] = self.inner(depth)
        return out

    def inner(self, depth: int) -> dict[str, Any]:
        return self.reference() if self.random.random() < 0.6 else self.body(depth - 1)

    def leaf(self) -> dict[str, Any]:
        return dict(
            self.random.choice(
                [{"type": "string"}, {"type": "integer"}, {"enum": [1]}, {"enum": ["a"]}, {"type": "object"}]
            )
        )

    def reference(self) -> dict[str, Any]:
        r = self.random
        base = r.choice(["", "", "", *NAMES])
        definitions = self.dialect.definitions
        fragment = r.choice(["", "#", *(f"#{name}" for name in ANCHORS), f"#/{definitions}/one", f"#/{definitions}/two",
                             f"#/{definitions}/one/{definitions}/inner"])  # fmt: skip
        dynamic = self.dialect is Dialect.DRAFT_2020_12 and fragment[1:] in ANCHORS and r.random() < 0.3
        return {"$dynamicRef" if dynamic else "$ref": (base + fragment) or "#"}


def identified(
    random: Random, dialect: Dialect, outcome: Outcome
) -> tuple[Any, dict[str, Any], SchemaSource] | None:
    """A schema that is accepted, the documents that it refers to, and both as the engine gets them; None after ten that are not."""
    make = Identified(dialect, random)
    for _ in range(10):
        schema = make.document(root=True)
        others = {name: make.document(root=False) for name in random.sample(OTHERS, random.randint(0, 2))}
        references = tuple(
            ReferencedSchema(name, f"{name} {text}", text.encode())
            for name, text in ((name, json.dumps(other)) for name, other in others.items())
        )
        source = SchemaSource(json.dumps(schema).encode(), references)
        try:
            JsonSchemaEngine().parse(source)
        except InvalidSchema as error:
            outcome.counts[f"refused: {error.issues[0].rule}"] += 1
            continue
        outcome.counts["accepted"] += 1
        return schema, others, source
    return None


def identifiers(random: Random, outcome: Outcome) -> None:
    """Identifiers used twice and references across documents: prover, validator (compiled twice) and `jsonschema`."""
    dialect = random.choice(DIALECTS)
    made = identified(random, dialect, outcome)
    if made is None:
        return
    schema, others, source = made
    engine = JsonSchemaEngine()
    judged = [engine.compile_validator(source), JsonSchemaEngine().compile_validator(source)]
    values = [test_differential.Generator(dialect, random.getrandbits(40)).value() for _ in range(6)]
    for value in values:
        mine = {one.validate(json.dumps(value).encode()).valid for one in judged}
        about = f"{json.dumps(value)} under {json.dumps(schema)} with {json.dumps(others)}"
        if len(mine) > 1:
            outcome.findings.append(f"two compilations differ: {about}")
        accepted = mine.pop()
        one = SchemaSource(json.dumps({"$schema": dialect.uri, "enum": [value]}).encode())
        verdict = engine.compare(source, one, CompareOptions()).verdict
        outcome.counts[verdict.name] += 1
        if verdict is (Verdict.NO if accepted else Verdict.YES):
            outcome.findings.append(f"{verdict.name}, validator says {accepted}: {about}")
        theirs = third_opinion(dialect, schema, others, value)
        outcome.counts[f"jsonschema says {theirs}"] += 1
        if theirs is not None and theirs is not accepted:
            outcome.findings.append(f"jsonschema says {theirs}, validator {accepted}: {about}")


def third_opinion(dialect: Dialect, schema: Any, others: dict[str, Any], value: Any) -> bool | None:
    """What the `jsonschema` library says; None where it cannot follow a reference. It is not shown identifiers beside a reference that are
    ignored there, in draft 7 and older ones, since it heeds them."""
    if dialect.isolates_references:
        schema, others = _heeded(schema), _heeded(others)
    registry: referencing.Registry[Any] = referencing.Registry().with_resources(
        (name, referencing.jsonschema.specification_with(dialect.uri).create_resource(other))
        for name, other in ((DEFAULT_BASE, schema), *others.items())
    )
    try:
        judge = oracles.REFERENCE_VALIDATORS[dialect](schema, registry=registry)
        return bool(judge.is_valid(value))
    except (referencing.exceptions.Unresolvable, RecursionError):
        return None
    except Exception as error:
        if "Unresolvable" in type(error).__name__ or "WrappedReferencing" in type(error).__name__:
            return None
        raise


def _heeded(value: Any) -> Any:
    if isinstance(value, dict):
        ignored = {"$id", "id"} if isinstance(value.get("$ref"), str) else set()
        return {keyword: _heeded(held) for keyword, held in value.items() if keyword not in ignored}
    return [_heeded(item) for item in value] if isinstance(value, list) else value


def arriving(random: Random, outcome: Outcome) -> None:
    """Random schemas of all keywords, with documents that come in pieces: the verdict at every cut, and ends for dead ones."""
    dialect = random.choice(DIALECTS)
    with outcome.timed("three schemas with twelve documents in pieces", dialect):
        counts, wrong = test_streaming_differential.examine(
            dialect, 3, random.getrandbits(40), strict=random.random() < 0.3
        )
    outcome.counts += counts
    outcome.findings += wrong


KINDS = (
    Kind("arriving", "the validator, at every cut", arriving),
    Kind("membership", "the validator, and jsonschema in 2020-12", membership),
    Kind("edits", "documents, jsonschema and jsonschema-rs' canonicalize", edits),
    Kind("validator", "jsonschema", validator),
    Kind("defaults", "the validator, over documents that are filled in", defaults),
    Kind("identifiers", "the validator compiled twice, jsonschema", identifiers),
    Kind("mutations", "no crash, no internal error, 5 s", lambda r, o: mutations.ask(JSON, r, o)),
    Kind(
        "conversions",
        "the target's validator",
        lambda r, _: check_direction(JSON, r.choice([AVRO, PROTOBUF]), r),
    ),
)
