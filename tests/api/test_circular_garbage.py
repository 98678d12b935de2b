"""What a call over a wire leaves behind is freed at once: circles would wait for Python's collector, which visits rarely, and hold
the memory of thousands of requests until then."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest_asyncio

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc as stubs
from llm_schema_registry_server.app import App
from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.settings import Settings
from llm_schema_registry_server.transports.http.dispatcher import Dispatcher

TIMES = 10
HERE = ("127.0.0.1", 4711)


class Running:
    """A server in this process, with a schema on each of `s0` to `s9`."""

    def __init__(self, app: App) -> None:
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{app.ports['grpc']}")
        self.stub = stubs.SchemaRegistryStub(self.channel)
        self._dispatcher = next(one for one in gc.get_objects() if isinstance(one, Dispatcher))
        self.ids: list[str] = []

    async def fill(self) -> None:
        for number in range(TIMES):
            asked = pb.RegisterSchemaRequest(
                subject=f"s{number}", schema_content=content(number), schema_type=pb.SCHEMA_TYPE_JSON
            )
            self.ids.append((await self.stub.RegisterSchema(asked)).schema_id)

    async def http(self, verb: str, path: str, body: bytes = b"") -> int:
        """The status of the answer to a request, handed to the application as an HTTP server does."""
        headers = [(b"host", b"localhost")]
        if body:
            headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        scope: dict[str, Any] = {
            "type": "http", "http_version": "1.1", "scheme": "http", "method": verb, "path": path,
            "raw_path": path.encode(), "query_string": b"", "headers": headers, "client": HERE, "server": HERE,
        }  # fmt: skip
        events = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if not events:
                await asyncio.Event().wait()  # the client stays
            return events.pop()

        async def send(event: dict[str, Any]) -> None:
            sent.append(event)

        await self._dispatcher(scope, receive, send)
        return int(sent[0]["status"])

    async def grpc(self, call: Awaitable[Any]) -> str:
        try:
            await call
        except grpc.aio.AioRpcError as error:
            return str(error.code().name)
        return "OK"

    def raw(self, method: str) -> Awaitable[Any]:
        """A request that is no message."""
        made: Any = self.channel.unary_unary(f"/schema_registry.v1.SchemaRegistry/{method}")
        answer: Awaitable[Any] = made(b"\xff\xff\xff")
        return answer

    async def listed(self) -> str:
        return str(len([one async for one in self.stub.ListSchemas(pb.ListSchemasRequest())]))


def content(number: int) -> bytes:
    return json.dumps({"type": "object", "properties": {f"p{number}": {"type": "string"}}}).encode()


@pytest_asyncio.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    ports: Any = {"host": "127.0.0.1", "port": 0}
    settings = Settings.model_validate(
        {
            "storage": {"path": str(tmp_path / "registry.db")},
            "grpc": {**ports, "front": "off"},
            "http": ports,
            "metrics": ports,
        }
    )
    app = App(settings)
    await app.start()
    made = Running(app)
    try:
        await made.fill()
        yield made
    finally:
        await made.channel.close()
        await app.drain()


Question = Callable[[Running, int], Awaitable[object]]
QUESTIONS: dict[str, tuple[object, Question]] = {
    "a read over HTTP": (200, lambda it, n: it.http("GET", f"/api/v1/schemas/{it.ids[n]}")),
    "a kept read over HTTP": (200, lambda it, n: it.http("GET", f"/api/v1/schemas/{it.ids[0]}")),
    "nothing there": (404, lambda it, n: it.http("GET", f"/api/v1/schemas/none-{n}")),
    "no such path": (404, lambda it, n: it.http("GET", f"/api/v1/none-{n}")),
    "a stream over HTTP": (200, lambda it, n: it.http("GET", "/api/v1/schemas")),
    "data": (200, lambda it, n: it.http("POST", f"/api/v1/schemas/{it.ids[n]}/validate", b'{"data_json":{"a":1}}')),
    "a body that is no JSON": (400, lambda it, n: it.http("POST", f"/api/v1/schemas/{it.ids[n]}/validate", b'{"')),
    "a field that is not there": (400, lambda it, n: it.http("POST", "/api/v1/schemas", b'{"subjct":"s"}')),
    "a registration over HTTP": (
        201,
        lambda it, n: it.http(
            "POST", "/api/v1/schemas", b'{"subject":"h%d","schema_type":"JSON","schema":%b}' % (n, content(n))
        ),
    ),
    "a bad schema": (
        422,
        lambda it, n: it.http(
            "POST", "/api/v1/schemas", b'{"subject":"b","schema_type":"JSON","schema":{"type":"objct"}}'
        ),
    ),
    "a read over gRPC": ("OK", lambda it, n: it.grpc(it.stub.GetSchema(pb.GetSchemaRequest(schema_id=it.ids[n])))),
    "nothing there over gRPC": ("NOT_FOUND", lambda it, n: it.grpc(it.stub.GetSchema(pb.GetSchemaRequest(schema_id=f"none-{n}")))),
    "no message over gRPC": ("INVALID_ARGUMENT", lambda it, n: it.grpc(it.raw("RegisterSchema"))),
    "no message of a kept read": ("INVALID_ARGUMENT", lambda it, n: it.grpc(it.raw("GetSchema"))),
    "a stream over gRPC": (str(2 * TIMES), lambda it, n: it.listed()),
}  # fmt: skip


async def test_calls_leave_no_circles(running: Running) -> None:
    found: dict[str, int] = {}
    for name, (expected, ask) in QUESTIONS.items():
        gc.collect()
        gc.disable()
        try:
            answers = Counter([await ask(running, number) for number in range(TIMES)])
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            found[name] = sum(isinstance(one, Call) for one in gc.garbage)
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
        assert expected in answers, (name, answers)
    assert {name: count for name, count in found.items() if count} == {}
