"""The tiered cache answers from the nearest tier that knows and computes once."""

import asyncio

import pytest

from llm_schema_registry_server.caches.memory import MemoryCache
from llm_schema_registry_server.caches.tiered import Codec, Lower, TieredCache
from tests.support.shelf import Shelf


class Source:
    """A computation that counts its runs."""

    def __init__(self) -> None:
        self.runs = 0

    async def __call__(self) -> str:
        self.runs += 1
        await asyncio.sleep(0)
        return f"value {self.runs}"


def read(data: bytes) -> str | None:
    return None if data == b"garbage" else data.decode()


def tiers(shelf: Shelf | None = None) -> TieredCache[int, str]:
    lower = Lower(shelf, Codec(key=lambda k: f"t:{k}", encode=str.encode, decode=read)) if shelf else None
    return TieredCache(MemoryCache(10_000, len), lower)


async def test_many_callers_compute_once_and_later_ones_find_it() -> None:
    cache, source = tiers(), Source()
    answers = await asyncio.gather(*(cache.get(1, source) for _ in range(20)))

    assert answers == ["value 1"] * 20
    assert await cache.get(1, source) == "value 1"
    assert cache.peek(1) == "value 1"


async def test_what_another_instance_computed_is_taken_from_the_shared_tier() -> None:
    shelf, source = Shelf(), Source()
    await tiers(shelf).get(1, source)

    assert await tiers(shelf).get(1, source) == "value 1"
    assert source.runs == 1


async def test_unreadable_bytes_in_the_shared_tier_count_as_missing() -> None:
    shelf, source = Shelf(), Source()
    shelf.kept["t:1"] = b"garbage"

    assert await tiers(shelf).get(1, source) == "value 1"
    assert shelf.kept["t:1"] == b"value 1"


async def test_an_error_is_not_kept() -> None:
    async def fail() -> str:
        raise ValueError("no")

    cache, source = tiers(), Source()
    with pytest.raises(ValueError, match="no"):
        await cache.get(1, fail)

    assert await cache.get(1, source) == "value 1"


async def test_a_dropped_key_is_computed_anew() -> None:
    shelf = Shelf()
    cache, source = tiers(shelf), Source()
    await cache.get(1, source)
    await cache.discard(1)

    assert await cache.get(1, source) == "value 2"


async def test_a_value_computed_before_a_drop_is_not_kept_after_it() -> None:
    shelf = Shelf()
    cache, source = tiers(shelf), Source()
    early = asyncio.create_task(cache.get(1, source))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await cache.discard(1)

    assert await early == "value 1"
    assert (cache.peek(1), shelf.kept) == (None, {})
    assert await cache.get(1, source) == "value 2"


async def test_a_value_that_does_not_last_is_kept_in_no_tier() -> None:
    shelf, source = Shelf(), Source()
    lower = Lower(shelf, Codec(key=str, encode=str.encode, decode=read))
    cache = TieredCache(MemoryCache[int, str](10_000, len), lower, lasting=lambda value: value != "value 1")

    assert await cache.get(1, source) == "value 1"
    assert (cache.peek(1), shelf.kept) == (None, {})
    assert [await cache.get(1, source) for _ in range(2)] == ["value 2"] * 2
    assert shelf.kept == {"1": b"value 2"}
