"""A client that pours data in is cut when memory runs short; the others are not."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import pytest

from llm_schema_registry_server.transports.grpc import flood
from llm_schema_registry_server.transports.grpc.flood import FloodGuard, resident_bytes
from llm_schema_registry_server.transports.tcp import peer_name

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers each line; reads everything else for ever."""
    try:
        while data := await reader.read(1 << 16):
            if data.endswith(b"\n"):
                writer.write(b"ok\n")
    except ConnectionError:
        return
    finally:
        writer.close()


async def pour(port: int, enough: Callable[[], bool] = lambda: False) -> None:
    """Sends without end, or until it is enough."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while not enough():
            writer.write(bytes(1 << 16))
            await writer.drain()
            await asyncio.sleep(0)
    finally:
        writer.close()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"hello\n")
    return await reader.readline()


@pytest.mark.parametrize(
    ("line", "allowance"),
    [(lambda: resident_bytes() * 9 // 10, 1 << 18), (lambda: 1, 1 << 40)],
    ids=["just over: more than the allowance", "far over: whoever received most"],
)
async def test_over_the_line_the_connection_that_pours_is_cut_and_no_other(
    line: Callable[[], int], allowance: int
) -> None:
    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    quiet = await asyncio.open_connection("127.0.0.1", port)
    guard = FloodGuard(port, line_bytes=line(), allowance_bytes=allowance, seconds=0.05)
    guard.start()

    with pytest.raises(ConnectionError):
        await pour(port)

    assert await ask(*quiet) == b"ok\n"
    await guard.stop()
    quiet[1].close()
    server.close()


async def test_who_leaves_answers_unread_is_cut_before_one_that_sends_much_and_gets_it_answered() -> None:
    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    busy, silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    names = [peer_name(*c[1].get_extra_info("sockname")) for c in (busy, silent)]
    guard = FloodGuard(
        port,
        line_bytes=1,
        allowance_bytes=1 << 40,
        unread=lambda peer: 4 << 20 if peer == names[1] else 0,
        seconds=0.02,
    )
    guard.start()
    while guard.arrived is None:  # noqa: ASYNC110  # its next look
        await asyncio.sleep(0.005)
    for _ in range(20):
        guard.count([(names[0], 1 << 20)])
        busy[1].write(bytes((1 << 20) - 1) + b"\n")
        assert await busy[0].readline() == b"ok\n"

    assert await silent[0].read() == b""  # it was cut
    assert await ask(*busy) == b"ok\n"
    await guard.stop()
    for _, writer in (busy, silent):
        writer.close()
    server.close()


async def test_under_the_line_nobody_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def looked() -> int:
        nonlocal looks
        looks += 1
        return resident_bytes()

    monkeypatch.setattr(flood, "resident_bytes", looked)
    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    guard = FloodGuard(port, line_bytes=resident_bytes() * 100, allowance_bytes=1, seconds=0.01)
    guard.start()

    await pour(port, lambda: looks == 30)
    await guard.stop()
    server.close()
