"""Collecting garbage deletes what nobody names and nobody is about to name, and nothing else."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from llm_schema_registry_server.errors import StorageDamaged
from llm_schema_registry_server.model.schema import StoredContent
from llm_schema_registry_server.storage.blobs.blobs import BlobRef, StoredBlob
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.wrappers.blobbed import BlobbedStore
from llm_schema_registry_server.storage.wrappers.garbage import Tally, collect_garbage
from tests.support.blobs import MemoryBlobs
from tests.support.storage import content, register

GRACE = timedelta(hours=24)


async def orphan(store: BlobbedStore, blobs: MemoryBlobs, text: str) -> str:
    """A blob of a registration that never committed."""
    before = set(blobs.kept)
    await store.stage(content(text))
    (key,) = set(blobs.kept) - before
    return key


async def test_only_old_blobs_that_nobody_names_go(
    store: BlobbedStore, inner: Store, blobs: MemoryBlobs
) -> None:
    async with store.write() as tx:
        kept = [await register(tx, f"subject {n}", str(n)) for n in range(200)]
        await register(tx, "subject 0", "0 again")
    old = await orphan(store, blobs, '"old"')
    blobs.pass_time(GRACE + timedelta(seconds=1))
    young = await orphan(store, blobs, '"young"')
    told: list[int] = []

    tally = await collect_garbage(
        inner, blobs, grace=GRACE, progress=lambda tally: told.append(tally.versions)
    )

    assert old not in blobs.kept
    assert young in blobs.kept
    # "0 again" has a canonical form of its own
    assert tally == Tally(versions=201, blobs=204, named=202, young=1, garbage=1, garbage_bytes=5, deleted=1)
    assert told[-1] == 201
    async with store.read() as tx:
        assert len(await tx.contents({version.identity for version in kept})) == 200


async def test_a_dry_run_only_counts(store: BlobbedStore, inner: Store, blobs: MemoryBlobs) -> None:
    old = await orphan(store, blobs, '"old"')
    blobs.pass_time(GRACE * 2)

    tally = await collect_garbage(inner, blobs, grace=GRACE, dry_run=True)

    assert (tally.garbage, tally.garbage_bytes, tally.deleted) == (1, 5, 0)
    assert old in blobs.kept


async def test_what_a_softly_deleted_version_needs_stays_and_what_is_removed_for_ever_goes(
    store: BlobbedStore, inner: Store, blobs: MemoryBlobs
) -> None:
    async with store.write() as tx:
        gone = await register(tx, "a", "1")
        soft = await register(tx, "b", "2")
    async with store.write() as tx:
        await tx.remove_version(gone.schema_id)
        (deleted,) = await tx.versions(soft.subject)
        await tx.update_version(replace(deleted, deleted_at=blobs.clock))
    blobs.pass_time(GRACE * 2)

    assert (await collect_garbage(inner, blobs, grace=GRACE)).deleted == 1
    async with store.read() as tx:
        assert await tx.contents([soft.identity])


async def test_another_registry_in_the_same_bucket_is_not_touched(
    store: BlobbedStore, inner: Store, blobs: MemoryBlobs
) -> None:
    await blobs.put(BlobRef("ffffffff", "0" * 64, 1), b"x")
    blobs.pass_time(GRACE * 2)

    assert await collect_garbage(inner, blobs, grace=GRACE) == Tally()
    assert len(blobs.kept) == 1


async def test_a_blob_that_is_put_again_meanwhile_is_spared(store: BlobbedStore, inner: Store) -> None:
    class Busy(MemoryBlobs):
        """A registration puts an old orphan again while its namespace is being listed."""

        async def list(self, namespace: str) -> AsyncIterator[StoredBlob]:
            async for blob in super().list(namespace):
                yield blob
            for key, (data, _) in self.kept.items():
                self.kept[key] = data, self.clock

    busy = Busy()
    await busy.put(BlobRef(store.registry_id, "0" * 64, 1), b"x")
    busy.pass_time(GRACE * 2)

    tally = await collect_garbage(inner, busy, grace=GRACE)

    assert (tally.deleted, tally.young) == (0, 1)
    assert busy.kept


async def test_nothing_is_deleted_when_the_store_cannot_tell_what_it_names(
    store: BlobbedStore, inner: Store, blobs: MemoryBlobs
) -> None:
    old = await orphan(store, blobs, '"old"')
    async with inner.write() as tx:
        damaged = await register(tx, "a", "1")
        await tx.remove_version(damaged.schema_id)
        await tx.put_content("i", StoredContent(b"1", "0" * 64, b"", b""))
        await tx.insert_version(replace(damaged, identity="i"), ())
    blobs.pass_time(GRACE * 2)

    with pytest.raises(StorageDamaged):
        await collect_garbage(inner, blobs, grace=GRACE)
    assert old in blobs.kept
