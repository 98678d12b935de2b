"""A log is compacted beside its server; whoever resumes from before the bound is told where to start again, on every wire."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from llm_schema_registry import RevisionCompacted, SchemaRegistry
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.cli import app
from llm_schema_registry_server.model.change import format_revision
from llm_schema_registry_server.storage.sqlite import SqliteStore
from tests.api.helpers import V1, register
from tests.api.server import ROOT, ServerProcess
from tests.api.wires import CallFailed, GrpcWire, HttpWire, Wire
from tests.support.storage import change

VERSIONS = 12
KEPT = 5
FORGETFUL = {"CHANGES__RING": "1"}
"""A server that keeps hardly anything in memory, so that it must ask the store."""


def compact(home: Path, *arguments: str) -> dict[str, Any]:
    """What the command says that it did to the log of the server in `home`."""
    path = os.pathsep.join(str(ROOT / part) for part in ("engines", "server", "clients/python"))
    done = subprocess.run(
        [sys.executable, "-m", "llm_schema_registry_server", "compact-changes", *arguments],
        env={
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": path,
            "SCHEMA_REGISTRY_STORAGE__PATH": str(home / "registry.db"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture(params=["native", "grpcio"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path, GRPC__ENGINE=request.param, **FORGETFUL)
    yield server
    assert server.stop() == 0
    assert server.events("call_crashed") == []


def resume(wire: Wire, revision: str, count: int) -> list[str]:
    request = pb.StreamRequest(from_revision=revision)
    with closing(wire.listing("StreamSchemaChanges", request)) as events:
        return [next(events).revision for _ in range(count)]


def test_resuming_from_what_is_forgotten_says_where_to_start_on_every_wire(
    server: ServerProcess, tmp_path: Path
) -> None:
    grpc, http = GrpcWire("test", server.grpc), HttpWire(server.http)
    made = [register(grpc, "s", V1 + b" " * n).revision for n in range(VERSIONS)]
    with closing(grpc.listing("StreamSchemaChanges", pb.StreamRequest(from_revision=made[-1]))) as live:
        foreseen = compact(tmp_path, "--keep", str(KEPT), "--dry-run")
        assert resume(grpc, "earliest", VERSIONS) == made
        done = compact(tmp_path, "--keep", str(KEPT))
        bound = made[-KEPT - 1]
        assert (done["changes"], done["oldest"], done["newest"]) == (VERSIONS - KEPT, bound, made[-1])
        assert foreseen["changes"] == done["changes"]

        for wire in (grpc, http):
            with pytest.raises(CallFailed) as caught:
                resume(wire, made[0], 1)
            error = caught.value
            assert (error.reason, error.metadata["oldest"]) == ("REVISION_COMPACTED", bound)
            assert error.http == 410 if wire is http else error.code == 11
            assert resume(wire, error.metadata["oldest"], KEPT) == made[-KEPT:]
            assert resume(wire, "earliest", KEPT) == made[-KEPT:]
        with (
            SchemaRegistry(server.grpc) as client,
            client.watch(from_revision=made[0]) as changes,
            pytest.raises(RevisionCompacted) as told,
        ):
            next(iter(changes))
        assert told.value.oldest == bound
        url = server.http.replace("http", "ws", 1) + "/api/v1/schemas/subscribe"
        with connect(url, proxy=None) as socket:
            socket.send(json.dumps({"from_revision": made[0]}))
            last = json.loads(socket.recv())
            assert last["error"]["error_code"] == "REVISION_COMPACTED"
            assert last["error"]["details"][0]["metadata"]["oldest"] == bound
            with pytest.raises(ConnectionClosed):
                socket.recv()

        assert register(grpc, "t").revision == next(live).revision  # undisturbed
    grpc.close()
    http.close()


def test_a_server_told_to_keep_few_changes_forgets_the_others(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    wire = GrpcWire("test", server.grpc)
    made = [register(wire, "s", V1 + b" " * n).revision for n in range(VERSIONS)]
    wire.close()
    assert server.stop() == 0

    server = ServerProcess(tmp_path, CHANGES__RETENTION_CHANGES="2", **FORGETFUL)
    wire = GrpcWire("test", server.grpc)
    try:
        while not server.events("changes_forgotten"):
            assert server.process.poll() is None
            time.sleep(0.01)
        assert resume(wire, "earliest", 2) == made[-2:]
        assert server.events("changes_forgotten")[0]["upto"] == made[-3]
    finally:
        wire.close()
        assert server.stop() == 0


@pytest.mark.parametrize(
    "arguments", [[], ["--older-than", "soon"], ["--older-than", "0d"], ["--keep", "-1"]]
)
def test_compacting_without_a_proper_bound_is_refused(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["compact-changes", *arguments]).exit_code == 2


def test_compacting_spares_what_a_cursor_has_not_passed_unless_told_otherwise(tmp_path: Path) -> None:
    async def fill() -> str:
        store = SqliteStore(tmp_path / "registry.db")
        await store.open()
        try:
            async with store.write() as tx:
                for _ in range(VERSIONS):
                    await tx.append_change(change(at=datetime.now(UTC)))
                await tx.set_cursor("audit", 4)
            return store.registry_id
        finally:
            await store.close()

    registry_id = asyncio.run(fill())

    done = compact(tmp_path, "--keep", "1")
    assert (done["changes"], done["oldest"]) == (4, format_revision(registry_id, 4))
    assert done["cursors"] == {"audit": format_revision(registry_id, 4)}
    done = compact(tmp_path, "--keep", "1", "--ignore-cursors")
    assert (done["changes"], done["oldest"]) == (VERSIONS - 5, format_revision(registry_id, VERSIONS - 1))
