"""Runs the command in this process against a scripted registry that lives in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from llm_schema_registry import RetryPolicy
from llm_schema_registry.cli import run, session
from tests.sdk.fake_registry import FakeRegistry


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    registry = FakeRegistry()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(registry.start(), loop).result()
    yield registry
    asyncio.run_coroutine_threadsafe(registry.stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Cli:
    """The command against one server."""

    def __init__(
        self, target: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.target = target
        self._capfd = capfd
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: str, stdin: bytes = b"", server: bool = True) -> Ran:
        """Run the command; with `server`, --server names the scripted one."""
        self._capfd.readouterr()
        self._monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(stdin)))
        code = run([*(["--server", self.target] if server else []), *arguments])
        sys.stdout.flush()
        out, err = self._capfd.readouterr()
        return Ran(code, out, err)


@pytest.fixture
def cli(
    fake: FakeRegistry, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Cli:
    for name in ("SERVER", "TOKEN", "OUTPUT", "PROFILE", "TIMEOUT", "CONTEXT", "CA", "CERT", "KEY"):
        monkeypatch.delenv(f"SCHEMA_REGISTRY_{name}", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(
        session, "RetryPolicy", lambda connect: RetryPolicy(attempts=2, first=0.0, connect=connect)
    )
    return Cli(fake.target, capfd, monkeypatch)
