"""A request of any size is sent to a worker in pieces, between which the event loop does other things."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from llm_schema_registry_server.workers import worker_process
from llm_schema_registry_server.workers.worker_process import PIECE_BYTES, WorkerProcess

PARTS = [b"head", b"a" * (3 * PIECE_BYTES + 7), b"", b"b" * 100, b"c" * (20 * PIECE_BYTES)]


class Transport(asyncio.Transport):
    """Notes how many bytes it is given in each turn of the loop, which `turn` numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = 0
        self.written: list[bytes] = []
        self.by_turn: dict[int, int] = {}

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))
        self.by_turn[self.turn] = self.by_turn.get(self.turn, 0) + len(data)

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))


def asked(transport: asyncio.Transport) -> tuple[WorkerProcess, Any]:
    pipe = worker_process._Pipe()
    pipe.connection_made(transport)
    return WorkerProcess(None, pipe, transport, -1), pipe  # type: ignore[arg-type]  # no process is needed


async def test_a_large_request_is_written_over_many_turns() -> None:
    transport = Transport()
    worker, _ = asked(transport)
    worker.ask(PARTS)
    for _ in range(40):
        transport.turn += 1
        await asyncio.sleep(0)

    assert b"".join(transport.written) == b"".join(PARTS)
    assert max(transport.by_turn.values()) <= PIECE_BYTES


async def test_nothing_is_written_while_the_process_does_not_read() -> None:
    transport = Transport()
    worker, pipe = asked(transport)
    worker.ask(PARTS)
    pipe.pause_writing()
    before = len(transport.written)
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(transport.written) == before

    pipe.resume_writing()
    for _ in range(40):
        await asyncio.sleep(0)
    assert b"".join(transport.written) == b"".join(PARTS)


@pytest.mark.parametrize("repeat", [1, 2])
async def test_all_arrives_through_a_real_pipe(repeat: int) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    pipe = worker_process._Pipe()
    transport, _ = await asyncio.get_running_loop().create_connection(lambda: pipe, sock=ours)
    worker = WorkerProcess(None, pipe, transport, -1)  # type: ignore[arg-type]  # no process is needed
    reader, writer = await asyncio.open_connection(sock=theirs)
    whole = b"".join(PARTS)
    for _ in range(repeat):
        worker.ask(PARTS)
        assert await reader.readexactly(len(whole)) == whole
    transport.abort()
    writer.close()


async def test_the_end_of_the_process_ends_the_sending() -> None:
    transport = Transport()
    worker, pipe = asked(transport)
    reply = worker.ask(PARTS)
    pipe.connection_lost(None)
    before = len(transport.written)
    for _ in range(5):
        await asyncio.sleep(0)

    assert len(transport.written) == before
    with pytest.raises(worker_process.WorkerProcessEnded):
        await reply
