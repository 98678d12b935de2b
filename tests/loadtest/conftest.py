"""One loaded server for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.server import ServerProcess

from .generators import Target


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    server = ServerProcess(tmp_path_factory.mktemp("server"))
    yield Target(server)
    server.stop()
