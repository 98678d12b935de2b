"""Errors tell callers which component failed; files, hosts and the texts of drivers are for operators."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import asyncpg
import pytest

from llm_schema_registry_server.calls.failure import failure
from llm_schema_registry_server.errors import RegistryError, StorageUnavailable
from llm_schema_registry_server.model.health import ComponentStatus
from llm_schema_registry_server.registry.health import optional
from llm_schema_registry_server.storage.postgres.errors import AWAY, error_of, shown
from llm_schema_registry_server.storage.sqlite.errors import translated

DATABASE = "db.inside:5432/registry"


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InvalidPasswordError(f'password authentication failed for user "ada" at {DATABASE}'),
        asyncpg.InvalidCatalogNameError(f"no {DATABASE}"),
        asyncpg.UndefinedObjectError(f"unrecognized configuration parameter at {DATABASE}"),
        ConnectionRefusedError(111, f"Connect call failed ({DATABASE})"),
        TimeoutError(DATABASE),
    ],
    ids=lambda e: type(e).__name__,
)
def test_an_error_of_postgresql_has_no_host_for_callers(error: Exception) -> None:
    assert isinstance(error, AWAY)
    made = error_of(error, DATABASE)

    assert DATABASE in str(made)
    assert "inside" not in failure(made, "r").message + str(failure(made, "r").facts)
    assert made.message.startswith("PostgreSQL")


def test_an_error_of_sqlite_has_no_file_for_callers() -> None:
    with pytest.raises(RegistryError) as caught, translated(Path("/var/lib/inside/registry.db")):
        sqlite3.connect("/nobody/at/all").execute("SELECT 1")

    assert "/var/lib/inside/registry.db" in str(caught.value)
    assert "inside" not in failure(caught.value, "r").message


@pytest.mark.parametrize(
    "dsn", ["postgresql://me:se/same@db", "postgresql://me:se[same@db", "host=db password=sesame"]
)
def test_a_dsn_that_is_no_url_is_shown_without_its_password(dsn: str) -> None:
    assert "same" not in shown(dsn)


async def test_a_component_keeps_for_the_log_where_it_is() -> None:
    async def probe() -> dict[str, str]:
        raise StorageUnavailable("Redis is of no use", inside="cache.inside:6379 refused")

    part = await optional(probe())
    assert (part.status, part.message) == (ComponentStatus.DEGRADED, "Redis is of no use")
    assert part.inside == "cache.inside:6379 refused"
