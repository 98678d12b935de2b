"""Each prefix belongs to one face; what belongs to none is answered in plain JSON."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from llm_schema_registry_server.faces import mounts
from llm_schema_registry_server.rpc import http, methods
from llm_schema_registry_server.transports.http.asgi import (
    Event,
    Receive,
    Scope,
    Send,
    send_reply,
    until_disconnected,
)
from llm_schema_registry_server.transports.http.asgi import Reply as HttpReply
from llm_schema_registry_server.transports.http.dispatcher import Dispatcher, Mount
from llm_schema_registry_server.transports.http.probes import Probes


class Page:
    """A face that answers with its name, under security headers of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.left = self.closed = 0
        self.asked = asyncio.Event()
        self.released: asyncio.Event | None = None

    async def http(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.set()
        if self.released is not None:
            await self.released.wait()
        reply = HttpReply(200, self.name.encode(), content_type="text/html")
        await send_reply(send, reply, security=((b"x-face", self.name.encode()),))

    def leave(self) -> None:
        self.left += 1

    def close(self) -> None:
        self.closed += 1


async def ask(app: Dispatcher, path: str, kind: str = "http") -> list[Event]:
    sent: list[Event] = []

    async def receive() -> Event:
        return {"type": "websocket.connect"}

    async def send(event: Event) -> None:
        sent.append(event)

    scope: dict[str, Any] = {
        "type": kind,
        "http_version": "1.1",
        "method": "GET",
        "raw_path": path.encode(),
        "headers": [],
    }
    await app(scope, receive, send)
    return sent


A, B, C = Page("a"), Page("b"), Page("c")
APP = Dispatcher(
    [
        Mount("/api/v1", A.http, A),
        Mount("/health/live", B.http, B, exact=True),
        Mount("/health", C.http, C),
    ]
)


@pytest.mark.parametrize(
    ("path", "face"),
    [
        ("/api/v1", "a"),
        ("/api/v1/", "a"),
        ("/api/v1/schemas/x%2Fy", "a"),
        ("/health/live", "b"),
        ("/health", "c"),
        ("/health/live/x", "c"),
        ("/health/other", "c"),
    ],
)
async def test_a_path_is_answered_by_its_face_with_the_headers_of_the_face(path: str, face: str) -> None:
    head, body = await ask(APP, path)

    assert body["body"] == face.encode()
    assert head["headers"][0] == (b"x-face", face.encode())
    assert b"content-security-policy" not in dict(head["headers"])


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/v10", "/api/v1x/schemas", "/healthy", "//api/v1", "/%61pi/v1"]
)
async def test_a_path_of_no_face_is_404_in_plain_json_and_names_the_prefixes(path: str) -> None:
    head, body = await ask(APP, path)
    told = json.loads(body["body"])

    assert head["status"] == 404
    assert dict(head["headers"])[b"content-type"] == b"application/json"
    assert set(told) == {"error_code", "message", "request_id"}
    assert told["error_code"] == "ROUTE_NOT_FOUND"
    assert "/api/v1, /health/live, /health" in told["message"]


async def test_a_websocket_where_there_is_none_is_told_so_and_closed() -> None:
    for path in ("/api/v1/schemas", "/nothing"):
        accepted, told, closed = await ask(APP, path, "websocket")

        assert accepted["type"] == "websocket.accept"
        assert "ROUTE_NOT_FOUND" in told["text"]
        assert (closed["type"], closed["code"]) == ("websocket.close", 1008)


