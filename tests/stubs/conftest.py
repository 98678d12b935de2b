"""What the tests of other languages' stubs share: buf, and a server to drive."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.api.server import ROOT, ServerProcess

TYPESCRIPT = ROOT / "clients/typescript"
GO = ROOT / "clients/go"
PROTOS = ROOT / "protos"
COLD_SECONDS = 900
"""Time-out of a test that installs packages from a registry and compiles them on the first run."""


def run(command: Sequence[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    """What a command prints. Fails the test with all that it said when the command fails."""
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **(environment or {})}, capture_output=True, text=True
    )
    if done.returncode:
        pytest.fail(
            f"`{' '.join(command)}` in {folder} exited {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def needs(*programs: str) -> None:
    """Skip the test unless all programs are installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The packages of clients/typescript, installed anew only when its lock file differs from the last time."""
    needs("node", "npm")
    modules = TYPESCRIPT / "node_modules"
    stamp = modules / ".installed"
    lock = hashlib.sha256((TYPESCRIPT / "package-lock.json").read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != lock:
        run(["npm", "ci", "--no-audit", "--no-fund"], TYPESCRIPT)
        stamp.write_text(lock)
    return modules


@pytest.fixture(scope="session")
def buf(node_modules: Path) -> str:
    """The path of buf, which comes with the packages of clients/typescript."""
    return str(node_modules / ".bin/buf")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path)
    yield server
    assert server.stop() == 0
