"""One server for all tests of this folder, and who speaks to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from tests.api.server import ServerProcess

from .speaker import ERAS, Speaker


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    made = ServerProcess(tmp_path_factory.mktemp("mcp"), WORKERS__PROCESSES="1", MCP__MAX_BODY_BYTES="300000")
    yield made
    assert made.stop() == 0
    assert made.events("call_crashed") == [], "a call failed unexpectedly"


@pytest.fixture(params=ERAS)
def speaker(server: ServerProcess, request: pytest.FixtureRequest) -> Speaker:
    """A client of each era."""
    return Speaker(server.http, request.param)


@pytest.fixture
def modern(server: ServerProcess) -> Speaker:
    return Speaker(server.http)


@pytest.fixture
def name() -> Callable[[str], str]:
    """Makes subject names that no other test uses: name("a") is the same within one test."""
    unique = f"m{uuid4().hex[:12]}"
    return lambda text="s": f"{unique}.{text}"
