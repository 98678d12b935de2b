"""Calls that come while others are under way go on together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from llm_schema_registry_server.storage.postgres.batching import FEW, Batcher


class Bakery:
    """Answers numbers with their doubles, a batch at a time, when the test lets it."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()

    async def run(self, numbers: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(numbers))
        await self.open.wait()
        if -1 in numbers:
            raise ConnectionError("away")
        if -2 in numbers:
            raise ValueError("no such number")
        return [2 * number for number in numbers]

    def gathering(self, lanes: int = 1, most: int = 10) -> Batcher[int, int]:
        return Batcher(
            self.run,
            name="bake",
            lanes=lanes,
            most=most,
            common=ConnectionError,
            conflict_key=lambda n: n % 100,
        )


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_comes_meanwhile_goes_together_and_no_more_than_allowed() -> None:
    bakery = Bakery()
    ask = bakery.gathering(lanes=2, most=3)
    first = asyncio.create_task(ask(1))
    await settle()
    second = asyncio.create_task(ask(2))
    await settle()
    rest = [asyncio.create_task(ask(n)) for n in range(3, 8)]
    await settle()
    assert bakery.batches == [[1], [2]]

    bakery.open.set()

    assert await asyncio.gather(first, second, *rest) == [2, 4, 6, 8, 10, 12, 14]
    assert bakery.batches == [[1], [2], [3, 4, 5], [6, 7]]


async def test_beside_many_that_are_under_way_only_a_whole_batch_begins() -> None:
    bakery = Bakery()
    ask = bakery.gathering(lanes=2, most=FEW)
    under_way = [asyncio.create_task(ask(n)) for n in range(FEW)]
    await settle()
    waiting = [asyncio.create_task(ask(n)) for n in range(FEW, 2 * FEW - 1)]
    await settle()
    assert bakery.batches == [list(range(FEW))]

    waiting.append(asyncio.create_task(ask(2 * FEW - 1)))
    await settle()
    assert bakery.batches == [list(range(FEW)), list(range(FEW, 2 * FEW))]

    bakery.open.set()
    assert await asyncio.gather(*under_way, *waiting) == [2 * n for n in range(2 * FEW)]


async def test_who_asks_while_a_lane_ends_gets_another() -> None:
    bakery = Bakery()
    bakery.open.set()
    ask = bakery.gathering()

    # An answer wakes its asker before the lane that gave it counts as done.
    assert [await ask(n) for n in range(3)] == [0, 2, 4]


async def test_those_who_ask_in_one_breath_go_together() -> None:
    bakery = Bakery()
    bakery.open.set()
    ask = bakery.gathering()

    assert await asyncio.gather(*(ask(n) for n in range(4))) == [0, 2, 4, 6]
    assert bakery.batches == [[0, 1, 2, 3]]
    assert await ask(5) == 10


async def test_two_of_a_kind_are_never_in_one_batch_and_keep_their_order() -> None:
    bakery = Bakery()
    bakery.open.set()
    ask = bakery.gathering()

    assert await asyncio.gather(ask(1), ask(101), ask(2), ask(201)) == [2, 202, 4, 402]
    assert bakery.batches == [[1, 2], [101], [201]]


async def test_who_is_cancelled_in_time_is_left_out() -> None:
    bakery = Bakery()
    ask = bakery.gathering()
    under_way = asyncio.create_task(ask(1))
    await settle()
    waiting, other = asyncio.create_task(ask(2)), asyncio.create_task(ask(3))
    await settle()

    under_way.cancel()
    waiting.cancel()
    await settle()
    assert under_way.cancelled()
    bakery.open.set()

    assert await other == 6
    assert waiting.cancelled()
    assert bakery.batches == [[1], [3]]


async def test_what_concerns_all_is_raised_to_all() -> None:
    bakery = Bakery()
    bakery.open.set()
    ask = bakery.gathering()

    answers = await asyncio.gather(ask(1), ask(-1), return_exceptions=True)

    assert [type(answer) for answer in answers] == [ConnectionError] * 2
    assert bakery.batches == [[1, -1]]
    assert await ask(7) == 14


async def test_the_fault_of_one_is_nobody_elses() -> None:
    bakery = Bakery()
    bakery.open.set()
    ask = bakery.gathering()

    one, two, three = await asyncio.gather(ask(1), ask(-2), ask(3), return_exceptions=True)

    assert (one, three) == (2, 6)
    assert isinstance(two, ValueError)
    assert bakery.batches == [[1, -2, 3], [1], [-2], [3]]


async def test_a_key_that_cannot_be_told_is_the_callers_error_alone() -> None:
    bakery = Bakery()
    bakery.open.set()
    ask = Batcher(
        bakery.run, name="bake", lanes=1, most=9, common=ConnectionError, conflict_key=lambda n: 1 // n
    )

    one, none = await asyncio.gather(ask(1), ask(0), return_exceptions=True)

    assert one == 2
    assert isinstance(none, ZeroDivisionError)


async def test_the_end_of_the_loop_ends_who_waits() -> None:
    bakery = Bakery()
    ask = bakery.gathering()
    waiting = [asyncio.create_task(ask(n)) for n in (1, 2)]
    await settle()
    (lane,) = ask._running

    lane.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.gather(*waiting)
