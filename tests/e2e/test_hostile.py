"""Each attack of loadtest/hostile.py for a second, on a real server: honest callers are answered beside it, memory stays within
bounds, and what it opened is closed afterwards. Nothing here is timed; `python loadtest/hostile.py` measures."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from google.protobuf.empty_pb2 import Empty

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc
from tests.api.server import ROOT, ServerProcess

sys.path.append(str(ROOT / "loadtest"))
from attacks import pages, streams
from attacks.all import ATTACKS, ENGINES, engines_of
from attacks.attack import BUGS, Target, ask, head, json_request, outcome
from attacks.evidence import ITEMS, TESTS
from watching import POOL_THREADS, Footprint, Peak, footprint, settled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SECONDS = 1.0
LINE_MIB = 448
"""grpc.memory_line_bytes of these servers: above it, whoever holds most is cut."""
OWN_MIB, WORKERS_MIB = 600.0, 800.0
"""By how much a server may grow: what the line leaves, and what arrives until the guard has cut; and its workers: dear work of four
(`workers.processes` and `workers.slow_processes`)."""
SETTLE_SECONDS = 60.0
SPARE = 6
SPARE_THREADS = SPARE + POOL_THREADS


def sample() -> set[tuple[str, str]]:
    """Engines and names of attacks that `make test` runs, of which the deep tests run all: those on the port of gRPC with one engine
    each, in turns; of those on other ports every second one, and the first of each kind of fault."""
    chosen: set[tuple[str, str]] = set()
    kinds, turns = set[tuple[str, int]](), Counter[str]()
    for name, attack in ATTACKS.items():
        engines = engines_of(attack, ENGINES)
        turn, new = turns[attack.port], {(attack.port, item) for item in attack.items} - kinds
        turns[attack.port] += 1
        kinds |= new
        if attack.port == "grpc":
            chosen.add((engines[turn % len(engines)], name))
        elif turn % 2 or new:
            chosen.update((engine, name) for engine in engines)
    return chosen


SAMPLE = sample()
CASES = [
    pytest.param(engine, name, marks=[] if (engine, name) in SAMPLE else pytest.mark.deep)
    for name, attack in ATTACKS.items()
    for engine in engines_of(attack, ENGINES)
]


class Attacked:
    """A server of an engine, which all attacks meet one after the other."""

    def __init__(self, home: Path, engine: str) -> None:
        self.temporary = home / "tmp"
        self.temporary.mkdir()
        # Readers that take nothing are ended soon, so that a test need not wait for it.
        settings = {
            "GRPC__ENGINE": engine,
            "GRPC__MEMORY_LINE_BYTES": str(LINE_MIB << 20),
            "GRPC__FRONT": "on",
            "LOGS__LEVEL": "warning",
            "CHANGES__STALL_SECONDS": "1",
        }
        self.server = ServerProcess(home, {"TMPDIR": str(self.temporary)}, **settings)
        self.process = psutil.Process(self.server.process.pid)

    @property
    def target(self) -> Target:
        ports = self.server.ports
        return Target(ports["grpc"], ports["http"], ports["metrics"])

    def footprint(self) -> Footprint:
        return footprint(self.process, self.temporary)


@pytest.fixture(scope="module")
def attacked_with(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Attacked]]:
    """The server of an engine."""
    servers: dict[str, Attacked] = {}

    def find(engine: str) -> Attacked:
        if engine not in servers:
            servers[engine] = Attacked(tmp_path_factory.mktemp(engine), engine)
        return servers[engine]

    yield find
    for attacked in servers.values():
        assert attacked.server.stop() == 0
        assert attacked.server.events("call_crashed") == []


@pytest.fixture
def attacked(attacked_with: Callable[[str], Attacked], engine: str) -> Attacked:
    return attacked_with(engine)


@pytest.fixture
async def channel(attacked: Attacked) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(attacked.server.grpc) as channel:
        yield channel


async def behave(channel: grpc.aio.Channel, http: int, number: int) -> Counter[str]:
    """One call of each kind, as an honest caller makes it; how they ended."""
    stub: Any = schema_registry_pb2_grpc.SchemaRegistryStub(channel)
    schema = b'{"type": "array", "items": {"pattern": "^a%d"}}' % number
    request = pb.RegisterSchemaRequest(
        subject=f"good.{number}", schema_content=schema, schema_type=pb.SCHEMA_TYPE_JSON
    )
    found = Counter([await outcome(stub.RegisterSchema(request, timeout=60))])
    latest = pb.GetLatestVersionRequest(subject=f"good.{number}")
    found[await outcome(stub.GetLatestVersion(latest, timeout=60))] += 1
    valid = pb.ValidateDataRequest(subject=f"good.{number}", version="latest", data=b"[]")
    found[await outcome(stub.ValidateData(valid, timeout=60))] += 1
    read = head("GET", f"/api/v1/subjects/good.{number}/versions", "connection: close")
    found[await ask(http, "127.0.0.1", read, 60)] += 1
    body = b'{"subject": "good.h%d", "schema": {}, "schema_type": "JSON"}' % number
    found[await ask(http, "127.0.0.1", json_request("/api/v1/schemas", body), 60)] += 1
    return found


@pytest.mark.parametrize(("engine", "name"), CASES)
async def test_honest_callers_are_served_beside(
    attacked: Attacked, channel: grpc.aio.Channel, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "LARGE_CONTENTS", 10)
    monkeypatch.setattr(streams, "VERSIONS", 100)
    attack, target = ATTACKS[name], attacked.target
    number = int(time.time() * 1000) % 10**9
    await behave(channel, target.http, number)
    before = attacked.footprint()
    ids = await attack.prepare(target) if attack.prepare else {}

    honest: Counter[str] = Counter()
    with Peak(attacked.process, attacked.temporary) as peak:
        running = asyncio.create_task(attack.run(replace(target, end=time.monotonic() + SECONDS, ids=ids)))
        while not running.done():
            number += 1
            honest += await behave(channel, target.http, number)
        found = await running
    after = await settled(
        attacked.process,
        attacked.temporary,
        before,
        SETTLE_SECONDS,
        descriptors=SPARE,
        threads=SPARE_THREADS,
    )

    stub: Any = schema_registry_pb2_grpc.SchemaRegistryStub(channel)
    health = await stub.HealthCheck(Empty(), timeout=60)
    assert health.status == pb.HealthCheckResponse.STATUS_HEALTHY, health
    assert honest["OK"] >= 3, honest
    assert not faults(honest), honest
    assert not faults(found), found
    assert peak.own - before.own < OWN_MIB
    assert peak.children - before.children < WORKERS_MIB
    assert after.descriptors <= before.descriptors + SPARE
    assert after.threads <= before.threads + SPARE_THREADS
    assert after.files <= before.files


def faults(found: Counter[str]) -> list[str]:
    """Outcomes that no caller may see, whatever it or others send."""
    return [what for what in found if what.rpartition(": ")[2].startswith(BUGS)]


def test_there_is_evidence_for_each_kind_of_fault() -> None:
    attacked = {item for attack in ATTACKS.values() for item in attack.items}

    assert attacked | set(TESTS) == set(ITEMS)
    for test in {test for tests in TESTS.values() for test in tests}:
        assert (ROOT / test).exists(), test
