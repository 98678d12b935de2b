"""Work on what a registry keeps, beside or before a running server. Each command answers with its exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Coroutine
from dataclasses import asdict
from datetime import timedelta

import uvloop

from .errors import RegistryError
from .parts import make_blobs, make_store
from .settings import Settings
from .storage.wrappers.blobbed import BlobbedStore
from .storage.wrappers.garbage import Tally
from .storage.wrappers.garbage import collect_garbage as collect

FAILED = 1


def migrate(settings: Settings) -> int:
    """Bring the storage to today's schema and print what it says of itself."""
    return _run("migrate", _migrate(settings))


def collect_garbage(settings: Settings, *, grace: timedelta, dry_run: bool) -> int:
    """Delete the blobs that nothing names and print what was done."""
    return _run("collect garbage", _collect_garbage(settings, grace, dry_run))


def _run(what: str, work: Coroutine[None, None, dict[str, object]]) -> int:
    try:
        result = uvloop.run(work)
    except RegistryError as error:
        print(f"schema-registry-server: cannot {what}: {error}", file=sys.stderr)
        return FAILED
    print(json.dumps(result))
    return 0


async def _migrate(settings: Settings) -> dict[str, object]:
    store = make_store(settings.storage)
    await store.open()
    try:
        return dict(await store.ping())
    finally:
        await store.close()


async def _collect_garbage(settings: Settings, grace: timedelta, dry_run: bool) -> dict[str, object]:
    store, blobs = make_store(settings.storage), make_blobs(settings.blobs)
    # The wrapper opens and closes both; what rows name is read from the store inside.
    wrapper = BlobbedStore(store, blobs, threshold=None, memory_bytes=0)
    await wrapper.open()
    try:
        tally = await collect(store, blobs, grace=grace, dry_run=dry_run, progress=_tell)
    finally:
        await wrapper.close()
    return {"dry_run": dry_run, **asdict(tally)}


def _tell(tally: Tally) -> None:
    print(
        f"{tally.blobs} blobs listed, {tally.versions} versions looked at, {tally.garbage} garbage found",
        file=sys.stderr,
    )
