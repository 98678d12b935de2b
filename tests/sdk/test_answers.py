"""Answers of models through the SDK: judged in this process as by the server, asked for again, corrected."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from llm_schema_registry import (
    AnswerChunk,
    AsyncSchemaRegistry,
    Coercion,
    InvalidRequest,
    SchemaNotFound,
    SchemaRegistry,
    StreamStatus,
)
from tests.api.server import ServerProcess

TAG = {"type": "string", "maxLength": 3}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}, "tag": {"$ref": "tag.json"}}}
DOCUMENTS = (b'{"a": 1, "tag": "ok"}', b'{"a": 1, "tag": "long"}', b'{"a": "1"}', b'{"b": 1}', b"{", b"[1]")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path_factory.mktemp("answers"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def ids(server: ServerProcess) -> dict[str, str]:
    with SchemaRegistry(server.grpc) as registry:
        registry.register_schema("answers.tag", TAG, "json")
        made = registry.register_schema(
            "answers.all", SCHEMA, "json", references=[("tag.json", "answers.tag", "latest")]
        )
        avro = registry.register_schema("answers.avro", '"int"', "avro")
    return {"json": made.schema_id, "avro": avro.schema_id}


def local(registry: SchemaRegistry, schema_id: str, document: bytes, **options: Any) -> Any:
    stream = registry.answer_stream(schema_id, **options)
    for at in range(len(document)):
        stream.feed(document[at : at + 1])
    stream.end()
    return stream


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_local_stream_says_what_the_server_says(
    server: ServerProcess, ids: dict[str, str], document: bytes, strict: bool
) -> None:
    with SchemaRegistry(server.grpc) as registry:
        here = local(registry, ids["json"], document, strict=strict)
        chunks = [
            AnswerChunk("d", document[:4], ids["json"], strict=strict),
            AnswerChunk("d", document[4:], end=True),
        ]
        *_, there = registry.validate_stream(chunks)

        assert here.status.value == there.status.number
        assert bool(there) is registry.validate_data(ids["json"], document, strict=strict).valid
        if here.error is not None:
            assert there.failure is not None
            assert here.error.byte_offset == there.failure.byte_offset
            assert here.error.keyword == there.failure.keyword


def test_the_schema_of_a_local_stream_is_named_as_everywhere(
    server: ServerProcess, ids: dict[str, str]
) -> None:
    with SchemaRegistry(server.grpc) as registry:
        stream = registry.answer_stream(subject="answers.all", version="^1.0", prose=True, keep=True)
        stream.feed(b'Sure: {"a": 7, "tag": "o')
        assert stream.partial().value == {"a": 7, "tag": "o"}
        with pytest.raises(InvalidRequest):
            registry.answer_stream(ids["avro"])
        with pytest.raises(SchemaNotFound):
            registry.answer_stream("0190b7c8-0000-7000-8000-000000000009")
        with pytest.raises(TypeError):
            registry.answer_stream()


async def test_documents_mixed_in_one_stream(server: ServerProcess, ids: dict[str, str]) -> None:
    async with AsyncSchemaRegistry(server.grpc) as registry:

        async def chunks() -> AsyncIterator[AnswerChunk]:
            yield AnswerChunk("x", b'{"a": 1', ids["json"])
            yield AnswerChunk("y", b'{"a": tr', subject="answers.all")
            await asyncio.sleep(0)
            yield AnswerChunk("x", b"}", end=True)
            yield AnswerChunk("z", b"{")

        states = [state async for state in registry.validate_stream(chunks())]

    assert [(s.document_id, s.status) for s in states[:3]] == [
        ("x", StreamStatus.VIABLE),
        ("y", StreamStatus.DEAD),
        ("x", StreamStatus.COMPLETE),
    ]
    assert isinstance(states[3].error, InvalidRequest)


def test_errors_for_a_model_and_corrections(server: ServerProcess, ids: dict[str, str]) -> None:
    with SchemaRegistry(server.grpc) as registry:
        asked = registry.reask_answer(ids["json"], {"a": "1"}, style="MCP", max_tokens=50)
        done = registry.coerce_answer(ids["json"], {"a": "1"}, kinds=["NUMERIC_STRING"])

    assert asked.text == '/a: type integer, not "1"'
    assert json.loads(asked.payload)["isError"] is True
    assert json.loads(done.data) == {"a": 1}
    assert [(c.kind, c.count) for c in done.counts] == [(Coercion.NUMERIC_STRING, 1)]
    assert done


def test_a_chunk_is_an_answer_chunk(server: ServerProcess) -> None:
    def chunks() -> Iterator[Any]:
        yield b"{"

    with SchemaRegistry(server.grpc) as registry, pytest.raises(TypeError, match="AnswerChunk"):
        list(registry.validate_stream(chunks()))
