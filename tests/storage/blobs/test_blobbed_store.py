"""Large bytes in an object store: the same contents come back, or a clear error; nothing else waits for it."""

import asyncio
import hashlib
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_schema_registry_server.errors import StorageDamaged, StorageUnavailable
from llm_schema_registry_server.model.schema import StoredContent
from llm_schema_registry_server.storage.blobs.blobs import BlobRef
from llm_schema_registry_server.storage.blobs.inline import InlineBlobs
from llm_schema_registry_server.storage.memory import MemoryStore
from llm_schema_registry_server.storage.sqlite import SqliteStore
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.wrappers.blobbed import RECENT_SECONDS, BlobbedStore, blobbed_store
from llm_schema_registry_server.storage.wrappers.placeholders import MARK, placeholder, ref_of
from tests.support.blobs import MemoryBlobs
from tests.support.storage import content
from tests.support.waiting import until

LARGE = content('{"title": "' + "x" * 2000 + '"}', b"\x00compiled" * 300)
SMALL = content()


def raw(data: bytes) -> StoredContent:
    return StoredContent(data, hashlib.sha256(data).hexdigest(), b"", b"")


async def put(store: Store, identity: str, stored: StoredContent) -> None:
    async with store.write() as tx:
        await tx.put_content(identity, stored)


async def get(store: Store, identity: str) -> StoredContent | None:
    async with store.read() as tx:
        return (await tx.contents([identity])).get(identity)


def wrapped(inner: Store, blobs: MemoryBlobs, *, memory_bytes: int = 0) -> BlobbedStore:
    return blobbed_store(inner, blobs, threshold=1000, memory_bytes=memory_bytes)


async def opened(inner: Store, blobs: MemoryBlobs, *, memory_bytes: int = 0) -> BlobbedStore:
    store = wrapped(inner, blobs, memory_bytes=memory_bytes)
    await store.open()
    return store


async def test_readers_that_wait_for_the_object_store_hold_no_transaction(
    inner: Store, blobs: MemoryBlobs
) -> None:
    store = await opened(inner, blobs)
    more_than_connections = 40
    larges = {f"large {n}": content(f"{n} " + "x" * 2000) for n in range(more_than_connections)}
    for identity, large in larges.items():
        await put(store, identity, large)
    blobs.answers.clear()
    readers = [asyncio.create_task(store.contents([identity])) for identity in larges]

    async def asked() -> bool:
        return blobs.gets > 0

    await until(asked)

    await put(store, "small", SMALL)
    assert await get(store, "small") == SMALL
    assert await store.contents(["small"]) == {"small": SMALL}
    assert not any(reader.done() for reader in readers)

    blobs.answers.set()
    answers = await asyncio.gather(*readers)
    assert {identity: found for answer in answers for identity, found in answer.items()} == larges
    await store.close()


async def test_a_large_content_leaves_only_a_placeholder_behind(inner: Store, blobs: MemoryBlobs) -> None:
    store = await opened(inner, blobs)
    await put(store, "i", LARGE)

    assert await get(store, "i") == LARGE
    kept = await get(inner, "i")
    assert kept is not None
    assert len(kept.content) + len(kept.canonical) + len(kept.artifact) < 600
    assert sorted(blobs.kept) == sorted(
        f"{store.registry_id}/{hashlib.sha256(part).hexdigest()}"
        for part in (LARGE.content, LARGE.canonical, LARGE.artifact)
    )
    await store.close()


async def test_a_small_content_stays(inner: Store, blobs: MemoryBlobs) -> None:
    store = await opened(inner, blobs)
    await put(store, "i", SMALL)

    assert await get(store, "i") == await get(inner, "i") == SMALL
    assert not blobs.kept
    await store.close()


async def test_only_the_parts_above_the_threshold_move(inner: Store, blobs: MemoryBlobs) -> None:
    store = await opened(inner, blobs)
    mixed = replace(LARGE, canonical=b"{}", artifact=b"")
    await put(store, "i", mixed)

    assert await get(store, "i") == mixed
    assert len(blobs.kept) == 1
    await store.close()


async def test_bytes_that_look_like_a_placeholder_are_only_bytes(inner: Store, blobs: MemoryBlobs) -> None:
    store = await opened(inner, blobs)
    await put(store, "secret", LARGE)
    kept = await get(inner, "secret")
    assert kept is not None
    forged = raw(kept.content)
    await put(store, "forged", forged)
    await put(store, "broken", raw(MARK + b"]"))

    assert await get(store, "forged") == forged
    assert await get(store, "broken") == raw(MARK + b"]")
    await store.close()


