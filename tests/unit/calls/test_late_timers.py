"""A call has no timer of its own until its deadline is near; the deadline holds all the same."""

from __future__ import annotations

import asyncio
import time

import pytest

from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.calls.guards import deadline
from llm_schema_registry_server.calls.guards.deadline import Deadline
from llm_schema_registry_server.calls.operation import Operation
from llm_schema_registry_server.errors import DeadlineExceeded

OPERATION = Operation("/s/Get", "Get", "schema:read")


def call(seconds: float | None) -> Call:
    until = None if seconds is None else time.monotonic() + seconds
    return Call(OPERATION, {}, "127.0.0.1:1", "grpc", "id", deadline=until)


@pytest.mark.parametrize("seconds", [0.0, 0.05, deadline.SOON_SECONDS + 0.1])
async def test_a_call_ends_at_its_deadline(seconds: float) -> None:
    guards = Deadline(30.0)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        async with guards(call(seconds)):
            await asyncio.sleep(60)

    assert time.monotonic() - began >= seconds - 0.01


async def test_a_call_without_a_deadline_gets_the_default_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "SOON_SECONDS", 0.05)
    with pytest.raises(DeadlineExceeded):
        async with Deadline(0.3)(call(None)):
            await asyncio.sleep(60)


async def test_calls_that_end_in_time_leave_nothing_behind() -> None:
    guards = Deadline(30.0)
    for _ in range(3):
        async with guards(call(None)):
            await asyncio.sleep(0)
        with pytest.raises(ValueError):
            async with guards(call(None)):
                raise ValueError

    assert not guards._late._waiting


async def test_a_cancelled_call_is_cancelled_and_not_late() -> None:
    guards = Deadline(30.0)
    entered = asyncio.Event()

    async def wait() -> None:
        async with guards(call(None)):
            entered.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(wait())
    await entered.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert not guards._late._waiting


def test_one_guard_serves_several_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "SOON_SECONDS", 0.02)
    guards = Deadline(0.2)

    async def late() -> None:
        with pytest.raises(DeadlineExceeded):
            async with guards(call(None)):
                await asyncio.sleep(60)

    async def in_time() -> None:
        async with guards(call(None)):
            await asyncio.sleep(0)

    asyncio.run(in_time())
    asyncio.run(late())
    asyncio.run(late())
