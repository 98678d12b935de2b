"""A change costs those whom it concerns, however many others there are, and nobody waits for long."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

import pytest

from llm_schema_registry_server.errors import InvalidRequest
from llm_schema_registry_server.model.change import Change, EventType
from llm_schema_registry_server.model.pattern import Glob, matches
from llm_schema_registry_server.model.pushed import Pushed
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.registry import catching_up, subscriber_index
from llm_schema_registry_server.registry.catching_up import CatchingUp
from llm_schema_registry_server.registry.fairness import MOST_WOKEN, Turns
from llm_schema_registry_server.registry.subscriber_index import SubscriberIndex
from llm_schema_registry_server.registry.subscribers import ChangeFilter, Offered, Subscriber

REGISTERED, DELETED = EventType.SCHEMA_REGISTERED, EventType.SCHEMA_DELETED


def change(name: str | None, sequence: int = 1, kind: EventType = REGISTERED) -> Change:
    subject = Subject.parse(name) if name else None
    return Change(kind, subject, "", "", 0, datetime(2026, 1, 1, tzinfo=UTC), "ada", sequence=sequence)


def following(index: SubscriberIndex, *subjects: str, kinds: tuple[EventType, ...] = ()) -> Subscriber:
    subscriber = Subscriber(ChangeFilter.of(subjects, kinds))
    index.add(subscriber)
    return subscriber


async def wanting(index: SubscriberIndex, told: Change) -> list[Subscriber]:
    return [subscriber async for group in index.wanting(told, Turns()) for subscriber in group]


def test_a_glob_matches_as_the_walk_over_the_name_does() -> None:
    chance = random.Random(7)
    for _ in range(20_000):
        pattern = "".join(chance.choices("ab*?", k=chance.randint(1, 7)))
        text = "".join(chance.choices("ab", k=chance.randint(0, 8)))
        if "*" in pattern or "?" in pattern:
            glob = Glob(pattern)
            assert glob.matches(text) == matches(pattern, text), (pattern, text)
            assert not glob.matches(text) or (text.startswith(glob.prefix) and glob.part in text)
    with pytest.raises(ValueError, match="no wildcard"):
        Glob("plain")


async def test_the_index_finds_exactly_those_who_want_a_change() -> None:
    chance = random.Random(11)

    def word(letters: str) -> str:
        return "".join(chance.choices(letters, k=chance.randint(1, 6)))

    index = SubscriberIndex()
    members = [
        following(index, *(word("ab.*?") for _ in range(chance.randint(0, 4))), kinds=kinds)
        for kinds in ((), (), (DELETED,))
        for _ in range(150)
    ]
    for _ in range(300):
        if chance.random() < 0.3:
            member = members.pop(chance.randrange(len(members)))
            index.remove(member)
            members.append(following(index, word("ab.*?")))
        told = change(
            chance.choice([word("ab."), word("ab."), None]), kind=chance.choice([REGISTERED, DELETED])
        )
        found = await wanting(index, told)
        assert set(found) == {m for m in members if m.interest.wants(told)}
        assert len(found) == len(set(found))
    for member in members:
        index.remove(member)
    assert len(index) == 0
    assert (index._groups, index._everything, index._by_name) == ({}, {}, {})
    assert not any(i._patterns or i._lengths for i in (index._by_prefix, index._by_suffix, index._by_part))


async def test_who_wants_the_same_is_looked_for_once_and_shares_the_filter() -> None:
    index = SubscriberIndex()
    members = [following(index, "a*", "*b", "c") for _ in range(500)]

    assert len({id(m.interest) for m in members}) == 1
    assert await wanting(index, change("xb")) == members


@pytest.mark.parametrize("shape", ["team{0}.{1}.*", "*.{1}.{0}", "*{0}x{1}*y?", "*{0}?{1}-*"])
async def test_patterns_of_others_are_not_tried(monkeypatch: pytest.MonkeyPatch, shape: str) -> None:
    index, tried = SubscriberIndex(), 0

    class Counting(Glob):
        __slots__ = ()

        def matches(self, text: str) -> bool:
            nonlocal tried
            tried += 1
            return super().matches(text)

    monkeypatch.setattr("llm_schema_registry_server.registry.subscribers.Glob", Counting)
    for stream in range(100):
        following(index, *(shape.format(stream, number) for number in range(100)))
    await wanting(index, change("orders.created.v1"))
    first = tried
    await wanting(index, change("orders.created.v1"))

    assert first < 200  # of 10,000
    assert tried == first  # the second time they are known


async def test_patterns_that_nothing_tells_apart_are_tried_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber_index, "_TRIES", 10)
    index, turns = SubscriberIndex(), Turns()
    monkeypatch.setattr(Turns, "due", True)
    others = 0

    async def other() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(other())
    for number in range(100):
        following(index, f"a*{'x' * number}")
    async for _ in index.wanting(change("abc"), turns):
        pass
    running.cancel()

    assert others >= 9


async def test_a_slice_ends_when_many_tasks_were_woken() -> None:
    turns = Turns()
    for _ in range(MOST_WOKEN):
        turns.woke()
    assert turns.due
    await turns.pause()
    assert not turns.due


def test_more_subjects_than_the_bound_are_refused_also_the_same_one_twice() -> None:
    with pytest.raises(
        InvalidRequest, match=r"has 10000 items; the limit is 100 \(setting changes.subjects_"
    ):
        ChangeFilter.of(["a.*"] * 10_000, [])
    assert ChangeFilter.of(["a.*", "a.*", "b", "b"], []) == ChangeFilter.of(["b", "a.*"], [])


class Wire:
    """Takes changes while it has room."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.answer = Pushed.SENT

    def push(self, told: Change) -> Pushed:
        if self.answer is Pushed.SENT:
            self.taken.append(told.sequence)
        return self.answer


