"""Leases and durable cursors: who works on something now, and how far a reader of the change log has come. Pure.

A lease is held by one holder at a time and expires by the clock of the store (of the database, or the one that the store was given), so that the work of a server that died
goes on elsewhere. Its token tells holders apart: it grows whenever the lease is acquired, and `confirm_lease` refuses the
writes of a holder whose lease somebody else has acquired since.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..errors import Code, RegistryError

_NAME = re.compile(r"[!-~]{1,200}")


@dataclass(frozen=True, slots=True)
class Lease:
    """Says that `holder` has the lease `name` until `expires_at` (UTC, by the clock of the store).

    token: greater than that of every lease acquired before in this store.
    """

    name: str
    holder: str
    token: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Cursor:
    """Says that the reader `name` needs no change up to `sequence` any more. updated_at: when it was last set (UTC, by the
    clock of the store)."""

    name: str
    sequence: int
    updated_at: datetime


class LeaseLost(RegistryError):
    """Somebody else has acquired the lease, or it was released. Not in errors: no caller of the API ever sees it."""

    code = Code.ABORTED
    reason = "LEASE_LOST"

    def __init__(self, lease: Lease) -> None:
        super().__init__(
            f"{lease.holder} has lost the lease {lease.name!r} (token {lease.token}); stop this work, or acquire it again"
        )


def is_held(renewed_at: datetime, expires_at: datetime, now: datetime) -> bool:
    """Whether a lease that was acquired or renewed at `renewed_at` is still held. One from the future is not: the clock of
    the store was set back, and nobody should wait until it has caught up."""
    return renewed_at <= now < expires_at


def checked_name(name: str) -> str:
    """The name of a lease, of a holder or of a cursor. Raises ValueError unless it is 1 to 200 visible ASCII characters."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} must be 1 to 200 visible ASCII characters")
    return name


def checked_duration(seconds: float) -> timedelta:
    """How long a lease is held. Raises ValueError unless it is 0 seconds (expired at once) to one day."""
    if not 0 <= seconds <= 86_400:
        raise ValueError(f"a lease is held for 0 to 86400 seconds, not for {seconds}")
    return timedelta(seconds=seconds)
