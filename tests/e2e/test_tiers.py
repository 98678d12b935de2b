"""Real servers with a real Redis and an S3 API: the tiers help, and when they fail nothing is wrong, only slower."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import empty_pb2

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.server import ROOT, ServerProcess
from tests.api.wires import CallFailed, GrpcWire
from tests.support.redis import RedisServer
from tests.support.s3 import Bucket, S3Server
from tests.support.waiting import until

HEALTHY, DEGRADED = pb.HealthCheckResponse.STATUS_HEALTHY, pb.HealthCheckResponse.STATUS_DEGRADED
UNAVAILABLE, DATA_LOSS = 14, 15
SMALL = b'{"type": "string"}'
LARGE = json.dumps({"type": "string", "description": "x" * 5000}).encode()


class Registry:
    """A server and a client of it."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home, self._settings = home, settings
        self.begin()

    def register(self, subject: str, content: bytes) -> Any:
        return self.wire.call(
            "RegisterSchema",
            pb.RegisterSchemaRequest(
                subject=subject, schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON
            ),
        )

    def content(self, schema_id: str) -> bytes:
        answer = self.wire.call("GetSchema", pb.GetSchemaRequest(schema_id=schema_id))
        found: bytes = answer.schema.schema_content
        return found

    def health(self) -> Any:
        return self.wire.call("HealthCheck", empty_pb2.Empty())

    def restart(self) -> None:
        self.stop()
        self.begin()

    def begin(self) -> None:
        self.server = ServerProcess(self.home, **self._settings)
        self.wire = GrpcWire("native", self.server.grpc)

    def stop(self) -> None:
        self.wire.close()
        assert self.server.stop() == 0
        assert self.server.events("call_crashed") == []


