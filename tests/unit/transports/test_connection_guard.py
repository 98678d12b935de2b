"""One address cannot take all connections."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import ExitStack

import pytest

from llm_schema_registry_server.transports import connection_guard
from llm_schema_registry_server.transports.connection_guard import ConnectionGuard

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="reads /proc, and binds addresses of 127.0.0.0/8"
)


def connect(port: int, source: str) -> socket.socket:
    made = socket.socket()
    made.bind((source, 0))
    made.connect(("127.0.0.1", port))
    made.setblocking(False)
    return made


def is_open(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True


async def test_what_an_address_has_beyond_the_limit_is_closed_unless_it_is_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_guard, "_SECONDS", 0.01)
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    guard = ConnectionGuard(port, 5, lambda peer: peer.startswith("ipv4:127.0.0.3:"))
    with ExitStack() as stack:
        by_source = {
            source: [stack.enter_context(connect(port, source)) for _ in range(count)]
            for source, count in {"127.0.0.1": 5, "127.0.0.2": 12, "127.0.0.3": 12}.items()
        }
        await asyncio.sleep(0.05)  # until they are accepted
        guard.start()
        while sum(map(is_open, by_source["127.0.0.2"])) > 5:  # noqa: ASYNC110  # the guard's next look
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)

        assert {s: sum(map(is_open, c)) for s, c in by_source.items()} == {
            "127.0.0.1": 5,
            "127.0.0.2": 5,
            "127.0.0.3": 12,
        }
        await guard.stop()
    await asyncio.sleep(0.05)  # until the server has seen that all have left
    server.close()
