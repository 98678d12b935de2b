"""What every test may use: the run that ends what it has started, and the servers that all tests share."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.postgres import Postgres, shared_server
from tests.support.processes import die_with_parent, end_run, run

# A busy machine is slow: nothing that Hypothesis runs is judged by the clock.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """A run with workers begins before they do, so that they share it; a worker does not outlive who started it."""
    if hasattr(config, "workerinput"):
        die_with_parent()
    elif config.getoption("numprocesses", None):
        run()


def pytest_collection() -> None:
    """What is collected stays until the end: to look for garbage in it takes a tenth of the time."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Nor is it looked at again by the tests that look for garbage of their own."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    end_run()


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """The server that all tests share; the databases that a test makes on it are dropped after it.

    `make test` installs PostgreSQL; without it these tests are skipped.
    """
    server = shared_server()
    yield server
    asyncio.run(server.drop_databases())