def live(wire: Wire) -> tuple[Subscriber, asyncio.Task[bool]]:
    """A subscriber whose task waits for news, once the loop has had a turn."""
    subscriber = Subscriber(ChangeFilter.of([], []), wire.push)
    subscriber.live = True
    return subscriber, asyncio.create_task(subscriber.wait(None))


def pending(subscriber: Subscriber) -> list[int]:
    return [c.sequence for c in subscriber.pending]


async def test_a_push_is_tried_only_for_one_who_waits_with_nothing_pending() -> None:
    wire = Wire()
    subscriber = Subscriber(ChangeFilter.of([], []), wire.push)
    subscriber.live = True
    assert subscriber.offer(change("s", 1), 1.0) is Offered.DONE  # its task is at work: it comes by itself
    assert pending(subscriber) == [1]
    subscriber.pending.clear()
    subscriber.place = 1
    waiting = asyncio.create_task(subscriber.wait(None))
    await asyncio.sleep(0)
    assert subscriber.offer(change("s", 2), 5.0) is Offered.DONE
    assert (wire.taken, subscriber.place, subscriber.sent) == ([2], 2, 5.0)
    wire.answer = Pushed.NOT_YET
    assert subscriber.offer(change("s", 3), 6.0) is Offered.BEHIND
    wire.answer = Pushed.SENT
    assert subscriber.offer(change("s", 4), 7.0) is Offered.BEHIND  # behind one that waits
    assert (pending(subscriber), wire.taken, subscriber.place) == ([3, 4], [2], 2)

    assert subscriber.catch_up(8.0) == (2, False)
    assert (pending(subscriber), wire.taken, subscriber.place) == ([], [2, 3, 4], 4)
    assert subscriber.wake()
    assert await waiting


async def test_what_the_wire_cannot_take_is_left_to_the_subscribers_own_task() -> None:
    wire = Wire()
    subscriber, waiting = live(wire)
    await asyncio.sleep(0)
    wire.answer = Pushed.UNFIT
    assert subscriber.offer(change("s", 2), 1.0) is Offered.WOKEN
    assert (pending(subscriber), subscriber.place) == ([2], 1)
    assert await waiting

    subscriber, waiting = live(wire)
    await asyncio.sleep(0)
    wire.answer = Pushed.NOT_YET
    assert subscriber.offer(change("s", 2), 1.0) is Offered.BEHIND
    wire.answer = Pushed.UNFIT
    assert subscriber.catch_up(2.0) == (0, False)
    assert await waiting  # at once, without patience


async def test_nothing_is_sent_past_a_task_that_is_at_work() -> None:
    wire = Wire()
    subscriber, waiting = live(wire)
    await asyncio.sleep(0)
    wire.answer = Pushed.NOT_YET
    subscriber.offer(change("s", 2), 1.0)
    subscriber.wake()
    wire.answer = Pushed.SENT

    assert subscriber.catch_up(2.0) == (0, False)
    assert (pending(subscriber), wire.taken) == ([2], [])
    assert await waiting


async def test_a_push_that_fails_leaves_the_change_to_the_subscribers_own_task() -> None:
    def push(told: Change) -> Pushed:
        raise ZeroDivisionError

    subscriber = Subscriber(ChangeFilter.of([], []), push)
    subscriber.live = True
    waiting = asyncio.create_task(subscriber.wait(None))
    await asyncio.sleep(0)

    assert subscriber.offer(change("s", 2), 1.0) is Offered.WOKEN
    assert pending(subscriber) == [2]
    assert await waiting


async def test_all_who_are_behind_are_tried_again_without_waking_their_tasks() -> None:
    wires = [Wire() for _ in range(50)]
    subscribers = [live(wire) for wire in wires]
    await asyncio.sleep(0)
    behind = CatchingUp()
    for wire, (subscriber, _) in zip(wires, subscribers, strict=True):
        wire.answer = Pushed.NOT_YET
        for sequence in (1, 2, 3):
            assert subscriber.offer(change("s", sequence), 1.0) is Offered.BEHIND
            behind.add(subscriber)
        wire.answer = Pushed.SENT
    while len(behind):  # noqa: ASYNC110
        await asyncio.sleep(0.001)

    assert all(wire.taken == [1, 2, 3] for wire in wires)
    assert not any(waiting.done() for _, waiting in subscribers)
    for subscriber, waiting in subscribers:
        subscriber.wake()
        assert await waiting
    await behind.stop()


async def test_who_takes_nothing_for_long_is_left_to_its_own_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catching_up, "PATIENCE_SECONDS", 0.05)
    wire = Wire()
    subscriber, waiting = live(wire)
    await asyncio.sleep(0)
    wire.answer = Pushed.NOT_YET
    subscriber.offer(change("s", 1), 1.0)
    behind = CatchingUp()
    behind.add(subscriber)

    assert await waiting
    assert (pending(subscriber), len(behind)) == ([1], 0)
    await behind.stop()
