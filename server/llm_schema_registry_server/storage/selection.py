"""The SQL of lists and counts, which all back ends with rows share; a dialect fills in what differs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import search
from .rows import VERSION_COLUMNS
from .store import Page, SchemaFilter

Statement = tuple[str, list[Any]]
"""SQL and the values of its parameters."""
Term = tuple[str, Any]
"""A condition with `{}` in the place of its value, and the value."""

COLUMNS_OF_V = ", ".join(f"v.{column}" for column in VERSION_COLUMNS)
_SELECTABLE = "{0}.deleted_at IS NULL AND {0}.state IN (2, 3)"  # as the indexes versions_selectable have it


@dataclass(slots=True)
class _Where:
    """Conditions and the parameters that they number."""

    place: Callable[[int], str]
    terms: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def bind(self, value: Any) -> str:
        self.parameters.append(value)
        return self.place(len(self.parameters))

    def add(self, term: str, *values: Any) -> None:
        self.terms.append(term.format(*(self.bind(value) for value in values)))

    @property
    def sql(self) -> str:
        return " AND ".join(self.terms) or "TRUE"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs: the n-th place holder, and the conditions on versions `v` that use the back end's own indexes.

    words: the version has, for each word, a word that begins with it. labels: it has all these labels.
    pattern: its subject fits the pattern (see model/pattern.py).
    """

    place: Callable[[int], str]
    words: Callable[[Sequence[str]], Term]
    labels: Callable[[Sequence[str]], Iterable[Term]]
    pattern: Callable[[str], Term]

    def scan(self, wanted: SchemaFilter, page: Page) -> Statement:
        """One page of the versions that pass the filter, by (subject, ordinal)."""
        where = self._matching(wanted)
        if page.after is not None:
            where.add("(v.subject, v.ordinal) > ({}, {})", *page.after)
        sql = (
            f"SELECT {COLUMNS_OF_V} FROM versions v WHERE {where.sql} ORDER BY v.subject, v.ordinal "
            f"LIMIT {where.bind(page.limit)} OFFSET {where.bind(page.offset)}"
        )
        return sql, where.parameters

    def count(self, wanted: SchemaFilter) -> Statement:
        """How many versions pass the filter."""
        where = self._matching(wanted)
        return f"SELECT count(*) FROM versions v WHERE {where.sql}", where.parameters

    def subjects(self, prefix: str, include_deleted: bool, page: Page) -> Statement:
        """One page of the subjects that have a (live) version."""
        where = self._having_versions(prefix, include_deleted)
        if page.after is not None:
            where.add("s.subject > {}", page.after[0])
        sql = (
            f"SELECT s.subject FROM subjects s WHERE {where.sql} ORDER BY s.subject "
            f"LIMIT {where.bind(page.limit)} OFFSET {where.bind(page.offset)}"
        )
        return sql, where.parameters

    def count_subjects(self, prefix: str, include_deleted: bool) -> Statement:
        where = self._having_versions(prefix, include_deleted)
        return f"SELECT count(*) FROM subjects s WHERE {where.sql}", where.parameters

    def _having_versions(self, prefix: str, include_deleted: bool) -> _Where:
        where = _Where(self.place)
        live = "" if include_deleted else " AND v.deleted_at IS NULL"
        where.add(f"EXISTS (SELECT 1 FROM versions v WHERE v.subject = s.subject{live})")
        _add_prefix(where, "s.subject", prefix)
        return where

    def _matching(self, wanted: SchemaFilter) -> _Where:
        where = _Where(self.place)
        if wanted.latest_only:
            where.add(_SELECTABLE.format("v"))
            where.add(
                "NOT EXISTS (SELECT 1 FROM versions w WHERE w.subject = v.subject AND w.ordinal > v.ordinal AND "
                f"{_SELECTABLE.format('w')})"
            )
        elif not wanted.include_deleted:
            where.add("v.deleted_at IS NULL")
        words = search.words_of(wanted.text)
        if words:
            where.add(*self.words(words))
        labels = sorted(search.labels(wanted.tags, wanted.metadata.items()))
        for term in self.labels(labels) if labels else ():
            where.add(*term)
        _add_prefix(where, "v.subject", wanted.subject_prefix)
        if wanted.subject_pattern:
            _add_prefix(where, "v.subject", search.literal_prefix(wanted.subject_pattern))
            where.add(*self.pattern(wanted.subject_pattern))
        if wanted.schema_type is not None:
            where.add("v.schema_type = {}", int(wanted.schema_type))
        if wanted.state is not None:
            where.add("v.state = {}", int(wanted.state))
        return where


def _add_prefix(where: _Where, column: str, prefix: str) -> None:
    if not prefix:
        return
    where.add(f"{column} >= {{}}", prefix)
    end = search.prefix_end(prefix)
    if end is not None:
        where.add(f"{column} < {{}}", end)
