"""The ceiling of each engine: a server that answers every call with the same bytes and knows nothing.

    python loadtest/empty_servers.py native|grpcio|http BYTES
    python loadtest/empty_servers.py native|grpcio|http FILE       answers with what is in the file

Prints its port on the first line and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

import grpc
import pygrpc_native.aio as native
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
from grpc import aio

SERVICE, METHOD = "schema_registry.v1.SchemaRegistry", "GetSchema"


async def grpc_server(make: Any, answer: bytes) -> None:
    """A grpcio servicer with one empty handler, on either engine."""

    async def empty(request: bytes, context: object) -> bytes:
        return answer

    server = make()
    handlers: dict[str, Any] = {METHOD: grpc.unary_unary_rpc_method_handler(empty)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_registered_method_handlers(SERVICE, handlers)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


async def http_server(answer: bytes) -> None:
    """An ASGI application that answers anything."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    head = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))],
    }
    body = {"type": "http.response.body", "body": answer}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(head)
        await send(body)

    server = Server(app, "127.0.0.1", port, interface=Interfaces.ASGINL, log_enabled=False)
    serving = asyncio.create_task(server.serve())
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
            continue
        writer.close()
        break
    print(port, flush=True)
    await serving


if __name__ == "__main__":
    engine, what = sys.argv[1:]
    given = b"x" * int(what) if what.isdigit() else Path(what).read_bytes()
    if engine == "http":
        uvloop.run(http_server(given))
    else:
        uvloop.run(grpc_server(aio.server if engine == "grpcio" else native.server, given))
