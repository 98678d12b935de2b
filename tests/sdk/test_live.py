"""The live cache: memory speed, fresh by the watch, bounded in age by the TTL and in memory by bytes."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_schema_registry import (
    AsyncSchemaRegistry,
    ChangeEvent,
    Code,
    DeadlineExceeded,
    PermissionDenied,
    RetryPolicy,
    SchemaInfo,
    SchemaRegistry,
    SubjectNotFound,
    Unavailable,
    _decode,
)
from llm_schema_registry._latest import MOST_CHANGED, UNREACHABLE_SECONDS, CachedVersions
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.server import ServerProcess
from tests.sdk.conftest import connect
from tests.sdk.fake_registry import FakeRegistry, answers, fails
from tests.support import waiting

V1 = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
V2 = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
    "additionalProperties": False,
}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def version(name: str, size: int = 10) -> SchemaInfo:
    return _decode.schema_info(
        pb.SchemaInfo(id=name, subject="s", version="1.0.0", schema_content=b"x" * size)
    )


# -- what is kept: pure


def test_an_entry_stands_while_the_watch_does_and_ages_while_it_is_away() -> None:
    clock = Clock()
    cached = CachedVersions((), 60, 10**6, clock)
    cached.stands(True)
    cached.put(cached.reading("s"), "latest", version("a"))
    clock.now = 1000
    assert cached.get("s", "latest") == version("a")

    cached.stands(False)
    assert cached.get("s", "latest") is None
    cached.put(cached.reading("s"), "latest", version("a"))
    clock.now = 1060
    assert cached.get("s", "latest") == version("a")
    clock.now = 1061
    assert cached.get("s", "latest") is None


def test_an_older_answer_is_given_out_only_when_nobody_could_be_asked() -> None:
    clock = Clock()
    cached = CachedVersions((), 60, 10**6, clock, stale_if_error=100)
    cached.put(cached.reading("s"), "latest", version("a"))
    clock.now = 61
    assert cached.get("s", "latest") is None
    assert cached.unreachable("s", "latest") == version("a")
    assert cached.get("s", "latest") == version("a")  # not every caller waits for the same failure
    clock.now = 61 + UNREACHABLE_SECONDS
    assert cached.get("s", "latest") is None
    clock.now = 161
    assert cached.unreachable("s", "latest") is None

    strict = CachedVersions((), 60, 10**6, clock)
    strict.put(strict.reading("s"), "latest", version("a"))
    clock.now += 61
    assert strict.unreachable("s", "latest") is None


def test_the_age_counts_from_when_the_watch_broke() -> None:
    clock = Clock()
    cached = CachedVersions((), 60, 10**6, clock)
    clock.now = 5
    assert cached.away() == 5
    cached.stands(True)
    clock.now = 10
    assert cached.away() == 0
    cached.stands(False)
    clock.now = 12
    cached.stands(False)
    assert cached.away() == 2


def test_what_grew_too_old_while_the_watch_was_away_does_not_come_back_with_it() -> None:
    clock = Clock()
    cached = CachedVersions((), 60, 10**6, clock)
    cached.put(cached.reading("s"), "latest", version("old"))
    clock.now = 50
    cached.put(cached.reading("t"), "latest", version("young"))
    clock.now = 61
    cached.stands(True)
    assert (cached.get("s", "latest"), cached.get("t", "latest")) == (None, version("young"))


def test_what_was_read_before_a_change_is_not_kept_after_it() -> None:
    cached = CachedVersions((), 60, 10**6)
    ticket, other = cached.reading("s"), cached.reading("t")
    cached.put(cached.reading("s"), "1", version("a"))
    assert cached.changed("s", "r.5") == ["1"]
    cached.put(ticket, "latest", version("old"))
    cached.put(other, "latest", version("other"))
    assert (cached.get("s", "latest"), cached.get("t", "latest")) == (None, version("other"))
    assert cached.reading("s").revision == "r.5"


def test_what_was_read_before_more_changes_than_are_remembered_is_not_kept() -> None:
    cached = CachedVersions((), 60, 10**6)
    ticket = cached.reading("s")
    cached.changed("s", "r.1")
    for n in range(MOST_CHANGED):
        cached.changed(f"s{n}", f"r.{n + 2}")
    cached.put(ticket, "latest", version("old"))
    assert cached.get("s", "latest") is None


def test_what_was_read_before_everything_was_dropped_is_not_kept() -> None:
    cached = CachedVersions((), 60, 10**6)
    ticket = cached.reading("s")
    cached.changed("t", "r.1")
    cached.clear()
    cached.put(ticket, "latest", version("old"))
    assert (cached.get("s", "latest"), cached.reading("s").revision) == (None, "")


def test_memory_is_bounded_by_bytes() -> None:
    cached = CachedVersions((), 60, 100_000)
    for n in range(1000):
        cached.put(cached.reading("s"), str(n), version(str(n), size=9_000))
    cached.put(cached.reading("s"), "large", version("large", size=100_000))
    assert len(cached) == 9
    assert cached.get("s", "999") is not None
    assert cached.get("s", "large") is None


def test_only_subjects_that_are_watched_may_be_asked_for() -> None:
    cached = CachedVersions(("llm.*", "a?c[1]"), 60, 1000)
    for name in ("llm.", "llm.answer", "abc[1]"):
        cached.reading(name)
    for name in ("llm", "xllm.a", "abc1"):
        with pytest.raises(ValueError, match=r"not among the cached ones: llm\.\*, a\?c\[1\]"):
            cached.reading(name)


@pytest.mark.parametrize("client", [SchemaRegistry, AsyncSchemaRegistry])
def test_arguments_are_checked(client: Any) -> None:
    with pytest.raises(ValueError, match="ttl is 0 s"):
        client().cached(ttl=0)
    with pytest.raises(TypeError, match="subjects"):
        client().cached(subjects="llm.*")
    for wrong in (0, float("nan"), float("inf"), 1e-9):
        with pytest.raises(ValueError, match="heartbeat is"):
            client().cached(heartbeat=wrong)
    with pytest.raises(TypeError, match="on_change"):
        client().cached(on_change=5)
    with pytest.raises(ValueError, match="cache_bytes is -1"):
        client().cached(cache_bytes=-1)


def test_a_cache_of_a_closed_client_says_so() -> None:
    closed = SchemaRegistry("localhost:1")
    closed.close()
    with pytest.raises(RuntimeError, match="is closed"):
        closed.cached().start()


async def test_a_cache_of_a_closed_asynchronous_client_says_so() -> None:
    closed = AsyncSchemaRegistry("localhost:1")
    await closed.close()
    with pytest.raises(RuntimeError, match="is closed"):
        await closed.cached().start()


# -- against a real server


@pytest.fixture(scope="module", params=["native", "grpcio"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path_factory.mktemp("live"), GRPC__ENGINE=request.param)
    yield running
    assert running.stop() == 0


class Live:
    """A cache of either kind with asynchronous methods; `heard` holds what `on_change` was told."""

    def __init__(self, kind: str, target: str, **options: Any) -> None:
        self.face = connect(kind, target)
        self.heard: list[ChangeEvent] = []
        self._news = threading.Condition()
        self.cache = self.face.client.cached(on_change=self._told, **options)
        self.blocking = kind == "blocking"

    def _told(self, event: ChangeEvent) -> None:
        with self._news:
            self.heard.append(event)
            self._news.notify_all()

    async def told(self, count: int) -> None:
        """Wait until `count` changes were heard of."""

        def wait() -> None:
            with self._news:
                assert self._news.wait_for(lambda: len(self.heard) >= count, 30)

        await asyncio.to_thread(wait)

    async def call(self, name: str, *args: Any, **fields: Any) -> Any:
        method = getattr(self.cache, name)
        return await (
            asyncio.to_thread(method, *args, **fields) if self.blocking else method(*args, **fields)
        )

    async def latest(self, subject: str) -> SchemaInfo:
        found: SchemaInfo = await self.call("latest", subject)
        return found

    async def __aenter__(self) -> Live:
        await self.call("start")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.call("close")
        await self.face.__aexit__()


async def until(condition: Callable[[], bool]) -> None:
    async def holds() -> bool:
        return condition()

    await waiting.until(holds)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"live.{abs(hash(request.node.name))}"


async def test_a_version_that_another_client_registers_is_seen(
    server: ServerProcess, kind: str, name: str
) -> None:
    async with (
        connect("blocking", server.grpc) as other,
        Live(kind, server.grpc, subjects=["live.*"]) as live,
    ):
        first = await other.register_schema(name, V1)
        await live.told(1)
        assert (await live.latest(name)).id == first.schema_id
        assert not await live.call("validate", name, {"a": "x", "b": 1})

        second = await other.register_schema(name, V2)
        await live.told(2)
        assert (await live.latest(name)).id == second.schema_id
        report = await live.call("validate", name, {"a": "x", "b": 1})
        assert (bool(report), report.version, report.schema_id) == (True, "1.1.0", second.schema_id)
        assert not await live.call("validate", name, {"a": "x", "b": 1}, version="1.0.0")
        assert not live.cache.stale
        assert live.cache.revision == live.heard[-1].revision or live.cache.revision > live.heard[-1].revision

        await other.delete_schema(second.schema_id)
        await live.told(3)
        assert (await live.latest(name)).id == first.schema_id
        await other.delete_schema(first.schema_id)
        await live.told(4)
        with pytest.raises(SubjectNotFound):
            await live.latest(name)


async def test_a_known_version_costs_no_call_and_is_read_again_before_callers_need_it(
    server: ServerProcess, kind: str, name: str
) -> None:
    async with connect("blocking", server.grpc) as other, Live(kind, server.grpc) as live:
        first = await other.register_schema(name, V1)
        await until(lambda: any(e.schema_id == first.schema_id for e in live.heard))
        await live.latest(name)  # after its event, which would drop an answer that is still on its way
        second = await other.register_schema(name, V2)
        await until(lambda: any(e.schema_id == second.schema_id for e in live.heard))
        live.cache._registry = None  # a call would fail
        assert (await live.latest(name)).id == second.schema_id


async def test_both_spellings_of_a_subject_in_the_default_context_are_one(
    server: ServerProcess, kind: str, name: str
) -> None:
    async with connect("blocking", server.grpc) as other, Live(kind, server.grpc) as live:
        first = await other.register_schema(name, V1)
        assert (await live.latest(f":.:{name}")).id == first.schema_id
        await other.update_schema_metadata(first.schema_id, tags=["new"])
        await until(
            lambda: any(e.schema_id == first.schema_id and "UPDATED" in e.event_type for e in live.heard)
        )
        assert (await live.latest(f":.:{name}")).tags == ("new",)


async def test_other_subjects_are_refused(server: ServerProcess, kind: str) -> None:
    async with Live(kind, server.grpc, subjects=["live.*"]) as live:
        with pytest.raises(ValueError, match="not among the cached ones"):
            await live.latest("orders")


async def test_a_restart_is_survived_and_what_changed_meanwhile_is_heard_of(
    tmp_path: Path, kind: str
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    server = ServerProcess(tmp_path, GRPC__PORT=port)
    async with (
        connect("blocking", server.grpc, retry=RetryPolicy()) as other,
        Live(kind, server.grpc, ttl=3600) as live,
    ):
        first = await other.register_schema("s", V1)
        await live.told(1)
        assert (await live.latest("s")).id == first.schema_id

        await asyncio.to_thread(server.kill)
        await until(lambda: live.cache.stale)
        assert (await live.latest("s")).id == first.schema_id  # younger than the ttl
        with pytest.raises(Unavailable):
            await asyncio.wait_for(live.face.get_latest_version("s", timeout=0.5), 30)

        server = await asyncio.to_thread(lambda: ServerProcess(tmp_path, GRPC__PORT=port))
        second = await other.register_schema("s", V2)
        await live.told(2)
        assert (await live.latest("s")).id == second.schema_id
        assert [event.schema_id for event in live.heard] == [first.schema_id, second.schema_id]
        await until(lambda: not live.cache.stale)
    assert server.stop() == 0


# -- against a scripted one


@pytest.mark.parametrize("stale_if_error", [0.0, 3600.0])
async def test_without_a_server_an_old_version_costs_the_offline_timeout_once(
    fake: FakeRegistry, kind: str, stale_if_error: float
) -> None:
    good = answers(pb.GetSchemaResponse(schema=pb.SchemaInfo(id="a", subject="s")))
    fake.script("GetSchemaByVersion", good, fails(Code.UNAVAILABLE))
    calls = fake.calls["GetSchemaByVersion"]
    async with connect(kind, fake.target, retry=RetryPolicy()) as face:
        cache = face.client.cached(ttl=60, stale_if_error=stale_if_error)
        clock = Clock()
        cache._versions._clock = clock

        async def latest() -> str:
            found = (
                await asyncio.to_thread(cache.latest, "s") if kind == "blocking" else await cache.latest("s")
            )
            return str(found.id)

        assert await latest() == "a"
        clock.now = 61
        cache._offline_timeout = 0.05
        if not stale_if_error:
            with pytest.raises((Unavailable, DeadlineExceeded)):
                await latest()
            return
        assert await latest() == "a"
        tried = len(calls)
        assert tried > 1
        assert await latest() == "a"
        assert len(calls) == tried
        assert cache.stale


async def test_a_watch_that_is_not_allowed_is_told_at_the_start(fake: FakeRegistry, kind: str) -> None:
    fake.script("StreamSchemaChanges", fails(Code.PERMISSION_DENIED))
    with pytest.raises(PermissionDenied):
        async with Live(kind, fake.target):
            pass


async def held(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
    await anext(requests)
    yield pb.SchemaChangeEvent(heartbeat=True, revision="r.1")
    await asyncio.Event().wait()


async def test_changes_that_are_no_longer_kept_empty_the_cache(fake: FakeRegistry, kind: str) -> None:
    compacted = fails(Code.OUT_OF_RANGE, reason="REVISION_COMPACTED")
    go = asyncio.Event()

    async def when_told(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        await anext(requests)
        yield pb.SchemaChangeEvent(heartbeat=True, revision="r.1")
        await go.wait()

    fake.script("StreamSchemaChanges", when_told, compacted, held)
    fake.script(
        "GetSchemaByVersion",
        *(answers(pb.GetSchemaResponse(schema=pb.SchemaInfo(id=i, subject="s"))) for i in ("old", "new")),
    )
    async with Live(kind, fake.target) as live:
        assert (await live.latest("s")).id == "old"
        assert (await live.latest("s")).id == "old"
        go.set()
        await until(lambda: len(fake.calls["StreamSchemaChanges"]) == 3 and not live.cache.stale)
        assert (await live.latest("s")).id == "new"
        watched = [call.request.from_revision for call in fake.calls["StreamSchemaChanges"]]
        assert watched == ["", "r.1", ""]


async def test_reading_after_a_change_waits_for_a_replica_that_knows_it(
    fake: FakeRegistry, kind: str
) -> None:
    go = asyncio.Event()

    async def changing(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        await anext(requests)
        yield pb.SchemaChangeEvent(heartbeat=True, revision="r.1")
        await go.wait()
        yield pb.SchemaChangeEvent(subject="s", revision="r.2", event_type=pb.EVENT_TYPE_SCHEMA_UPDATED)
        await asyncio.Event().wait()

    fake.script("StreamSchemaChanges", changing)
    fake.script(
        "GetSchemaByVersion", answers(pb.GetSchemaResponse(schema=pb.SchemaInfo(id="a", subject="s")))
    )
    async with Live(kind, fake.target) as live:
        await live.latest("s")
        go.set()
        await live.told(1)
        headers = [call.headers.get("x-registry-min-revision") for call in fake.calls["GetSchemaByVersion"]]
        assert headers == [None, "r.2"]


async def test_what_on_change_raises_is_logged_and_ends_nothing(
    fake: FakeRegistry, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    events = [pb.SchemaChangeEvent(subject="s", revision=f"r.{n}", event_type=1) for n in (2, 3)]

    async def changing(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        await anext(requests)
        yield pb.SchemaChangeEvent(heartbeat=True, revision="r.1")
        for event in events:
            yield event
        await asyncio.Event().wait()

    def fail(event: ChangeEvent) -> None:
        raise LookupError("mine")

    fake.script("StreamSchemaChanges", changing)
    async with connect(kind, fake.target) as face:
        cache = face.client.cached(on_change=fail)
        await (asyncio.to_thread(cache.start) if kind == "blocking" else cache.start())
        await until(lambda: cache.revision == "r.3")
    assert caplog.text.count("LookupError: mine") == 2
    assert cache.stale  # closed with the client


async def test_a_coroutine_function_may_be_told(fake: FakeRegistry) -> None:
    told = asyncio.Event()

    async def tell(event: ChangeEvent) -> None:
        told.set()

    async def changing(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        await anext(requests)
        yield pb.SchemaChangeEvent(heartbeat=True, revision="r.1")
        yield pb.SchemaChangeEvent(subject="s", revision="r.2", event_type=1)
        await asyncio.Event().wait()

    fake.script("StreamSchemaChanges", changing)
    async with AsyncSchemaRegistry(fake.target) as client, client.cached(on_change=tell):
        async with asyncio.timeout(30):
            await told.wait()
