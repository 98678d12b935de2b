"""Each task decides where it runs."""

import json
import os
from contextlib import suppress
from typing import Any

import pytest

from llm_schema_engines.formats.engine import ReferencedSchema, SchemaSource
from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.linter.registering import parse_and_lint, parse_and_lint_within
from llm_schema_engines.model.compatibility import Verdict
from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server.errors import InvalidSchema
from llm_schema_registry_server.workers.inline import InlineWorkers
from llm_schema_registry_server.workers.placement import PlacedWorkers
from llm_schema_registry_server.workers.tasks import INLINE_COMPARE_BYTES, INLINE_PARSE_BYTES
from tests.support.workers import Afar, compare, parse

from .fakes import make

ALL = (SchemaType.JSON, SchemaType.AVRO, SchemaType.PROTOBUF)


def places() -> tuple[PlacedWorkers, InlineWorkers, Afar]:
    inline, processes = InlineWorkers(make(*ALL)), Afar(make(*ALL))
    return PlacedWorkers(inline, processes), inline, processes


def test_only_avro_is_compared_in_the_server_and_protobuf_never_enters_it() -> None:
    assert set(INLINE_COMPARE_BYTES) == {SchemaType.AVRO}
    assert set(INLINE_PARSE_BYTES) == {SchemaType.AVRO}


def order(fields: int, **more: Any) -> bytes:
    """A schema as they are written."""
    described = {"type": "string", "description": "What it is good for, v1.2.", "maxLength": 80, **more}
    properties = {f"field_{n}": described for n in range(fields)}
    return json.dumps({"type": "object", "properties": properties, "additionalProperties": False}).encode()


@pytest.mark.parametrize(
    ("content", "referenced", "where"),
    [
        (b'{"type": "string"}', b'{"type": "object"}', "inline"),
        (order(15), b"", "inline"),
        (order(40), order(40), "inline"),
        (order(5, description="Größe"), b"", "inline"),
        (order(5, pattern="^[a-z]{1,20}$"), b"", "inline"),
        (order(2000), b"", "processes"),
        (b"{}", order(2000), "processes"),
        (b'{"pattern": "a{9000}"}', b"", "processes"),
        (b'{"pattern": "\\\\p{L}"}', b"", "processes"),
        (b'{"patternProperties": {"a{9000}": true}}', b"", "processes"),
        (b'{"p\\u0061ttern": "a{9000}"}', b"", "processes"),
        (b'{"allOf": [' + b"1," * 200 + b"1]}", b"", "processes"),
        (b'{"enum": [' + b"1.5," * 2000 + b"1]}", b"", "processes"),
        (b'{"properties": {' + b",".join(b'"%d": {"x%d": 1}' % (n, n + 1000) for n in range(50)) + b"}}", b"", "processes"),
    ],
)  # fmt: skip
async def test_what_is_surely_parsed_soon_is_parsed_in_the_server(
    content: bytes, referenced: bytes, where: str
) -> None:
    engines = {SchemaType.JSON: JsonSchemaEngine()}
    inline, processes = InlineWorkers(engines), Afar(engines)
    placed = PlacedWorkers(inline, processes)
    references = (ReferencedSchema("r", "id", referenced),) if referenced else ()
    with suppress(InvalidSchema):
        await parse(placed, SchemaType.JSON, SchemaSource(content, references))

    assert (inline.facts()["inline_tasks"], processes.facts()["inline_tasks"]) == (
        ("1", "0") if where == "inline" else ("0", "1")
    )


@pytest.mark.parametrize("content", [order(15), b'{"default": 1, "type": "string", "mimimum": 1}'])
async def test_a_schema_is_parsed_alike_wherever_that_is(content: bytes) -> None:
    source, engine = SchemaSource(content, options={"format_policy": "ASSERT"}), JsonSchemaEngine()

    assert parse_and_lint_within(engine, source, 1) == parse_and_lint(engine, source)


async def test_the_prover_never_runs_in_the_server() -> None:
    placed, inline, processes = places()
    await compare(placed, SchemaType.JSON, SchemaSource(b"{}"), SchemaSource(b"{}"))

    assert (inline.facts()["inline_tasks"], processes.facts()["inline_tasks"]) == ("0", "1")


@pytest.mark.parametrize(
    ("schema_type", "reader", "writer", "referenced", "where"),
    [
        (SchemaType.JSON, b"plain", b"x", 0, "at once"),
        (SchemaType.JSON, b"plain" + b"x" * 4091, b"x" * 4096, 0, "at once"),
        (SchemaType.JSON, b"plain" + b"x" * 4092, b"x", 0, "processes"),
        (SchemaType.JSON, b"plain", b"x" * 4097, 0, "processes"),
        (SchemaType.JSON, b"plain", b"x", 4096, "processes"),
        (SchemaType.JSON, b"x", b"plain", 0, "processes"),
        (SchemaType.AVRO, b"plain", b"x", 0, "inline"),
        (SchemaType.PROTOBUF, b"plain", b"x", 0, "processes"),
    ],
)
async def test_a_small_pair_with_a_quick_proof_is_compared_in_the_server(
    schema_type: SchemaType, reader: bytes, writer: bytes, referenced: int, where: str
) -> None:
    placed, inline, processes = places()
    references = (ReferencedSchema("r", "id", b"x" * referenced),)
    comparison = await compare(placed, schema_type, SchemaSource(reader), SchemaSource(writer, references))

    assert comparison.verdict is (Verdict.YES if where == "at once" else Verdict.NO)
    assert inline.facts() == {
        "inline_tasks": str(int(where == "inline")),
        "quick_proofs": str(int(where == "at once")),
    }
    assert processes.facts()["inline_tasks"] == str(int(where == "processes"))


async def test_a_schema_with_a_quick_proof_does_not_go_to_the_prover() -> None:
    engines = {SchemaType.JSON: JsonSchemaEngine()}
    inline, processes = InlineWorkers(engines), Afar(engines)
    placed = PlacedWorkers(inline, processes)
    old, new = SchemaSource(b'{"maxLength": 3}'), SchemaSource(b'{"maxLength": 4}')
    there = await compare(placed, SchemaType.JSON, new, old)
    back = await compare(placed, SchemaType.JSON, old, new)

    assert (there.verdict, back.verdict) == (Verdict.YES, Verdict.NO)
    assert inline.facts() == {"inline_tasks": "0", "quick_proofs": "1"}
    assert processes.facts()["inline_tasks"] == "1"


@pytest.mark.parametrize(
    ("schema_type", "content", "referenced", "where"),
    [
        (SchemaType.AVRO, 100, 100, "inline"),
        (SchemaType.AVRO, 17 * 1024, 0, "processes"),
        (SchemaType.AVRO, 9 * 1024, 9 * 1024, "processes"),
        (SchemaType.PROTOBUF, 1, 0, "processes"),
    ],
)
async def test_type_and_size_decide(
    schema_type: SchemaType, content: int, referenced: int, where: str
) -> None:
    placed, inline, processes = places()
    source = SchemaSource(b"x" * content, (ReferencedSchema("r", "id", b"x" * referenced),))
    await parse(placed, schema_type, source)
    await compare(placed, schema_type, SchemaSource(b"x"), source)

    assert (inline.facts()["inline_tasks"], processes.facts()["inline_tasks"]) == (
        ("2", "0") if where == "inline" else ("0", "2")
    )


async def test_inline_work_happens_in_this_process() -> None:
    placed, _, _ = places()
    parsed = await parse(placed, SchemaType.AVRO, SchemaSource(b"x"))

    assert parsed.options["pid"] == str(os.getpid())
