"""Answers that grpc-core holds are bounded for each caller and in all; who takes theirs is not held up."""

from __future__ import annotations

import asyncio

import pytest

from llm_schema_registry_server.errors import LimitExceeded
from llm_schema_registry_server.transports.grpc.held import HeldAnswers


def held(*, per_caller: int = 100, total: int = 1000, wait_seconds: float = 60.0) -> HeldAnswers:
    return HeldAnswers(per_caller=per_caller, total=total, wait_seconds=wait_seconds)


async def test_what_was_taken_makes_room() -> None:
    answers = held()
    for _ in range(10):
        release = await answers.hold("a", 90)
        assert answers.total == 90
        release()
    assert answers.total == 0


async def test_one_answer_always_goes_out() -> None:
    answers = held()
    release = await answers.hold("a", 5000)
    await answers.hold("b", 5000)
    release()
    await answers.hold("a", 5000)


async def test_an_answer_waits_for_room_and_gets_it() -> None:
    answers = held()
    first = await answers.hold("a", 90)
    waiting = asyncio.create_task(answers.hold("a", 20))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await answers.hold("b", 90)  # another caller does not wait
    first()
    (await waiting)()
    assert answers.total == 90


async def test_who_takes_nothing_is_refused_with_the_setting() -> None:
    answers = held(wait_seconds=0.01)
    await answers.hold("a", 90)
    with pytest.raises(LimitExceeded, match=r"limits\.unread_bytes_per_caller"):
        await answers.hold("a", 20)


async def test_few_answers_wait() -> None:
    answers = held()
    await answers.hold("a", 90)
    waiting = [asyncio.create_task(answers.hold("a", 50)) for _ in range(2)]
    await asyncio.sleep(0.01)
    with pytest.raises(LimitExceeded):
        await answers.hold("a", 50)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_all_callers_together_are_bounded() -> None:
    answers = held(total=250, wait_seconds=0.01)
    for caller in "abc":
        await answers.hold(caller, 80)
    with pytest.raises(LimitExceeded, match=r"limits\.unread_bytes\)"):
        await answers.hold("a", 15)
