"""Records of what writes nothing: refused calls, failed ones, reads; kept in memory for a moment and written in batches.

The memory is bounded, and so is what callers can have written: of calls that are alike within a moment the first ones are
recorded one by one, all further ones as one record with their number. Refused calls count as alike in three ways: the very same,
those of one caller, all of one kind. What does not fit all the same is counted, and the count is recorded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ..model.audit import AuditEntry, AuditEvent, AuditOutcome, encode
from ..storage.audit_rows import Noted
from ..storage.store import Store
from .recording import SYSTEM, new_id

ALIKE = (20, 200, 500)
"""So many records of calls that are alike, between two writes: in all; from one caller; of one kind."""
BATCH = 250
"""Records that are written in one transaction."""
_WITHOUT: Sequence[Mapping[str, Any]] = (
    {},
    {"resources": (), "operation": "", "permission": ""},
    {"resources": (), "operation": "", "permission": "", "principal": "", "kind": "", "credential": "", "address": "",
     "via": "", "user_agent": "", "wire": ""},
)  # fmt: skip
"""What is left out of the record of many calls, which differ in it."""


@dataclass(slots=True)
class _Held:
    """A record that is not written yet; `more` calls were like it."""

    entry: AuditEntry
    more: int = 0


class Trail:
    """Takes records at once and writes them when `flush` is awaited. most: records that it holds; `lost` says how many did not fit
    since the start."""

    def __init__(self, store: Store, clock: Callable[[], datetime], *, most: int) -> None:
        self._store, self._clock, self._most = store, clock, most
        self._held: deque[_Held] = deque()
        self._counts: dict[Hashable, int] = {}
        self._sums: dict[Hashable, _Held] = {}
        self._unrecorded = 0
        self.lost = 0

    @property
    def waiting(self) -> int:
        """Records that are not written yet."""
        return len(self._held)

    def counted(self, alike: Sequence[Hashable]) -> bool:
        """Whether a call was only counted, because many were like it: then it needs no record. See `add`."""
        for key in alike:
            held = self._sums.get(key)
            if held is not None:
                held.more += 1
                return True
        return False

    def add(self, entry: AuditEntry, alike: Sequence[Hashable] = ()) -> None:
        """Take a record. alike: what it has in common with others, the widest first and the narrowest last, up to as many as ALIKE
        has."""
        for width, key in zip(range(len(alike) - 1, -1, -1), alike, strict=True):
            if self._counts.get(key, 0) >= ALIKE[width]:
                held = self._hold(replace(entry, **_WITHOUT[width]))
                if held is not None:
                    self._sums[key] = held
                return
        if self._hold(entry) is not None:
            for key in alike:
                self._counts[key] = self._counts.get(key, 0) + 1

    def _hold(self, entry: AuditEntry) -> _Held | None:
        if len(self._held) >= self._most:
            self.lost += 1
            self._unrecorded += 1
            return None
        held = _Held(entry)
        self._held.append(held)
        return held

    async def flush(self) -> None:
        """Write all that is held by now. What could not be written stays. Raises RegistryError."""
        self._counts, self._sums = {}, {}  # what comes from now on is counted anew
        left = len(self._held)
        while left or self._unrecorded:
            batch = [self._held[place] for place in range(min(left, BATCH))]
            lost = self._unrecorded
            noted = [Noted(encode(_counted(held))) for held in batch]
            if lost:
                noted.append(Noted(encode(self._loss(lost))))
            async with self._store.write() as tx:
                await tx.note_audit(noted)
            for _ in batch:
                self._held.popleft()
            self._unrecorded -= lost
            left -= len(batch)

    def _loss(self, count: int) -> AuditEntry:
        return AuditEntry(
            id=new_id(),
            at=self._clock(),
            event=AuditEvent.RECORDS_LOST,
            outcome=AuditOutcome.FAILED,
            principal="schema-registry-server",
            kind=SYSTEM,
            code="RESOURCE_EXHAUSTED",
            reason="AUDIT_BUFFER_FULL",
            count=count,
        )


def _counted(held: _Held) -> AuditEntry:
    return replace(held.entry, count=held.entry.count + held.more) if held.more else held.entry
