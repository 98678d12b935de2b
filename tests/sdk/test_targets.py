"""Where a client connects to: what may be written, several addresses, ports that speak something else, restarts."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_schema_registry import (
    Code,
    ProtocolMismatch,
    RegistryError,
    RetryPolicy,
    SchemaRegistry,
    Unavailable,
    Unimplemented,
)
from llm_schema_registry._targets import Rotation, Target, parse_target
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.server import ServerProcess
from tests.sdk.conftest import connect
from tests.sdk.fake_registry import FakeRegistry, answers, fails
from tests.support import waiting

ENGINES = ("native", "grpcio")


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("localhost", Target(("localhost:9090",))),
        ("registry.example:1234", Target(("registry.example:1234",))),
        (" a:1 , b ,c:3,a:1", Target(("a:1", "b:9090", "c:3"))),
        ("[::1]", Target(("[::1]:9090",))),
        ("[::1]:7,127.0.0.1", Target(("[::1]:7", "127.0.0.1:9090"))),
        ("::1", Target(("[::1]:9090",))),
        ("https://registry.example/", Target(("registry.example:9090",), tls=True)),
        ("http://a:8,b", Target(("a:8", "b:9090"), tls=False)),
        ("grpcs://a", Target(("a:9090",), tls=True)),
        ("dns:9090", Target(("dns:9090",))),
        ("dns:///registry.example", Target(("dns:///registry.example:9090",), balanced=True)),
        ("dns://8.8.8.8/registry.example:7", Target(("dns://8.8.8.8/registry.example:7",), balanced=True)),
        ("dns:registry.example", Target(("dns:registry.example:9090",), balanced=True)),
        ("ipv4:10.0.0.1,10.0.0.2:7", Target(("ipv4:10.0.0.1:9090,10.0.0.2:7",), balanced=True)),
        ("ipv6:[::1],[::2]:7", Target(("ipv6:[::1]:9090,[::2]:7",), balanced=True)),
        ("unix:/run/registry.sock", Target(("unix:/run/registry.sock",))),
        ("unix:///run/registry.sock", Target(("unix:///run/registry.sock",))),
    ],
)
def test_what_may_be_written(written: str, target: Target) -> None:
    assert parse_target(written) == target


@pytest.mark.parametrize(
    "written", ["", " ", "a,,b", "a:0", "a:65536", "a:b", "a b", "http://", ":9090", "a:1:2x", "dns:///"]
)
def test_what_cannot_be_meant_is_refused_with_a_way_out(written: str) -> None:
    with pytest.raises(ValueError, match="target"):
        SchemaRegistry(written)


def test_too_many_addresses_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 32"):
        SchemaRegistry(",".join(f"h{n}" for n in range(33)))
    with pytest.raises(TypeError, match="target: a str"):
        SchemaRegistry(["a", "b"])  # type: ignore[arg-type]


def test_the_target_shows_where_the_client_goes() -> None:
    assert SchemaRegistry("a,b:7").target == "a:9090,b:7"


def test_addresses_take_turns_and_those_that_failed_rest() -> None:
    now = [0.0]
    rotation = Rotation(3, clock=lambda: now[0])
    assert [rotation.take() for _ in range(4)] == [0, 1, 2, 0]
    assert rotation.failed(1)
    assert [rotation.take() for _ in range(4)] == [2, 0, 2, 0]
    assert rotation.failed(0)
    assert not rotation.failed(2)  # nobody is left
    assert rotation.take() == 0  # a tie: the first of those that rest the shortest
    now[0] = 1.0
    assert sorted(rotation.take() for _ in range(3)) == [0, 1, 2]
    for _ in range(20):
        rotation.failed(1)
    now[0] += 4.9
    assert 1 not in [rotation.take() for _ in range(4)]
    now[0] += 0.2
    assert 1 in [rotation.take() for _ in range(4)]
    rotation.failed(1)
    rotation.worked(1)
    assert 1 in [rotation.take() for _ in range(3)]


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


async def test_calls_go_to_each_address_in_turn_and_past_one_that_is_down(kind: str) -> None:
    fakes = [FakeRegistry(), FakeRegistry()]
    for fake in fakes:
        fake.script("GetSchema", answers(pb.GetSchemaResponse(schema=pb.SchemaInfo(id="a"))))
        fake.script("DeleteSchema", fails(Code.INTERNAL))
        await fake.start()
    async with connect(kind, ",".join(fake.target for fake in fakes)) as client:
        for _ in range(6):
            await client.get_schema("a")
        assert [len(fake.calls["GetSchema"]) for fake in fakes] == [3, 3]

        await fakes[0].stop()
        for _ in range(6):
            await client.get_schema("a")
        assert len(fakes[1].calls["GetSchema"]) == 9
        with pytest.raises(RegistryError):  # not repeated, yet it reaches the one that lives
            await client.delete_schema("a")
        assert len(fakes[1].calls["DeleteSchema"]) == 1
        await fakes[1].stop()


async def test_grpcs_own_lists_are_spread_and_failed_over(kind: str) -> None:
    fakes = [FakeRegistry(), FakeRegistry()]
    for fake in fakes:
        fake.script("GetSchema", answers(pb.GetSchemaResponse(schema=pb.SchemaInfo(id="a"))))
        await fake.start()
    addresses = ",".join(fake.target.replace("localhost", "127.0.0.1") for fake in fakes)
    async with connect(kind, f"ipv4:{addresses}", retry=RetryPolicy(first=0.01)) as client:
        while min(len(fake.calls["GetSchema"]) for fake in fakes) < 3:
            await client.get_schema("a")
        await fakes[0].stop()
        before = len(fakes[1].calls["GetSchema"])
        for _ in range(6):
            await client.get_schema("a")
        assert len(fakes[1].calls["GetSchema"]) == before + 6
    await fakes[1].stop()


@pytest.fixture(scope="module", params=ENGINES)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    running = ServerProcess(tmp_path_factory.mktemp("targets"), GRPC__ENGINE=request.param)
    yield running
    running.stop()


@pytest.mark.parametrize("port", ["http", "metrics"])
async def test_a_port_that_speaks_http_is_named_at_once(server: ServerProcess, kind: str, port: str) -> None:
    address = f"127.0.0.1:{server.ports[port]}"
    async with connect(kind, address, timeout=600) as client:
        with pytest.raises(ProtocolMismatch) as caught:
            await client.health_check()
    assert caught.value.code == "UNAVAILABLE"
    assert str(caught.value).startswith(f"{address} answers, but does not speak gRPC")
    there = f"{server.ports['grpc']} of this server" if port == "http" else "9090 unless"
    assert f"gRPC is served on port {there}" in str(caught.value)


async def test_tls_where_there_is_none_is_named_at_once(server: ServerProcess, kind: str) -> None:
    async with connect(kind, f"https://{server.grpc}", timeout=600) as client:
        with pytest.raises(ProtocolMismatch, match="but not in TLS: connect without it"):
            await client.health_check()


@pytest.mark.parametrize("message", ["Method not found!", "unknown service schema_registry.v1.ToolsService"])
async def test_a_call_that_the_server_does_not_know_tells_an_older_server(
    fake: FakeRegistry, kind: str, message: str
) -> None:
    fake.script("GetStatistics", fails(Code.UNIMPLEMENTED, message))
    async with connect(kind, fake.target) as client:
        with pytest.raises(
            Unimplemented, match=r"does not know AdminService/GetStatistics: it is older than"
        ):
            await client.get_statistics()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_restart_under_load_fails_no_call_that_may_be_repeated(
    tmp_path: Path, kind: str, engine: str, end: str
) -> None:
    (port,) = free_ports(1)
    settings = {"GRPC__ENGINE": engine, "GRPC__PORT": str(port)}
    server = await asyncio.to_thread(lambda: ServerProcess(tmp_path, **settings))
    failures: list[RegistryError] = []
    done = [0] * 4
    over = asyncio.Event()
    async with connect(kind, server.grpc, timeout=20, retry=RetryPolicy()) as client:
        made = await client.register_schema("s", {"type": "object"})

        async def load(worker: int) -> None:
            while not over.is_set():
                try:
                    report = await client.validate_data(made.schema_id, {})
                    assert report
                    await client.get_latest_version("s")
                except RegistryError as error:
                    failures.append(error)
                done[worker] += 1

        workers = [asyncio.create_task(load(n)) for n in range(4)]
        await _until_each_did(done, list(done), 5)
        await asyncio.to_thread(server.stop if end == "stop" else server.kill)
        server = await asyncio.to_thread(lambda: ServerProcess(tmp_path, **settings))
        await _until_each_did(done, list(done), 5)
        over.set()
        await asyncio.gather(*workers)
    await asyncio.to_thread(server.stop)
    assert failures == []


async def _until_each_did(done: list[int], before: list[int], more: int) -> None:
    async def moved() -> bool:
        return all(now >= then + more for now, then in zip(done, before, strict=True))

    await waiting.until(moved)


async def test_nobody_there_takes_the_time_that_was_given(kind: str) -> None:
    began = time.monotonic()
    async with connect(kind, "localhost:1", retry=RetryPolicy(), timeout=1.0) as client:
        with pytest.raises(Unavailable) as caught:
            await client.health_check()
    assert caught.value.never_sent
    assert time.monotonic() - began > 0.9
