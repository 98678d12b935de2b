"""One server and one provider for all tests of this folder; the provider refuses what the real one refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from llm_schema_registry import SchemaRegistry
from tests.api.server import ServerProcess

from .kit import TICKET, examples


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    made = ServerProcess(tmp_path_factory.mktemp("integrations"), WORKERS__PROCESSES="1")
    yield made
    assert made.stop() == 0
    assert made.events("call_crashed") == [], "a call failed unexpectedly"


@pytest.fixture(scope="session")
def served() -> Iterator[Any]:
    with examples("fake_provider").serving() as provider:
        yield provider


@pytest.fixture
def provider(served: Any) -> Any:
    """The provider, with nothing to answer."""
    served.will_answer()
    return served


@pytest.fixture(scope="session")
def registry(server: ServerProcess) -> Iterator[SchemaRegistry]:
    with SchemaRegistry(server.grpc) as client:
        yield client


@pytest.fixture(scope="session")
def ticket(registry: SchemaRegistry) -> str:
    """The subject of TICKET."""
    registry.register_schema("support.ticket", TICKET)
    return "support.ticket"


@pytest.fixture
def subject() -> str:
    """A name that no other test uses."""
    return f"i.{uuid4().hex[:12]}"
