"""Contents come from the nearest tier that has them, outside any transaction, and none is ever the wrong one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from llm_schema_registry_server.errors import SchemaNotFound, StorageDamaged
from llm_schema_registry_server.model.schema import SchemaVersion, StoredContent
from llm_schema_registry_server.registry.contents import Contents
from llm_schema_registry_server.storage import unreadable
from llm_schema_registry_server.storage.memory import MemoryStore
from llm_schema_registry_server.storage.store import ReadTx
from llm_schema_registry_server.storage.values import VersionWithContent
from tests.support.shelf import Shelf
from tests.support.storage import content, version


class CountingStore(MemoryStore):
    """Counts reads of contents and transactions that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = self.open_now = 0

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        self.asked += len(identities)
        await asyncio.sleep(0)
        return await super().contents(identities)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadTx]:
        self.open_now += 1
        try:
            async with super().read() as tx:
                yield tx
        finally:
            self.open_now -= 1


def of(store: MemoryStore, shared: Shelf | None = None, cache_bytes: int = 1 << 20) -> Contents:
    return Contents(store, cache_bytes=cache_bytes, shared=shared)


async def opened() -> CountingStore:
    store = CountingStore()
    await store.open()
    return store


async def stored(store: MemoryStore, ordinal: int, text: str) -> SchemaVersion:
    """A version whose bytes are `text`."""
    kept = content(text)
    made = version("s", ordinal, identity=f"identity of {text}")
    made = replace(made, fingerprints=replace(made.fingerprints, content=kept.digest))
    async with store.write() as tx:
        await tx.put_content(made.identity, kept)
        await tx.insert_version(made, ())
    return made


async def removed(store: MemoryStore, gone: SchemaVersion) -> None:
    async with store.write() as tx:
        await tx.remove_version(gone.schema_id)


async def test_a_content_is_read_once_for_all_who_ask() -> None:
    store = await opened()
    made, contents = await stored(store, 1, "{}"), of(store)

    found = await asyncio.gather(*(contents.of(made) for _ in range(10)))

    assert found == [content("{}")] * 10
    assert await contents.of(made) == content("{}")
    assert store.asked == 1
    assert contents.read() == {"hit": 1, "miss": 0}


async def test_what_was_just_committed_is_not_read_at_all() -> None:
    store = await opened()
    made, contents = await stored(store, 1, "{}"), of(store)
    contents.put(made, content("{}"))

    assert await contents.of(made) == content("{}")
    assert store.asked == 0


async def test_another_instance_takes_it_from_the_shared_tier() -> None:
    store, shelf = await opened(), Shelf()
    made = await stored(store, 1, "{}")
    await of(store, shelf).of(made)

    assert await of(store, shelf).of(made) == content("{}")
    assert store.asked == 1


@pytest.mark.parametrize(
    "forged",
    [content("other"), replace(content("other"), digest=content("{}").digest)],
    ids=["another content", "another content under our digest"],
)
async def test_a_content_that_does_not_have_the_digest_counts_as_missing(forged: StoredContent) -> None:
    store, shelf, other = await opened(), Shelf(), Shelf()
    made = await stored(store, 1, "{}")
    await of(store, shelf).of(made)
    liar = await opened()
    async with liar.write() as tx:
        await tx.put_content(made.identity, replace(forged, digest=content("other").digest))
    await of(liar, other).of(
        replace(made, fingerprints=replace(made.fingerprints, content=content("other").digest))
    )
    (name,), (lie,) = shelf.kept, other.kept.values()
    shelf.kept[name] = lie.replace(content("other").digest.encode(), forged.digest.encode())

    assert await of(store, shelf).of(made) == content("{}")
    assert store.asked == 2


async def test_what_came_along_is_not_asked_for_again() -> None:
    store = await opened()
    made, contents = await stored(store, 1, "{}"), of(store)

    found = await contents.loading(lambda: store.version(made.schema_id))

    assert found == VersionWithContent(made, content("{}"))
    assert await contents.of(made) == content("{}")
    assert (store.asked, contents.read()) == (0, {"hit": 1, "miss": 0})


async def test_memory_has_what_does_not_come_along() -> None:
    store = await opened()
    made, contents = await stored(store, 1, "{}"), of(store)
    contents.put(made, content("{}"))

    async def alone() -> VersionWithContent:
        return VersionWithContent(made)

    assert await contents.loading(alone) == VersionWithContent(made, content("{}"))


async def test_what_comes_along_under_another_digest_is_left_out() -> None:
    store = await opened()
    made, contents = await stored(store, 1, "{}"), of(store)

    async def wrong() -> VersionWithContent:
        return VersionWithContent(made, content("other"))

    assert await contents.loading(wrong) == VersionWithContent(made)
    assert contents.stats().entries == 0


async def test_what_was_forgotten_on_its_way_is_not_kept() -> None:
    store = await opened()
    made, contents = await stored(store, 1, "{}"), of(store)

    async def slow() -> VersionWithContent:
        await contents.forget(made)
        return VersionWithContent(made, content("{}"))

    assert await contents.loading(slow) == VersionWithContent(made, content("{}"))
    assert contents.stats().entries == 0


async def test_a_version_that_was_removed_meanwhile_is_not_found() -> None:
    store = await opened()
    made, stays = await stored(store, 1, "{}"), await stored(store, 2, "[]")
    await removed(store, made)

    with pytest.raises(SchemaNotFound):
        await of(store).of(made)
    assert await of(store).of_all([made, stays]) == {stays.identity: content("[]")}


async def test_a_content_that_is_missing_is_damage_that_names_its_schema() -> None:
    store = await opened()
    made = version("s", identity="gone")
    async with store.write() as tx:
        await tx.insert_version(made, ())

    with pytest.raises(StorageDamaged, match=made.schema_id):
        await of(store).of(made)


async def test_pages_go_on_without_contents_that_are_missing_or_damaged() -> None:
    store = await opened()
    gone, damaged = version("s", identity="gone"), version("t", identity="damaged")
    stays = await stored(store, 2, "[]")
    async with store.write() as tx:
        await tx.insert_version(gone, ())
        await tx.insert_version(damaged, ())
        await tx.put_content("damaged", replace(content("{}"), digest="another"))
    before = unreadable.counts().get("contents", 0)

    found = await of(store).of_all([gone, damaged, stays])

    assert found == {stays.identity: content("[]")}
    assert unreadable.counts()["contents"] >= before + 2


async def test_a_page_is_read_together_and_leaves_the_memory_to_single_reads() -> None:
    store = await opened()
    versions = [await stored(store, n, str(n)) for n in range(1, 6)]
    contents = of(store)
    await contents.of(versions[0])

    found = await contents.of_all(versions)

    assert found == {v.identity: content(str(n)) for n, v in enumerate(versions, 1)}
    assert store.asked == 5
    assert contents.stats().entries == 1


async def test_what_is_forgotten_leaves_every_tier() -> None:
    store, shelf = await opened(), Shelf()
    made, contents = await stored(store, 1, "{}"), of(store, shelf)
    await contents.of(made)

    await contents.forget(made)

    assert shelf.kept == {}
    assert contents.stats().entries == 0


async def test_no_transaction_is_open_while_a_content_is_awaited() -> None:
    store, shelf = await opened(), Shelf()
    made = await stored(store, 1, "{}")
    open_while_asked: list[int] = []

    class Watching(Shelf):
        async def get(self, key: str) -> bytes | None:
            open_while_asked.append(store.open_now)
            return await shelf.get(key)

    await of(store, Watching()).of(made)

    assert open_while_asked == [0]
