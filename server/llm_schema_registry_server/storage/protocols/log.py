"""The change log, and what readers of it stand on: durable cursors and leases (storage/leases.py)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from ...model.change import Change
from ..leases import Cursor, Lease
from ..values import LogPage


class LogRead(Protocol):
    """Reads of the stored changes, which are ordered, and of cursors."""

    async def changes(self, after: int, limit: int) -> Sequence[Change]:
        """Up to `limit` changes with sequence > `after`, in order; those that cannot be decoded are left out. What it returns is final: no change is added before it later. A change may
        become visible a moment after its commit, when the transactions that began before it have ended; it is unspecified
        whether a write transaction sees its own."""
        ...

    async def change_bounds(self) -> tuple[int, int]:
        """(oldest, newest): resuming after any sequence from `oldest` to `newest` sees everything.
        (0, 0) for an empty log; `oldest` grows when the log is compacted."""
        ...

    async def log_page(self, after: int, limit: int) -> LogPage:
        """As `changes`, with the bound of the log: when `oldest` is greater than `after`, some changes between them were
        forgotten; and with the sequences of changes that cannot be decoded, which are among the `limit`."""
        ...

    async def change_times(self, after: int, limit: int) -> Sequence[tuple[int, datetime]]:
        """Sequence and time of what `changes` returns. Sequences rise; times need not: each is of the clock of the
        server that wrote the change."""
        ...

    async def newest_but(self, count: int) -> int:
        """The sequence after which exactly the newest `count` changes come; `oldest` when there are no more."""
        ...

    async def cursors(self) -> Sequence[Cursor]:
        """The durable cursors on the change log, by name."""
        ...


class LogWrite(LogRead, Protocol):
    """Appends to the log, forgets its beginning, and moves cursors and leases."""

    async def append_change(self, change: Change) -> int:
        """Append to the change log; returns its sequence, greater than every earlier one."""
        ...

    async def append_changes(self, changes: Sequence[Change]) -> Sequence[int]:
        """Append in this order, however many with one statement; returns their sequences, which rise."""
        ...

    async def compact_changes(self, upto: int) -> bool:
        """Delete the changes with sequence <= `upto`, as far as they are final; `change_bounds` then begins there. False when
        another transaction compacts at this moment: then nothing was done."""
        ...

    async def set_cursor(self, name: str, sequence: int) -> None:
        """Make or move the cursor `name`; `sequence` may be smaller than before. Retention spares what comes after it, within
        the bounds of registry/retention.py. Under a lease: `confirm_lease` first, in the same transaction."""
        ...

    async def remove_cursor(self, name: str) -> None:
        """Does nothing when there is none of this name."""
        ...

    async def acquire_lease(self, name: str, holder: str, seconds: float) -> Lease | None:
        """Take the lease for so many seconds (0 to 86400) from now; None while somebody holds it, `holder` itself included.
        `holder` tells operators who it is. Waits for transactions that acquire, confirm or renew the same lease."""
        ...

    async def renew_lease(self, lease: Lease, seconds: float) -> Lease:
        """Hold the lease for so many seconds from now, also one that has expired, if nobody has acquired it since. Raises
        LeaseLost otherwise."""
        ...

    async def confirm_lease(self, lease: Lease) -> None:
        """Raise LeaseLost unless nobody else has acquired the lease and it was not released. Nobody acquires it until the
        transaction ends: what is written in it is the work of the only holder."""
        ...

    async def release_lease(self, lease: Lease) -> None:
        """Let others acquire it at once; does nothing when it is lost."""
        ...
