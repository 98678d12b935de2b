"""What readers leave unread is bounded for each caller and in all, and who has waited longest pays for it."""

from __future__ import annotations

import asyncio

import pytest

from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.errors import SubscriberTooSlow
from llm_schema_registry_server.transports.unread import Unread
from tests.unit.transports.toy import METHODS

STREAM = next(m.operation for m in METHODS if m.name == "StreamSchemaChanges")


def call(address: str) -> Call:
    made = Call(STREAM, {}, f"{address}:4711", "grpc", "r")
    made.resume_revision = "r-7"
    return made


class Reader:
    """A stream whose reader takes nothing until `taken` is set."""

    def __init__(self, unread: Unread, address: str, size: int) -> None:
        self.taken = asyncio.Event()
        self.task = asyncio.create_task(self._send(unread, call(address), size))

    async def _send(self, unread: Unread, call: Call, size: int) -> None:
        async with unread.sending(call, size):
            await self.taken.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_caller_over_its_bound_loses_the_stream_that_waited_longest() -> None:
    unread = Unread(60, per_caller=100, total=1000)
    other = Reader(unread, "10.0.0.2", 90)
    mine = [Reader(unread, "10.0.0.1", 40) for _ in range(4)]
    await settle()

    assert [reader.task.done() for reader in mine] == [True, True, False, False]
    assert not other.task.done()
    with pytest.raises(
        SubscriberTooSlow, match=r"limits.unread_bytes_per_caller.*resume from revision 'r-7'"
    ):
        await mine[0].task
    with pytest.raises(SubscriberTooSlow):
        await mine[1].task
    assert (unread.held, unread.ended) == (170, 2)
    for reader in (other, *mine[2:]):
        reader.taken.set()
        await reader.task
    assert unread.held == 0
    assert unread._callers == {}


async def test_over_the_bound_of_all_the_caller_who_holds_most_pays() -> None:
    unread = Unread(60, per_caller=100, total=200)
    greedy = [Reader(unread, "10.0.0.1", 45) for _ in range(2)]
    small = [Reader(unread, f"10.0.1.{n}", 30) for n in range(4)]
    await settle()

    assert [reader.task.done() for reader in (*greedy, *small)] == [True, False, False, False, False, False]
    with pytest.raises(SubscriberTooSlow, match="200 bytes are unread, which is the limit"):
        await greedy[0].task
    for reader in (greedy[1], *small):
        reader.taken.set()
        await reader.task


async def test_one_message_alone_is_never_too_large() -> None:
    unread = Unread(60, per_caller=10, total=10)
    reader = Reader(unread, "10.0.0.1", 5000)
    await settle()
    reader.taken.set()

    await reader.task
    assert (unread.held, unread.ended) == (0, 0)


async def test_time_ends_a_reader_too() -> None:
    unread = Unread(0.02, per_caller=10, total=10)

    with pytest.raises(SubscriberTooSlow, match=r"took nothing from the stream for 0.02 s"):
        await Reader(unread, "10.0.0.1", 5).task
    assert unread.held == 0
