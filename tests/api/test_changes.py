"""StreamSchemaChanges: everything that was written, in order, once, from any revision on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from llm_schema_registry.v1 import config_pb2, lifecycle_pb2, schema_registry_pb2_grpc
from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import JSON, V1, V1_DESCRIBED, V2_COMPATIBLE, delete, register, update
from .server import ServerProcess
from .wires import CallFailed, GrpcWire, Wire

Name = Callable[[str], str]
E = pb.EventType


def stream(wire: Wire, **fields: Any) -> closing[Any]:
    """The events of a subscription, closed at the end of a `with` block."""
    return closing(wire.listing("StreamSchemaChanges", pb.StreamRequest(**fields)))


def apart(messages: Iterable[pb.SchemaChangeEvent]) -> Iterator[pb.SchemaChangeEvent]:
    """The events of these messages, one by one."""
    for message in messages:
        yield message
        yield from message.more


def kinds(events: list[pb.SchemaChangeEvent]) -> list[str]:
    return [E.Name(e.event_type).removeprefix("EVENT_TYPE_") for e in events]


def test_a_stream_replays_what_came_after_a_revision_and_goes_on_live(wire: Wire, name: Name) -> None:
    made = [register(wire, name("s"), content) for content in (V1, V1_DESCRIBED)]
    with stream(wire, from_revision=made[0].revision, subjects=[name("*")]) as events:
        replayed = next(events)
        made.append(register(wire, name("s"), V2_COMPATIBLE))
        live = next(events)

    assert [e.schema_id for e in (replayed, live)] == [m.schema_id for m in made[1:]]
    assert [e.revision for e in (replayed, live)] == [m.revision for m in made[1:]]
    assert (live.event_type, live.subject, live.version, live.ordinal) == (
        E.EVENT_TYPE_SCHEMA_REGISTERED,
        name("s"),
        "1.1.0",
        3,
    )
    assert live.timestamp.seconds
    assert live.changed_by
    assert live.correlation_id


def test_a_stream_from_now_on_tells_only_what_comes(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    with stream(wire, subjects=[name("*")], heartbeat_interval=Duration(seconds=1)) as events:
        beat = next(events)  # it listens
        second = register(wire, name("s"), V2_COMPATIBLE)
        event = next(e for e in events if not e.heartbeat)

    assert beat.heartbeat
    assert event.schema_id == second.schema_id


def test_every_kind_of_change_is_an_event(wire: Wire, name: Name) -> None:
    first = register(wire, name("s"))
    update(wire, first.schema_id, description="d")
    update(wire, first.schema_id, state=pb.SCHEMA_STATE_DEPRECATED)
    update(wire, first.schema_id, state=pb.SCHEMA_STATE_ARCHIVED)
    delete(wire, first.schema_id)
    wire.call("UndeleteSchema", lifecycle_pb2.UndeleteSchemaRequest(schema_id=first.schema_id))
    config = config_pb2.Config(compatibility_level=pb.COMPATIBILITY_LEVEL_NONE)
    wire.call("SetConfig", config_pb2.SetConfigRequest(subject=name("s"), config=config))
    with stream(wire, from_revision="earliest", subjects=[name("s")]) as events:
        told = list(islice(events, 7))

    assert kinds(told) == [
        "SCHEMA_REGISTERED",
        "SCHEMA_UPDATED",
        "SCHEMA_DEPRECATED",
        "SCHEMA_ARCHIVED",
        "SCHEMA_DELETED",
        "SCHEMA_UNDELETED",
        "CONFIG_UPDATED",
    ]
    assert dict(told[2].metadata)["from_state"].endswith("ACTIVE")
    assert [e.revision for e in told] == sorted({e.revision for e in told})


def test_subjects_and_kinds_filter(wire: Wire, name: Name) -> None:
    start = register(wire, name("start")).revision
    for subject in ("orders.a", "orders.b", "invoices.a"):
        made = register(wire, name(subject))
        update(wire, made.schema_id, state=pb.SCHEMA_STATE_DEPRECATED)
    register(wire, name("end"))

    def told(subjects: list[str], event_types: list[Any]) -> list[tuple[str, str]]:
        with stream(
            wire,
            from_revision=start,
            subjects=[name(s) for s in [*subjects, "end"]],
            event_types=[*event_types, E.EVENT_TYPE_SCHEMA_REGISTERED],
        ) as events:
            out: list[pb.SchemaChangeEvent] = []
            for event in events:
                if event.subject == name("end"):
                    break
                out.append(event)
        return [(e.subject.removeprefix(name("")), kind) for e, kind in zip(out, kinds(out), strict=True)]

    assert told(["orders.*"], []) == [
        ("orders.a", "SCHEMA_REGISTERED"),
        ("orders.b", "SCHEMA_REGISTERED"),
    ]
    assert told(["*.a"], [E.EVENT_TYPE_SCHEMA_DEPRECATED]) == [
        ("orders.a", "SCHEMA_REGISTERED"),
        ("orders.a", "SCHEMA_DEPRECATED"),
        ("invoices.a", "SCHEMA_REGISTERED"),
        ("invoices.a", "SCHEMA_DEPRECATED"),
    ]
    assert told(["orders.?"], []) == told(["orders.*"], [])
    assert told(["ORDERS.*"], []) == []


def test_an_event_carries_the_schema_when_asked_for(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    for wanted in (True, False):
        with stream(wire, from_revision="earliest", subjects=[name("s")], include_schema=wanted) as events:
            assert next(events).schema.schema_content == (V1 if wanted else b"")


def test_an_idle_stream_shows_that_it_lives(wire: Wire, name: Name) -> None:
    last = register(wire, name("s")).revision
    with stream(
        wire,
        from_revision=last,
        subjects=[name("nothing")],
        heartbeat_interval=Duration(seconds=1),
    ) as events:
        beat = next(events)

    assert beat.heartbeat
    assert beat.revision >= last
    assert not beat.schema_id


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"heartbeat_interval": Duration(seconds=-5)}, "heartbeat_interval", "must be 1 to 86400 s"),
        ({"heartbeat_interval": Duration(seconds=10**6)}, "heartbeat_interval", "must be 1 to 86400 s"),
        (
            {"heartbeat_interval": Duration(seconds=315_576_000_000)},
            "heartbeat_interval",
            "must be 1 to 86400",
        ),
        ({"subjects": ["a", "b" * 256]}, "subjects[1]", "must be 1 to 255 characters"),
        ({"gather": Duration(nanos=-1)}, "gather", "must be 0 to 5 s, for example 0.05s"),
        ({"gather": Duration(seconds=5, nanos=1)}, "gather", "must be 0 to 5 s"),
        ({"gather": Duration(seconds=315_576_000_000)}, "gather", "must be 0 to 5 s"),
    ],
)
def test_what_a_subscriber_cannot_ask_for_is_refused_by_name(
    wire: Wire, fields: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(CallFailed) as caught, stream(wire, **fields) as events:
        next(events)

    assert (caught.value.reason, caught.value.fields) == ("INVALID_REQUEST", (field,))
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        (
            {"subjects": ["a.*"] * 1_000},
            "subjects",
            "has 1000 items; the limit is 100 (setting changes.sub",
        ),
        ({"event_types": [E.EVENT_TYPE_SCHEMA_DELETED] * 1_000}, "event_types", "the limit is 100"),
    ],
)
def test_lists_that_are_too_long_are_refused_by_name(
    wire: Wire, fields: dict[str, Any], field: str, says: str
) -> None:
    if not isinstance(wire, GrpcWire):
        pytest.skip("a query string is bounded before")
    with pytest.raises(CallFailed) as caught, stream(wire, **fields) as events:
        next(events)

    assert (caught.value.reason, caught.value.fields) == ("INVALID_REQUEST", (field,))
    assert says in caught.value.message


def test_the_same_pattern_and_kind_twice_tells_once(wire: Wire, name: Name) -> None:
    wanted = {
        "subjects": [name("*"), name("*"), name("s")],
        "event_types": [E.EVENT_TYPE_SCHEMA_REGISTERED] * 3,
    }
    with stream(wire, heartbeat_interval=Duration(seconds=1), **wanted) as events:
        next(events)
        made = [register(wire, name("s")), register(wire, name("t"))]
        told = list(islice((e for e in events if not e.heartbeat), 2))

    assert [e.schema_id for e in told] == [m.schema_id for m in made]


def test_a_heartbeat_more_often_than_once_a_second_is_refused(wire: Wire) -> None:
    with (
        pytest.raises(CallFailed) as caught,
        stream(wire, heartbeat_interval=Duration(nanos=1)) as events,
    ):
        next(events)

    assert (caught.value.reason, caught.value.fields) == ("INVALID_REQUEST", ("heartbeat_interval",))


@pytest.mark.parametrize("gather", [None, Duration(), Duration(nanos=20_000_000)])
def test_many_writers_are_told_in_the_order_of_their_revisions_each_once(
    wire: Wire, name: Name, gather: Duration | None
) -> None:
    start = register(wire, name("start")).revision
    made: list[pb.RegisterSchemaResponse] = []

    def write(writer: int) -> None:
        made.extend(register(wire, name(f"w{writer}"), V1 + b" " * n) for n in range(10))

    writers = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    with stream(wire, from_revision=start, subjects=[name("w*")], gather=gather) as events:
        for writer in writers:
            writer.start()
        told = list(islice(apart(events), 80))
    for writer in writers:
        writer.join()

    expected = sorted(made, key=lambda m: m.revision)
    assert [(e.revision, e.schema_id) for e in told] == [(m.revision, m.schema_id) for m in expected]


def test_a_stream_broken_anywhere_resumes_without_gap_or_duplicate(wire: Wire, name: Name) -> None:
    made = [register(wire, name("s"), V1 + b" " * n) for n in range(12)]

    def pieces() -> Iterator[str]:
        revision = "earliest"
        while revision != made[-1].revision:
            with stream(wire, from_revision=revision, subjects=[name("s")]) as events:
                for event in islice(events, 5 if revision == "earliest" else 1):
                    revision = event.revision
                    yield event.schema_id

    assert list(pieces()) == [m.schema_id for m in made]


def test_what_is_there_comes_together_where_that_is_asked_for(wire: Wire, name: Name) -> None:
    made = [register(wire, name("s"), V1 + b" " * n) for n in range(12)]
    with stream(wire, from_revision="earliest", subjects=[name("s")], gather=Duration(seconds=1)) as events:
        messages: list[pb.SchemaChangeEvent] = []
        while len(list(apart(messages))) < 12:
            messages.append(next(events))
    told = list(apart(messages))

    assert [(e.revision, e.schema_id) for e in told] == [(m.revision, m.schema_id) for m in made]
    # Over HTTP each is an event of its own, with an id of its own.
    assert len(messages) < 12 if isinstance(wire, GrpcWire) else len(messages) == 12
    assert not any(inner.more for message in messages for inner in message.more)
    with stream(
        wire, from_revision=made[4].revision, subjects=[name("s")], gather=Duration(seconds=1)
    ) as events:
        assert next(events).revision == made[5].revision


def test_a_change_after_a_silence_comes_at_once_and_those_after_it_together(
    engine: ServerProcess, name: Name
) -> None:
    wire = GrpcWire("", engine.grpc)
    asked = {
        "subjects": [name("s*")],
        "gather": Duration(seconds=5),
        "heartbeat_interval": Duration(seconds=1),
    }
    with stream(wire, **asked) as events:
        assert next(events).heartbeat  # it listens
        first = register(wire, name("s"))
        told = (event for event in events if not event.heartbeat)
        alone = next(told)
        made = [register(wire, name(f"s{n}")) for n in range(5)]
        messages: list[pb.SchemaChangeEvent] = []
        while len(list(apart(messages))) < 5:
            messages.append(next(told))
    wire.close()

    assert (alone.revision, len(alone.more)) == (first.revision, 0)
    assert [e.revision for e in apart(messages)] == [m.revision for m in made]
    assert len(messages) < 5


def test_messages_with_many_schemas_stay_small(wire: Wire, name: Name) -> None:
    sizes = [100, 9_000, 9_000, 9_000, 9_000, 9_000, 100_000, 100, 100, 100_000]
    made = [register(wire, name("s"), V1 + b" " * (n + size)) for n, size in enumerate(sizes)]
    with stream(
        wire,
        from_revision="earliest",
        subjects=[name("s")],
        gather=Duration(seconds=1),
        include_schema=True,
    ) as events:
        messages: list[pb.SchemaChangeEvent] = []
        while len(list(apart(messages))) < len(made):
            messages.append(next(events))

    assert [e.schema.id for e in apart(messages)] == [m.schema_id for m in made]
    assert [len(e.schema.schema_content) - len(V1) - n for n, e in enumerate(apart(messages))] == sizes
    assert all(message.ByteSize() <= 32_768 for message in messages if message.more)
    assert isinstance(wire, GrpcWire) is any(message.more for message in messages)


async def test_a_stream_tells_that_it_stands_before_anything_happens(engine: ServerProcess) -> None:
    async with grpc.aio.insecure_channel(engine.grpc) as channel:
        stub = schema_registry_pb2_grpc.SchemaRegistryStub(channel)
        changes = stub.StreamSchemaChanges(pb.StreamRequest(subjects=["stands.*"]))
        await changes.initial_metadata()
        # Whoever has the initial metadata misses nothing that happens from now on.
        request = pb.RegisterSchemaRequest(subject="stands.now", schema_content=V1, schema_type=JSON)
        done = await stub.RegisterSchema(request)

        assert (await changes.read()).schema_id == done.schema_id
        changes.cancel()
