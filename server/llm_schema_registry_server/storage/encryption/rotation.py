"""Wraps data keys anew beside traffic: page by page, in small transactions, and again from the start without harm."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ...model.schema import StoredContent
from ..store import Store
from .envelope import Envelope, is_sealed

PAGE = 50
"""Contents that are read, and written, together."""


@dataclass(slots=True)
class Rotated:
    """`contents` looked at; `rewrapped` got a newer key around their data key, `sealed` were not encrypted before, `opened` are no
    longer."""

    contents: int = 0
    rewrapped: int = 0
    sealed: int = 0
    opened: int = 0


async def rotate(
    store: Store, envelope: Envelope, progress: Callable[[Rotated], None] = lambda done: None
) -> Rotated:
    """Bring all contents under the newest key. store: the one inside the wrapper that encrypts.

    Ciphertexts stay as they are. A content that is registered meanwhile is under the newest key already; one that was looked at is skipped
    when the work begins again. Raises StorageDamaged for a content that cannot be unwrapped: those before it are done.
    """
    newest = await envelope.keys.newest()

    async def change(content: StoredContent) -> StoredContent | None:
        return await envelope.resealed(content, newest)

    return await _each(store, change, progress)


async def decrypt(
    store: Store, envelope: Envelope, progress: Callable[[Rotated], None] = lambda done: None
) -> Rotated:
    """Store all contents without encryption, before it is turned off."""

    async def change(content: StoredContent) -> StoredContent | None:
        return await envelope.open(content) if is_sealed(content) else None

    return await _each(store, change, progress)


async def _each(
    store: Store,
    change: Callable[[StoredContent], Awaitable[StoredContent | None]],
    progress: Callable[[Rotated], None],
) -> Rotated:
    done, after = Rotated(), ""
    while True:
        async with store.read() as tx:
            page = await tx.content_identities(after, PAGE)
        if not page:
            return done
        stored = await store.contents(page)
        changed = {i: new for i, content in stored.items() if (new := await change(content)) is not None}
        if changed:
            async with store.write() as tx:
                for identity, content in changed.items():
                    # Whatever was put there meanwhile under this identity is the same content.
                    await tx.replace_content(identity, content)
        for identity, content in changed.items():
            if not is_sealed(content):
                done.opened += 1
            elif is_sealed(stored[identity]):
                done.rewrapped += 1
            else:
                done.sealed += 1
        done.contents += len(page)
        after = page[-1]
        progress(done)
