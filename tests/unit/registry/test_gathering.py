"""Changes that go out together are those that would go out one by one: none lost, none twice, in order; and none waits longer than asked."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_registry_server.errors import InvalidRequest, ShuttingDown
from llm_schema_registry_server.model.change import Change, EventType, format_revision, parse_revision
from llm_schema_registry_server.model.pushed import Pushed
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry.catching_up import CatchingUp
from llm_schema_registry_server.registry.fairness import Turns
from llm_schema_registry_server.registry.gathering import (
    MOST_TOGETHER,
    Beats,
    GatheringSubscriber,
    Together,
)
from llm_schema_registry_server.registry.subscriber_index import SubscriberIndex
from llm_schema_registry_server.registry.subscribers import MOST_PENDING, ChangeFilter, Offered
from llm_schema_registry_server.registry.subscribing import Heartbeat
from tests.support.registry import World, world

ALL = ChangeFilter.of([], [])


def change(sequence: int, name: str = "s") -> Change:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Change(EventType.SCHEMA_REGISTERED, Subject.parse(name), "", "", 0, at, "ada", sequence=sequence)


class Wire:
    """Takes so many changes of a message, as long as it has room."""

    def __init__(self) -> None:
        self.messages: list[Together] = []
        self.answer, self.most = Pushed.SENT, MOST_TOGETHER

    def push(self, changes: Together) -> tuple[Pushed, int]:
        if self.answer is not Pushed.SENT:
            return self.answer, 0
        self.messages.append(changes if len(changes) <= self.most else changes[: self.most])
        return Pushed.SENT, len(self.messages[-1])

    @property
    def taken(self) -> list[list[int]]:
        return [[told.sequence for told in message] for message in self.messages]


class Registry:
    """Subscribers that gather, by a clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 100.0
        self.behind = CatchingUp()
        self.beats = Beats(self.behind, lambda: self.now)
        self.index = SubscriberIndex(self.beats.note)
        self.turns = Turns()
        self.waiting: list[asyncio.Task[bool]] = []

    async def subscriber(self, seconds: float, *subjects: str) -> tuple[GatheringSubscriber, Wire]:
        wire = Wire()
        made = GatheringSubscriber(ChangeFilter.of(subjects, []), seconds, wire.push)
        self.index.add(made)
        made.live = True
        self.waiting.append(asyncio.create_task(made.wait(None)))
        await asyncio.sleep(0)
        return made, wire

    async def happens(self, *changes: Change, served: bool = True) -> None:
        for told in changes:
            assert [group async for group in self.index.wanting(told, self.turns)] == []
        if served:
            await self.beats.serve(self.turns)

    async def passes(self, seconds: float) -> None:
        self.now += seconds
        await self.beats.serve(self.turns)


async def test_a_lone_change_goes_out_at_once_and_those_of_a_burst_at_the_next_beat() -> None:
    registry = Registry()
    _, wire = await registry.subscriber(0.5)
    await registry.happens(change(1))
    assert wire.taken == [[1]]
    assert registry.beats.seconds() is None

    await registry.passes(0.2)
    await registry.happens(change(2))
    await registry.happens(change(3))
    assert (wire.taken, registry.beats.seconds()) == ([[1]], pytest.approx(0.3))
    await registry.passes(0.2)
    assert wire.taken == [[1]]
    await registry.passes(0.2)
    assert wire.taken == [[1], [2, 3]]
    await registry.happens(change(4))
    assert wire.taken == [[1], [2, 3]]
    await registry.passes(0.5)
    assert wire.taken == [[1], [2, 3], [4]]
    await registry.passes(0.5)
    await registry.happens(change(5))
    assert wire.taken[3:] == [[5]]


async def test_all_that_is_there_goes_out_together_where_nothing_is_held_back() -> None:
    registry = Registry()
    _, wire = await registry.subscriber(0.0)
    await registry.happens(change(1), change(2), change(3))
    await registry.happens(change(4))

    assert wire.taken == [[1, 2, 3], [4]]


async def test_enough_for_a_message_does_not_wait() -> None:
    registry = Registry()
    _, wire = await registry.subscriber(5.0)
    await registry.happens(change(1))
    await registry.happens(*map(change, range(2, MOST_TOGETHER + 1)))
    assert len(wire.taken) == 1
    await registry.happens(change(MOST_TOGETHER + 1))

    assert wire.taken[1:] == [list(range(2, MOST_TOGETHER + 2))]


async def test_those_who_want_the_same_are_sent_the_same_range_once_made() -> None:
    registry = Registry()
    same = [await registry.subscriber(0.5) for _ in range(40)]
    other, narrow = await registry.subscriber(0.25), await registry.subscriber(0.5, "a*")
    await registry.happens(change(1, "a"), change(2, "b"), change(3, "a"))

    messages = [message for _, wire in same for message in wire.messages]
    assert len(messages) == 40
    assert all(message is messages[0] for message in messages)
    assert [wire.taken for _, wire in (same[0], other, narrow)] == [[[1, 2, 3]], [[1, 2, 3]], [[1, 3]]]


