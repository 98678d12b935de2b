"""Random schemas of all keywords that depend on each other, in every dialect: prover and validator must say one thing.

The question is exact and two-sided: is the schema that accepts only `x` included in S? YES must mean that the validator accepts
`x` under S, NO that it refuses it. A third validator is asked where it follows the specification.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import jsonschema
import pytest

from llm_schema_engines.errors import InvalidSchema
from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.formats.json_schema.dialects import URIS, Dialect
from llm_schema_engines.model.compatibility import CompareOptions, Verdict

from .build import source

ENGINE = JsonSchemaEngine()
LEAVES: tuple[dict[str, Any], ...] = (
    {"type": "string"},
    {"type": "integer"},
    {"enum": [1]},
    {"enum": ["a"]},
    {"minimum": 1},
    {},
    {"not": {}},
)
COMMON = ("allOf", "anyOf", "oneOf", "not", "$ref", "items", "properties", "patternProperties", "additionalProperties", "type",
          "required", "minItems", "maxProperties", "uniqueItems", "dependencies")  # fmt: skip
LATER = (
    *("contains", "unevaluatedItems", "unevaluatedProperties") * 2,
    "dependentSchemas",
    "dependentRequired",
    "if",
)
KEYWORDS = {
    Dialect.DRAFT_04: COMMON,
    Dialect.DRAFT_06: (*COMMON, "contains", "propertyNames", "const", "if"),
    Dialect.DRAFT_07: (*COMMON, "contains", "propertyNames", "const", "if", "if"),
    Dialect.DRAFT_2019_09: (*COMMON, *LATER, "$recursiveRef"),
    Dialect.DRAFT_2020_12: (*COMMON, *LATER, "prefixItems", "prefixItems", "$dynamicRef"),
}


class Generator:
    def __init__(self, dialect: Dialect, seed: int) -> None:
        self.dialect, self.random = dialect, random.Random(seed)

    def document(self) -> dict[str, Any]:
        out = {"$schema": self.dialect.uri, **self.schema(3)}
        if self.dialect is Dialect.DRAFT_2019_09 and self.random.random() < 0.3:
            out["$recursiveAnchor"] = True
        out[self.dialect.definitions] = {"p": self.schema(2), "q": self.schema(1)}
        return out

    def schema(self, depth: int) -> dict[str, Any]:
        r = self.random
        if depth <= 0 or r.random() < 0.15:
            return dict(r.choice(LEAVES))
        out: dict[str, Any] = {}
        for _ in range(r.choice([1, 1, 2, 2, 3])):
            out.update(self.keyword(r.choice(KEYWORDS[self.dialect]), depth - 1))
        return out

    def keyword(self, word: str, depth: int) -> dict[str, Any]:
        r = self.random

        def inner() -> Any:
            if self.dialect > Dialect.DRAFT_04 and r.random() < 0.15:
                return r.random() < 0.5
            return self.schema(depth)

        match word:
            case "allOf" | "anyOf" | "oneOf" | "prefixItems":
                return {word: [inner() for _ in range(r.choice([1, 2]))]}
            case (
                "not"
                | "propertyNames"
                | "additionalProperties"
                | "unevaluatedItems"
                | "unevaluatedProperties"
            ):
                closed = word != "not" and word != "propertyNames" and r.random() < 0.6
                return {word: False if closed else inner()}
            case "if":
                return {
                    "if": inner(),
                    r.choice(["then", "else"]): inner(),
                    r.choice(["then", "else"]): inner(),
                }
            case "$ref":
                return {
                    "$ref": r.choice(
                        ["#", "", f"#/{self.dialect.definitions}/p", f"#/{self.dialect.definitions}/q"]
                    )
                }
            case "$dynamicRef" | "$recursiveRef":
                return {word: "#"}
            case "contains":
                bounds = {k: r.choice([0, 1, 2]) for k in ("minContains", "maxContains") if r.random() < 0.25}
                return {"contains": inner(), **bounds}
            case "items":
                if self.dialect < Dialect.DRAFT_2020_12 and r.random() < 0.5:
                    rest = {"additionalItems": inner()} if r.random() < 0.4 else {}
                    return {"items": [self.schema(depth) for _ in range(r.choice([1, 2]))], **rest}
                return {"items": inner()}
            case "properties" | "dependentSchemas":
                return {word: {name: inner() for name in r.sample("abc", r.choice([1, 2]))}}
            case "patternProperties":
                return {word: {r.choice(["^a", "^b", "c$"]): inner()}}
            case "dependencies" | "dependentRequired":
                names = r.sample("abc", 1)
                return {
                    word: {r.choice("abc"): inner() if word == "dependencies" and r.random() < 0.5 else names}
                }
            case "type":
                return {"type": r.choice(["object", "array", ["object", "integer"]])}
            case "required":
                return {"required": r.sample("abc", 1)}
            case "const":
                return {"const": self.value(1)}
            case "uniqueItems":
                return {"uniqueItems": r.random() < 0.7}
        return {word: r.choice([1, 2])}

    def value(self, depth: int = 2) -> Any:
        r = self.random
        kind = r.choice("soaoa") if depth else "s"
        if kind == "o":
            return {name: self.value(depth - 1) for name in r.sample("abcd", r.choice([0, 1, 2, 3]))}
        if kind == "a":
            return [self.value(depth - 1) for _ in range(r.choice([0, 1, 2, 3]))]
        return r.choice(["a", "b", 0, 1, 2, 1.5, None, True])


def examine(dialect: Dialect, schemas: int, seed: int) -> tuple[Counter[str], list[str]]:
    """What the prover says of single values, counted, and where it and a validator differ."""
    make = Generator(dialect, seed)
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    for _ in range(schemas):
        schema = make.document()
        judged = source(schema)
        try:
            ENGINE.parse(judged)
        except InvalidSchema as error:
            counts[error.issues[0].rule] += 1
            continue
        validator = ENGINE.compile_validator(judged)
        for _ in range(5):
            value = make.value()
            accepted = validator.validate(json.dumps(value).encode()).valid
            one = source({"$schema": dialect.uri, "enum": [value]})
            verdict = ENGINE.compare(judged, one, CompareOptions()).verdict
            counts[verdict.name] += 1
            if verdict is (Verdict.NO if accepted else Verdict.YES) or (
                dialect is Dialect.DRAFT_2020_12
                and '"dependencies"'
                not in judged.content.decode()  # only the deployed validator applies it there
                and jsonschema.Draft202012Validator(schema).is_valid(value) is not accepted
            ):
                wrong.append(
                    f"{verdict.name}, validator says {accepted}: {json.dumps(value)} under {json.dumps(schema)}"
                )
    return counts, sorted(wrong, key=len)


@pytest.mark.parametrize("dialect", URIS)
@pytest.mark.parametrize(
    ("schemas", "seed"),
    [pytest.param(120, 5, id="sample"), pytest.param(6_000, 77, id="many", marks=pytest.mark.deep)],
)
def test_prover_and_validator_say_one_thing(dialect: Dialect, schemas: int, seed: int) -> None:
    counts, wrong = examine(dialect, schemas, seed)

    print(dialect.name, dict(counts))
    assert wrong == []
    assert counts["YES"] > schemas / 2
    assert counts["NO"] > schemas / 2
    assert counts["UNDECIDED"] <= 0.01 * 5 * schemas
