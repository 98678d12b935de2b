"""A full stream of the native engine: some wait in a thread, all others ask again."""

from __future__ import annotations

import asyncio
import threading

import pytest
from pygrpc_native import STREAM_CLOSED, STREAM_FULL, STREAM_SENT

from llm_schema_registry_server.transports.grpc import full_streams
from llm_schema_registry_server.transports.grpc.full_streams import FullStreams


class Front:
    """Is full until it is read."""

    def __init__(self) -> None:
        self.read, self.open = threading.Event(), True
        self.blocked = self.asked = 0

    def stream_send(self, call_id: int, message: bytes) -> bool:
        self.blocked += 1
        self.read.wait()
        return self.open

    def stream_try_send(self, call_id: int, message: bytes) -> int:
        self.asked += 1
        if not self.read.is_set():
            return STREAM_FULL
        return STREAM_SENT if self.open else STREAM_CLOSED


async def time_passes(turns: int = 20) -> None:
    for _ in range(turns):
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("finite", [True, False])
async def test_a_message_is_sent_once_there_is_room(finite: bool) -> None:
    for still_open, sent in ((True, STREAM_SENT), (False, STREAM_CLOSED)):
        front = Front()
        front.open = still_open
        full = FullStreams(front)  # type: ignore[arg-type]
        sending = asyncio.create_task(full.send(1, b"x", "a", finite=finite))
        await time_passes()
        assert not sending.done()
        front.read.set()
        assert await sending == sent
        assert (front.blocked, front.asked > 0) == ((1, False) if finite else (0, True))
        full.stop()


async def test_threads_are_few_and_few_of_one_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_streams, "_AWAITED", 3)
    monkeypatch.setattr(full_streams, "_THREADS_PER_CALLER", 2)
    front = Front()
    full = FullStreams(front)  # type: ignore[arg-type]
    sending = [
        asyncio.create_task(full.send(number, b"x", caller, finite=True))
        for number, caller in enumerate(["a"] * 5 + ["b"] * 5)
    ]
    await time_passes()
    assert front.blocked == 3  # two of a, one of b
    front.read.set()
    assert await asyncio.gather(*sending) == [STREAM_SENT] * 10
    assert front.blocked == 3
    await time_passes(turns=2)
    assert not full._waiting
    full.stop()


async def test_who_is_cancelled_keeps_its_thread_until_the_call_has_ended() -> None:
    front = Front()
    full = FullStreams(front)  # type: ignore[arg-type]
    sending = asyncio.create_task(full.send(1, b"x", "a", finite=True))
    await time_passes(turns=4)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert (full._waiting["a"], full._awaited) == (1, 0)
    front.read.set()
    await time_passes(turns=4)
    assert not full._waiting
    full.stop()
