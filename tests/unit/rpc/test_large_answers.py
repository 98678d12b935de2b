"""Answers with large contents take turns; small ones do not wait."""

from __future__ import annotations

import asyncio

from llm_schema_registry_server.queues import caller
from llm_schema_registry_server.queues.caller import Caller
from llm_schema_registry_server.rpc.large_answers import LARGE, LargeAnswers


async def test_large_answers_of_many_calls_are_not_made_in_one_turn_of_the_loop() -> None:
    turns, made = LargeAnswers(), list[int]()
    passes = 0

    async def answer(name: str) -> None:
        caller.bind(Caller(name))
        await turns.turn(1_000_000)
        made.append(passes)

    tasks = [asyncio.create_task(answer(f"caller {n}")) for n in range(20)]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        passes += 1
    assert len(made) == 20
    assert max(made.count(number) for number in set(made)) <= 4


async def test_a_small_answer_does_not_wait_behind_large_ones() -> None:
    turns = LargeAnswers()
    tasks = [asyncio.create_task(turns.turn(10_000_000)) for _ in range(5)]
    await asyncio.sleep(0)
    assert not all(task.done() for task in tasks)
    small = turns.turn(LARGE)
    try:
        small.send(None)
    except StopIteration:
        pass
    else:
        raise AssertionError("it waits")
    await asyncio.gather(*tasks)


async def test_who_asks_for_one_waits_for_one_of_those_who_asked_for_many() -> None:
    turns, made = LargeAnswers(), list[str]()

    async def answer(name: str) -> None:
        caller.bind(Caller(name))
        await turns.turn(10_000_000)
        made.append(name)

    many = [asyncio.create_task(answer("many")) for _ in range(20)]
    await asyncio.sleep(0)
    one = asyncio.create_task(answer("one"))
    await asyncio.gather(one, *many)
    assert made.index("one") <= 2
