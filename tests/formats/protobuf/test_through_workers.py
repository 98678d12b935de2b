"""What gets past the guards and kills the compiler costs one worker, one clear refusal, and nothing else.

The limits are lifted here so that protoc meets the sources that the guards would stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from llm_schema_engines.formats.catalogue import EngineLimits
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_engines.formats.protobuf import ProtobufLimits
from llm_schema_engines.model.compatibility import CompareOptions, Verdict
from llm_schema_engines.model.schema import SchemaType
from llm_schema_registry_server.errors import InvalidSchema
from llm_schema_registry_server.settings import WorkersSettings as Bounds
from llm_schema_registry_server.workers.engines import FACTORY
from llm_schema_registry_server.workers.processes import ProcessWorkers
from llm_schema_registry_server.workers.tasks import Compare, Parse
from tests.formats.protobuf.hostile import HOSTILE

PROTOBUF = SchemaType.PROTOBUF
MANY = 1 << 40
UNGUARDED = EngineLimits(
    protobuf=ProtobufLimits(
        source=MANY, total=MANY, brackets=MANY, identifier=MANY, statements=MANY, names=MANY
    )
)
GOOD = SchemaSource(b'syntax = "proto3"; message Good { int32 a = 1; }')
DEADLY = {
    "option nested 100 deep": HOSTILE["option nested 100 deep"],
    "option nested 6000 deep": HOSTILE["option nested 6000 deep"],
    "groups nested 5000 deep": "message M {"
    + "".join(f"optional group G{i} = 1 {{" for i in range(5000))
    + "}" * 5001,
    "long names nested 30 deep": "".join(f"message {'n' * 20_000}{i} {{" for i in range(30))
    + "".join(f"optional int32 f{i} = {i + 1};" for i in range(10_000))
    + "}" * 30,
    "60000 equal numbers": "message M {" + "".join(f"optional int32 f{i} = 1;" for i in range(60_000)) + "}",
}


@pytest.fixture
async def workers() -> AsyncIterator[ProcessWorkers]:
    bounds = Bounds(processes=2, parse_seconds=1.5, memory_bytes=1 << 29)
    workers = ProcessWorkers(bounds, FACTORY, UNGUARDED)
    await workers.start()
    try:
        yield workers
    finally:
        await workers.stop()


@pytest.mark.parametrize("name", DEADLY)
async def test_a_deadly_source_is_refused_and_others_go_on(workers: ProcessWorkers, name: str) -> None:
    deadly = asyncio.create_task(workers.run(Parse(PROTOBUF, SchemaSource(DEADLY[name].encode()))))

    assert (await workers.run(Parse(PROTOBUF, GOOD))).names == ("Good", "a")
    with pytest.raises(InvalidSchema) as caught:
        await deadly
    assert caught.value.issues[0].rule in {"COMPILER_CRASHED", "COMPILER_TIMEOUT"}
    assert (await workers.run(Parse(PROTOBUF, GOOD))).names == ("Good", "a")


async def test_the_same_schema_means_the_same_in_a_worker(workers: ProcessWorkers) -> None:
    parsed = await workers.run(Parse(PROTOBUF, GOOD))
    wider = await workers.run(Parse(PROTOBUF, SchemaSource(GOOD.content.replace(b"int32", b"int64"))))
    old, new = (SchemaSource(b"", artifact=p.artifact) for p in (parsed, wider))

    forward = await workers.run(Compare(PROTOBUF, old, new, CompareOptions()))
    backward = await workers.run(Compare(PROTOBUF, new, old, CompareOptions()))

    assert backward.verdict is Verdict.YES
    assert forward.violations[0].witness is not None
