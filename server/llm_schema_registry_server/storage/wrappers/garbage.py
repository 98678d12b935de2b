"""Deletes the blobs that no content refers to: left by crashes, failed registrations and permanent deletes.

Safe while servers run. A server puts a blob before it refers to it, also one that is there already, and commits within
minutes; so a blob that is older than the grace period, and still is right before it is deleted, is garbage. Ages are
read from the object store's own clock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta

from ..blobs.blobs import Blobs
from ..store import Store
from ..values import Page, SchemaFilter
from .placeholders import refs_in

PAGE = 64
"""Versions whose contents are read together."""


@dataclass(slots=True)
class Tally:
    """What has been found: `versions` read and `blobs` listed. Of the blobs, `named` ones belong to a content,
    `young` ones are within the grace period, and `garbage` is the rest, with its `garbage_bytes`; `deleted` is how
    many of those are gone."""

    versions: int = 0
    blobs: int = 0
    named: int = 0
    young: int = 0
    garbage: int = 0
    garbage_bytes: int = 0
    deleted: int = 0


async def collect_garbage(
    store: Store,
    blobs: Blobs,
    *,
    grace: timedelta,
    dry_run: bool = False,
    progress: Callable[[Tally], None] = lambda tally: None,
) -> Tally:
    """Delete the blobs that no content of `store` (the store inside the wrapper) refers to and that were put more than `grace` ago.

    dry_run: only count. progress: called after every page. Raises StorageUnavailable or StorageDamaged before anything is
    deleted when the contents of the store cannot all be read.
    """
    tally = Tally()
    oldest_spared = await blobs.now() - grace
    old: dict[str, int] = {}
    async for blob in blobs.list(store.registry_id):
        tally.blobs += 1
        if blob.modified_at > oldest_spared:
            tally.young += 1
        else:
            old[blob.key] = blob.size
        if tally.blobs % 1000 == 0:
            progress(tally)
    async for key in _named(store, tally, progress):
        if old.pop(key, None) is not None:
            tally.named += 1
    for key, size in old.items():
        now = await blobs.find(key)
        if now is None:
            continue
        if now.modified_at > oldest_spared:  # put again meanwhile: a server is about to refer to it
            tally.young += 1
            continue
        tally.garbage += 1
        tally.garbage_bytes += size
        if not dry_run:
            await blobs.delete(key)
            tally.deleted += 1
        if tally.garbage % 100 == 0:
            progress(tally)
    return tally


async def _named(store: Store, tally: Tally, progress: Callable[[Tally], None]) -> AsyncIterator[str]:
    everything = SchemaFilter(include_deleted=True)
    after: tuple[str, int] | None = None
    while True:
        async with store.read() as tx:
            page = await tx.scan_versions(everything, Page(PAGE, after=after))
            contents = await tx.contents({version.identity for version in page})
        for content in contents.values():
            for ref in refs_in(content):
                yield ref.key
        if not page:
            return
        tally.versions += len(page)
        progress(tally)
        after = str(page[-1].subject), page[-1].ordinal
