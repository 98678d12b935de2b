"""What a call leaves behind is freed at once: circles would wait for Python's collector, and it stops everybody to find them."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from llm_schema_engines.formats.avro import AvroEngine
from llm_schema_engines.formats.engine import ReferencedSchema, SchemaSource
from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.model.compatibility import CompareOptions
from llm_schema_registry_server.errors import ReferenceCycle
from llm_schema_registry_server.registry.registration import RegistrationResult
from tests.support.registry import World

JSON, AVRO = JsonSchemaEngine(), AvroEngine()
TIMES = 20


@contextmanager
def left_behind(found: list[int]) -> Iterator[None]:
    """Counts the objects that only the collector would free."""
    gc.collect()
    gc.disable()
    try:
        yield
        found.append(gc.collect())
    finally:
        gc.enable()


def json_source(number: int) -> SchemaSource:
    part = {"type": "object", "properties": {"text": {"type": "string", "maxLength": 10 + number}}}
    content = {"properties": {"part": {"$ref": "part.json"}, "id": {"type": "integer"}}, "required": ["id"]}
    return SchemaSource(
        json.dumps(content).encode(),
        (ReferencedSchema("part.json", f"part {number}", json.dumps(part).encode()),),
    )


def plain_json_source(number: int) -> SchemaSource:
    content = {"type": "object", "properties": {"text": {"type": "string", "maxLength": 10 + number}}}
    return SchemaSource(json.dumps(content).encode())


def avro_source(number: int) -> SchemaSource:
    part = {"type": "record", "name": "Part", "fields": [{"name": "text", "type": ["null", "string"]}]}
    fields = [{"name": f"f{n}", "type": ["null", "Part"], "default": None} for n in range(number + 1)]
    content = {"type": "record", "name": "Whole", "fields": fields}
    return SchemaSource(
        json.dumps(content).encode(), (ReferencedSchema("Part", "part", json.dumps(part).encode()),)
    )


@pytest.mark.parametrize(
    ("ask", "parse", "source"),
    [
        (JSON.quick_proof, JSON.parse, json_source),
        (JSON.quick_proof, JSON.parse, plain_json_source),
        (AVRO.compare, AVRO.parse, avro_source),
    ],
    ids=["json with references", "plain json", "avro with references"],
)
def test_what_engines_do_in_the_server_leaves_nothing(
    ask: Callable[[SchemaSource, SchemaSource, CompareOptions], object],
    parse: Callable[[SchemaSource], object],
    source: Callable[[int], SchemaSource],
) -> None:
    sources = [source(number) for number in range(TIMES)]
    parse(sources[0])  # what is made once
    found: list[int] = []

    with left_behind(found):
        for old, new in pairwise(sources):
            parse(new)
            ask(new, old, CompareOptions())

    assert found[0] < TIMES


async def test_registering_leaves_nothing(registry: World) -> None:
    found: list[int] = []

    async def register(number: int) -> RegistrationResult:
        text = " ".join(f"w{n}" for n in range(number + 1))
        return await registry.register("s", text, references=(("lib", "lib", ""),))

    await registry.register("lib", "a")
    await register(0)
    with left_behind(found):
        for number in range(1, TIMES):
            assert (await register(number)).created

    assert found[0] < TIMES


async def test_a_refused_registration_leaves_little(registry: World) -> None:
    await registry.register("a", "x")
    await registry.register("b", "x", references=(("a", "a", ""),))
    found: list[int] = []

    with left_behind(found):
        for number in range(TIMES):
            with pytest.raises(ReferenceCycle):
                await registry.register("a", f"x y{number}", references=(("b", "b", ""),))

    assert found[0] < TIMES * 40  # an exception and the frames that it came through are a circle