@pytest.mark.parametrize(
    ("prefixes", "complaint"),
    [
        (["/a", "/a/b"], "/a is mounted before it"),
        (["/a", "/a"], "/a is mounted before it"),
        (["a"], "cannot be mounted"),
        (["/a/"], "cannot be mounted"),
    ],
)
def test_a_prefix_that_nobody_could_reach_stops_the_start(prefixes: list[str], complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        Dispatcher([Mount(prefix, A.http, A) for prefix in prefixes])


async def test_faces_are_told_once_that_the_server_goes_and_closed_when_the_last_request_is_answered() -> (
    None
):
    slow = Page("slow")
    slow.released = asyncio.Event()
    app = Dispatcher([Mount("/a", slow.http, slow), Mount("/b", slow.http, slow)])
    asking = asyncio.create_task(ask(app, "/a"))
    await slow.asked.wait()
    draining = asyncio.create_task(app.drain(30))
    await asyncio.sleep(0)
    assert (slow.left, slow.closed) == (1, 0)
    slow.released.set()
    await draining

    assert (await asking)[0]["status"] == 200
    assert (slow.left, slow.closed) == (1, 1)


async def test_a_request_that_takes_longer_than_the_drain_is_cut() -> None:
    slow = Page("slow")
    slow.released = asyncio.Event()
    app = Dispatcher([Mount("/a", slow.http, slow)])
    asking = asyncio.create_task(ask(app, "/a"))
    await slow.asked.wait()
    await app.drain(0)

    assert asking.cancelled()
    assert slow.closed == 1


class Twin(Page):
    def at_once(self, scope: Scope) -> None:
        return None

    async def index(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.body", "body": b"index"})

    async def websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close", "body": b"twin's"})


async def no_health() -> Any:
    raise AssertionError("nobody asks")


async def test_every_binding_of_the_api_is_the_twin_s_and_the_probes_are_their_own() -> None:
    twin: Any = Twin("twin")
    app = Dispatcher(mounts(twin, Probes(no_health)))
    for method in methods.load():
        for binding in method.bindings:
            assert (await ask(app, binding.path))[1]["body"] == b"twin", binding.path
    for url in http.SOCKETS:
        assert (await ask(app, url, "websocket"))[0]["body"] == b"twin's"

    assert (await ask(app, "/"))[0]["body"] == b"index"
    assert b"ALIVE" in (await ask(app, "/health/live"))[1]["body"]


async def test_many_requests_at_once_begin_in_turns() -> None:
    begun: list[int] = []
    counts: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.append(scope["number"])

    async def look() -> None:
        while len(begun) < 99:
            counts.append(len(begun))
            await asyncio.sleep(0)
        counts.append(len(begun))

    many = Dispatcher([Mount("/many", app, A)])

    async def ask_many(number: int) -> None:
        scope = {"type": "http", "http_version": "1.1", "raw_path": b"/many", "number": number, "headers": []}
        await many(scope, _nothing, _nowhere)

    tasks = [asyncio.create_task(ask_many(number)) for number in range(100)]
    watching = asyncio.create_task(look())
    await asyncio.sleep(0)
    tasks[70].cancel()  # it has not begun yet
    await asyncio.wait([*tasks, watching], timeout=30)
    assert begun == [number for number in range(100) if number != 70]
    assert max(b - a for a, b in zip([0, *counts], counts, strict=False)) <= 64
    assert [e["body"] for e in await ask(APP, "/api/v1/subjects") if "body" in e] == [b"a"]


HTTP = {"type": "http", "http_version": "1.1", "headers": []}


async def test_clients_that_leave_together_are_told_of_in_turns() -> None:
    here, ended = asyncio.Event(), list[int]()
    counts: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await until_disconnected(receive)
        ended.append(scope["number"])

    async def receive() -> Event:
        await here.wait()
        return {"type": "http.disconnect"}

    many = Dispatcher([Mount("/many", app, A)])
    scopes = [{**HTTP, "raw_path": b"/many", "number": n} for n in range(200)]
    tasks = [asyncio.create_task(many(scope, receive, _nowhere)) for scope in scopes]
    for _ in range(50):
        await asyncio.sleep(0)
    here.set()
    while len(ended) < 200:
        counts.append(len(ended))
        await asyncio.sleep(0)
    await asyncio.wait(tasks, timeout=30)
    assert max(b - a for a, b in zip(counts, [*counts[1:], 200], strict=True)) <= 64


async def _nothing() -> Event:
    return {"type": "http.disconnect"}


async def _nowhere(event: Event) -> None:
    raise AssertionError(event)


@pytest.mark.parametrize(("version", "last"), [("1.1", True), ("2", False)])
async def test_who_is_let_go_is_answered_and_closes_the_connection(version: str, last: bool) -> None:
    page = Page("p")
    app = Dispatcher([Mount("/p", page.http, page)])
    await app.let_go(0)
    sent: list[Event] = []

    async def receive() -> Event:
        return {"type": "http.request"}

    async def send(event: Event) -> None:
        sent.append(event)

    scope: dict[str, Any] = {
        "type": "http",
        "http_version": version,
        "method": "GET",
        "raw_path": b"/p",
        "headers": [],
    }
    await app(scope, receive, send)

    assert (sent[0]["status"], page.left) == (200, 0)
    assert ((b"connection", b"close") in sent[0]["headers"]) is last
