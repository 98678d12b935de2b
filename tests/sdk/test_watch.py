"""A watch goes on for ever: it resumes after what it gave out, and tells only what it cannot mend."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from llm_schema_registry import Code, RetryPolicy, RevisionCompacted, SchemaRegistry, Unavailable
from llm_schema_registry._calls.changes import GATHER, subscription
from llm_schema_registry._retry import Attempts
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.sdk.conftest import Face, collect
from tests.sdk.fake_registry import Failure, FakeRegistry, Script, answers, fails

BROKEN = Failure(Code.UNAVAILABLE)


def event(number: int) -> pb.SchemaChangeEvent:
    return pb.SchemaChangeEvent(
        event_type=pb.EVENT_TYPE_SCHEMA_REGISTERED, subject=f"s{number}", revision=f"r.{number}"
    )


def heartbeat(number: int) -> pb.SchemaChangeEvent:
    return pb.SchemaChangeEvent(heartbeat=True, revision=f"r.{number}")


def goes_on(*events: pb.SchemaChangeEvent) -> Script:
    """Send these and then nothing, as a live stream does."""

    async def script(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        await anext(requests)
        for e in events:
            yield e
        await asyncio.Event().wait()

    return script


async def watched(client: Face, count: int, **options: Any) -> tuple[list[str], str]:
    """The subjects of the first events, and the watch's revision after them."""
    watch = client.watch(**options)
    events = await collect(watch, count)
    await watch.aclose()
    return [e.subject for e in events], watch.revision


@pytest.mark.parametrize(
    "interruption",
    [
        BROKEN,
        Failure(Code.UNAVAILABLE, reason="SHUTTING_DOWN", metadata={"revision": "r.2"}),
        Failure(Code.ABORTED, reason="SUBSCRIBER_TOO_SLOW", metadata={"revision": "r.2"}),
        Failure(Code.ABORTED, reason="READER_STALLED"),
        Failure(Code.CANCELLED),
        None,
    ],
    ids=["broken", "shutting down", "too slow", "too slow for server 0.1", "cancelled", "ended"],
)
async def test_a_watch_resumes_after_the_last_event(
    interruption: Failure | None, fake: FakeRegistry, client: Face, caplog: pytest.LogCaptureFixture
) -> None:
    fake.script(
        "StreamSchemaChanges", answers(event(1), event(2), then=interruption), goes_on(event(3), event(4))
    )

    with caplog.at_level(logging.WARNING):
        subjects, revision = await watched(client, 4, from_revision="r.0", subjects=["s*"])
    assert subjects == ["s1", "s2", "s3", "s4"]
    assert revision == "r.4"
    requests = [call.request for call in fake.calls["StreamSchemaChanges"]]
    assert [r.from_revision for r in requests] == ["r.0", "r.2"]
    assert [list(r.subjects) for r in requests] == [["s*"], ["s*"]]
    assert "resuming from revision 'r.2'" in caplog.text


def together(*numbers: int) -> pb.SchemaChangeEvent:
    """One message with several events."""
    first, *more = map(event, numbers)
    first.more.extend(more)
    return first


async def test_changes_of_one_message_are_given_out_one_by_one(fake: FakeRegistry, client: Face) -> None:
    fake.script("StreamSchemaChanges", goes_on(together(1, 2, 3), event(4), together(5, 6)))

    watch = client.watch()
    places = []
    for number in range(1, 7):
        (found,) = await collect(watch, 1)
        places.append((found.subject, found.revision, watch.revision))
        assert found.revision == f"r.{number}"
    await watch.aclose()
    assert places == [(f"s{n}", f"r.{n}", f"r.{n}") for n in range(1, 7)]


async def test_a_watch_that_is_left_in_the_middle_of_a_message_resumes_there(
    fake: FakeRegistry, client: Face
) -> None:
    fake.script("StreamSchemaChanges", goes_on(together(1, 2, 3)), goes_on(together(3, 4)))

    assert await watched(client, 2) == (["s1", "s2"], "r.2")
    assert await watched(client, 2, from_revision="r.2") == (["s3", "s4"], "r.4")


async def test_what_came_in_a_message_is_given_out_before_the_watch_goes_on_elsewhere(
    fake: FakeRegistry, client: Face
) -> None:
    fake.script("StreamSchemaChanges", answers(together(1, 2, 3), then=BROKEN), goes_on(event(4)))

    assert await watched(client, 4) == (["s1", "s2", "s3", "s4"], "r.4")
    assert [call.request.from_revision for call in fake.calls["StreamSchemaChanges"]] == ["", "r.3"]


