"""A batch answers each request once, in order, as soon as it can, and never takes more than a window."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from llm_schema_registry_server.errors import InvalidRequest, RegistryError
from llm_schema_registry_server.rpc.batch import WINDOW, each, in_order


async def numbers(count: int) -> AsyncIterator[int]:
    for n in range(count):
        yield n


async def test_answers_keep_the_order_though_later_ones_are_ready_first() -> None:
    gates = [asyncio.Event() for _ in range(5)]

    async def answer(n: int, index: int) -> tuple[int, int]:
        if n + 1 < len(gates):
            await gates[n + 1].wait()  # each waits for the one after it
        gates[n].set()
        return n, index

    assert [a async for a in in_order(numbers(5), answer)] == [(n, n) for n in range(5)]


async def test_an_answer_does_not_wait_for_another_request() -> None:
    requests: asyncio.Queue[int] = asyncio.Queue()

    async def source() -> AsyncIterator[int]:
        while True:
            yield await requests.get()

    async def answer(n: int, index: int) -> int:
        return n * 2

    async with aclosing(in_order(source(), answer)) as answers:
        for n in range(3):
            await requests.put(n)
            assert await anext(answers) == n * 2


async def test_a_client_that_reads_no_answers_is_not_read_beyond_the_window() -> None:
    taken = 0

    async def source() -> AsyncIterator[int]:
        nonlocal taken
        for n in range(1000):
            taken += 1
            yield n

    async def answer(n: int, index: int) -> int:
        return n

    async with aclosing(in_order(source(), answer)) as answers:
        await anext(answers)
        for _ in range(100):
            await asyncio.sleep(0)

    assert taken <= WINDOW + 1


async def test_what_an_answer_raises_ends_the_stream_and_leaves_no_task() -> None:
    async def answer(n: int, index: int) -> int:
        if n == 3:
            raise LookupError("three")
        return n

    answers = in_order(numbers(1000), answer)

    assert [await anext(answers) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(LookupError):
        await anext(answers)
    assert len(asyncio.all_tasks()) == 1


async def test_leaving_early_cancels_what_is_under_way() -> None:
    cancelled = 0

    async def answer(n: int, index: int) -> int:
        nonlocal cancelled
        if n == 0:
            return n
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled += 1
            raise
        return n

    async with aclosing(in_order(numbers(4), answer)) as answers:
        assert await anext(answers) == 0
        waiting = asyncio.create_task(anext(answers))
        for _ in range(20):
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    assert cancelled == 3


async def test_what_is_wrong_with_one_request_is_told_in_its_answer() -> None:
    async def requests() -> AsyncIterator[int | RegistryError]:
        for request in (1, InvalidRequest("n", "cannot be read"), 0, 4):
            yield request

    async def answer(n: int) -> str:
        return str(12 // n)

    def refused(n: int | None, error: Exception) -> str:
        return f"{n}: {error}"

    answers = [a async for a in in_order(requests(), each(answer, refused))]
    assert answers == ["12", "None: n: cannot be read", "0: integer division or modulo by zero", "3"]
