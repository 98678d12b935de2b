"""Waits until an HTTP/2 server has put the answers that it was given on its connections.

pygrpc-native closes at once (its close() does not wait for what it still has to write), and does not tell when an answer is written.
All its connections are turns of one thread, in order: a later connection that gets answers has waited for the earlier turns.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS, _PING, _ACK = 4, 6, 1  # RFC 9113 6.5 and 6.7
_HEAD_BYTES = 9
_PINGS = 3
_EVERY = {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}


async def fence(host: str, port: int, seconds: float) -> None:
    """Returns after a new connection to the server was accepted and answered several times, after `seconds`, or when the server takes
    no connections."""
    with suppress(OSError, EOFError, TimeoutError):
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(_EVERY.get(host, host).strip("[]"), port)
            try:
                writer.write(_PREFACE + _frame(_SETTINGS))
                for number in range(_PINGS):
                    writer.write(_frame(_PING, number.to_bytes(8, "big")))
                    await _pong(reader)
            finally:
                writer.close()


def _frame(kind: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, 0)) + bytes(4) + payload


async def _pong(reader: asyncio.StreamReader) -> None:
    while True:
        head = await reader.readexactly(_HEAD_BYTES)
        await reader.readexactly(int.from_bytes(head[:3], "big"))
        if head[3] == _PING and head[4] & _ACK:
            return
