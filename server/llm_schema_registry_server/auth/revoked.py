"""The tokens that were revoked, in the memory of this server: loaded when it starts, and kept up by the change log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

from ..storage.store import Store

_BATCH = 500


class RevokedTokens:
    """Token ids; a look-up waits for nothing. `clock` gives seconds since 1970."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        self._until: dict[str, float] = {}
        # Those that were added while all are being read; None when they are not.
        self._added: dict[str, float] | None = None

    def __contains__(self, token_id: object) -> bool:
        return token_id in self._until

    def __len__(self) -> int:
        return len(self._until)

    def add(self, token_id: str, until: datetime) -> None:
        """A token was revoked, which would have ended at `until`."""
        self._until[token_id] = until.timestamp()
        if self._added is not None:
            self._added[token_id] = until.timestamp()

    async def load(self) -> None:
        """Read all anew, and forget those that have ended. Raises StorageUnavailable and the like."""
        self._added = {}
        try:
            found = await self._read()
            found.update(self._added)
            self._until = found
        finally:
            self._added = None

    async def _read(self) -> dict[str, float]:
        found: dict[str, float] = {}
        after, now = "", self._clock()
        while True:
            async with self._store.read() as tx:
                batch = await tx.revoked_tokens(after, _BATCH)
            for token in batch:
                if (until := token.expires_at.timestamp()) > now:
                    found[token.token_id] = until
            if len(batch) < _BATCH:
                return found
            after = batch[-1].token_id
            await asyncio.sleep(0)
