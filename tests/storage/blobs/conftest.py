"""Stores of each back end, wrapped so that every content is in an object store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from llm_schema_registry_server.storage.postgres import PostgresStore
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.wrappers.blobbed import BlobbedStore, blobbed_store
from tests.support.blobs import MemoryBlobs
from tests.support.postgres import PATIENT, Postgres
from tests.support.storage import BACK_ENDS


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


@pytest_asyncio.fixture(params=[*BACK_ENDS, "postgres"])
async def inner(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Not opened yet: the wrapper opens it."""
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        return PostgresStore(await server.empty_database(), PATIENT)
    return BACK_ENDS[request.param](tmp_path)


@pytest_asyncio.fixture
async def store(inner: Store, blobs: MemoryBlobs) -> AsyncIterator[BlobbedStore]:
    made = blobbed_store(inner, blobs, threshold=0, memory_bytes=0)
    await made.open()
    try:
        yield made
    finally:
        await made.close()
