"""A server killed in the middle of a storm of writes: whatever it acknowledged is there after the restart, whole and in order."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from pathlib import Path

import psutil
import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.helpers import V1, register
from tests.api.server import ServerProcess
from tests.api.wires import CallFailed, GrpcWire

WRITERS = 12
ENOUGH = 150
"""Acknowledged writes before the kill."""


class Storm:
    """Writers that register until the server is gone, and what it acknowledged."""

    def __init__(self, target: str, name: str) -> None:
        self.acknowledged: list[tuple[pb.RegisterSchemaResponse, bytes]] = []
        self.sent: set[tuple[str, bytes]] = set()
        self.last_words: set[int] = set()
        self._target, self._name = target, name
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in range(WRITERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _write(self, writer: int) -> None:
        wire = GrpcWire("storm", self._target)
        subject = f"{self._name}.{writer % (WRITERS // 3)}"  # three writers to a subject
        n = 0
        while True:
            content = V1 + b" " * (n * WRITERS + writer)
            self.sent.add((subject, content))
            try:
                self.acknowledged.append((register(wire, subject, content), content))
            except CallFailed as failure:
                wire.close()
                self.last_words.add(failure.code)
                return
            n += 1


@pytest.mark.parametrize("engine", ["native", "grpcio"])
def test_every_acknowledged_write_survives_a_kill(tmp_path: Path, engine: str) -> None:
    server = ServerProcess(tmp_path, GRPC__ENGINE=engine)
    children = psutil.Process(server.process.pid).children(recursive=True)
    storms = []
    for round_ in range(2):
        storm = Storm(server.grpc, f"storm{round_}")
        storm.start()
        while len(storm.acknowledged) < ENOUGH:
            time.sleep(0.005)
        server.kill()
        storm.join()
        assert storm.last_words == {14}  # UNAVAILABLE: it is gone
        storms.append(storm)
        server = ServerProcess(tmp_path, GRPC__ENGINE=engine)

    wire = GrpcWire("after", server.grpc)
    stored = list(wire.listing("ListSchemas", pb.ListSchemasRequest()))
    by_id = {s.id: s for s in stored}
    told = []
    for event in wire.listing("StreamSchemaChanges", pb.StreamRequest(from_revision="earliest")):
        told.append(event)
        if len(told) == len(stored):
            break
    for storm in storms:
        for answer, content in storm.acknowledged:
            found = by_id[answer.schema_id]
            assert (found.version, found.ordinal, found.revision) == (
                answer.version,
                answer.ordinal,
                answer.revision,
            )
            assert found.schema_content == content
    ordinals = defaultdict(list)
    for version in stored:
        ordinals[version.subject].append(version.ordinal)
    sent = set.union(*(storm.sent for storm in storms))

    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in ordinals.values())
    assert {(s.subject, s.schema_content) for s in stored} <= sent
    assert [e.schema_id for e in told] == [s.id for s in sorted(stored, key=lambda s: s.revision)]
    wire.close()
    assert server.stop() == 0
    assert psutil.wait_procs(children, timeout=10)[1] == []
