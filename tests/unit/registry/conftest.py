"""A registry on the memory store for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.registry import World, world


@pytest_asyncio.fixture
async def registry() -> AsyncIterator[World]:
    async with world() as made:
        yield made
