"""A read replica: a second database that follows the first. It may be away or behind; then the first one answers."""

from __future__ import annotations

import time
from typing import Any

import asyncpg

from ...errors import StorageUnavailable
from ...telemetry import logs
from .errors import shown

_LOG = logs.get("storage.postgres")

_PAUSE_SECONDS = 1.0
"""How long a replica that failed is not asked, so that not every read waits for it."""


class Replica:
    """The connections to a replica, opened when needed. After `failed` it is `paused` for a moment."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._paused_until = 0.0
        self.database = f"{shown(dsn)} (replica)"
        self.pool: Any = None
        self.state = "not asked yet"
        """For operators, as it was when it was last asked: `follows`, behind, or what is wrong."""

    async def open(self, **connecting: Any) -> None:
        """Make the pool, without connecting: a server starts without its replica, too."""
        self.pool = await asyncpg.create_pool(self._dsn, min_size=0, **connecting)

    @property
    def paused(self) -> bool:
        return time.monotonic() < self._paused_until

    def failed(self, error: StorageUnavailable) -> None:
        if self.state != error.message:
            _LOG.warning("replica_failed", error=str(error))
        self.state = error.message
        self._paused_until = time.monotonic() + _PAUSE_SECONDS

    def answered(self, *, behind: bool) -> None:
        """It answered that it has all that was asked for, or not."""
        self.state = "is behind, or follows another database" if behind else "follows"
