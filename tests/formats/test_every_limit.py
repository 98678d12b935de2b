"""Every bound of the engines is a setting that works: so much is taken, one more is refused by its name, and taken once it is
raised."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import pytest

from llm_schema_engines.errors import InvalidSchema
from llm_schema_engines.formats.catalogue import EngineLimits, engines
from llm_schema_engines.formats.engine import ReferencedSchema, SchemaSource
from llm_schema_engines.model.compatibility import CompareOptions, Verdict
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.model.validation import Encoding
from llm_schema_engines.protoc.in_process import InProcessProtoc
from llm_schema_registry_server.factories import engine_limits
from llm_schema_registry_server.settings import Settings

JSON, AVRO, PROTOBUF = SchemaType.JSON, SchemaType.AVRO, SchemaType.PROTOBUF


@dataclass(frozen=True)
class Asked:
    """A schema, and what is done with it: it is parsed; a payload is validated; it is compared with an older one."""

    schema_type: SchemaType
    content: bytes
    payload: bytes = b""
    old: bytes = b""
    references: tuple[ReferencedSchema, ...] = ()
    encoding: Encoding = Encoding.JSON


def refusal(limits: EngineLimits, asked: Asked) -> str:
    """Why it is refused; "" when it is not."""
    engine = engines(limits, InProcessProtoc())[asked.schema_type]
    source = SchemaSource(asked.content, asked.references)
    try:
        parsed = engine.parse(source)
    except InvalidSchema as error:
        return str(error)
    if warned := [w.message for w in parsed.warnings if "(setting" in w.message]:
        return warned[0]
    source = SchemaSource(asked.content, asked.references, artifact=parsed.artifact)
    if asked.payload:
        report = engine.compile_validator(source).validate(
            asked.payload, encoding=asked.encoding, strict=False, max_errors=10
        )
        return "; ".join(error.message for error in report.errors)
    if asked.old:
        comparison = engine.compare(source, SchemaSource(asked.old), CompareOptions())
        if comparison.verdict is Verdict.UNDECIDED:
            return comparison.violations[0].message
    return ""


def schema(value: Any) -> Asked:
    return Asked(JSON, json.dumps(value).encode())


def avro(value: Any, data: Any = None, old: Any = None) -> Asked:
    return Asked(
        AVRO,
        json.dumps(value).encode(),
        b"" if data is None else json.dumps(data).encode(),
        b"" if old is None else json.dumps(old).encode(),
    )


def proto(body: str, payload: bytes = b"", references: tuple[ReferencedSchema, ...] = ()) -> Asked:
    return Asked(PROTOBUF, f'syntax = "proto3";\n{body}'.encode(), payload, references=references)


def nested(count: int, inside: Any, around: Callable[[Any], Any]) -> Any:
    for _ in range(count):
        inside = around(inside)
    return inside


def record(*fields: Any, name: str = "R") -> Any:
    return {
        "type": "record",
        "name": name,
        "fields": [{"name": f"f{i}", "type": t} for i, t in enumerate(fields)],
    }


def in_arrays(value: Any) -> Any:
    return {"type": "array", "items": value}


def of_size(asked: Asked, size: int) -> Asked:
    return Asked(asked.schema_type, asked.content.ljust(size))


def addresses(count: int) -> Asked:
    references = tuple(
        ReferencedSchema(f"https://a.example/{i}", f"{i:064x}", b'{"type": "string"}') for i in range(count)
    )
    content = {"anyOf": [{"$ref": r.name} for r in references]}
    return Asked(JSON, json.dumps(content).encode(), references=references)


def chain(count: int) -> Asked:
    definitions = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(count - 1)}
    return schema({"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{count - 1}": {}}})


def ways(count: int) -> Asked:
    return schema({"$defs": {"x": {"type": "string"}}, "allOf": [{"$ref": "#/$defs/x"}] * count})


EXACT: dict[str, tuple[int, Callable[[int], Asked]]] = {
    "json_schema.schema_depth": (6, lambda n: schema(nested(n - 1, {}, lambda s: {"not": s}))),
    "json_schema.schema_nodes": (30, lambda n: schema({"enum": list(range(n - 2))})),
    "json_schema.keywords_per_object": (5, lambda n: schema({f"x-{i}": 0 for i in range(n)})),
    "json_schema.uri_length": (40, lambda n: schema({"$id": "https://a.example/".ljust(n, "a")})),
    "json_schema.addresses": (4, addresses),
    "json_schema.references_in_schema": (
        4, lambda n: schema({"properties": {f"p{i}": {"$ref": "#"} for i in range(n)}})),
    "json_schema.pattern_length": (20, lambda n: schema({"pattern": "a" * n})),
    "json_schema.patterns": (3, lambda n: schema({"allOf": [{"pattern": f"a{i}"} for i in range(n)]})),
    "json_schema.pattern_weight": (50, lambda n: schema({"pattern": "a" * n})),
    "json_schema.number_digits": (10, lambda n: schema({"const": 10 ** (n - 1)})),
    "json_schema.data_depth": (5, lambda n: Asked(JSON, b"true", b"[" * n + b"]" * n)),
    "avro.schema_depth": (5, lambda n: avro(nested(n, "int", in_arrays))),
    "avro.types": (6, lambda n: avro(nested(n, "int", in_arrays))),
    "avro.fields": (4, lambda n: avro(record(*["int"] * n))),
    "avro.symbols": (3, lambda n: avro({"type": "enum", "name": "E", "symbols": [f"S{i}" for i in range(n)]})),
    "avro.name_length": (9, lambda n: avro({"type": "fixed", "name": "F" * n, "size": 1})),
    "avro.fixed_bytes": (7, lambda n: avro({"type": "fixed", "name": "F", "size": n})),
    "avro.decimal_precision": (
        8, lambda n: avro({"type": "bytes", "logicalType": "decimal", "precision": n})),
    "avro.data_depth": (4, lambda n: avro(nested(n, "int", in_arrays), nested(n, 1, lambda v: [v]))),
    "avro.empty_items": (
        6, lambda n: Asked(AVRO, b'{"type": "array", "items": "null"}', bytes([2 * n, 0]), encoding=Encoding.BINARY)),
    "protobuf.file_bytes": (80, lambda n: of_size(proto("message M {}"), n)),
    "protobuf.statements": (5, lambda n: proto("message M {" + "".join(f"int32 f{i} = {i + 1};" for i in range(n - 1)) + "}")),
    "protobuf.schema_depth": (
        5, lambda n: proto("".join(f"message M{i} {{" for i in range(n)) + "}" * n)),
    "protobuf.name_length": (9, lambda n: proto(f"message {'M' * n} {{}}")),
    "protobuf.data_depth": (
        4, lambda n: proto("message M { M m = 1; }", json.dumps(nested(n - 1, {}, lambda v: {"m": v})).encode())),
    "limits.schema_bytes": (60, lambda n: of_size(schema({}), n)),
    "limits.data_bytes": (50, lambda n: Asked(JSON, b"true", b"1".ljust(n))),
    "limits.references": (3, lambda n: proto("message M {}", references=tuple(
        ReferencedSchema(f"r{i}.proto", f"{i:064x}", b"", artifact=EMPTY) for i in range(n)))),
}  # fmt: skip
"""A value, and what needs just so much of it."""

EMPTY = (
    engines(EngineLimits(), InProcessProtoc())[PROTOBUF].parse(SchemaSource(b'syntax = "proto3";')).artifact
)

ROUGH: dict[str, tuple[int, Asked]] = {
    "json_schema.pointers": (1_000, schema({"x-" + "a" * 500: [0, 0, 0, 0]})),
    "json_schema.evaluation_paths": (20, ways(40)),
    "json_schema.reference_chain": (20, chain(40)),
    "avro.pairs": (2, avro(record(*["int"] * 3, record("int", name="S")), old=record(*["long", "int", "int"], record("int", name="S")))),
    "protobuf.total_bytes": (100, of_size(proto("message M {}"), 200)),
    "protobuf.name_bytes": (100, proto("message " + "M" * 90 + " { int32 f = 1; int32 g = 2; }")),
}  # fmt: skip
"""A value that is too little for something that the default takes."""

NO_REFUSAL = {
    # They bound what is reported or tried, not what is taken; each engine has tests of its own for them.
    "json_schema.issues", "json_schema.detailed_data_bytes", "json_schema.error_work", "json_schema.error_paths",
    "json_schema.error_text", "json_schema.compare_steps", "json_schema.compare_seconds", "json_schema.regex_states",
    "json_schema.violations", "avro.issues", "avro.violations", "avro.witness_values", "avro.comments",
    "protobuf.issues", "protobuf.compiled_bytes",
}  # fmt: skip


def limits(**settings: int) -> EngineLimits:
    """Of a server with these settings; `avro__types` is avro.types."""
    tree: dict[str, dict[str, int]] = {}
    for name, value in settings.items():
        section, _, field = name.partition("__")
        tree.setdefault(section, {})[field] = value
    return engine_limits(Settings.model_validate(tree))


def test_every_bound_of_an_engine_has_a_test() -> None:
    defaults = Settings()
    sections = {"json_schema": defaults.json_schema, "avro": defaults.avro, "protobuf": defaults.protobuf}
    names = {f"{section}.{field}" for section, values in sections.items() for field in values.model_dump()}

    assert names == {n for n in {*EXACT, *ROUGH} if not n.startswith("limits.")} | NO_REFUSAL


def test_what_the_settings_say_is_what_the_engines_have_by_themselves() -> None:
    assert asdict(limits()) == asdict(EngineLimits())


@pytest.mark.parametrize("setting", EXACT)
def test_so_much_is_taken_and_one_more_only_when_the_limit_is_raised(setting: str) -> None:
    most, asked = EXACT[setting]
    name = setting.replace(".", "__")

    assert refusal(limits(**{name: most}), asked(most)) == ""
    assert setting in refusal(limits(**{name: most}), asked(most + 1))
    assert str(most) in refusal(limits(**{name: most}), asked(most + 1))
    assert refusal(limits(**{name: most + 1}), asked(most + 1)) == ""


@pytest.mark.parametrize("setting", ROUGH)
def test_what_the_default_takes_is_refused_when_the_limit_is_lowered(setting: str) -> None:
    least, asked = ROUGH[setting]

    assert refusal(limits(), asked) == ""
    assert setting in refusal(limits(**{setting.replace(".", "__"): least}), asked)
