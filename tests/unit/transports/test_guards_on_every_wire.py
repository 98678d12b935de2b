"""Every guard has its say about cached answers, over gRPC (both engines) and HTTP; no answer slips past one."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import httpx
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc import aio

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc
from llm_schema_registry_server.calls.call import OK, Call, Outcome
from llm_schema_registry_server.calls.guard import (
    IN_FULL,
    NOTIFIED,
    QUICK,
    Guard,
    GuardFactory,
    OnCached,
    Rank,
)
from llm_schema_registry_server.calls.guards.authenticate import Authenticator
from llm_schema_registry_server.calls.guards.limits import Limits
from llm_schema_registry_server.calls.guards.min_revision import MinRevision
from llm_schema_registry_server.calls.operation import Resource, ResourceKind
from llm_schema_registry_server.calls.peer import TrustedProxies
from llm_schema_registry_server.errors import PermissionDenied, Unauthenticated
from llm_schema_registry_server.model.principal import Principal
from llm_schema_registry_server.rpc.protobuf.rpcs import Rpcs
from llm_schema_registry_server.settings import GrpcSettings
from llm_schema_registry_server.telemetry.metrics import Metrics
from llm_schema_registry_server.transports.grpc.listener import GrpcListener
from llm_schema_registry_server.transports.http.listener import HttpListener
from llm_schema_registry_server.transports.servers import Servers
from tests.unit.transports.test_http_twin import OPTIONS, dispatcher
from tests.unit.transports.toy import GET_SCHEMA, ToyHealth, ToyRegistry, rpcs, unread

READ = (Resource(ResourceKind.SCHEMA, "a"), Resource(ResourceKind.SUBJECT, "orders"))
LOOPBACK = TrustedProxies([ipaddress.ip_network("127.0.0.0/8")])

# Asks for schema `a` with this metadata: the reason of the refusal, "" for the right answer.
Get = Callable[..., Any]


@dataclass
class World:
    """`get` asks as a caller on one wire, `garble` in a way that nobody can read; `rpcs` are what answers."""

    face: str
    get: Get
    garble: Get
    rpcs: Rpcs
    registry: ToyRegistry
    metrics: Metrics
    limits: Limits

    def counted(self, series: str, **labels: str) -> float:
        value = self.metrics.registry.get_sample_value(
            series, {"method": GET_SCHEMA, "wire": self.face, **labels}
        )
        return value or 0


Open = Callable[..., Any]


@pytest.fixture(params=["native", "grpcio", "http"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """Opens a server on one wire with guards beside the usual ones."""
    async with AsyncExitStack() as stack:

        async def open_world(
            *extra: GuardFactory, most: int = 50, authenticator: Authenticator | None = None
        ) -> World:
            return await stack.enter_async_context(_world(request.param, extra, most, authenticator))

        yield open_world


@asynccontextmanager
async def _world(
    wire: str, extra: Sequence[GuardFactory], most: int, authenticator: Authenticator | None
) -> AsyncIterator[World]:
    registry, metrics, limits = ToyRegistry(), Metrics(), Limits(calls=most, streams=5)
    served = rpcs(registry, metrics=metrics, extra=extra, limits=limits, authenticator=authenticator)
    async with AsyncExitStack() as stack:
        if wire == "http":
            app = dispatcher(served, ToyHealth(), replace(OPTIONS, proxies=LOOPBACK))
            servers = Servers([HttpListener(app, "127.0.0.1", 0)], registry.end_streams)
            await servers.start()
            url = f"http://127.0.0.1:{servers.ports['http']}"
            client = await stack.enter_async_context(
                httpx.AsyncClient(base_url=url, timeout=20, headers={"content-type": "application/json"})
            )
            yield World("http", partial_http(client), garbled_http(client), served, registry, metrics, limits)
        else:
            settings = GrpcSettings(host="127.0.0.1", port=0, engine=wire)  # type: ignore[arg-type]
            listener = GrpcListener(settings, served, ToyHealth(), unread=unread(30), proxies=LOOPBACK)
            servers = Servers([listener], registry.end_streams)
            await servers.start()
            channel = aio.insecure_channel(f"127.0.0.1:{servers.ports['grpc']}")
            await stack.enter_async_context(channel)
            yield World(
                "grpc", partial_grpc(channel), garbled_grpc(channel), served, registry, metrics, limits
            )
        registry.released.set()
        await servers.drain(0)


def partial_http(client: httpx.AsyncClient) -> Get:
    async def get(schema_id: str = "a", **metadata: str) -> str:
        answer = await client.get(f"/api/v1/schemas/{schema_id}", headers=_names(metadata))
        if answer.status_code != 200:
            reason: str = answer.json()["error_code"]
            return reason
        assert answer.json()["schema"]["id"] == schema_id
        return ""

    return get


def garbled_http(client: httpx.AsyncClient) -> Get:
    async def garble(path: str = "/api/v1/schemas/a?nobody=1", **metadata: str) -> str:
        answer = await client.get(path, headers=_names(metadata))
        reason: str = answer.json()["error_code"]
        return "MALFORMED_REQUEST" if reason == "INVALID_REQUEST" else reason

    return garble


def garbled_grpc(channel: aio.Channel) -> Get:
    async def garble(path: str = GET_SCHEMA, **metadata: str) -> str:
        ask: Any = channel.unary_unary if path == GET_SCHEMA else channel.unary_stream
        made = ask(path)(b"\xff\xff", metadata=tuple(_names(metadata).items()))
        try:
            if path == GET_SCHEMA:
                await made
            else:
                await made.read()
        except aio.AioRpcError as error:
            trailers: Any = dict(error.trailing_metadata() or ())
            info = error_details_pb2.ErrorInfo()
            assert status_pb2.Status.FromString(trailers["grpc-status-details-bin"]).details[0].Unpack(info)
            return info.reason
        raise AssertionError("nothing was wrong with it")

    return garble


def partial_grpc(channel: aio.Channel) -> Get:
    stub: Any = schema_registry_pb2_grpc.SchemaRegistryStub(channel)

    async def get(schema_id: str = "a", **metadata: str) -> str:
        try:
            answer = await stub.GetSchema(
                pb.GetSchemaRequest(schema_id=schema_id), metadata=tuple(_names(metadata).items())
            )
        except aio.AioRpcError as error:
            trailers: Any = dict(error.trailing_metadata() or ())
            status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
            info = error_details_pb2.ErrorInfo()
            assert status.details[0].Unpack(info)
            return info.reason
        assert answer.schema.id == schema_id
        return ""

    return get


def _names(metadata: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in metadata.items()}


class Refusing:
    """Refuses one caller, in full."""

    rank, on_cached = Rank.AUTHORIZE, IN_FULL

    def __call__(self, call: Call) -> Guard:
        class Refused(Guard):
            async def __aenter__(self) -> None:
                if self.call.metadata.get("who") == "stranger":
                    raise PermissionDenied("strangers may not")

        return Refused(call)


class RefusingQuickly(Refusing):
    on_cached = QUICK

    def quick(self, call: Call) -> bool:
        """Decides for those who say who they are; asks for the guard in full for others."""
        if call.metadata.get("who") == "stranger":
            raise PermissionDenied("strangers may not")
        return "who" in call.metadata


class Audit:
    """Sees each call from its beginning to its end, and notes it."""

    rank, on_cached = Rank.AUDIT, IN_FULL

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, tuple[Resource, ...], Outcome | None]] = []

    def __call__(self, call: Call) -> Guard:
        audit = self

        class Audited(Guard):
            async def __aexit__(
                self,
                kind: type[BaseException] | None,
                error: BaseException | None,
                trace: TracebackType | None,
            ) -> None:
                call = self.call
                audit.seen.append((call.operation.name, call.principal.name, call.resources, call.outcome))

        return Audited(call)


class Counting(Audit):
    """Is content to be told of cached answers."""

    on_cached = NOTIFIED

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, str, tuple[Resource, ...], Outcome | None]] = []

    def answered(self, call: Call) -> None:
        self.told.append((call.operation.name, call.principal.name, call.resources, call.outcome))


class Slow:
    """Holds each call until it is released."""

    rank, on_cached = Rank.QUOTA, IN_FULL

    def __init__(self) -> None:
        self.entered, self.released = asyncio.Event(), asyncio.Event()
        self.released.set()

    def __call__(self, call: Call) -> Guard:
        slow = self

        class Slowed(Guard):
            async def __aenter__(self) -> None:
                slow.entered.set()
                await slow.released.wait()

        return Slowed(call)


@pytest.mark.parametrize("kind", [Refusing, RefusingQuickly])
async def test_a_caller_whom_a_guard_refuses_does_not_get_what_is_cached_from_another_s_read(
    world: Open, kind: type[Refusing]
) -> None:
    w = await world(kind())

    assert [await w.get(who="reader") for _ in range(3)] == ["", "", ""]
    assert await w.get(who="stranger") == "PERMISSION_DENIED"
    assert await w.get() == ""
    assert len(w.registry.seen) == 1  # all the others from the cache
    assert w.counted("schema_registry_calls_total", code="PERMISSION_DENIED") == 1


async def test_a_guard_that_must_see_every_call_sees_the_cached_ones_whole(world: Open) -> None:
    audit = Audit()
    w = await world(audit)
    for actor in ("ada", "bob", "eve"):
        await w.get(x_registry_actor=actor)
    await w.get("missing")

    assert audit.seen == [
        *(("GetSchema", actor, READ, OK) for actor in ("ada", "bob", "eve")),
        (
            "GetSchema",
            "anonymous",
            (Resource(ResourceKind.SCHEMA, "missing"),),
            Outcome("NOT_FOUND", "SCHEMA_NOT_FOUND"),
        ),
    ]
    assert len(w.registry.seen) == 2
    assert w.counted("schema_registry_calls_total", code="OK") == 3
    assert w.counted("schema_registry_answer_cache_hits_total") == 0


async def test_a_guard_that_wants_to_be_told_is_told_once_of_each_cached_answer(world: Open) -> None:
    counting = Counting()
    w = await world(counting, RefusingQuickly())
    for who in ("reader", "reader", "stranger", "reader"):
        await w.get(who=who, x_registry_actor=who)

    assert counting.told == [("GetSchema", "reader", READ, OK)] * 2
    denied = Outcome("PERMISSION_DENIED", "PERMISSION_DENIED")
    assert counting.seen == [("GetSchema", "reader", READ, OK), ("GetSchema", "stranger", READ, denied)]


class BySubject(Refusing):
    """Refuses strangers what belongs to `orders`, whether the request names the subject or only the handler learns it."""

    on_cached = QUICK

    def __init__(self) -> None:
        self.watched: list[Resource] = []

    def quick(self, call: Call) -> bool:
        def watch(resource: Resource) -> None:
            self.watched.append(resource)
            if call.metadata.get("who") == "stranger" and resource.name == "orders":
                raise PermissionDenied("orders are not for strangers")

        call.watch(watch)
        return True


async def test_a_guard_that_decides_by_subject_decides_the_same_about_cached_answers(world: Open) -> None:
    guard = BySubject()
    w = await world(guard)

    assert await w.get(who="stranger") == "PERMISSION_DENIED"
    assert await w.get(who="reader") == ""
    guard.watched.clear()
    assert await w.get(who="reader") == ""
    assert guard.watched == list(READ)
    assert len(w.registry.seen) == 2
    assert await w.get(who="stranger") == "PERMISSION_DENIED"


LIST_SCHEMAS = GET_SCHEMA.replace("GetSchema", "ListSchemas")


@pytest.mark.parametrize("streams", [False, True])
async def test_a_request_that_cannot_be_read_passes_the_guards_like_any_other(
    world: Open, streams: bool
) -> None:
    audit = Audit()
    w = await world(Refusing(), audit)
    name, where = ("ListSchemas", LIST_SCHEMAS) if streams else ("GetSchema", GET_SCHEMA)
    path = (where,) if w.face == "grpc" else ("/api/v1/schemas?nobody=1",) if streams else ()

    assert await w.garble(*path, who="stranger") == "PERMISSION_DENIED"
    assert await w.garble(*path, who="reader") == "MALFORMED_REQUEST"
    reason = "MALFORMED_REQUEST" if w.face == "grpc" else "INVALID_REQUEST"
    denied = Outcome("PERMISSION_DENIED", "PERMISSION_DENIED")
    assert audit.seen == [
        (name, "anonymous", (), denied),
        (name, "anonymous", (), Outcome("INVALID_ARGUMENT", reason)),
    ]
    assert w.registry.seen == []
    counted = w.metrics.registry.get_sample_value(
        "schema_registry_calls_total", {"method": where, "wire": w.face, "code": "INVALID_ARGUMENT"}
    )
    assert counted == 1


async def test_every_call_is_counted_once_and_cached_answers_by_operation_and_face(world: Open) -> None:
    w = await world()
    for _ in range(4):
        await w.get()
    await w.get("missing")

    assert w.counted("schema_registry_answer_cache_hits_total") == 3
    assert w.counted("schema_registry_calls_total", code="OK") == 4
    assert w.counted("schema_registry_calls_total", code="NOT_FOUND") == 1


class ByName:
    """Knows readers, and strangers who may nothing; at once only if `quick`."""

    def __init__(self, quick: bool) -> None:
        self._quick = quick

    def known(self, metadata: Mapping[str, str]) -> Principal | None:
        return self._principal(metadata) if self._quick else None

    async def authenticate(self, metadata: Mapping[str, str], address: str = "") -> Principal:
        await asyncio.sleep(0)
        return self._principal(metadata)

    def watch(self, principal: Principal, watcher: Callable[[], None]) -> Callable[[], object]:
        return lambda: None

    def _principal(self, metadata: Mapping[str, str]) -> Principal:
        match metadata.get("who"):
            case "reader":
                return Principal("reader", frozenset({"schema:read"}))
            case None:
                raise Unauthenticated("say who you are")
            case name:
                return Principal(name)


@pytest.mark.parametrize("quick", [True, False])
async def test_nobody_is_answered_from_the_cache_without_name_and_permission(
    world: Open, quick: bool
) -> None:
    w = await world(authenticator=ByName(quick))

    assert [await w.get(who="reader") for _ in range(2)] == ["", ""]
    assert await w.get(who="stranger") == "PERMISSION_DENIED"
    assert await w.get() == "UNAUTHENTICATED"
    assert len(w.registry.seen) == 1
    assert w.counted("schema_registry_answer_cache_hits_total") == int(quick)


async def test_a_read_that_must_see_a_write_is_not_answered_from_before_it(world: Open) -> None:
    reached: list[str] = []

    async def reach(revision: str) -> None:
        reached.append(revision)

    w = await world(MinRevision(reach))
    await w.get()
    assert await w.get(x_registry_min_revision="r-9") == ""

    assert reached == ["r-9"]
    assert len(w.registry.seen) == 2


async def test_a_cached_answer_takes_no_slot_and_waits_for_none(world: Open) -> None:
    w = await world(most=1)
    await w.get()
    waiting = asyncio.create_task(w.get("wait"))
    await w.registry.waits.get()

    assert await w.get() == ""
    assert await w.get("b") == "LIMIT_EXCEEDED"
    w.registry.released.set()
    assert await waiting == ""


async def test_what_changes_while_a_guard_waits_is_not_answered_from_before(world: Open) -> None:
    slow = Slow()
    w = await world(slow)
    await w.get()
    slow.entered.clear()
    slow.released.clear()
    waiting = asyncio.create_task(w.get())
    await slow.entered.wait()
    w.rpcs.pipeline.answers.invalidate("orders")
    slow.released.set()

    assert await waiting == ""
    assert len(w.registry.seen) == 2


async def test_a_guard_that_says_nothing_about_cached_answers_stops_the_start(world: Open) -> None:
    class Silent(Refusing):
        on_cached: OnCached | None = None  # type: ignore[assignment]

    with pytest.raises(TypeError, match="Silent does not say what it does about cached answers"):
        await world(Silent())


@pytest.mark.parametrize("cached", [False, True])
async def test_guards_see_who_calls_as_a_trusted_proxy_says(world: Open, cached: bool) -> None:
    peers: list[tuple[str, bool]] = []

    class Noting(Refusing):
        on_cached = QUICK

        def quick(self, call: Call) -> bool:
            peers.append((call.peer.address, call.peer.forwarded))
            return True

    w = await world(Noting())
    if cached:
        await w.get()
        peers.clear()
    await w.get(x_forwarded_for="198.51.100.1, 203.0.113.9")
    await w.get()

    assert peers[0] == ("203.0.113.9", True)
    assert peers[-1] == ("127.0.0.1", False)
