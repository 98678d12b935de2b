"""Stores of each back end, wrapped so that every content is in an object store."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.wrappers.blobbed import BlobbedStore
from tests.support.blobs import MemoryBlobs
from tests.support.storage import BACK_ENDS


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


@pytest_asyncio.fixture(params=sorted(BACK_ENDS))
async def inner(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    async with BACK_ENDS[request.param](request) as made:
        yield made


@pytest_asyncio.fixture
async def store(inner: Store, blobs: MemoryBlobs) -> AsyncIterator[BlobbedStore]:
    made = BlobbedStore(inner, blobs, threshold=0, memory_bytes=0)
    await made.open()
    try:
        yield made
    finally:
        await made.close()
