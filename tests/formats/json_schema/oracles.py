"""Independent judges of the prover: truth tables of the official suite, fuzzed edits, a second engine.

Each yields findings that must be empty; the counts say how much was looked at.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import jsonschema
import jsonschema_rs

from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.formats.json_schema.dialects import DRAFTS, Dialect, find_dialect
from llm_schema_engines.model.compatibility import CompareOptions, Verdict
from llm_schema_registry_server.errors import InvalidSchema

REFERENCE_VALIDATORS = {
    Dialect.DRAFT_04: jsonschema.Draft4Validator,
    Dialect.DRAFT_06: jsonschema.Draft6Validator,
    Dialect.DRAFT_07: jsonschema.Draft7Validator,
    Dialect.DRAFT_2019_09: jsonschema.Draft201909Validator,
    Dialect.DRAFT_2020_12: jsonschema.Draft202012Validator,
}


_BEYOND_REFERENCE = (
    *(b'"format"', b'"contentEncoding"', b'"contentMediaType"', b'"$ref": "http://json-schema.org/draft-0'),
    *(rb"\\" + letter for letter in (b"c", b"p", b"P", b"d", b"D", b"w", b"W", b"s", b"S", b"u", b"a")),
)


@dataclass
class Tally:
    """What an oracle saw: verdicts, findings, reasons for UNDECIDED."""

    verdicts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return f"{dict(self.verdicts)}, {len(self.findings)} findings"


@dataclass
class Judged:
    """A schema with its truth table over the shared instances."""

    schema: Any
    source: SchemaSource
    truths: int


def truth_table(engine: JsonSchemaEngine, source: SchemaSource, instances: Sequence[bytes]) -> int:
    """Bit i says whether the schema accepts instance i."""
    validator = engine.compile_validator(source)
    return sum(1 << i for i, instance in enumerate(instances) if validator.validate(instance).valid)


def compare_tables(
    engine: JsonSchemaEngine, writer: Judged, reader: Judged, instances: Sequence[bytes], tally: Tally
) -> None:
    """One pair: a YES must agree with every instance; a NO must agree with the independent validator."""
    comparison = engine.compare(reader.source, writer.source, CompareOptions())
    tally.verdicts[comparison.verdict.name] += 1
    broken = writer.truths & ~reader.truths
    if comparison.verdict is Verdict.YES and broken:
        instance = instances[(broken & -broken).bit_length() - 1].decode()
        tally.findings.append(
            f"YES but {instance} : {json.dumps(writer.schema)} -> {json.dumps(reader.schema)}"
        )
    elif comparison.verdict is Verdict.NO:
        for violation in comparison.violations:
            error = disbelieve(
                writer.source, reader.source, violation.witness.text if violation.witness else None
            )
            if error:
                tally.findings.append(
                    f"NO but {error}: {json.dumps(writer.schema)} -> {json.dumps(reader.schema)}"
                )
    elif comparison.verdict is Verdict.UNDECIDED:
        tally.reasons[comparison.violations[0].message] += 1


def beyond_reference(*sides: SchemaSource) -> bool:
    """Whether the independent validator cannot judge: formats and patterns that it reads otherwise than ECMA-262, what is optional
    in later dialects, and what it fails required tests of the official suite with."""
    if any(word in side.content for side in sides for word in _BEYOND_REFERENCE):
        return True
    if any(b'"dependencies"' in side.content and not _has_dependencies(side) for side in sides):
        return True  # an optional keyword in later dialects, which only the deployed validator honours
    # jsonschema 4.26 fails a required test of the official suite here
    return any(b"unevaluated" in side.content and b"2019-09" in side.content for side in sides)


def disbelieve(writer: SchemaSource, reader: SchemaSource, witness: str | None) -> str:
    """Why the independent validator does not confirm a witness; "" when it does, or cannot judge it."""
    if witness is None:
        return "there is no witness"
    if beyond_reference(writer, reader):
        return ""
    value = json.loads(witness, parse_float=Decimal)
    if reference_accepts(writer, value) is False:
        return f"{witness} is not accepted by the writer"
    if reference_accepts(reader, value) is True:
        return f"{witness} is accepted by the reader"
    return ""


def _dialect(source: SchemaSource) -> Dialect:
    schema = json.loads(source.content)
    declared = schema.get("$schema") if isinstance(schema, dict) else None
    dialect = find_dialect(declared or source.options.get("dialect", "2020-12"))
    assert dialect is not None
    return dialect


def _has_dependencies(source: SchemaSource) -> bool:
    return _dialect(source) <= Dialect.DRAFT_07


def reference_accepts(source: SchemaSource, value: Any) -> bool | None:
    """What the independent validator says; None when the numbers are beyond its arithmetic."""
    schema = json.loads(source.content, parse_float=Decimal)
    try:
        return bool(REFERENCE_VALIDATORS[_dialect(source)](schema).is_valid(value))
    except (ArithmeticError, TypeError):  # it divides a float by a Decimal
        return None


def second_opinion(writer: SchemaSource, reader: SchemaSource) -> Verdict:
    """What the other engine proves of a pair."""

    def canonical(source: SchemaSource) -> jsonschema_rs.CanonicalSchema:
        return jsonschema_rs.canonicalize(
            json.loads(source.content), draft=DRAFTS[_dialect(source)], offline=True
        )

    try:
        answer = canonical(reader).covers(canonical(writer))
    except (ValueError, jsonschema_rs.ReferencingError):
        return Verdict.UNDECIDED
    return {"yes": Verdict.YES, "no": Verdict.NO}.get(str(answer.value).lower(), Verdict.UNDECIDED)


# Edits

Edit = Callable[[random.Random, dict[str, Any]], None]


def places(schema: Any) -> Iterator[dict[str, Any]]:
    """The objects of a document that look like schemas."""
    if isinstance(schema, dict):
        if schema.keys() & {
            "type",
            "properties",
            "anyOf",
            "oneOf",
            "enum",
            "$ref",
            "items",
            "const",
            "allOf",
        }:
            yield schema
        for value in schema.values():
            yield from places(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from places(value)


def _names(node: dict[str, Any]) -> list[str]:
    return list(node["properties"]) if isinstance(node.get("properties"), dict) else []


def _drop(keyword: str) -> Edit:
    return lambda _r, node: node.pop(keyword, None) and None


def _set(keyword: str, *values: Any) -> Edit:
    def edit(r: random.Random, node: dict[str, Any]) -> None:
        node[keyword] = deepcopy(r.choice(values))

    return edit


def _add_property(r: random.Random, node: dict[str, Any]) -> None:
    node.setdefault("properties", {})[r.choice(["zz", "a", "b", "id"])] = r.choice(
        [True, {"type": "string"}, {"type": "integer"}, {"enum": ["a", 1]}]
    )


def _drop_property(r: random.Random, node: dict[str, Any]) -> None:
    if names := _names(node):
        del node["properties"][r.choice(names)]


def _require(r: random.Random, node: dict[str, Any]) -> None:
    if names := [*_names(node), "zz"]:
        node["required"] = [*dict.fromkeys([*node.get("required", []), r.choice(names)])]


def _relax(r: random.Random, node: dict[str, Any]) -> None:
    if isinstance(node.get("required"), list) and node["required"]:
        node["required"] = [n for n in node["required"] if r.random() < 0.5]


def _edit_enum(r: random.Random, node: dict[str, Any]) -> None:
    if isinstance(node.get("enum"), list):
        node["enum"] = [v for v in node["enum"] if r.random() < 0.7] + (["extra"] if r.random() < 0.5 else [])
        node["enum"] = node["enum"] or ["only"]


def _union(r: random.Random, node: dict[str, Any]) -> None:
    for keyword in ("anyOf", "oneOf", "allOf"):
        if isinstance(node.get(keyword), list) and node[keyword]:
            if r.random() < 0.5 and len(node[keyword]) > 1:
                node[keyword].pop(r.randrange(len(node[keyword])))
            else:
                node[keyword].append(
                    r.choice([{"type": "null"}, {"type": "integer"}, deepcopy(node[keyword][0])])
                )
            return


def _swap(r: random.Random, node: dict[str, Any]) -> None:
    for one, other in (("anyOf", "oneOf"), ("oneOf", "anyOf"), ("anyOf", "allOf")):
        if one in node and other not in node:
            node[other] = node.pop(one)
            return


def _wrap(r: random.Random, node: dict[str, Any]) -> None:
    inner = {
        k: node.pop(k) for k in [k for k in node if k in ("type", "properties", "required", "enum", "items")]
    }
    if inner:
        node.setdefault(r.choice(["allOf", "anyOf", "oneOf"]), []).append(inner)


def _widen_type(r: random.Random, node: dict[str, Any]) -> None:
    if isinstance(node.get("type"), str):
        node["type"] = sorted({node["type"], r.choice(["null", "string", "integer", "number", "object"])})


EDITS: tuple[Edit, ...] = (
    _add_property,
    _drop_property,
    _require,
    _relax,
    _edit_enum,
    _union,
    _swap,
    _wrap,
    _widen_type,
    _drop("additionalProperties"),
    _drop("required"),
    _drop("pattern"),
    _drop("type"),
    _set("additionalProperties", False, True, {"type": "string"}),
    _set("type", "string", "integer", "object", ["string", "null"]),
    _set("minimum", 0, 1, 0.5),
    _set("maximum", 10, 100),
    _set("minLength", 1, 2),
    _set("maxLength", 0, 3),
    _set("pattern", "^[a-z]+$", "a", "^x?$"),
    _set("patternProperties", {"^x": {"type": "string"}}, {"a": {"minimum": 3}}),
    _set("propertyNames", {"maxLength": 3}, {"pattern": "^[a-z]"}),
    _set("items", {"type": "string"}, {"type": "integer"}),
    _set("minItems", 1, 2),
    _set("maxItems", 1, 2),
    _set("uniqueItems", True, False),
    _set("contains", {"type": "string"}, {"const": 1}),
    _set("minProperties", 1, 2),
    _set("maxProperties", 1, 2),
    _set("not", {"type": "null"}, {"required": ["a"]}),
    _set("if", {"type": "string"}, {"required": ["a"]}),
    _set("then", {"minLength": 2}, {"required": ["b"]}),
    _set("else", {"type": ["integer", "null"]}, {"maxProperties": 1}),
    _set("multipleOf", 2, 0.5),
    _set("const", 1, "a"),
    _set("dependentRequired", {"a": ["b"]}),
    _set("unevaluatedProperties", False, {"type": "string"}),
)


def edited(r: random.Random, schema: Any, count: int) -> Any:
    """The schema after some random edits."""
    schema = deepcopy(schema)
    for _ in range(count):
        nodes = list(places(schema))
        if nodes:
            r.choice(EDITS)(r, r.choice(nodes))
    return schema


# Instances


def constants(schema: Any) -> Iterator[Any]:
    """Values that a schema mentions, and their neighbours."""
    if isinstance(schema, dict):
        for keyword in ("const", "default"):
            if keyword in schema:
                yield schema[keyword]
        for keyword in ("enum", "examples"):
            if isinstance(schema.get(keyword), list):
                yield from schema[keyword]
        for keyword in ("minimum", "maximum", "multipleOf"):
            if isinstance(schema.get(keyword), int | float):
                yield from (schema[keyword], schema[keyword] + 1, schema[keyword] - 1)
        for value in schema.values():
            yield from constants(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from constants(value)


_SCALARS: tuple[Any, ...] = (None, True, False, 0, 1, -1, 0.5, 7, 100, "", "a", "xy", "abcd", "X1", [], {})


def instance(r: random.Random, schema: Any, root: Any, depth: int = 0) -> Any:
    """A value that tries, not too hard, to be valid."""
    if depth > 6 or not isinstance(schema, dict) or r.random() < 0.08:
        pool = [*_SCALARS, *list(constants(root))[:50]]
        return deepcopy(r.choice(pool))
    if isinstance(schema.get("$ref"), str) and schema["$ref"].startswith("#/"):
        target: Any = root
        for token in schema["$ref"][2:].split("/"):
            target = (
                target.get(token.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
            )
        return instance(r, target, root, depth + 1)
    if "const" in schema:
        return deepcopy(schema["const"])
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return deepcopy(r.choice(schema["enum"]))
    for keyword in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(keyword), list) and schema[keyword] and r.random() < 0.8:
            inner = instance(r, r.choice(schema[keyword]), root, depth + 1)
            if isinstance(inner, dict) and "properties" in schema:
                outer = instance(r, {**schema, keyword: None}, root, depth + 1)
                return {**outer, **inner} if isinstance(outer, dict) else inner
            return inner
    kind = schema.get("type")
    kind = r.choice(kind) if isinstance(kind, list) and kind else kind
    if kind == "object" or (kind is None and ("properties" in schema or "required" in schema)):
        return _object(r, schema, root, depth)
    if kind == "array" or (kind is None and "items" in schema):
        items = schema.get("items", True)
        items = items[0] if isinstance(items, list) and items else items
        size = r.choice([0, 1, 2, 3, schema.get("minItems", 0)])
        return [instance(r, items, root, depth + 1) for _ in range(min(size, 6))]
    scalars: dict[Any, tuple[Any, ...]] = {
        "string": ("", "a", "xy", "abcd", "X1", "aaaaaaaaaaaa"),
        "integer": (0, 1, -1, 2, 7, 100, schema.get("minimum", 0), schema.get("maximum", 0)),
        "number": (0, 1, 0.5, -1.5, 100, schema.get("minimum", 0)),
        "boolean": (True, False),
        "null": (None,),
    }
    return r.choice(scalars.get(kind, _SCALARS))


def _object(r: random.Random, schema: dict[str, Any], root: Any, depth: int) -> dict[str, Any]:
    props = schema.get("properties") if isinstance(schema.get("properties"), dict) else {}
    required = schema.get("required") if isinstance(schema.get("required"), list) else []
    assert isinstance(props, dict)
    assert isinstance(required, list)
    out: dict[str, Any] = {}
    for name in dict.fromkeys([*required, *props, "zz", "a", "b", "xq"]):
        chance = 0.97 if name in required else 0.35 if name in props else 0.06
        if r.random() < chance:
            out[name] = instance(
                r, props.get(name, schema.get("additionalProperties", True)), root, depth + 1
            )
    return out


def parses(engine: JsonSchemaEngine, source: SchemaSource) -> bool:
    """Whether the schema may be registered."""
    try:
        engine.parse(source)
    except InvalidSchema:
        return False
    return True


def fuzz(
    engine: JsonSchemaEngine, seeds: Sequence[Any], r: random.Random, pairs: int, instances: int, dialect: str
) -> Tally:
    """Compare schemas with edited versions of themselves, against instances made for them and a second engine."""
    tally = Tally()
    while sum(tally.verdicts[verdict.name] for verdict in Verdict) < pairs:
        old = r.choice(seeds)
        new = edited(r, old, r.randint(1, 3))
        if r.random() < 0.5:
            old, new = new, old
        sides = [SchemaSource(json.dumps(side).encode(), (), {"dialect": dialect}) for side in (old, new)]
        if not all(parses(engine, side) for side in sides):
            continue
        made = [json.dumps(instance(r, old, old)).encode() for _ in range(instances)]
        writer, reader = (
            Judged(schema, side, truth_table(engine, side, made))
            for schema, side in zip((old, new), sides, strict=True)
        )
        before = tally.verdicts["YES"], tally.verdicts["NO"]
        compare_tables(engine, writer, reader, made, tally)
        after = tally.verdicts["YES"], tally.verdicts["NO"]
        if before != after:
            mine = Verdict.YES if after[0] > before[0] else Verdict.NO
            theirs = second_opinion(*sides)
            tally.verdicts[f"second engine {theirs.name}"] += 1
            if theirs not in (mine, Verdict.UNDECIDED):
                tally.findings.append(
                    f"we say {mine.name}, they {theirs.name}: {json.dumps(old)} -> {json.dumps(new)}"
                )
    return tally
