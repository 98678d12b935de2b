"""Schemas to convert, and documents of them: examples of this project, generated ones, and those of other projects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from llm_schema_engines.errors import InvalidSchema
from llm_schema_engines.formats.avro import AvroLimits
from llm_schema_engines.formats.avro.resolution.read import resolve
from llm_schema_engines.formats.avro.schema.document import load
from llm_schema_engines.formats.avro.schema.values import SmallestValues, encode
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.protobuf.pools import CompiledSchema
from llm_schema_engines.model.compatibility import CompareOptions
from llm_schema_engines.model.schema import SchemaType
from llm_schema_engines.model.validation import Encoding
from tests.formats.avro.strategies import Maker, datum
from tests.formats.conversion.generators import JsonSchemas, ProtoTexts
from tests.formats.conversion.kit import AVRO, ENGINES, JSON, PROTOBUF

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
"""Schemas of other projects, used where they are there. None of them is part of this project."""
SUFFIXES = {".json": JSON, ".avsc": AVRO, ".proto": PROTOBUF}
LARGEST = 60_000
"""Bytes of a schema whose documents are made with the prover."""


@dataclass(frozen=True)
class Sample:
    """A schema, and JSON documents that are valid under it."""

    name: str
    schema_type: SchemaType
    content: bytes
    documents: tuple[bytes, ...] = field(default=(), repr=False)


def examples() -> Iterator[Sample]:
    """The schemas in examples/."""
    for path in sorted((ROOT / "examples").rglob("*")):
        if path.suffix in SUFFIXES:
            yield _sample(str(path.relative_to(ROOT)), SUFFIXES[path.suffix], path.read_bytes())


def generated(count: int, seed: int) -> Iterator[Sample]:
    """As many schemas of each type, with documents that the generator knows to be valid."""
    random = Random(seed)
    for i in range(count):
        schema, make = JsonSchemas(random).schema()
        yield Sample(f"json {seed}/{i}", JSON, dumped(schema), tuple(dumped(make()) for _ in range(2)))
        text, build = ProtoTexts(random).text()
        yield Sample(f"proto {seed}/{i}", PROTOBUF, text.encode(), tuple(dumped(build()) for _ in range(2)))
        content = dumped(Maker(random, namespaces=bool(i % 2)).schema())
        yield Sample(f"avro {seed}/{i}", AVRO, content, tuple(avro_documents(content, random)))


def of_other_projects() -> Iterator[Sample]:
    """Every schema in the data of other projects, each content once."""
    seen: set[bytes] = set()
    for name, schema_type, content in _all_contents():
        if content not in seen:
            seen.add(content)
            yield _sample(name, schema_type, content)


def of_all_projects() -> Iterator[tuple[str, SchemaType, bytes]]:
    """Name, type and content of every schema of this project's examples, and of those of other projects that are there."""
    for path in sorted((ROOT / "examples").rglob("*")):
        if path.suffix in SUFFIXES:
            yield str(path.relative_to(ROOT)), SUFFIXES[path.suffix], path.read_bytes()
    if DATA.exists():
        yield from _all_contents()


def _all_contents() -> Iterator[tuple[str, SchemaType, bytes]]:
    for file, schema_type in (("schemastore-pairs.jsonl", JSON), ("googleapis-pairs.jsonl", PROTOBUF)):
        for number, pair in enumerate(_lines(DATA / file)):
            for side in ("old", "new"):
                text = pair[side]
                content = text.encode() if isinstance(text, str) else dumped(text)
                yield f"{file}:{number}:{side}", schema_type, content
    for number, pair in enumerate(_lines(DATA / "avro" / "reader-writer-pairs.jsonl")):
        for side in ("reader", "writer"):
            yield f"avro pair {number} {side}", AVRO, dumped(pair[side])
    apicurio = json.loads((DATA / "apicurio" / "json-schema-compatibility.json").read_text())
    for test in apicurio["tests"]:
        for side in ("original", "updated"):
            yield f"apicurio {test['id']} {side}", JSON, dumped(test[side])
    for path in sorted((DATA / "json-schema-test-suite").rglob("*.json")):
        groups = json.loads(path.read_text())
        for group in groups if isinstance(groups, list) else ():
            if isinstance(group, dict) and isinstance(group.get("schema"), dict):
                yield f"{path.name} {group['description']}", JSON, dumped(group["schema"])


def _lines(path: Path) -> Iterator[Any]:
    return map(json.loads, path.read_text().splitlines())


def dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _sample(name: str, schema_type: SchemaType, content: bytes) -> Sample:
    try:
        documents = tuple(_documents(schema_type, content))
    except InvalidSchema:
        documents = ()
    return Sample(name, schema_type, content, documents)


def _documents(schema_type: SchemaType, content: bytes) -> Iterator[bytes]:
    """Valid documents of a schema that came without any."""
    if schema_type is AVRO:
        yield from avro_documents(content, Random(len(content)))
        return
    engine = ENGINES[schema_type]
    parsed = engine.parse(SchemaSource(content))
    source = SchemaSource(content, (), parsed.options, parsed.artifact)
    candidates = [b"{}", b"[]", b'"x"', b"1", b"1.5", b"null", b"true", b'{"a": [1, "x", null]}']
    if schema_type is PROTOBUF:
        candidates = [b"{}", *_messages(parsed.artifact)]
    elif len(content) <= LARGEST:
        nothing = SchemaSource(b"false")
        comparison = engine.compare(nothing, source, CompareOptions())
        candidates += [v.witness.data for v in comparison.violations[:1] if v.witness is not None]
    if schema_type is PROTOBUF and not CompiledSchema(parsed.artifact).first:
        return
    validator = engine.compile_validator(source)
    for candidate in candidates:
        if validator.validate(candidate, encoding=Encoding.JSON).valid:
            yield candidate


def avro_documents(content: bytes, random: Random) -> Iterator[bytes]:
    """Plain JSON documents of an Avro schema. Raises InvalidSchema."""
    root = load(content, (), AvroLimits(), strict=True).root
    smallest = SmallestValues(root)
    if smallest.exists(root):
        for _ in range(2):
            data = encode(root, datum(root, random, smallest))
            yield dumped(resolve(root, root, data, AvroLimits()))


def _messages(artifact: bytes) -> Iterator[bytes]:
    """One message of the first type, with a value in every field."""
    compiled = CompiledSchema(artifact)
    found = compiled.message(compiled.first) if compiled.first else None
    if found is not None:
        message = found()
        _fill(message, found.DESCRIPTOR, 3)
        yield json_format.MessageToJson(message, descriptor_pool=compiled.pool).encode()


def _fill(message: Any, descriptor: Descriptor, depth: int) -> None:
    for member in descriptor.fields:
        inner = member.message_type
        if inner is not None:
            if (
                depth
                and not inner.GetOptions().map_entry
                and not inner.full_name.startswith("google.protobuf.")
            ):
                target = getattr(message, member.name)
                _fill(target.add() if member.is_repeated else target, inner, depth - 1)
            continue
        value = _scalar(member)
        if member.is_repeated:
            getattr(message, member.name).append(value)
        elif member.containing_oneof is None:
            setattr(message, member.name, value)


def _scalar(member: FieldDescriptor) -> Any:
    if member.enum_type is not None:
        return member.enum_type.values[-1].number
    if member.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return b"\x00\xff" if member.type == FieldDescriptor.TYPE_BYTES else "text"
    return True if member.cpp_type == FieldDescriptor.CPPTYPE_BOOL else 1
