"""The ceiling of each engine: a server that answers every call with the same bytes and knows nothing.

    python loadtest/empty_servers.py native|grpcio|http BYTES
    python loadtest/empty_servers.py native|grpcio|http FILE       answers with what is in the file
    python loadtest/empty_servers.py native-streams|grpcio-streams BYTES

Prints its port on the first line and serves until it is ended. Of streams it takes as many as the first line of its standard input says,
and writes to each of them for each further line.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import pygrpc_native.aio as native
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
from grpc import aio
from pygrpc_native import STREAM_FULL, NativeGrpcFront

SERVICE, METHOD, STREAM = "schema_registry.v1.SchemaRegistry", "GetSchema", "StreamSchemaChanges"


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


def native_streams(message: bytes) -> None:
    """Streams on the low-level front that the server drives too."""
    front = NativeGrpcFront(
        "127.0.0.1:0",
        [],
        io_threads=1,
        call_details=True,
        delay_stream_headers=True,
        max_concurrent_streams=4096,
    )
    front.add_methods([(f"/{SERVICE}/{STREAM}", True)])
    front.start()
    print(front.bound_port, flush=True)
    wanted, calls = int(input()), list[int]()
    while len(calls) < wanted:
        for event in front.recv_batch_details(64) or ():
            calls.append(event[1])
            front.stream_send_initial_metadata(event[1], [])
    print("all", flush=True)
    for _ in sys.stdin:
        for call in calls:
            while front.stream_try_send(call, message) == STREAM_FULL:
                time.sleep(0.001)


async def grpcio_streams(message: bytes) -> None:
    contexts: list[grpc.aio.ServicerContext[Any, Any]] = []

    async def stream(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        await context.send_initial_metadata(())
        contexts.append(context)
        await asyncio.Event().wait()

    server = aio.server()
    handlers: dict[str, Any] = {STREAM: grpc.unary_stream_rpc_method_handler(stream)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    wanted = int(await asyncio.to_thread(sys.stdin.readline))
    while len(contexts) < wanted:  # noqa: ASYNC110  # once, before anything is measured
        await asyncio.sleep(0.05)
    print("all", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        await asyncio.gather(*(context.write(message) for context in contexts))


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
    if engine == "native-streams":
        native_streams(given)
    elif engine == "grpcio-streams":
        uvloop.run(grpcio_streams(given))
    elif engine == "http":
        uvloop.run(http_server(given))
    else:
        uvloop.run(grpc_server(aio.server if engine == "grpcio" else native.server, given))
