"""A store of each back end for every test that asks for `store`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from llm_schema_registry_server.storage.store import Store
from tests.support.storage import BACK_ENDS


@pytest_asyncio.fixture(params=sorted(BACK_ENDS))
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made = BACK_ENDS[request.param](tmp_path)
    await made.open()
    try:
        yield made
    finally:
        await made.close()