async def test_nothing_counts_as_complete_that_is_held_back() -> None:
    registry = Registry()
    subscriber, wire = await registry.subscriber(0.5)
    await registry.happens(change(3))
    assert subscriber.complete(7) == 7
    await registry.happens(change(9))
    assert subscriber.complete(12) == 8
    await registry.passes(0.5)
    assert (wire.taken, subscriber.complete(12), subscriber.place) == ([[3], [9]], 12, 9)


async def test_while_a_range_goes_out_it_is_not_complete_for_those_who_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry = Registry()
    members = [await registry.subscriber(0.5) for _ in range(40)]
    seen: list[int] = []

    async def pause(turns: Turns) -> None:
        seen.append(members[-1][0].complete(20))

    monkeypatch.setattr(Turns, "pause_if_due", pause)
    await registry.happens(change(5), change(6))

    assert seen == [4, 4, 4]
    assert members[-1][0].complete(20) == 20


async def test_who_comes_in_between_is_sent_what_follows_its_place() -> None:
    registry = Registry()
    _, early = await registry.subscriber(0.5)
    await registry.happens(change(1))
    await registry.happens(change(2), change(3))
    late, wire = await registry.subscriber(0.5)
    late.place = 2  # so far it has read by itself
    gone, nothing = await registry.subscriber(0.5)
    registry.index.remove(gone)
    reading, itself = await registry.subscriber(0.5)
    reading.live = False
    await registry.happens(change(4))
    await registry.passes(0.5)

    assert [w.taken for w in (early, wire, nothing, itself)] == [[[1], [2, 3, 4]], [[3, 4]], [], []]


async def test_what_does_not_fit_into_a_message_goes_out_in_the_next() -> None:
    registry = Registry()
    subscriber, wire = await registry.subscriber(0.5)
    wire.most = 2
    await registry.happens(*map(change, range(1, 6)))

    assert wire.taken == [[1, 2]]
    assert [told.sequence for told in subscriber.pending] == [3, 4, 5]
    assert (subscriber.place, len(registry.behind)) == (2, 1)
    assert subscriber.catch_up(7.0) == (3, False)
    assert (wire.taken, subscriber.place, subscriber.sent) == ([[1, 2], [3, 4], [5]], 5, 7.0)
    await registry.behind.stop()


@pytest.mark.parametrize("answer", [Pushed.NOT_YET, Pushed.PACED])
async def test_what_the_wire_has_no_room_for_waits_with_what_follows(answer: Pushed) -> None:
    registry = Registry()
    subscriber, wire = await registry.subscriber(0.5)
    wire.answer = answer
    await registry.happens(change(1), change(2))
    await registry.passes(0.5)
    await registry.happens(change(3))
    assert subscriber.catch_up(1.0) == (0, answer is Pushed.PACED)
    wire.answer = Pushed.SENT

    assert subscriber.catch_up(1.0) == (3, False)
    assert wire.taken == [[1, 2, 3]]
    assert not registry.waiting[0].done()
    await registry.behind.stop()


async def test_what_only_the_task_can_send_wakes_it() -> None:
    registry = Registry()
    subscriber, wire = await registry.subscriber(0.5)
    wire.answer = Pushed.UNFIT
    await registry.happens(change(1), change(2))

    assert await registry.waiting[0]
    assert [told.sequence for told in subscriber.pending] == [1, 2]


async def test_a_push_that_fails_leaves_the_changes_to_the_task() -> None:
    def push(changes: Together) -> tuple[Pushed, int]:
        raise ZeroDivisionError

    registry = Registry()
    subscriber, _ = await registry.subscriber(0.5)
    subscriber.push_together = push
    await registry.happens(change(1), change(2))

    assert await registry.waiting[0]
    assert not subscriber.pushes
    assert [told.sequence for told in subscriber.pending] == [1, 2]


async def test_who_falls_far_behind_reads_the_log() -> None:
    registry = Registry()
    subscriber, wire = await registry.subscriber(0.0)
    wire.answer = Pushed.NOT_YET
    for sequence in range(1, MOST_PENDING + 1, MOST_TOGETHER):
        await registry.happens(*map(change, range(sequence, sequence + MOST_TOGETHER)))
    assert (len(subscriber.pending), subscriber.live) == (MOST_PENDING, True)
    await registry.happens(change(MOST_PENDING + 1))

    assert await registry.waiting[0]
    assert (len(subscriber.pending), subscriber.live, subscriber.place) == (0, False, 0)
    assert subscriber.offer_all((change(MOST_PENDING + 2),), 1.0) is Offered.DONE
    await registry.behind.stop()


def test_groups_are_forgotten_with_their_last_member() -> None:
    index = SubscriberIndex()
    members = [GatheringSubscriber(ALL, seconds) for seconds in (0.1, 0.1, 0.2)]
    for member in members:
        index.add(member)
    assert (len(index.gathered), members[0].gathered) == (2, members[1].gathered)
    for member in members:
        index.remove(member)
    assert (len(index), index.gathered, index._groups, index._everything) == (0, [], {}, {})