async def test_a_missing_or_damaged_blob_is_damage_that_names_the_key(
    inner: Store, blobs: MemoryBlobs
) -> None:
    store = await opened(inner, blobs)
    await put(store, "i", LARGE)
    key = f"{store.registry_id}/{LARGE.digest}"
    blobs.damage(key, LARGE.content[:-1] + b"?")
    with pytest.raises(StorageDamaged, match=key):
        await get(store, "i")

    await blobs.delete(key)
    with pytest.raises(StorageDamaged, match=key):
        await get(store, "i")
    await store.close()


async def test_with_the_object_store_away_small_contents_go_on_and_large_ones_say_so(
    inner: Store, blobs: MemoryBlobs
) -> None:
    store = await opened(inner, blobs)
    await put(store, "large", LARGE)
    blobs.away = True

    await put(store, "small", SMALL)
    assert await get(store, "small") == SMALL
    with pytest.raises(StorageUnavailable):
        await get(store, "large")
    with pytest.raises(StorageUnavailable):
        await put(store, "other", content("y" * 2000))
    assert await get(inner, "other") is None

    blobs.away = False
    assert await get(store, "large") == LARGE
    await store.close()


async def test_what_was_read_or_put_lately_outlives_the_object_store(
    inner: Store, blobs: MemoryBlobs
) -> None:
    store = await opened(inner, blobs, memory_bytes=1 << 20)
    await put(store, "i", LARGE)
    blobs.away = True

    assert await get(store, "i") == LARGE
    await store.close()


async def test_many_readers_fetch_once(blobs: MemoryBlobs) -> None:
    store = await opened(MemoryStore(), blobs)
    one = replace(LARGE, canonical=b"", artifact=b"")
    await put(store, "i", one)

    assert await asyncio.gather(*(get(store, "i") for _ in range(50))) == [one] * 50
    assert blobs.gets == 1
    await store.close()


async def test_an_undone_transaction_leaves_only_an_orphan(inner: Store, blobs: MemoryBlobs) -> None:
    store = await opened(inner, blobs)

    async def half() -> None:
        async with store.write() as tx:
            await tx.put_content("i", LARGE)
            raise KeyError

    with pytest.raises(KeyError):
        await half()
    assert await get(store, "i") is None
    assert len(blobs.kept) == 3
    await store.close()


async def test_what_is_staged_is_not_put_again_by_the_transaction(inner: Store, blobs: MemoryBlobs) -> None:
    store = await opened(inner, blobs)
    await store.stage(LARGE)
    blobs.away = True

    await put(store, "i", LARGE)
    blobs.away = False
    assert await get(store, "i") == LARGE
    await store.close()


@pytest.mark.parametrize("clock", ["monotonic", "time"])
@pytest.mark.parametrize("later", [RECENT_SECONDS + 1, -RECENT_SECONDS])
async def test_what_was_staged_too_long_ago_by_any_clock_is_put_again(
    blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch, clock: str, later: float
) -> None:
    store = await opened(MemoryStore(), blobs)
    await store.stage(LARGE)
    now = getattr(time, clock)()
    monkeypatch.setattr(time, clock, lambda: now + later)

    await put(store, "i", LARGE)
    monkeypatch.undo()
    assert blobs.puts == 6  # three parts, twice
    await store.close()


async def test_without_an_object_store_what_was_moved_earlier_is_named(
    tmp_path: Path, blobs: MemoryBlobs
) -> None:
    file = tmp_path / "registry.db"
    before = await opened(SqliteStore(file), blobs)
    await put(before, "i", LARGE)
    await put(before, "small", SMALL)
    await before.close()

    after = blobbed_store(SqliteStore(file), InlineBlobs(), threshold=None, memory_bytes=0)
    await after.open()
    with pytest.raises(StorageUnavailable, match=r"blobs\.kind"):
        await get(after, "i")
    assert await get(after, "small") == SMALL
    await put(after, "inline", LARGE)
    assert await get(after, "inline") == LARGE
    await after.close()


@given(st.text("0123456789abcdef", min_size=8, max_size=8), st.integers(0, 1 << 40), st.binary(max_size=30))
def test_a_placeholder_names_its_blob_and_nothing_else_does(namespace: str, size: int, other: bytes) -> None:
    ref = BlobRef(namespace, hashlib.sha256(other).hexdigest(), size)

    assert ref_of(placeholder(ref)) == ref
    assert other.startswith(MARK) or ref_of(other) is None
    with pytest.raises(StorageDamaged):
        ref_of(MARK + other)
