"""The audit log of several servers on one database, of servers that are killed, and of commands without a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llm_schema_registry.v1 import audit_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.server import ROOT, ServerProcess
from tests.api.wires import GrpcWire, HttpWire

from .replicas import ENGINES, Replicas

WRITES = 60
"""Of each server, on each of its two wires."""


@pytest.fixture(params=["sqlite", "postgres"])
def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Replicas]:
    made = Replicas(tmp_path, request.param, AUDIT__INTERVAL_SECONDS="0.05")
    made.start()
    yield made
    made.stop()


def audit(replicas: Replicas, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`schema-registry-server audit ...` on their database."""
    return subprocess.run(
        [sys.executable, "-m", "llm_schema_registry_server", "audit", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(str(ROOT / p) for p in ("engines", "server", "clients/python")),
            **{f"SCHEMA_REGISTRY_{name}": value for name, value in replicas.settings.items()},
        },
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def registered(events: Sequence[audit_pb2.AuditEvent]) -> list[str]:
    """The subjects of the registrations among these, in order."""
    kind = audit_pb2.AUDIT_EVENT_TYPE_SCHEMA_REGISTERED
    return [e.resources[0].name for e in events if e.type == kind and e.change]


def everything(server: ServerProcess) -> list[audit_pb2.AuditEvent]:
    wire, events = GrpcWire("grpc", server.grpc), []
    request = audit_pb2.ListAuditEventsRequest(limit=1000)
    while True:
        page = wire.call("ListAuditEvents", request)
        events += page.events
        request.page_token = page.next_page_token
        if not page.next_page_token:
            wire.close()
            return events


def wait_for(server: ServerProcess, count: int) -> list[audit_pb2.AuditEvent]:
    """Everything, once so many registrations are logged."""
    end = time.monotonic() + 60
    while len(registered(events := everything(server))) < count:
        assert time.monotonic() < end, len(registered(events))
        time.sleep(0.1)
    return events


def write(server: ServerProcess, wire: str, prefix: str, count: int) -> None:
    made = HttpWire(server.http) if wire == "http" else GrpcWire("grpc", server.grpc)
    for number in range(count):
        request = pb.RegisterSchemaRequest(
            subject=f"{prefix}-{number}",
            schema_content=json.dumps({"const": f"{prefix}-{number}"}).encode(),
            schema_type=pb.SCHEMA_TYPE_JSON,
        )
        assert made.call("RegisterSchema", request).created
    made.close()


def test_servers_that_write_at_once_fill_one_log(replicas: Replicas, tmp_path: Path) -> None:
    writers = [(engine, wire) for engine in ENGINES for wire in ("grpc", "http")]
    with ThreadPoolExecutor(len(writers)) as pool:
        for done in [
            pool.submit(write, replicas.servers[engine], wire, f"{engine}-{wire}", WRITES)
            for engine, wire in writers
        ]:
            done.result()

    events = wait_for(replicas.servers["native"], WRITES * len(writers))
    subjects = {f"{engine}-{wire}-{n}" for engine, wire in writers for n in range(WRITES)}
    assert len(registered(events)) == len(subjects), "each once"
    assert set(registered(events)) == subjects
    assert [e.position for e in events] == list(range(len(events)))
    for engine, wire in writers:
        mine = [s for s in registered(events) if s.startswith(f"{engine}-{wire}-")]
        assert mine == [f"{engine}-{wire}-{n}" for n in range(WRITES)], "in the order of the commits"
    assert registered(everything(replicas.servers["grpcio"])) == registered(events)
    kept = tmp_path / "kept"
    kept.write_text(audit(replicas, "checkpoint").stdout)
    found = audit(replicas, "verify", "--checkpoint", str(kept))
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["sound"]


def test_what_was_acknowledged_is_logged_after_a_kill(replicas: Replicas) -> None:
    """Servers that never get to sequencing are killed: what they have acknowledged is in the inbox, whose next holder logs it."""
    replicas.stop()
    slow = {**replicas.settings, "AUDIT__INTERVAL_SECONDS": "60"}
    homes = {engine: replicas.home / f"slow-{engine}" for engine in ENGINES}
    for engine in ENGINES:
        server = ServerProcess(homes[engine], GRPC__ENGINE=engine, **slow)
        time.sleep(1.5)  # its first run is over
        write(server, "grpc", f"killed-{engine}", 20)
        server.kill()

    replicas.start()
    events = wait_for(replicas.servers["native"], 2 * 20)
    assert set(registered(events)) == {f"killed-{engine}-{n}" for engine in ENGINES for n in range(20)}
    assert audit(replicas, "verify").returncode == 0


def test_commands_that_write_are_recorded_and_findings_have_an_exit_code(tmp_path: Path) -> None:
    replicas = Replicas(tmp_path, "sqlite", AUDIT__KEY_FILE=str(tmp_path / "keys" / "audit"))
    early = audit(replicas, "key")
    assert early.returncode == 1
    assert "cannot show the key" in early.stderr
    replicas.create_key("--name", "first", "--role", "admin")
    replicas.start()
    replicas.stop()

    key = audit(replicas, "key").stdout.strip()
    assert audit(replicas, "verify", "--public-key", key).returncode == 0
    assert (tmp_path / "keys" / "audit").stat().st_mode & 0o777 == 0o600
    exported = tmp_path / "export.jsonl"
    assert audit(replicas, "export", str(exported)).returncode == 0
    (made,) = (line for line in exported.read_text().splitlines() if "TOKEN_GENERATED" in line)
    entry = json.loads(made)["entry"]
    assert (entry["principal"], entry["kind"], entry["operation"]) == (
        "schema-registry-server",
        "system",
        "create-key",
    )
    other = key.rpartition("+")[0] + "+" + "AQ" + key.rpartition("+")[2][2:-4] + "AAA="
    assert audit(replicas, "verify", "--public-key", other).returncode in (1, 3)

    (tmp_path / "keys" / "audit").unlink()
    refused = audit(replicas, "verify")
    assert (refused.returncode, "cannot be read" in refused.stderr) == (1, True)
    with pytest.raises(AssertionError, match="is missing"):
        ServerProcess(tmp_path / "without", **replicas.settings)
    (tmp_path / "keys" / "audit").write_text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
    (tmp_path / "keys" / "audit").chmod(0o600)
    with pytest.raises(AssertionError, match="signed with another key"):
        ServerProcess(tmp_path / "another", **replicas.settings)
    (tmp_path / "keys" / "audit").chmod(0o644)
    with pytest.raises(AssertionError, match="chmod 600"):
        ServerProcess(tmp_path / "open", **replicas.settings)
