"""Kept answers over HTTP go out in one step, and nobody can tell: byte for byte what the whole way answers, for every kind of request."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import copy_context
from dataclasses import dataclass, replace
from itertools import count, pairwise
from typing import Any

import pytest

from llm_schema_registry_server.calls import call as calls
from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.calls.guard import QUICK, Guard, GuardFactory, Rank
from llm_schema_registry_server.faces import mounts
from llm_schema_registry_server.transports.http import listener as listening
from llm_schema_registry_server.transports.http.arrivals import Arrivals, spawner
from llm_schema_registry_server.transports.http.asgi import API_HEADERS, Event, Scope, Whole
from llm_schema_registry_server.transports.http.dispatcher import Dispatcher
from llm_schema_registry_server.transports.http.heads import PlainHeads
from llm_schema_registry_server.transports.http.listener import HttpListener
from llm_schema_registry_server.transports.http.probes import Probes
from llm_schema_registry_server.transports.http.twin import HttpTwin
from llm_schema_registry_server.transports.servers import Servers
from tests.unit.transports.test_http_twin import OPTIONS
from tests.unit.transports.toy import ToyHealth, ToyRegistry, rpcs, unread

_OWN_ID = re.compile(rb"(x-request-id: |\"request_id\":\"|under request id )[0-9a-f]{12}-[0-9a-f]+")
_DATE = re.compile(rb"\r\ndate: [^\r]*")


@dataclass
class World:
    registry: ToyRegistry
    app: Dispatcher
    twin: HttpTwin
    port: int

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 22)

    async def ask(self, *pieces: bytes) -> bytes:
        """What comes on a connection of its own until it ends, without what is of one answer alone."""
        reader, writer = await self.open()
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01 if len(pieces) > 1 else 0)
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
        return _DATE.sub(b"", _OWN_ID.sub(rb"\1own", answer))


@asynccontextmanager
async def serving(
    *, at_once: bool = True, known: bool = True, extra: Sequence[GuardFactory] = ()
) -> AsyncIterator[World]:
    """at_once: what is kept goes out at once. known: Granian is built as we know it."""
    registry = ToyRegistry()
    twin = HttpTwin(rpcs(registry, extra=extra), replace(OPTIONS, unread=unread(2)))
    paths = mounts(twin, Probes(ToyHealth()))
    app = Dispatcher(paths if at_once else [replace(mount, at_once=None) for mount in paths])
    with pytest.MonkeyPatch.context() as patch:
        if not known:
            patch.setattr(listening, "spawner", lambda _: None)
        servers = Servers([HttpListener(app, "127.0.0.1", 0)], registry.end_streams)
        await servers.start()
    try:
        yield World(registry, app, twin, servers.ports["http"])
    finally:
        registry.released.set()
        await servers.drain(0)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with serving() as made:
        yield made


def request(line: str, *headers: str, body: bytes = b"", host: str = "host: registry") -> bytes:
    named = [line if line.endswith("HTTP/1.0") else f"{line} HTTP/1.1", *([host] if host else []), *headers]
    return "\r\n".join([*named, "connection: close", "", ""]).encode() + body


def post(path: str, body: bytes, *headers: str, kind: str = "application/json") -> bytes:
    return request(
        f"POST {path}", f"content-type: {kind}", f"content-length: {len(body)}", *headers, body=body
    )


KEPT = "GET /api/v1/schemas/a"
CHUNKED = ("content-type: application/json", "transfer-encoding: chunked")
REGISTER = b'{"subject": "orders", "schema_content": "e30=", "schema_type": "JSON"}'
REQUESTS: dict[str, tuple[bytes, ...]] = {
    "a kept answer": (request(KEPT),),
    "with a query": (request(f"{KEPT}?"),),
    "with a query that is refused": (request(f"{KEPT}?nobody=1"),),
    "with an encoded slash": (request("GET /api/v1/schemas/a%2Fb"),),
    "with a path that is no UTF-8": (request("GET /api/v1/schemas/%ff"),),
    "HEAD": (request("HEAD /api/v1/schemas/a"),),
    "OPTIONS": (request("OPTIONS /api/v1/schemas/a"),),
    "a wrong verb": (request("PATCH /api/v1/schemas/a"),),
    "HTTP/1.0": (request(f"{KEPT} HTTP/1.0"),),
    "HTTP/1.0 without a host": (request(f"{KEPT} HTTP/1.0", host=""),),
    "without a host": (request(KEPT, host=""),),
    "two hosts": (request(KEPT, "host: other"),),
    "an id of its own": (request(KEPT, "x-request-id: mine.1"),),
    "an id that is none": (request(KEPT, "x-request-id: not an id"),),
    "a deadline": (request(KEPT, "x-timeout-ms: 9000"),),
    "a deadline that is none": (request(KEPT, "x-timeout-ms: soon"),),
    "a deadline of gRPC": (request(KEPT, "grpc-timeout: 3S"),),
    "no-cache": (request(KEPT, "cache-control: no-cache"),),
    "an etag that matches nothing": (request(KEPT, 'if-none-match: "x"'),),
    "credentials that nobody asks for": (request(KEPT, "authorization: Bearer x"),),
    "credentials in two lines": (request(KEPT, "authorization: Bearer x", "authorization: Bearer y"),),
    "a trace": (request(KEPT, "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),),
    "a page of another site": (request(KEPT, "origin: https://other.example"),),
    "a body that nobody reads": (request(KEPT, "content-length: 4", body=b"body"),),
    "many headers": (request(KEPT, *(f"x-{n}: {n}" for n in range(60))),),
    "headers that are too large": (request(KEPT, f"x-large: {'x' * 100_000}"),),
    "a missing schema": (request("GET /api/v1/schemas/missing"),),
    "a fault": (request("GET /api/v1/schemas/crash"),),
    "no route": (request("GET /api/v1/nothing"),),
    "no face": (request("GET /nothing"),),
    "what there is": (request("GET /"),),
    "a probe": (request("GET /health/live"),),
    "the health of all": (request("GET /health"),),
    "a registration": (post("/api/v1/schemas", REGISTER),),
    "a body that is no JSON": (post("/api/v1/schemas", b"{"),),
    "a body of another type": (post("/api/v1/schemas", REGISTER, kind="text/plain"),),
    "a body in chunks": (
        request("POST /api/v1/schemas", *CHUNKED),
        b"%x\r\n%b\r\n" % (len(REGISTER), REGISTER),
        b"0\r\n\r\n",
    ),
    "a chunk that is none": (request("POST /api/v1/schemas", *CHUNKED), b"zz\r\n{}\r\n"),
    "a body in chunks over the limit": (
        request("POST /api/v1/schemas", *CHUNKED),
        *[b"%x\r\n%b\r\n" % (60_000, b" " * 60_000)] * 2,
    ),
    "a body over the limit": (post("/api/v1/schemas", b" " * 100_001),),
    "a body that is waited for": (
        request(
            "POST /api/v1/schemas",
            "content-type: application/json",
            f"content-length: {len(REGISTER)}",
            "expect: 100-continue",
        ),
        REGISTER,
    ),
    "a list": (request("GET /api/v1/schemas"),),
    "a list in lines": (request("GET /api/v1/schemas", "accept: application/x-ndjson"),),
    "a list that fails": (request("GET /api/v1/schemas?subject_prefix=missing"),),
    "large items": (request("GET /api/v1/schemas?limit=20&offset=70000"),),
    "a kept answer of half a megabyte": (request("GET /api/v1/schemas/half%20a%20megabyte"),),
    "a batch": (post("/api/v1/validate:batch", b'{"schema_id": "a"}\n{\n', kind="application/x-ndjson"),),
    "changes, of which the reader wants none": (request("GET /api/v1/changes/none"),),
    "no handshake": (request("GET /api/v1/schemas/subscribe", "upgrade: websocket"),),
    "junk": (b"\x16\x03\x01\x02\x00\r\n\r\n",),
}


async def test_every_answer_is_byte_for_byte_that_of_the_whole_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_COUNTER", count(16**10))  # ids of one length
    async with AsyncExitStack() as stack:
        quick = await stack.enter_async_context(serving())
        unknown = await stack.enter_async_context(serving(known=False))
        whole = await stack.enter_async_context(serving(at_once=False, known=False))
        for name, pieces in REQUESTS.items():
            # Asked again, so that answers are kept, and then found by a path and headers that have come before.
            for _ in range(1 if name == "a fault" else 4):  # whose stack takes long to print
                wanted = await whole.ask(*pieces)
                assert await quick.ask(*pieces) == wanted, name
                assert await unknown.ask(*pieces) == wanted, name
        assert b"\r\nx-request-id: own\r\n" in await quick.ask(request(KEPT))


async def test_answers_are_given_at_once_as_soon_as_the_path_has_come_before(world: World) -> None:
    given: list[Whole | None] = []
    own = world.twin.at_once

    def noting(scope: Scope) -> Whole | None:
        given.append(own(scope))
        return given[-1]

    world.app._at_once = [noting]
    answers = [await world.ask(request(KEPT)) for _ in range(4)]

    assert len(set(answers)) == 1
    assert [whole is None for whole in given] == [True, True, False, False]  # computed, found, known
    assert len(world.registry.seen) == 1


async def test_requests_that_come_together_on_one_connection_are_answered_in_order(world: World) -> None:
    for _ in range(3):
        await world.ask(request(KEPT))
    reader, writer = await world.open()
    paths = ["a", "missing", "a", "b"] * 20
    lines = [
        f"GET /api/v1/schemas/{p} HTTP/1.1\r\nhost: x\r\nx-request-id: id.{n}\r\n\r\n"
        for n, p in enumerate(paths)
    ]
    writer.write("".join(lines).encode())
    for number, path in enumerate(paths):
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index]
        body = await reader.readexactly(size)
        assert f"x-request-id: id.{number}\r\n".encode() in head
        assert head.startswith(b"HTTP/1.1 404" if path == "missing" else b"HTTP/1.1 200")
        assert path.encode() in body
    writer.close()


async def test_clients_that_leave_before_their_answer_leave_nothing_behind(world: World) -> None:
    for _ in range(3):
        await world.ask(request(KEPT))
    for _ in range(100):
        _, writer = await world.open()
        writer.write(request(KEPT))
        writer.transport.abort()

    assert b"200 OK" in await world.ask(request(KEPT))
    assert not world.app._active


async def test_a_client_that_reads_nothing_holds_up_nobody_else(world: World) -> None:
    large = "GET /api/v1/schemas/half%20a%20megabyte"
    for _ in range(3):
        whole = await world.ask(request(large))
    reader, writer = await world.open()
    writer.write(f"{large} HTTP/1.1\r\nhost: x\r\n\r\n".encode() * 20)
    for _ in range(20):
        assert b"200 OK" in await world.ask(request(KEPT))

    body = whole.partition(b"\r\n\r\n")[2]
    for _ in range(20):
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(len(body)) == body
    writer.close()


async def test_a_server_that_goes_refuses_kept_answers_too(world: World) -> None:
    for _ in range(3):
        await world.ask(request(KEPT))
    open_one = KEPT + " HTTP/1.1\r\nhost: x\r\n\r\n"
    world.app._letting_go = True
    reader, writer = await world.open()
    writer.write(open_one.encode())
    last = await reader.read()
    writer.close()
    world.app._letting_go = False
    world.twin.leave()

    assert b"\r\nconnection: close\r\n" in last
    assert (await world.ask(request(KEPT))).startswith(b"HTTP/1.1 503")


class Counting:
    """Counts each call once, and lets it pass."""

    rank, on_cached = Rank.AUTHENTICATE, QUICK

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def quick(self, call: Call) -> bool:
        if not call.counted:
            call.counted = True
            self.calls.append(call)
        return True

    def __call__(self, call: Call) -> Guard:
        return Guard(call)


class Reluctant(Counting):
    """Wants to surround calls of one caller."""

    rank = Rank.AUTHORIZE

    def quick(self, call: Call) -> bool:
        return "slowly" not in call.metadata


async def test_a_call_that_goes_the_whole_way_after_all_stays_the_call_that_guards_have_seen() -> None:
    counting = Counting()
    async with serving(extra=(counting, Reluctant())) as world:
        for number in range(1, 8):
            slowly = ["slowly: yes"] if number > 4 else []
            answer = await world.ask(request(KEPT, f"x-request-id: id.{number}", *slowly))

            assert f"x-request-id: id.{number}\r\n".encode() in answer
            assert [call.request_id for call in counting.calls] == [f"id.{n}" for n in range(1, number + 1)]


def scope(*headers: tuple[str, str]) -> Scope:
    return {"headers": [(name.encode(), value.encode()) for name, value in headers]}


HOST = ("host", "registry")


def test_headers_that_come_again_are_read_once_unless_they_are_secret_or_of_one_request() -> None:
    heads = PlainHeads(None)
    assert heads.plain(scope(HOST, ("Accept", "*/*"))) is heads.plain(scope(HOST, ("Accept", "*/*")))
    assert heads.plain(scope(HOST, ("Accept", "*/*"))) == {"host": "registry", "accept": "*/*"}
    for own in ("authorization", "x-api-key", "cookie", "x-request-id", "traceparent"):
        read = heads.plain(scope(HOST, (own, "secret")))
        assert read == {"host": "registry", own: "secret"}
    assert heads.plain(scope(HOST, ("x-large", "x" * 1024))) is not None
    assert heads.plain(scope(HOST, *((f"x-{n}", "") for n in range(16)))) is not None

    assert len(heads) == 1
    assert "secret" not in repr(heads._known)


def test_so_many_headers_are_remembered_and_no_more() -> None:
    heads = PlainHeads(None)
    for number in range(2000):
        heads.plain(scope(HOST, ("user-agent", str(number))))

    assert len(heads) == 512


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("host", ""),),
        (HOST, ("host", "other")),
        (("host", "evil.example"),),
        (HOST, ("x-timeout-ms", "10")),
        (HOST, ("grpc-timeout", "10S")),
        (HOST, ("if-none-match", "*")),
    ],
)
def test_a_request_that_needs_a_closer_look_goes_the_whole_way(headers: tuple[tuple[str, str], ...]) -> None:
    heads = PlainHeads(frozenset({"registry.example"}))
    for _ in range(2):
        assert heads.plain(scope(*headers)) is None

    assert len(heads) == 0


def test_this_granian_takes_our_way_to_the_loop() -> None:
    assert spawner(lambda scope: None) is not None


class Asked:
    """A request as Granian hands it over."""

    def __init__(self, number: int) -> None:
        self.scope: Scope = {"number": number}
        self.proto = self
        self.sent: list[Event] = []
        self.ended: list[BaseException | None] = []
        self.task: asyncio.Task[None] | None = None

    def send(self, event: Event) -> None:
        self.sent.append(event)

    def done(self) -> None:
        self.ended.append(None)

    def err(self, error: BaseException) -> None:
        self.ended.append(error)

    def taskref(self, task: asyncio.Task[None]) -> None:
        self.task = task


async def test_what_has_come_is_taken_in_order_in_pieces_and_a_fault_ends_one_request_alone() -> None:
    order: list[int] = []
    turns: list[int] = []
    head: Event = {"type": "http.response.start", "status": 200, "headers": list(API_HEADERS)}

    def at_once(scope: Scope) -> Whole | None:
        order.append(scope["number"])
        if scope["number"] % 3 == 1:
            raise ZeroDivisionError
        return (head, {"type": "http.response.body", "body": b"x"}) if scope["number"] % 3 == 2 else None

    async def in_full(watcher: Any) -> None:
        watcher.done()

    loop = asyncio.get_running_loop()
    arrivals = Arrivals(loop, copy_context(), at_once, in_full)
    asked = [Asked(number) for number in range(600)]
    await asyncio.to_thread(lambda: [arrivals.came(one) for one in asked])
    while len(order) < len(asked):
        turns.append(len(order))
        await asyncio.sleep(0)
    await asyncio.gather(*(one.task for one in asked if one.task is not None))

    assert order == list(range(600))
    assert all(later - earlier <= 256 for earlier, later in pairwise(turns))
    for one in asked:
        (ended,) = one.ended
        assert (one.task is not None) == (one.scope["number"] % 3 == 0)
        assert isinstance(ended, ZeroDivisionError) == (one.scope["number"] % 3 == 1)
        assert len(one.sent) == (2 if one.scope["number"] % 3 == 2 else 0)
