"""Rows that cannot be decoded: lists go on without them, and each is named in the log and counted.

What reads one row raises StorageDamaged instead, and so does whatever decides on it: a check must not pass because it has not
seen a version.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import StorageDamaged
from ..model.change import Change
from ..model.schema import SchemaVersion
from ..telemetry import logs
from . import ranking
from .values import Hit, LogPage, Page, Ranked, RankedPage

T = TypeVar("T")

_LOG = logs.get("storage")
_MOST_NAMED = 1000
"""Rows that are remembered as logged; more than that are logged again when they are met again."""
_LEAST = 100
"""Rows that are read at least when a page has to be filled up."""

_lock = threading.Lock()  # rows are decoded in threads, too
_TABLES = (
    *(
        "api_keys",
        "changes",
        "configs",
        "conformance",
        "conformance_days",
        "conformance_reports",
        "contents",
        "cursors",
        "grants",
    ),
    *(
        "policies",
        "profiles",
        "profile_verdicts",
        "revoked_tokens",
        "statistics",
        "transitions",
        "usage",
        "versions",
    ),
)
# From 0 on: of a series that begins at 1, Prometheus sees no increase, and the alert would miss a row that is met once.
_counts: Counter[str] = Counter(dict.fromkeys(_TABLES, 0))
_named: OrderedDict[tuple[str, str], None] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a row, with its cells, in a list."""

    cells: Sequence[Any]


def counts() -> dict[str, int]:
    """How often a list of this process went on without a row, by table."""
    with _lock:
        return dict(_counts)


def noted() -> int:
    """How often that was, of all tables."""
    with _lock:
        return _counts.total()


def note(error: StorageDamaged) -> None:
    """Count a row that is left out, and log it unless it was before."""
    table, key = error.metadata.get("table", "contents"), error.metadata.get("key", error.message)
    with _lock:
        _counts[table] += 1
        known = (table, key) in _named
        _named[table, key] = None
        if len(_named) > _MOST_NAMED:
            _named.popitem(last=False)
    if not known:
        _LOG.error("row_unreadable", table=table, key=key, error=error.message)


def tolerant(decode: Callable[[Any], T]) -> Callable[[Any], T | Unreadable]:
    """`decode`, for lists: what it cannot decode is noted."""

    def decode_or_note(row: Any) -> T | Unreadable:
        try:
            return decode(row)
        except StorageDamaged as error:
            note(error)
            return Unreadable(row)

    return decode_or_note


def readable(found: Sequence[T | Unreadable]) -> list[T]:
    """Without those that could not be decoded."""
    return [item for item in found if not isinstance(item, Unreadable)]


async def versions_of_page(
    fetch: Callable[[Page], Awaitable[Sequence[SchemaVersion | Unreadable]]], page: Page
) -> Sequence[SchemaVersion]:
    """A whole page in spite of unreadable rows: it has fewer than `page.limit` versions only at the end of the list.

    fetch: reads the rows of a page, decoded by `tolerant(rows.version_of)`.
    """
    wanted, found = page.limit, list[SchemaVersion]()
    while True:
        batch = await fetch(page)
        kept = readable(batch)
        found += kept
        if len(kept) == len(batch) or len(batch) < page.limit or len(found) >= wanted:
            return found[:wanted]
        place = _last_place(batch)
        page = Page(
            max(wanted - len(found), _LEAST, 0 if place else 2 * page.limit), after=place or page.after
        )


async def hits_of_page(
    fetch: Callable[[RankedPage], Awaitable[Sequence[Any]]],
    page: RankedPage,
    decode: Callable[[Any], SchemaVersion],
) -> Ranked | None:
    """As `versions_of_page`, of the rows of selection.SqlDialect.rank; see SearchRead.ranked_versions."""
    decode_or_note = tolerant(decode)
    wanted, found = page.limit, list[Hit]()
    while True:
        batch = await fetch(page)
        total: int = batch[0][-1]
        if total > ranking.MOST_HITS:
            return None
        batch = [row for row in batch if row[-2] is not None]
        decoded = [(decode_or_note(row), row[-2]) for row in batch]
        kept = [Hit(version, score) for version, score in decoded if not isinstance(version, Unreadable)]
        found += kept
        if len(kept) == len(batch) or len(batch) < page.limit or len(found) >= wanted:
            return Ranked(found[:wanted], total)
        last = next((row for row in reversed(batch) if isinstance(row[3], str)), None)
        page = RankedPage(
            max(wanted - len(found), _LEAST, 0 if last else 2 * page.limit),
            after=(last[-2], last[3], last[4]) if last else page.after,
        )


async def changes_of_log(
    fetch: Callable[[int, int], Awaitable[Sequence[Change | Unreadable]]], after: int, limit: int
) -> Sequence[Change]:
    """Changes after a sequence in spite of unreadable rows: fewer than `limit` only at the end of the log."""
    found: list[Change] = []
    count = limit
    while True:
        batch = await fetch(after, count)
        found += (kept := readable(batch))
        if len(kept) == len(batch) or len(batch) < count or len(found) >= limit:
            return found[:limit]
        last = batch[-1]
        after = last.cells[0] if isinstance(last, Unreadable) else last.sequence
        count = max(limit - len(found), _LEAST)


def log_page(oldest: int, found: Sequence[Change | Unreadable]) -> LogPage:
    """A page that names the sequences of the changes that could not be decoded."""
    skipped = tuple(item.cells[0] for item in found if isinstance(item, Unreadable))
    return LogPage(oldest, readable(found), skipped)


async def whole_page(fetch: Callable[[int], Awaitable[Sequence[T | Unreadable]]], limit: int) -> list[T]:
    """As `versions_of_page`, of any rows, also those without a key that can be read: more are fetched, from the same place.

    fetch: reads so many rows.
    """
    count = limit
    while True:
        batch = await fetch(count)
        kept = readable(batch)
        if len(batch) < count or len(kept) >= limit:
            return kept[:limit]
        count = max(2 * count, _LEAST)


def _last_place(batch: Sequence[SchemaVersion | Unreadable]) -> tuple[str, int] | None:
    """Subject and ordinal of the last row whose subject can be read; None when there is none. Back ends enforce that it is a
    text, but SQLite not that a text is UTF-8."""
    for item in reversed(batch):
        if not isinstance(item, Unreadable):
            return str(item.subject), item.ordinal
        if isinstance(item.cells[3], str):
            return item.cells[3], item.cells[4]
    return None
