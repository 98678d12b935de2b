"""A connection whose ended streams left too much unread is cut, and no other."""

from __future__ import annotations

import asyncio

from llm_schema_registry_server.transports.grpc.abandoned import FORGET_SECONDS, Abandoned


def peer(writer: asyncio.StreamWriter) -> str:
    host, port = writer.get_extra_info("sockname")[:2]
    return f"ipv4:{host}:{port}"


async def test_who_leaves_too_much_is_cut() -> None:
    ended: asyncio.Queue[None] = asyncio.Queue()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()
        await writer.wait_closed()
        ended.put_nowait(None)

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    greedy, honest = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    for reader, writer in (greedy, honest):
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
    now = 0.0
    abandoned = Abandoned(port, 100, lambda: now)

    abandoned.note(peer(honest[1]), 60)
    now += FORGET_SECONDS + 1
    abandoned.note(peer(honest[1]), 60)  # what it left before has been read long since
    abandoned.note(peer(greedy[1]), 60)
    abandoned.note(peer(greedy[1]), 60)

    assert await greedy[0].read() == b""
    honest[1].write(b"again\n")
    assert await honest[0].readline() == b"again\n"
    for _, writer in (greedy, honest):
        writer.close()
        await writer.wait_closed()
        await ended.get()
    server.close()
    await server.wait_closed()


async def test_a_connection_that_has_ended_is_no_error() -> None:
    abandoned = Abandoned(1, 10)
    abandoned.note("ipv4:127.0.0.1:9", 60)

    await asyncio.gather(*abandoned._cutting)
