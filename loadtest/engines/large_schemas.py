"""What large schemas cost: parsing, comparing and validating, by size and by number of references.

    PYTHONPATH=engines:server python loadtest/engines/large_schemas.py [FILE.json FILE.proto ...] [--markdown PAGE.md]

Made schemas look like real large ones: a bundle of definitions that use each other (Kubernetes), a file of many messages
(k8s core/v1), a file with many imports (envoy). Each FILE is measured beside them, compared with itself less one property.
Each case runs in a process of its own; times are processor time of one thread, memory is the most that the process had.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from llm_schema_engines.errors import InvalidSchema
from llm_schema_engines.formats.catalogue import EngineLimits, engines
from llm_schema_engines.formats.engine import Engines, ReferencedSchema, SchemaSource
from llm_schema_engines.model.compatibility import CompareOptions
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.model.validation import Encoding
from llm_schema_engines.protoc.in_process import InProcessProtoc

KIB, MIB = 1 << 10, 1 << 20
MANY = 1 << 40


@dataclass(frozen=True)
class Case:
    """old, new: the schemas, with a payload that is valid under both. root: the message of Protobuf."""

    name: str
    schema_type: SchemaType
    old: SchemaSource
    new: SchemaSource
    payload: bytes
    root: str = ""


@dataclass(frozen=True)
class Cost:
    """Seconds of the processor and the most memory in MiB; verdict: of the comparison, or why there is none."""

    parse: float
    compare: float
    validate: float
    memory: float
    verdict: str


def json_schema(size: int, extra: str = "") -> bytes:
    """Definitions of 12 properties each, which use earlier ones, with descriptions as long as Kubernetes'."""
    definitions: dict[str, object] = {}
    written = 0
    while written < size:
        number = len(definitions)
        properties: dict[str, object] = {
            f"field{i}": {"type": "string", "description": f"What field {i} of type {number} is for. " * 4}
            for i in range(10)
        }
        for i, other in enumerate((number // 2, number // 3)):
            if number:
                properties[f"part{i}"] = {"$ref": f"#/definitions/Type{other}"}
        definition = {"type": "object", "properties": properties, "required": ["field0"]}
        definitions[f"Type{number}"] = definition
        written += len(json.dumps(definition)) + 20
    document = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": definitions,
        "type": "object",
        "properties": {
            name: {"$ref": f"#/definitions/{name}"} for name in [f"Type{len(definitions) - 1 - i}" for i in range(20)]
        },
    }  # fmt: skip
    if extra:
        document["properties"][extra] = {"type": "integer"}  # type: ignore[index]
    return json.dumps(document).encode()


def avro_schema(size: int, extra: str = "") -> bytes:
    """Records of 20 fields inside one."""
    types: list[object] = []
    written = 0
    while written < size:
        fields = [{"name": f"field{i}", "type": "string", "doc": f"What field {i} is for. " * 8, "default": ""}
                  for i in range(20)]  # fmt: skip
        record = {"type": "record", "name": f"Type{len(types)}", "fields": fields}
        types.append({"name": f"part{len(types)}", "type": ["null", record], "default": None})
        written += len(json.dumps(types[-1])) + 2
    if extra:
        types.append({"name": extra, "type": "int", "default": 0})
    return json.dumps({"type": "record", "name": "Root", "fields": types}).encode()


def proto(size: int, extra: str = "", imports: int = 0) -> bytes:
    """Messages of 12 fields with comments, which use earlier ones."""
    lines = ['syntax = "proto3";', "package big;"]
    lines += [f'import "part{i}.proto";' for i in range(imports)]
    written, number = 0, 0
    while written < size:
        fields = [f"  // What field {i} of message {number} is for, in some words as they stand in real files.\n"
                  f"  string field_{i} = {i + 1};" for i in range(10)]  # fmt: skip
        fields += [
            f"  Message{other} part_{i} = {i + 11};"
            for i, other in enumerate((number // 2, number // 3))
            if number
        ]
        lines.append("\n".join([f"message Message{number} {{", *fields, "}"]))
        written, number = written + len(lines[-1]), number + 1
    root = [f"  Message{number - 1} last = 1;"] if number else []
    root += [f"  part{i}.Part part_{i} = {i + 10};" for i in range(imports)]
    root += [f"  int32 {extra} = 2;"] if extra else []
    return "\n".join([*lines, "message Root {", *root, "}"]).encode()


def _part(number: int) -> ReferencedSchema:
    fields = "".join(f"  string field_{i} = {i + 1};\n" for i in range(20))
    text = f'syntax = "proto3";\npackage part{number};\nmessage Part {{\n{fields}}}\n'
    compiled = _engines()[SchemaType.PROTOBUF].parse(SchemaSource(text.encode()))
    return ReferencedSchema(
        f"part{number}.proto", f"{number:064x}", text.encode(), artifact=compiled.artifact
    )


def _engines() -> Engines:
    """The engines with the limits of sizes and counts out of the way, and all others as they are by default."""
    usual = EngineLimits()
    return engines(
        EngineLimits(
            replace(usual.json_schema, schema_bytes=MANY, schema_nodes=MANY, references_in_schema=MANY),
            replace(usual.avro, schema_bytes=MANY, types=MANY, fields=MANY),
            replace(usual.protobuf, source=MANY, total=MANY, references=MANY, statements=MANY, names=MANY),
        ),
        InProcessProtoc(),
    )


def made() -> Iterator[tuple[str, Callable[[], Case]]]:
    """The names of the cases, with what makes each."""
    payload = json.dumps({"Type9": {"field0": "x"}}).encode()

    def of_json(size: int) -> Case:
        sides = SchemaSource(json_schema(size)), SchemaSource(json_schema(size, "extra"))
        return Case("", SchemaType.JSON, *sides, payload)

    def of_avro(size: int) -> Case:
        sides = SchemaSource(avro_schema(size)), SchemaSource(avro_schema(size, "extra"))
        count = len(json.loads(sides[0].content)["fields"])
        return Case(
            "", SchemaType.AVRO, *sides, json.dumps({f"part{i}": None for i in range(count)}).encode()
        )

    def of_proto(size: int, imports: int = 0) -> Case:
        references = tuple(map(_part, range(imports)))
        old, new = (SchemaSource(proto(size, extra, imports), references) for extra in ("", "extra"))
        return Case("", SchemaType.PROTOBUF, old, new, b"{}", "big.Root")

    for size in (1, 2, 4):
        yield f"JSON Schema, {size} MiB", lambda size=size: of_json(size * MIB)  # type: ignore[misc]
    for size in (1, 2, 4):
        yield f"Avro, {size} MiB", lambda size=size: of_avro(size * MIB)  # type: ignore[misc]
    for size in (256, 512, 1024, 2048):
        yield f"Protobuf, {size} KiB", lambda size=size: of_proto(size * KIB)  # type: ignore[misc]
    for count in (64, 128, 256, 512):
        yield f"Protobuf, {count} references", lambda count=count: of_proto(0, count)  # type: ignore[misc]


def of_file(path: Path) -> Case:
    """A real schema, and itself without the last property that is found."""
    content = path.read_bytes()
    if path.suffix == ".proto":  # without what it imports, so that it may be one file
        kept = [line for line in content.splitlines() if not line.startswith(b"import ")]
        old = SchemaSource(b"\n".join(kept))
        return Case(
            path.name, SchemaType.PROTOBUF, old, SchemaSource(old.content + b"\nmessage Added {}"), b"{}"
        )
    document = json.loads(content)
    definitions = document.get("definitions") or document.get("$defs") or {}
    for definition in definitions.values():
        if len(definition.get("properties", {})) > 1:
            definition["properties"].popitem()
            break
    return Case(
        path.name, SchemaType.JSON, SchemaSource(content), SchemaSource(json.dumps(document).encode()), b"{}"
    )


def cost(case: Case) -> Cost:
    engine = _engines()[case.schema_type]
    clock = time.thread_time

    began = clock()
    try:
        old = engine.parse(case.old)
    except InvalidSchema as error:
        return Cost(clock() - began, 0.0, 0.0, memory(), f"refused: {str(error)[:100]}")
    parsed = clock() - began
    new = engine.parse(case.new)
    reader, writer = (replace(s, artifact=p.artifact) for s, p in ((case.new, new), (case.old, old)))

    began = clock()
    comparison = engine.compare(reader, writer, CompareOptions())
    compared = clock() - began

    began = clock()
    validator = engine.compile_validator(writer)
    validator.validate(
        case.payload, encoding=Encoding.JSON, strict=False, max_errors=10, message_name=case.root
    )
    return Cost(parsed, compared, clock() - began, memory(), comparison.verdict.name)


def memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB


def _measure(name: str, make: Callable[[], Case], out: multiprocessing.SimpleQueue[tuple[str, Cost]]) -> None:
    out.put((name, cost(make())))


def page(rows: list[tuple[str, Cost]]) -> str:
    lines = [
        "# What large schemas cost",
        "",
        "`PYTHONPATH=engines:server python loadtest/engines/large_schemas.py [FILE.json FILE.proto ...]`",
        "",
        f"Processor time of one thread and the most memory of its process, Python {platform.python_version()}. The comparison is "
        "of a schema with itself and one property more; validating includes compiling the validator, which is kept.",
        "",
        "| schema | parse | compare | validate | memory | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for name, c in rows:
        times = " | ".join(f"{s * 1e3:,.0f} ms" for s in (c.parse, c.compare, c.validate))
        lines.append(f"| {name} | {times} | {c.memory:,.0f} MiB | {c.verdict} |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    context = multiprocessing.get_context("fork")
    cases = [*made(), *((p.name, lambda p=p: of_file(p)) for p in options.files)]
    rows: list[tuple[str, Cost]] = []
    for name, make in cases:
        out: multiprocessing.SimpleQueue[tuple[str, Cost]] = context.SimpleQueue()
        process = context.Process(target=_measure, args=(name, make, out))
        process.start()
        process.join()
        if process.exitcode:
            print(f"{name}: ended with status {process.exitcode}", file=sys.stderr)
            continue
        rows.append(out.get())
        print(rows[-1], flush=True)
    text = page(rows)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
