"""A server that encrypts what it stores: nothing of a content is in its files, and keys are rotated beside traffic."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.helpers import closed, register
from tests.api.server import ROOT, ServerProcess
from tests.api.wires import CallFailed, GrpcWire

OLD, NEW = (
    f"{name}:{base64.b64encode(bytes([n]) * 32).decode()}" for n, name in enumerate(("old", "new"), 1)
)
SECRET = "planted-description-of-a-field"
CONTENT = closed(a={"type": "string", "description": SECRET})


def run(home: Path, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": ":".join(str(ROOT / part) for part in ("engines", "server", "clients/python")),
        "SCHEMA_REGISTRY_STORAGE__PATH": str(home / "registry.db"),
        **{f"SCHEMA_REGISTRY_{name}": value for name, value in settings.items()},
    }
    return subprocess.run(
        [sys.executable, "-m", "llm_schema_registry_server", *command],
        env=environment, capture_output=True, text=True, timeout=120, cwd=home, check=False,
    )  # fmt: skip


def files(home: Path) -> bytes:
    return b"".join(file.read_bytes() for file in home.glob("registry.db*"))


def with_keys(*keys: str, **more: str) -> Mapping[str, str]:
    return {"ENCRYPTION__PROVIDER": "environment", "ENCRYPTION__KEYS": ",".join(keys), **more}


def test_contents_are_encrypted_and_keys_rotated_beside_traffic(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, **with_keys(OLD))
    with closing(GrpcWire("grpc", server.grpc)) as wire:
        first = register(wire, "orders", CONTENT)
    server.stop()
    assert SECRET.encode() not in files(tmp_path)

    server = ServerProcess(tmp_path, **with_keys(NEW, OLD))
    stop, read = threading.Event(), []

    def traffic() -> None:
        with closing(GrpcWire("grpc", server.grpc)) as wire:
            number = 0
            while not stop.is_set():
                number += 1
                register(wire, f"beside.{number}", closed(**{f"f{number}": {"type": "string"}}))
                read.append(
                    wire.call(
                        "GetSchema", pb.GetSchemaRequest(schema_id=first.schema_id)
                    ).schema.schema_content
                )

    thread = threading.Thread(target=traffic)
    thread.start()
    try:
        done = run(tmp_path, "rotate-keys", **with_keys(NEW, OLD))
    finally:
        stop.set()
        thread.join()
        server.stop()
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["newest_key"], told["rewrapped"]) == ("new", 1)
    assert "looked at" in done.stderr
    assert set(read) == {CONTENT}

    server = ServerProcess(
        tmp_path, **with_keys(NEW, ENCRYPTION__PLAINTEXT="false", CACHES__WARM_SCHEMAS="0")
    )
    with closing(GrpcWire("grpc", server.grpc)) as wire:
        assert (
            wire.call("GetSchema", pb.GetSchemaRequest(schema_id=first.schema_id)).schema.schema_content
            == CONTENT
        )
    server.stop()
    assert SECRET.encode() not in files(tmp_path)

    server = ServerProcess(tmp_path, **with_keys(OLD, CACHES__WARM_SCHEMAS="0"))
    with closing(GrpcWire("grpc", server.grpc)) as wire, pytest.raises(CallFailed) as lost:
        wire.call("GetSchema", pb.GetSchemaRequest(schema_id=first.schema_id))
    server.stop()
    assert lost.value.reason == "STORAGE_DAMAGED"
    assert base64.b64encode(b"\1" * 32).decode() not in server.log.read_text()


def test_an_archive_is_readable_and_is_imported_encrypted(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "one", **with_keys(OLD))
    with closing(GrpcWire("grpc", server.grpc)) as wire:
        made = register(wire, "orders", CONTENT)
    server.stop()
    archive = tmp_path / "archive"
    assert run(tmp_path / "one", "export", str(archive), **with_keys(OLD)).returncode == 0
    (tmp_path / "two").mkdir()
    done = run(tmp_path / "two", "import", str(archive), **with_keys(NEW))
    assert done.returncode == 0, done.stderr
    assert SECRET.encode() not in files(tmp_path / "two")
    server = ServerProcess(tmp_path / "two", **with_keys(NEW, ENCRYPTION__PLAINTEXT="false"))
    with closing(GrpcWire("grpc", server.grpc)) as wire:
        assert (
            wire.call("GetSchema", pb.GetSchemaRequest(schema_id=made.schema_id)).schema.schema_content
            == CONTENT
        )
    server.stop()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"ENCRYPTION__PROVIDER": "environment", "ENCRYPTION__KEYS": "a:short"}, "not the base64 of 32 bytes"),
        ({"ENCRYPTION__PROVIDER": "file", "ENCRYPTION__KEYS_FILE": "/nothing/here"}, "No such file"),
        (
            {
                "ENCRYPTION__PROVIDER": "vault", "ENCRYPTION__VAULT__ADDRESS": "http://127.0.0.1:1",
                "ENCRYPTION__VAULT__KEY": "k", "ENCRYPTION__VAULT__TOKEN": "planted-token",
            },
            "Vault cannot be reached",
        ),
    ],
)  # fmt: skip
def test_a_server_whose_keys_cannot_be_used_does_not_start(
    tmp_path: Path, settings: Mapping[str, str], told: str
) -> None:
    ports = {f"{part}__PORT": "0" for part in ("GRPC", "HTTP", "METRICS")}
    done = run(tmp_path, "serve", **ports, **settings)
    assert done.returncode == 1
    assert told in done.stderr
    assert "planted-token" not in done.stderr + done.stdout
