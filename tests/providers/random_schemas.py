"""Random schemas with whatever JSON Schema has, odd names among them, and values that are nearly valid under them."""

from __future__ import annotations

import random
from copy import deepcopy
from typing import Any

import jsonschema

from tests.formats.json_schema.oracles import instance

VALIDATORS: dict[str, Any] = {
    "http://json-schema.org/draft-04/schema#": jsonschema.Draft4Validator,
    "http://json-schema.org/draft-07/schema#": jsonschema.Draft7Validator,
    "https://json-schema.org/draft/2020-12/schema": jsonschema.Draft202012Validator,
}
COMMON = ("a", "b", "c", "a b", "a_b", "a-b")
ODD = ("value", "key", "additional_properties", "alternative_1", "wire", "meant", "of", "properties", "$ref")
ODD += ("", "a/b", "a~b", "naïve", "日本", "x" * 70, "x" * 70 + "y")
TYPES = ("string", "integer", "number", "boolean", "null", "object", "array")


class Maker:
    """Makes one schema."""

    def __init__(self, r: random.Random, dialect: str) -> None:
        self.r, self.dialect = r, dialect
        self.old, self.new = "draft-04" in dialect, "2020-12" in dialect
        self.shelf = "$defs" if self.new else "definitions"
        self.names: list[str] = []

    def make(self) -> dict[str, Any]:
        self.names = [f"D{n}" for n in range(self.r.choice([0, 0, 1, 2]))]
        shelf = {name: self.any(2) for name in self.names}
        root = self.object(3) if self.r.random() < 0.75 else self.any(3)
        root = root if isinstance(root, dict) and "$ref" not in root else {"properties": {"a": root}}
        return {"$schema": self.dialect, **root, **({self.shelf: shelf} if shelf else {})}

    def any(self, depth: int) -> Any:
        if depth > 0:
            kind = self.r.choices(
                (self.bare, self.reference, self.object, self.array, self.union, self.scalar),
                (6, 12, 30, 12, 16, 24),
            )[0]
            return kind(depth)
        return self.scalar(0)

    def bare(self, _depth: int) -> Any:
        return {} if self.old else self.r.choice([True, {}, False])

    def reference(self, depth: int) -> Any:
        if not self.names:
            return self.scalar(depth)
        beside = self.scalar(0) if self.new and self.r.random() < 0.2 else {}
        return {"$ref": f"#/{self.shelf}/{self.r.choice(self.names)}", **beside}

    def scalar(self, _depth: int) -> dict[str, Any]:
        r, out = self.r, dict[str, Any]()
        if r.random() < 0.15:
            out["enum"] = r.choice([["a"], ["a", "b"], [1, 2], [None, "a"], [[], "zz"], [{"a": 1}]])
        elif r.random() < 0.1 and not self.old:
            out["const"] = r.choice([1, "a", None, [1], {"a": "b"}])
        elif r.random() < 0.9:
            out["type"] = r.choice([*TYPES[:5], ["string", "null"], ["integer", "boolean"]])
        if "string" in out.get("type", "string"):
            self._some(out, minLength=r.randint(0, 2), maxLength=r.randint(0, 3), pattern="^[ab]*$")
        if "type" not in out or out["type"] in ("integer", "number"):
            self._some(out, minimum=r.choice([0, 1, 0.5]), maximum=r.choice([3, 2.5, 40]), multipleOf=2)
        return out

    def object(self, depth: int) -> dict[str, Any]:
        r = self.r
        names = r.sample((*COMMON, *ODD) if r.random() < 0.4 else COMMON, r.randint(0, 4))
        out: dict[str, Any] = {"type": "object"} if r.random() < 0.85 else {}
        out["properties"] = {name: self.any(depth - 1) for name in names}
        if required := [name for name in [*names, "q"] if r.random() < (0.05 if name == "q" else 0.4)]:
            out["required"] = required
        if r.random() < 0.6:
            out["additionalProperties"] = r.choice([False, False, self.any(depth - 1)])
        self._some(out, 0.07, minProperties=1, maxProperties=2, patternProperties={"^x": self.any(depth - 1)})
        self._some(
            out, 0.07, **{"not": {"required": ["b"]}, "dependencies": {"a": ["b"]} if self.old else None}
        )
        if not self.old:
            self._some(out, 0.07, propertyNames={"maxLength": 3}, **{"if": {"required": ["a"]}})
            if "if" in out:
                out["then"] = {"required": ["c"]}
        if self.new:
            self._some(out, 0.05, unevaluatedProperties=False, dependentRequired={"a": ["b"]})
        return out

    def array(self, depth: int) -> dict[str, Any]:
        r, out = self.r, dict[str, Any](type="array")
        if r.random() < 0.7:
            out["items"] = self.any(depth - 1)
        elif self.new:
            out["prefixItems"] = [self.any(depth - 1) for _ in range(r.randint(1, 3))]
            self._some(out, 0.5, items=r.choice([False, self.scalar(0)]))
        else:
            out["items"] = [self.any(depth - 1) for _ in range(r.randint(1, 3))]
            self._some(out, 0.5, additionalItems=r.choice([False, self.scalar(0)]))
        self._some(out, minItems=r.randint(0, 2), maxItems=r.randint(0, 3), uniqueItems=True)
        if not self.old:
            self._some(out, 0.08, contains=self.scalar(0))
        return out

    def union(self, depth: int) -> dict[str, Any]:
        r = self.r
        if r.random() < 0.3:
            kinds = [{"enum": [kind]} for kind in "xyz"[: r.randint(2, 3)]]
            return {
                "oneOf": [
                    {
                        "type": "object",
                        "properties": {"kind": kind, "a": self.any(depth - 1)},
                        "required": ["kind"],
                    }
                    for kind in kinds
                ]
            }
        out = {r.choice(["anyOf", "oneOf", "allOf"]): [self.any(depth - 1) for _ in range(r.randint(1, 3))]}
        return {**out, **self.object(depth - 1)} if r.random() < 0.1 else out

    def _some(self, out: dict[str, Any], chance: float = 0.15, **keywords: Any) -> None:
        out.update({k: v for k, v in keywords.items() if v is not None and self.r.random() < chance})


def schemas(r: random.Random, count: int) -> list[dict[str, Any]]:
    """So many schemas that keep the rules of their dialects."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        dialect = r.choice(list(VALIDATORS))
        schema = Maker(r, dialect).make()
        try:
            VALIDATORS[dialect].check_schema(schema)
        except jsonschema.SchemaError:
            continue
        found.append(schema)
    return found


def judge(schema: Any) -> Any:
    """The independent validator of a schema."""
    known = schema.get("$schema") if isinstance(schema, dict) else None
    return VALIDATORS.get(known, jsonschema.Draft202012Validator)(schema)


def accepts(schema: Any, value: Any) -> bool | None:
    """What the independent validator says; None where it fails."""
    try:
        return bool(judge(schema).is_valid(value))
    except (RecursionError, ArithmeticError, TypeError):
        return None


def values(r: random.Random, schema: Any, count: int) -> list[Any]:
    """Values made for a schema, some of them with more properties."""
    made = [instance(r, schema, schema) for _ in range(count)]
    for value in made:
        if isinstance(value, dict) and r.random() < 0.3:
            value[r.choice([*COMMON, *ODD])] = deepcopy(r.choice([None, 1, "a", [], {"a": 1}]))
    return made
