"""The event of a change is made and written once, however many subscribers it goes to."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from google.protobuf.message import Message

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.errors import StorageUnavailable
from llm_schema_registry_server.model.change import Change, EventType
from llm_schema_registry_server.model.schema import SchemaVersion
from llm_schema_registry_server.registry.lifecycle import Update
from llm_schema_registry_server.registry.reading import FoundSchema
from llm_schema_registry_server.rpc import change_events
from llm_schema_registry_server.rpc.change_events import MOST_EVENTS, ChangeEvents, EventsTogether
from llm_schema_registry_server.rpc.convert import MessageConverter
from llm_schema_registry_server.rpc.protobuf.shared_answer import SharedAnswer, message_of, serialized
from llm_schema_registry_server.transports.http.json_out import render
from llm_schema_registry_server.transports.http.stream_formats import Events, JsonArray, Lines
from tests.support.registry import ADMIN, World, world


class CountingConvert(MessageConverter):
    """Counts what it makes."""

    def __init__(self) -> None:
        super().__init__("0123abcd")
        self.changes = self.schemas = 0

    def change(self, change: Change, schema: pb.SchemaInfo | None) -> pb.SchemaChangeEvent:
        self.changes += 1
        return super().change(change, schema)

    def schema(self, found: FoundSchema, page_token: str = "") -> pb.SchemaInfo:
        self.schemas += 1
        return super().schema(found, page_token)


def change(sequence: int, version: SchemaVersion | None = None) -> Change:
    return Change(
        EventType.SCHEMA_REGISTERED,
        version.subject if version else None,
        version.schema_id if version else "",
        "",
        0,
        datetime(2026, 1, 1, tzinfo=UTC),
        "ada",
        sequence=sequence,
    )


def test_a_form_is_written_once() -> None:
    wrote: list[Message] = []

    def write(message: Message) -> bytes:
        wrote.append(message)
        return b"form"

    answer = SharedAnswer(pb.SchemaChangeEvent(subject="s"))

    assert [answer.written(write) for _ in range(3)] == [b"form"] * 3
    assert len(wrote) == 1


def test_a_shared_answer_is_written_as_its_message_is() -> None:
    message = pb.SchemaChangeEvent(subject="s", revision="r")
    answer = SharedAnswer(message)

    assert serialized(answer) == serialized(message) == message.SerializeToString()
    assert render(answer) == render(message)
    assert render(answer) is render(answer)
    assert message_of(answer) is message_of(message) is message


async def test_subscribers_share_one_event() -> None:
    async with world() as registry:
        wire = CountingConvert()
        events = ChangeEvents(wire, registry.reading)

        first = [events.event(change(7)) for _ in range(1000)]

        assert len(set(map(id, first))) == 1
        assert wire.changes == 1
        assert message_of(first[0]).revision == wire.revision(7)  # type: ignore[attr-defined]


async def test_memory_for_events_is_bounded() -> None:
    async with world() as registry:
        events = ChangeEvents(CountingConvert(), registry.reading)
        for sequence in range(1, 3 * MOST_EVENTS):
            events.event(change(sequence))
        gc.collect()

        assert sum(isinstance(o, SharedAnswer) for o in gc.get_objects()) <= MOST_EVENTS


async def test_who_waits_at_the_same_moment_shares_the_schema_and_later_ones_see_it_as_it_is_then() -> None:
    async with world() as registry:
        wire = CountingConvert()
        events = ChangeEvents(wire, registry.reading)
        done = await registry.register("s", "a")
        told = change(1, done.version)

        together = await asyncio.gather(*(events.event_with_schema(told) for _ in range(50)))
        await _describe(registry, done.version, "new")
        later = await events.event_with_schema(told)

        assert (wire.changes, wire.schemas) == (2, 2)
        assert {message_of(e).schema.description for e in together} == {""}  # type: ignore[attr-defined]
        assert message_of(later).schema.description == "new"  # type: ignore[attr-defined]


@pytest.mark.parametrize("gone", [True, False])
async def test_without_a_version_the_event_has_no_schema(gone: bool) -> None:
    async with world() as registry:
        events = ChangeEvents(CountingConvert(), registry.reading)
        told = change(1)
        if gone:
            version = (await registry.register("s", "a")).version
            told = replace(change(1, version), schema_id="0198c0de-0000-7000-8000-000000000001")

        event = message_of(await events.event_with_schema(told))

        assert not event.HasField("schema")


async def test_an_event_with_its_schema_is_ready_a_moment_later_and_not_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(change_events, "READY_SECONDS", 0.2)
    async with world() as registry:
        wire = CountingConvert()
        events = ChangeEvents(wire, registry.reading)
        told = change(1, (await registry.register("s", "a")).version)

        assert [events.ready_with_schema(told) for _ in range(100)] == [None] * 100
        while (event := events.ready_with_schema(told)) is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert message_of(event).schema.subject == "s"  # type: ignore[attr-defined]
        assert events.ready_with_schema(told) is event
        assert (wire.changes, wire.schemas) == (1, 1)
        while events.ready:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert events.ready_with_schema(told) is None
        await asyncio.gather(*events.ready.making.values())


def together(*sequences: int) -> tuple[Change, ...]:
    return tuple(map(change, sequences))


async def test_who_asks_for_the_same_changes_shares_one_message() -> None:
    async with world() as registry:
        wire = CountingConvert()
        events = EventsTogether(ChangeEvents(wire, registry.reading), 10_000)
        told = together(3, 5, 9)

        found = [events.message(told) for _ in range(100)]
        found += [events.message(together(3, 5, 9)) for _ in range(100)]
        event, _ = found[0]
        message = message_of(event)

        assert {(id(made), held) for made, held in found} == {(id(event), 3)}
        assert wire.changes == 3
        assert isinstance(message, pb.SchemaChangeEvent)
        assert [e.revision for e in (message, *message.more)] == [wire.revision(n) for n in (3, 5, 9)]
        assert event.revision == wire.revision(9)
        assert events.message(together(3, 9))[0] is not event
        assert events.message(together(7)) == (events._events.event(change(7)), 1)


async def test_a_message_holds_what_fits_and_one_event_in_any_case() -> None:
    async with world() as registry:
        single = ChangeEvents(CountingConvert(), registry.reading)
        size = len(serialized(single.event(change(1))))
        told = together(*range(1, 301))

        for most, expected in ((1, 1), (2 * size, 1), (3 * size, 2), (1 << 20, 100)):
            event, count = EventsTogether(single, most).message(told)
            assert count == expected
            assert len(serialized(event)) <= max(most, size)


async def test_the_message_of_several_changes_is_written_apart_into_a_body() -> None:
    async with world() as registry:
        single = ChangeEvents(CountingConvert(), registry.reading)
        told = together(3, 5, 9)
        event, _ = EventsTogether(single, 10_000).message(told)
        alone = [single.event(c) for c in told]

        for style in (Lines(), Events()):
            assert style.item(event, first=True) == b"".join(style.item(e, first=False) for e in alone)
            assert style.item(event, first=True) is style.item(event, first=False)
        assert JsonArray().item(event, first=True) == b",".join(map(render, alone))
        assert JsonArray().item(event, first=False) == b"," + b",".join(map(render, alone))


async def test_changes_before_one_whose_schema_cannot_be_read_are_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world() as registry:
        single = ChangeEvents(CountingConvert(), registry.reading)
        events = EventsTogether(single, 1 << 20)
        versions = [(await registry.register(f"s{n}", "a")).version for n in range(1, 5)]
        told = tuple(change(n, version) for n, version in enumerate(versions, start=1))
        by_id = registry.reading.by_id

        async def broken(schema_id: str) -> FoundSchema:
            if schema_id == told[2].schema_id:
                raise StorageUnavailable("away")
            return await by_id(schema_id)

        monkeypatch.setattr(registry.reading, "by_id", broken)
        event, count = await events.message_with_schemas(told)
        message = message_of(event)
        assert isinstance(message, pb.SchemaChangeEvent)
        assert (count, [e.schema.subject for e in (message, *message.more)]) == (2, ["s1", "s2"])
        with pytest.raises(StorageUnavailable):
            await events.message_with_schemas(told[2:])
        assert events.ready_with_schemas(told) is None
        while (found := events.ready_with_schemas(told)) is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert found[1] == 2


async def _describe(registry: World, version: SchemaVersion, description: str) -> None:
    await registry.lifecycle.update(version.schema_id, Update(description=description), ADMIN)