@pytest.mark.parametrize("seconds", [-0.001, 5.001, 1e12])
async def test_a_time_that_cannot_be_is_refused_by_name(registry: World, seconds: float) -> None:
    with pytest.raises(InvalidRequest, match=r"gather.*0 to 5 s, for example 0.05s"):
        registry.subscribing.gather(seconds)
    assert [registry.subscribing.gather(good) for good in (0, 0.05, 5)] == [0, 0.05, 5]


class Follower:
    """A subscriber on a wire that has room by chance, and that breaks by chance, also in the middle of a message."""

    def __init__(self, registry: World, chance: random.Random) -> None:
        self._registry, self._chance = registry, chance
        self.interest = ChangeFilter.of(
            chance.choice([[], ["a*"], ["a", "b?"], ["*1"]]),
            chance.choice([[], [], [EventType.SCHEMA_REGISTERED]]),
        )
        self._gather = chance.choice([0.0, 0.001, 0.02, 5.0])
        self._pushes = chance.random() < 0.7
        self.start = 0
        self.got: list[Change] = []
        self._before = 0
        self.complete: list[tuple[int, int]] = []
        self._failing = 0.3
        self.task = asyncio.create_task(self._run())

    def _push(self, changes: Together) -> tuple[Pushed, int]:
        if self._chance.random() < self._failing:
            return self._chance.choice([Pushed.NOT_YET, Pushed.PACED, Pushed.UNFIT]), 0
        taken = self._chance.randint(1, len(changes))
        self._take(changes[:taken])
        return Pushed.SENT, taken

    def _take(self, changes: Sequence[Change]) -> None:
        self._before = len(self.got)
        self.got.extend(changes)

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._chance.uniform(0.005, 0.2)):
                    await self._follow()
            if self.got:  # some of the last message were lost with the connection
                del self.got[self._chance.randint(self._before, len(self.got)) :]
                self._before = min(self._before, len(self.got))

    async def _follow(self) -> None:
        place = self.got[-1].sequence if self.got else self.start
        revision = format_revision(self._registry.store.registry_id, place)
        stream = self._registry.subscribing.together(
            self.interest, revision, None, self._gather, self._push if self._pushes else None
        )
        async with aclosing(stream) as found:
            async for item in found:
                if isinstance(item, Heartbeat):
                    self.complete.append((item.sequence, len(self.got)))
                else:
                    await asyncio.sleep(self._chance.choice([0, 0, 0.003]))
                    self._take(item)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})


@pytest.mark.parametrize("seed", range(6))
async def test_random_bursts_reach_everybody_as_they_are_in_the_log(seed: int) -> None:
    chance = random.Random(seed)
    async with world() as registry:
        followers = [Follower(registry, chance) for _ in range(20)]
        names = ["a", "b1", "a1", "c"]
        for name in names:
            await registry.register(name, "w", level=CompatibilityLevel.NONE)
        for burst in range(30):
            for number in range(chance.choice([1, 1, 3, 40])):
                await registry.register(chance.choice(names), f"w{burst} {number}")
            await asyncio.sleep(chance.choice([0, 0.001, 0.01, 0.03]))
        log = await registry.changes()
        for follower in followers:
            wanted = [c for c in log if follower.interest.wants(c)]
            while len(follower.got) < len(wanted):  # noqa: ASYNC110  # it breaks off and goes on by itself
                await asyncio.sleep(0.005)
            assert follower.got == wanted
            for sequence, had in follower.complete:
                assert sum(c.sequence <= sequence for c in wanted) == had
            await follower.stop()
        assert registry.feed.subscribers == 0


async def test_signs_of_life_do_not_run_ahead_of_what_is_held_back(registry: World) -> None:
    wire = Wire()
    stream = registry.subscribing.together(ALL, "", 1.0, 5.0, wire.push)
    async with aclosing(stream):
        await anext(stream)
        following: asyncio.Future[Any] = asyncio.ensure_future(anext(stream))
        first = (await registry.register("s", "a")).version
        while not wire.messages:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        for text in ("a b", "a b c"):
            await registry.register("s", text)
        sign = await following

    assert isinstance(sign, Heartbeat)
    assert [told.schema_id for message in wire.messages for told in message] == [first.schema_id]
    assert sign == Heartbeat(wire.messages[-1][-1].sequence)


async def test_closing_names_the_place_before_what_is_held_back(registry: World) -> None:
    wire = Wire()
    stream = registry.subscribing.together(ALL, "", None, 5.0, wire.push)
    async with aclosing(stream):
        await anext(stream)
        following: asyncio.Future[Any] = asyncio.ensure_future(anext(stream))
        await registry.register("s", "a")
        while not wire.messages:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        for text in ("a b", "a b c"):
            await registry.register("s", text)
        newest = (await registry.changes())[-1].sequence
        while registry.feed.offered < newest:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        registry.feed.close()
        with pytest.raises(ShuttingDown) as end:
            await following

    place = parse_revision(registry.store.registry_id, str(end.value.metadata["revision"]))
    told = [c for message in wire.messages for c in message]
    assert [c for c in await registry.changes() if c.sequence <= place] == told