async def test_a_watch_asks_for_changes_together_unless_it_is_told_not_to(
    fake: FakeRegistry, client: Face
) -> None:
    for _ in range(3):  # a server that knows nothing of it
        fake.script("StreamSchemaChanges", goes_on(event(1), event(2)))
    assert await watched(client, 2) == (["s1", "s2"], "r.2")
    assert await watched(client, 2, gather=2.5) == (["s1", "s2"], "r.2")
    assert await watched(client, 2, gather=None) == (["s1", "s2"], "r.2")

    first, second, third = (call.request for call in fake.calls["StreamSchemaChanges"])
    assert first.gather.ToTimedelta().total_seconds() == GATHER
    assert second.gather.ToTimedelta().total_seconds() == 2.5
    assert not third.HasField("gather")


async def test_heartbeats_are_hidden_but_move_the_revision(fake: FakeRegistry, client: Face) -> None:
    fake.script(
        "StreamSchemaChanges", answers(event(1), heartbeat(7), then=BROKEN), goes_on(heartbeat(8), event(9))
    )

    assert await watched(client, 2) == (["s1", "s9"], "r.9")
    assert fake.calls["StreamSchemaChanges"][1].request.from_revision == "r.7"


async def test_heartbeats_are_shown_to_who_asks(fake: FakeRegistry, client: Face) -> None:
    fake.script("StreamSchemaChanges", goes_on(heartbeat(7)))

    watch = client.watch(heartbeats=True)
    (sign,) = await collect(watch, 1)
    await watch.aclose()
    assert sign.heartbeat
    assert sign.revision == "r.7"


async def test_a_silent_connection_is_replaced(fake: FakeRegistry, client: Face) -> None:
    fake.script("StreamSchemaChanges", goes_on(event(1)), goes_on(event(2)))

    assert await watched(client, 2, patience=0.2) == (["s1", "s2"], "r.2")


async def test_a_connected_watch_outlives_any_outage(fake: FakeRegistry, client: Face) -> None:
    outage = [fails(Code.UNAVAILABLE)] * 20
    fake.script("StreamSchemaChanges", answers(event(1), then=BROKEN), *outage, goes_on(event(2)))

    assert await watched(client, 2) == (["s1", "s2"], "r.2")


async def test_a_watch_that_never_connected_fails_as_any_call(fake: FakeRegistry, client: Face) -> None:
    fake.script("StreamSchemaChanges", fails(Code.UNAVAILABLE))

    with pytest.raises(Unavailable):
        await watched(client, 1)
    assert len(fake.calls["StreamSchemaChanges"]) == 4


async def test_a_compacted_revision_is_told_and_ends_the_watch(fake: FakeRegistry, client: Face) -> None:
    compacted = fails(
        Code.OUT_OF_RANGE, reason="REVISION_COMPACTED", metadata={"revision": "r.0", "oldest": "r.5"}
    )
    fake.script("StreamSchemaChanges", compacted)

    watch = client.watch(from_revision="r.0")
    with pytest.raises(RevisionCompacted) as caught:
        await collect(watch, 1)
    assert caught.value.oldest == "r.5"
    assert await collect(watch) == []


async def test_a_closed_watch_is_over(fake: FakeRegistry, client: Face) -> None:
    fake.script("StreamSchemaChanges", goes_on(event(1), event(2)))

    watch = client.watch()
    await collect(watch, 1)
    await watch.aclose()
    assert await collect(watch) == []


async def test_closing_from_another_thread_ends_a_waiting_watch(fake: FakeRegistry) -> None:
    fake.script("StreamSchemaChanges", goes_on(event(1)))
    with SchemaRegistry(fake.target) as client:
        watch = client.watch()
        assert (await asyncio.to_thread(next, watch)).subject == "s1"
        waiting = asyncio.create_task(asyncio.to_thread(list, watch))
        await asyncio.to_thread(watch.close)
        assert await waiting == []


async def test_a_heartbeat_under_a_second_is_refused(client: Face) -> None:
    with pytest.raises(ValueError, match="shortest is 1 s"):
        await watched(client, 1, heartbeat=0.5)


def test_a_lost_connection_is_one_line_however_many_tries_it_takes(caplog: pytest.LogCaptureFixture) -> None:
    state = subscription(
        Attempts(RetryPolicy(first=0, longest=0), None),
        subjects=(),
        event_types=(),
        from_revision="r.1",
        include_schema=False,
        heartbeat=5,
        patience=None,
        heartbeats=True,
        gather=None,
    )
    state.received(pb.SchemaChangeEvent(heartbeat=True, revision="r.2"))
    assert state.next() == pb.SchemaChangeEvent(heartbeat=True, revision="r.2")
    for _ in range(5):
        state.failed(Unavailable("gone", reason="UNAVAILABLE"))
    state.received(pb.SchemaChangeEvent(heartbeat=True, revision="r.3"))

    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [line.split(" (")[0] for line in told] == [
        "watch interrupted",
        "watch connected again, from revision 'r.2'",
    ]
