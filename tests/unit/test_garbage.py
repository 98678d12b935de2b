"""Garbage is collected in pieces that hold up no call: what is old is not visited again, what is young is still collected."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from llm_schema_registry_server import garbage
from llm_schema_registry_server.garbage import GarbageCollection

in_pieces = pytest.mark.skipif(not garbage.IN_PIECES, reason="Python collects in pieces by itself")


class Circle:
    """Refers to itself, so that only the collector frees it."""

    alive = 0

    def __init__(self) -> None:
        self.itself = self
        Circle.alive += 1

    def __del__(self) -> None:
        Circle.alive -= 1


class Blocks:
    """How many blocks of memory there are."""

    def __init__(self) -> None:
        self.now = 1000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def blocks() -> Blocks:
    return Blocks()


@pytest.fixture
async def collection(blocks: Blocks) -> AsyncIterator[GarbageCollection]:
    """The collector as a server has it, and at the end as it was."""
    Circle.alive = 0
    made = GarbageCollection(blocks)
    made.start()
    yield made
    await made.stop()


def collections_of_all() -> int:
    return int(gc.get_stats()[2]["collections"])


def makes_objects(count: int) -> list[list[int]]:
    return [[] for _ in range(count)]


@pytest.mark.usefixtures("collection")
async def test_what_there_is_at_the_start_is_not_visited_again_and_later_circles_are_still_collected() -> (
    None
):
    assert gc.get_freeze_count() > 10_000
    Circle()
    assert Circle.alive == 1
    while Circle.alive:  # the collector comes by itself
        makes_objects(10_000)


@in_pieces
@pytest.mark.usefixtures("collection")
async def test_what_grows_old_is_frozen_and_everything_is_never_visited_at_once() -> None:
    before, frozen = collections_of_all(), gc.get_freeze_count()
    kept = makes_objects(300_000)
    assert collections_of_all() == before
    assert gc.get_freeze_count() > frozen + 250_000
    assert len(gc.get_objects()) < 50_000
    del kept


@in_pieces
async def test_circles_that_were_frozen_are_collected_when_there_is_twice_as_much(
    collection: GarbageCollection, blocks: Blocks
) -> None:
    circle = Circle()
    kept = makes_objects(100_000)  # the circle grows old meanwhile
    del circle
    gc.collect()
    assert Circle.alive == 1
    blocks.now = 1999
    assert not collection.collect_if_grown()
    assert Circle.alive == 1
    blocks.now = 2000
    assert collection.collect_if_grown()
    assert Circle.alive == 0
    assert not collection.collect_if_grown()
    blocks.now = 4000
    assert collection.collect_if_grown()
    del kept


@in_pieces
async def test_it_is_looked_at_by_itself(
    collection: GarbageCollection, blocks: Blocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    await collection.stop()
    monkeypatch.setattr(garbage, "EVERY_SECONDS", 0.01)
    collection.start()
    before = collections_of_all()
    blocks.now = 5000
    while collections_of_all() == before:  # noqa: ASYNC110 - the collector tells nobody
        await asyncio.sleep(0.01)


async def test_at_the_end_the_collector_is_as_it_was() -> None:
    before = gc.get_threshold(), list(gc.callbacks)
    made = GarbageCollection()
    made.start()
    assert gc.get_threshold() != before[0]
    await made.stop()
    assert (gc.get_threshold(), list(gc.callbacks)) == before
    assert gc.get_freeze_count() == 0