Start = Callable[..., Registry]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts registries, each with a home of its own."""
    with ExitStack() as stack:

        def run(name: str, **settings: str) -> Registry:
            made = Registry(tmp_path / name, **settings)
            stack.callback(made.stop)
            return made

        yield run


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path)
    asyncio.run(made.start())
    yield made
    made.kill()


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Server]:
    made = S3Server(tmp_path)
    asyncio.run(made.start())
    yield made
    made.stop()


def shared(redis: RedisServer) -> dict[str, str]:
    return {
        "CACHES__REDIS__URL": redis.url,
        "CACHES__REDIS__BREAKER_FAILURES": "2",
        "CACHES__REDIS__BREAKER_SECONDS": "0.1",
    }


def away(bucket: Bucket) -> dict[str, str]:
    return {
        "BLOBS__KIND": "s3",
        "BLOBS__THRESHOLD": "1000",
        "BLOBS__MEMORY_BYTES": "0",
        "BLOBS__S3__BUCKET": bucket.name,
        "BLOBS__S3__ENDPOINT": bucket.endpoint,
        "BLOBS__S3__REGION": "us-east-1",
        "BLOBS__S3__PATH_STYLE": "true",
        "BLOBS__S3__ACCESS_KEY": "test",
        "BLOBS__S3__SECRET_KEY": "test",
        "BLOBS__S3__TIMEOUT_SECONDS": "3",
        "BLOBS__S3__BREAKER_FAILURES": "2",
        "BLOBS__S3__BREAKER_SECONDS": "0.1",
    }


def inside(bucket: Bucket, act: Callable[[Bucket], Any]) -> Any:
    """What `act` does in the bucket."""

    async def run() -> Any:
        async with Bucket(bucket.endpoint, bucket.name) as same:
            return await act(same)

    return asyncio.run(run())


def turns(registry: Registry, status: int) -> None:
    """Wait until the registry says that it is so."""

    async def so() -> bool:
        return bool(registry.health().status == status)

    asyncio.run(until(so))


def test_a_second_server_finds_in_redis_what_the_first_one_found_out(
    start: Start, redis: RedisServer
) -> None:
    one, two = start("one", **shared(redis)), start("two", **shared(redis))
    first = [one.register("s", SMALL), one.register("s", LARGE)]
    with redis.client() as client:
        kept = set(client.keys("*"))
        hits = client.info("stats")["keyspace_hits"]

    second = [two.register("s", SMALL), two.register("s", LARGE)]

    assert [each.version for each in first] == [each.version for each in second]
    with redis.client() as client:
        assert set(client.keys("*")) == kept  # it computed nothing of its own
        assert client.info("stats")["keyspace_hits"] > hits
    assert one.health().status == HEALTHY


@pytest.mark.parametrize("fault", ["killed", "frozen", "flushed", "full of garbage"])
def test_a_fault_of_redis_changes_no_answer(start: Start, redis: RedisServer, fault: str) -> None:
    registry = start("one", **shared(redis))
    before = registry.register("before", SMALL)
    if fault == "killed":
        redis.kill()
    elif fault == "frozen":
        redis.freeze()
    else:
        with redis.client() as client:
            names = client.keys("*")
            client.flushall()
            for name in names if fault == "full of garbage" else ():
                client.set(name, b"\x80\x04garbage")
    away = fault in ("killed", "frozen")

    for n in range(6):
        registry.register("s", json.dumps({"type": "string", "description": str(n)}).encode())
    registry.register("again", SMALL)
    assert registry.content(before.schema_id) == SMALL
    with pytest.raises(CallFailed) as refused:
        registry.register("s", b'{"type": "integer"}')
    assert refused.value.reason == "INCOMPATIBLE_SCHEMA"
    health = registry.health()
    assert health.status == (DEGRADED if away else HEALTHY)
    assert not away or "Redis is of no use" in health.components["redis"].message

    if fault == "killed":
        asyncio.run(redis.start())
    elif fault == "frozen":
        redis.thaw()
    turns(registry, HEALTHY)
    registry.register("after", b'{"type": "boolean"}')
    with redis.client() as client:
        assert client.dbsize() > 0


@pytest.fixture
def bucket(s3: S3Server) -> Bucket:
    made = Bucket(s3.endpoint)
    inside(made, Bucket.keys)
    return made


def test_large_contents_are_in_the_bucket_and_come_back(start: Start, bucket: Bucket) -> None:
    registry = start("one", **away(bucket))
    large, small = registry.register("large", LARGE), registry.register("small", SMALL)
    keys = inside(bucket, Bucket.keys)

    assert len(keys) >= 1
    registry.restart()
    assert registry.content(large.schema_id) == LARGE
    assert registry.content(small.schema_id) == SMALL
    assert registry.health().components["blobs"].details["kind"] == "s3"


def test_a_silent_object_store_holds_up_only_what_is_in_it(
    start: Start, s3: S3Server, bucket: Bucket
) -> None:
    registry = start("one", **away(bucket))
    large, small = registry.register("large", LARGE), registry.register("small", SMALL)
    registry.restart()
    s3.freeze()

    for _ in range(3):
        with pytest.raises(CallFailed) as refused:
            registry.content(large.schema_id)
        assert (refused.value.code, refused.value.reason) == (UNAVAILABLE, "STORAGE_UNAVAILABLE")
    assert registry.content(small.schema_id) == SMALL
    registry.register("other", SMALL)
    with pytest.raises(CallFailed) as refused:
        registry.register("another", LARGE.replace(b"x", b"y"))
    assert refused.value.code == UNAVAILABLE
    health = registry.health()
    assert health.status == DEGRADED
    assert "object store" in health.components["blobs"].message

    s3.thaw()
    turns(registry, HEALTHY)
    assert registry.content(large.schema_id) == LARGE
    assert registry.register("another", LARGE.replace(b"x", b"y")).version == "1.0.0"


def test_a_missing_or_wrong_object_is_data_loss_that_names_it(start: Start, bucket: Bucket) -> None:
    registry = start("one", **away(bucket))
    large = registry.register("large", LARGE)
    keys = inside(bucket, Bucket.keys)
    registry.restart()

    async def replace_all(b: Bucket) -> None:
        for key in keys:
            await b.put(key, LARGE[:-1] + b" ")

    async def delete_all(b: Bucket) -> None:
        for key in keys:
            await b.delete(key)

    for spoil in (replace_all, delete_all):
        inside(bucket, spoil)
        with pytest.raises(CallFailed) as refused:
            registry.content(large.schema_id)
        assert (refused.value.code, refused.value.reason) == (DATA_LOSS, "STORAGE_DAMAGED")
        assert not any(
            key in refused.value.message for key in keys
        )  # callers learn no places; the log has them
        assert any(key in line for key in keys for line in registry.server.log.read_text().splitlines())


def test_every_acknowledged_large_content_survives_a_kill(start: Start, bucket: Bucket) -> None:
    settings = {**away(bucket), "BLOBS__THRESHOLD": "0"}
    registry = start("one", **settings)
    acknowledged: dict[str, bytes] = {}
    enough = threading.Event()

    def write(writer: int) -> None:
        for n in itertools.count():
            content = json.dumps({"const": f"{writer} {n}"}).encode()
            try:
                made = registry.register(f"s{writer}-{n}", content)
            except CallFailed:
                return
            acknowledged[made.schema_id] = content
            if len(acknowledged) >= 40:
                enough.set()

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, n) for n in range(4)]
        assert enough.wait()
        registry.server.kill()
        for each in writers:
            each.result()

    registry.begin()
    assert {i: registry.content(i) for i in acknowledged} == acknowledged


def test_collect_garbage_counts_and_spares_what_is_young(start: Start, bucket: Bucket) -> None:
    registry = start("one", **away(bucket))
    registry.register("large", LARGE)
    keys = inside(bucket, Bucket.keys)

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(str(ROOT / part) for part in ("engines", "server", "clients/python"))
        variables = {
            "STORAGE__PATH": str(registry.home / "registry.db"),
            **away(bucket),
            **settings,
        }
        return subprocess.run(
            [sys.executable, "-m", "llm_schema_registry_server", "collect-garbage", *arguments],
            env={
                "PATH": os.environ.get("PATH", ""),
                "PYTHONPATH": path,
                **{f"SCHEMA_REGISTRY_{name}": value for name, value in variables.items()},
            },
            capture_output=True,
            text=True,
            check=False,
        )

    done = run("--grace", "15m")
    assert done.returncode == 0, done.stderr
    totals = json.loads(done.stdout)
    assert (totals["blobs"], totals["young"], totals["deleted"]) == (len(keys), len(keys), 0)
    assert run("--grace", "1s").returncode == 2
    assert run(BLOBS__KIND="inline").returncode == 2
    assert inside(bucket, Bucket.keys) == keys
