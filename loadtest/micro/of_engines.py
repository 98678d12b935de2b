"""Micro-benchmarks of the engines: parsing, canonical forms, comparisons, validation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from . import inputs
from .benchmark import Benchmark, Operation
from .inputs import text

JSON, AVRO, PROTOBUF = "JSON Schema", "Avro", "Protobuf"


def engine(kind: str) -> Any:
    """A new engine of the tree that is on the path."""
    if kind == JSON:
        from llm_schema_engines.formats.json_schema import JsonSchemaEngine

        return JsonSchemaEngine()
    if kind == AVRO:
        from llm_schema_engines.formats.avro import AvroEngine

        return AvroEngine()
    from llm_schema_engines.formats.protobuf import ProtobufEngine
    from llm_schema_engines.protoc.in_process import InProcessProtoc

    return ProtobufEngine(InProcessProtoc())


def source(content: bytes, **more: Any) -> Any:
    from llm_schema_engines.formats.engine import SchemaSource

    return SchemaSource(content, **more)


def parsed(kind: str, content: bytes) -> Any:
    """The source of a schema that was registered."""
    made = engine(kind).parse(source(content))
    return source(content, options=made.options, artifact=made.artifact)


# parse


def parse(kind: str, content: bytes) -> Operation:
    return partial(engine(kind).parse, source(content))


def parse_refused(content: bytes) -> Operation:
    from llm_schema_engines.errors import InvalidSchema

    made, wanted = engine(JSON), source(content)

    def operation() -> None:
        try:
            made.parse(wanted)
        except InvalidSchema:
            return
        raise RuntimeError("the schema was accepted")

    return operation


def of_parsing() -> Iterator[Benchmark]:
    schemas = {
        f"{JSON}, tool call": (JSON, text(inputs.TOOL_CALL)),
        f"{JSON}, 10 fields": (JSON, text(inputs.record(10))),
        f"{JSON}, 100 fields": (JSON, text(inputs.record(100))),
        f"{JSON}, 30 references": (JSON, text(inputs.referring(30))),
        f"{JSON}, union of 10": (JSON, text(inputs.union(10))),
        f"{AVRO}, 10 fields": (AVRO, inputs.avro(10)),
        f"{AVRO}, 100 fields": (AVRO, inputs.avro(100)),
        f"{PROTOBUF}, 2 messages": (PROTOBUF, inputs.PROTO),
        f"{PROTOBUF}, 20 messages": (PROTOBUF, inputs.large_proto(20)),
    }
    for name, (kind, content) in schemas.items():
        yield Benchmark("parse", name, partial(parse, kind, content))
    wrong = {**inputs.record(10), "required": "field_0"}
    yield Benchmark("parse", f"{JSON}, refused", partial(parse_refused, text(wrong)))


# canonicalize


def read_json(content: bytes) -> Operation:
    from llm_schema_engines.formats.json_schema.reading import read

    return partial(read, content, max_bytes=1 << 20, max_depth=64, max_digits=1000)


def canonical_json(content: bytes) -> Operation:
    from llm_schema_engines.formats.json_schema.canonical import dump

    return partial(dump, read_json(content)(), sort=True)


def avro_root(content: bytes) -> Any:
    from llm_schema_engines.formats.avro.limits import AvroLimits
    from llm_schema_engines.formats.avro.schema.document import load

    return load(content, (), AvroLimits(), strict=True)


def canonical_avro(content: bytes) -> Operation:
    from llm_schema_engines.formats.avro.schema.canonical import canonical

    return partial(canonical, avro_root(content).root)


def avro_fingerprints(content: bytes) -> Operation:
    from llm_schema_engines.formats.avro.schema.fingerprints import fingerprints

    return partial(fingerprints, content, avro_root(content))


def avro_interop(content: bytes) -> Operation:
    from llm_schema_engines.formats.avro.schema.fingerprints import interop

    return partial(interop, content)


def proto_files(content: bytes) -> Any:
    from llm_schema_engines.formats.protobuf.artifact import read

    return read(parsed(PROTOBUF, content).artifact)


def proto_normalise(content: bytes) -> Operation:
    from llm_schema_engines.formats.protobuf.normalise import normalise

    return partial(normalise, proto_files(content)[-1])


def proto_artifact(content: bytes) -> Operation:
    from llm_schema_engines.formats.protobuf.artifact import write

    return partial(write, proto_files(content))


def identity(content: bytes) -> Operation:
    from llm_schema_engines.model.identity import identity as found
    from llm_schema_engines.model.schema import SchemaType

    return partial(found, SchemaType.JSON, content, ())


def of_canonical_forms() -> Iterator[Benchmark]:
    ten, hundred = text(inputs.record(10)), text(inputs.record(100))
    for name, make in {
        f"{JSON}, read 10 fields strictly": partial(read_json, ten),
        f"{JSON}, read 100 fields strictly": partial(read_json, hundred),
        f"{JSON}, canonical text of 10 fields": partial(canonical_json, ten),
        f"{JSON}, canonical text of 100 fields": partial(canonical_json, hundred),
        f"{AVRO}, canonical text of 10 fields": partial(canonical_avro, inputs.avro(10)),
        f"{AVRO}, canonical text of 100 fields": partial(canonical_avro, inputs.avro(100)),
        f"{AVRO}, fingerprints of 10 fields": partial(avro_fingerprints, inputs.avro(10)),
        f"{AVRO}, interop fingerprints of 10 fields": partial(avro_interop, inputs.avro(10)),
        f"{PROTOBUF}, normalise 20 messages": partial(proto_normalise, inputs.large_proto(20)),
        f"{PROTOBUF}, artifact of 2 messages": partial(proto_artifact, inputs.PROTO),
        "identity of a content": partial(identity, ten),
    }.items():
        yield Benchmark("canonicalize", name, make)


# compare


def options(strictness: str = "WIRE") -> Any:
    from llm_schema_engines.model.compatibility import CompareOptions, Strictness

    return CompareOptions(Strictness(strictness))


def compare(kind: str, reader: bytes, writer: bytes, verdict: str, strictness: str = "WIRE") -> Operation:
    made, told = engine(kind), options(strictness)
    sides = parsed(kind, reader), parsed(kind, writer)
    operation = partial(made.compare, *sides, told)
    found = operation().verdict.name
    if found != verdict:
        raise RuntimeError(f"the verdict is {found}")
    return operation


def quick_proof(reader: bytes, writer: bytes) -> Operation:
    operation = partial(engine(JSON).quick_proof, parsed(JSON, reader), parsed(JSON, writer), options())
    if operation() is None:
        raise RuntimeError("there is no quick proof")
    return operation


def diff(kind: str, old: bytes, new: bytes) -> Operation:
    return partial(engine(kind).diff, parsed(kind, old), parsed(kind, new))


def of_comparisons() -> Iterator[Benchmark]:
    ten, wider = text(inputs.record(10)), text(inputs.record(10, longest=200))
    call, less = text(inputs.TOOL_CALL), text({**inputs.TOOL_CALL, "maxProperties": 1})
    more = inputs.PROTO.replace(b"message Line {", b"message Line { string added = 99;")
    avro, added = inputs.avro(10), inputs.avro(10, more=True)
    missing = inputs.avro(10, more=True, without_default=True)
    for name, make in {
        f"{JSON}, quick proof of 10 fields": partial(quick_proof, wider, ten),
        f"{JSON}, 10 fields, YES": partial(compare, JSON, wider, ten, "YES"),
        f"{JSON}, 10 fields, NO": partial(compare, JSON, ten, wider, "NO"),
        f"{JSON}, tool call, YES": partial(compare, JSON, call, less, "YES"),
        f"{JSON}, tool call, NO": partial(compare, JSON, less, call, "NO"),
        f"{JSON}, union of 5, YES": partial(
            compare, JSON, text(inputs.union(6)), text(inputs.union(5)), "YES"
        ),
        f"{JSON}, differences of 10 fields": partial(diff, JSON, ten, wider),
        f"{AVRO}, 10 fields, YES": partial(compare, AVRO, added, avro, "YES"),
        f"{AVRO}, 10 fields, NO": partial(compare, AVRO, missing, avro, "NO"),
        f"{AVRO}, 100 fields, YES": partial(
            compare, AVRO, inputs.avro(100, more=True), inputs.avro(100), "YES"
        ),
        f"{PROTOBUF}, WIRE, YES": partial(compare, PROTOBUF, more, inputs.PROTO, "YES"),
        f"{PROTOBUF}, WIRE_JSON, YES": partial(compare, PROTOBUF, more, inputs.PROTO, "YES", "WIRE_JSON"),
        f"{PROTOBUF}, SOURCE, YES": partial(compare, PROTOBUF, more, inputs.PROTO, "YES", "SOURCE"),
    }.items():
        yield Benchmark("compare", name, make)


# validate


def compile_validator(kind: str, content: bytes) -> Operation:
    return partial(engine(kind).compile_validator, parsed(kind, content))


def compile_bounded(content: bytes) -> Operation:
    return partial(engine(JSON).compile_bounded, parsed(JSON, content), 0.01)


def validate(
    kind: str,
    content: bytes,
    payload: bytes,
    encoding: str = "JSON",
    *,
    valid: bool = True,
    strict: bool = False,
) -> Operation:
    from llm_schema_engines.model.validation import Encoding

    validator = engine(kind).compile_validator(parsed(kind, content))
    operation = partial(validator.validate, payload, encoding=Encoding[encoding], strict=strict)
    if operation().valid is not valid:
        raise RuntimeError(f"the verdict is {not valid}")
    return operation


def of_validation() -> Iterator[Benchmark]:
    call, union, ten = text(inputs.TOOL_CALL), text(inputs.union(5)), text(inputs.record(10))
    five = inputs.avro(5)
    for name, make in {
        f"{JSON}, compile tool call": partial(compile_validator, JSON, call),
        f"{JSON}, compile tool call with a bound": partial(compile_bounded, call),
        f"{JSON}, tool call, valid": partial(validate, JSON, call, text(inputs.CALL)),
        f"{JSON}, tool call, valid, strict": partial(validate, JSON, call, text(inputs.CALL), strict=True),
        f"{JSON}, tool call, invalid": partial(validate, JSON, call, text(inputs.BAD_CALL), valid=False),
        f"{JSON}, 10 of a union": partial(validate, JSON, union, text(inputs.items(10, 5))),
        f"{JSON}, 500 of a union": partial(validate, JSON, union, text(inputs.items(500, 5))),
        f"{JSON}, 10 fields": partial(validate, JSON, ten, text({f"field_{n}": "text" for n in range(10)})),
        f"{AVRO}, compile 10 fields": partial(compile_validator, AVRO, inputs.avro(10)),
        f"{AVRO}, plain JSON": partial(validate, AVRO, five, inputs.avro_value(5, tagged=False)),
        f"{AVRO}, JSON encoding": partial(
            validate, AVRO, five, inputs.avro_value(5, tagged=True), "AVRO_JSON"
        ),
        f"{AVRO}, binary": partial(validate, AVRO, five, inputs.AVRO_BINARY, "BINARY"),
        f"{PROTOBUF}, compile": partial(compile_validator, PROTOBUF, inputs.PROTO),
        f"{PROTOBUF}, JSON": partial(validate, PROTOBUF, inputs.PROTO, inputs.PROTO_JSON),
        f"{PROTOBUF}, binary": partial(validate, PROTOBUF, inputs.PROTO, inputs.PROTO_BINARY, "BINARY"),
        f"{PROTOBUF}, binary, strict": partial(
            validate, PROTOBUF, inputs.PROTO, inputs.PROTO_BINARY, "BINARY", strict=True
        ),
    }.items():
        yield Benchmark("validate", name, make)


def benchmarks() -> Iterator[Benchmark]:
    yield from of_parsing()
    yield from of_canonical_forms()
    yield from of_comparisons()
    yield from of_validation()
