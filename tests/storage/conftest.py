"""A store of each back end for every test that asks for `store`, one on SQLite for `sqlite`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from llm_schema_registry_server.storage.postgres import PostgresStore
from llm_schema_registry_server.storage.sqlite import SqliteStore
from llm_schema_registry_server.storage.store import Store
from tests.support.postgres import PATIENT, Postgres
from tests.support.storage import BACK_ENDS


@pytest_asyncio.fixture(params=[*BACK_ENDS, "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        made: Store = PostgresStore(await server.empty_database(), PATIENT)
    else:
        made = BACK_ENDS[request.param](tmp_path)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


@pytest_asyncio.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(tmp_path / "registry.db", synchronous="normal")
    await made.open()
    try:
        yield made
    finally:
        await made.close()
