"""Dictionaries with transactions: a draft overlays a base, and is merged into it or thrown away. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from ...model.api_key import ApiKey, RevokedToken
from ...model.change import Change
from ...model.config import Config
from ...model.grant import StoredGrant
from ...model.lifecycle import Transition
from ...model.merkle import Tile
from ...model.outcomes import ModelOutcomes, Outcomes, OutcomesKey
from ...model.profile import ProfileVerdict, StoredProfile
from ...model.quota import ContextUsage
from ...model.schema import SchemaVersion, StoredContent
from ...model.statistics import Statistics
from ...model.stored_policies import StoredPolicies
from ...model.subject import Subject
from ...model.usage import Usage
from ..audit_rows import Logged, Noted, StoredCheckpoint
from ..leases import Cursor, Lease
from ..ranking import RankedMatch

K = TypeVar("K")
V = TypeVar("V")


class Table(Generic[K, V]):
    """A mapping with values that are never changed in place. `draft` makes a table that reads this one and collects writes until
    `merge`."""

    def __init__(self, rows: dict[K, V] | None = None, base: Table[K, V] | None = None) -> None:
        self._rows: dict[K, V] = {} if rows is None else rows
        self._gone: set[K] = set()
        self._base = base

    def get(self, key: K) -> V | None:
        if key in self._rows:
            return self._rows[key]
        if self._base is None or key in self._gone:
            return None
        return self._base.get(key)

    def __contains__(self, key: K) -> bool:
        return key in self._rows or (self._base is not None and key not in self._gone and key in self._base)

    def __setitem__(self, key: K, value: V) -> None:
        self._rows[key] = value
        self._gone.discard(key)

    def remove(self, key: K) -> None:
        """Remove a key; does nothing when it is not there."""
        self._rows.pop(key, None)
        if self._base is not None:
            self._gone.add(key)

    def __iter__(self) -> Iterator[K]:
        yield from self._rows
        if self._base is not None:
            yield from (k for k in self._base if k not in self._rows and k not in self._gone)

    def values(self) -> Iterator[V]:
        yield from self._rows.values()
        if self._base is not None:
            hidden = self._rows.keys() | self._gone
            yield from (v for k, v in self._base.items() if k not in hidden)

    def items(self) -> Iterator[tuple[K, V]]:
        for key in self:
            value = self.get(key)
            if value is not None:
                yield key, value

    def draft(self) -> Table[K, V]:
        return Table(base=self)

    def copy(self) -> Table[K, V]:
        return Table(dict(self._rows))

    def merge(self, draft: Table[K, V]) -> None:
        """Take over what a draft of this table has set and removed."""
        for key in draft._gone:
            self._rows.pop(key, None)
        self._rows.update(draft._rows)


@dataclass(frozen=True, slots=True)
class HeldLease:
    """A lease, and when it was acquired or last renewed."""

    lease: Lease
    renewed_at: datetime


@dataclass(frozen=True, slots=True)
class Tables:
    """Everything a store holds. Values are immutable, so that a shallow copy is a snapshot."""

    versions: Table[str, SchemaVersion] = field(default_factory=Table)
    names: Table[str, tuple[str, ...]] = field(default_factory=Table)
    words: Table[str, RankedMatch] = field(default_factory=Table)
    by_subject: Table[Subject, tuple[str, ...]] = field(default_factory=Table)
    by_content: Table[str, frozenset[str]] = field(default_factory=Table)
    by_global_id: Table[tuple[str, int], frozenset[str]] = field(default_factory=Table)
    dependents: Table[str, frozenset[str]] = field(default_factory=Table)
    ordinals: Table[Subject, int] = field(default_factory=Table)
    contents: Table[str, StoredContent] = field(default_factory=Table)
    global_ids: Table[tuple[str, str], int] = field(default_factory=Table)
    history: Table[str, tuple[Transition, ...]] = field(default_factory=Table)
    configs: Table[str, Config] = field(default_factory=Table)
    changes: Table[int, Change] = field(default_factory=Table)
    numbers: Table[str, int] = field(default_factory=Table)
    texts: Table[str, str] = field(default_factory=Table)
    context_usage: Table[str, ContextUsage] = field(default_factory=Table)
    usage: Table[str, Usage] = field(default_factory=Table)
    statistics: Table[int, Statistics] = field(default_factory=Table)
    cursors: Table[str, Cursor] = field(default_factory=Table)
    leases: Table[str, HeldLease] = field(default_factory=Table)
    api_keys: Table[str, ApiKey] = field(default_factory=Table)
    api_key_names: Table[str, str] = field(default_factory=Table)
    api_key_prefixes: Table[str, frozenset[str]] = field(default_factory=Table)
    revoked_tokens: Table[str, RevokedToken] = field(default_factory=Table)
    grants: Table[tuple[str, str, str], StoredGrant] = field(default_factory=Table)
    policies: Table[int, StoredPolicies] = field(default_factory=Table)
    profiles: Table[str, StoredProfile] = field(default_factory=Table)
    verdicts: Table[str, tuple[ProfileVerdict, ...]] = field(default_factory=Table)
    outcomes: Table[OutcomesKey, ModelOutcomes] = field(default_factory=Table)
    outcome_days: Table[tuple[str, str, int], Outcomes] = field(default_factory=Table)
    outcome_reports: Table[str, datetime] = field(default_factory=Table)
    audit_inbox: Table[int, Noted] = field(default_factory=Table)
    audit_log: Table[int, Logged] = field(default_factory=Table)
    audit_tiles: Table[Tile, bytes] = field(default_factory=Table)
    audit_checkpoints: Table[int, StoredCheckpoint] = field(default_factory=Table)

    def draft(self) -> Tables:
        return Tables(*(table.draft() for table in self._all()))

    def copy(self) -> Tables:
        return Tables(*(table.copy() for table in self._all()))

    def merge(self, draft: Tables) -> None:
        for table, drafted in zip(self._all(), draft._all(), strict=True):
            table.merge(drafted)

    def _all(self) -> tuple[Table[Any, Any], ...]:
        return tuple(getattr(self, name) for name in self.__slots__)
