"""The SQL that keeps a list inside a scope: ranges of names that an index leads to, each read by itself. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from ..model.scope import Part, SubjectRange, SubjectScope
from . import search
from .values import SchemaFilter

_TRUTH = {True: "TRUE", False: "FALSE"}

Fits = Callable[[str, str], tuple[str, Any]]
"""That a column fits a pattern; see SqlDialect."""


class Conditions(Protocol):
    """What takes conditions and numbers their values (selection.py)."""

    def bind(self, value: Any) -> str: ...

    def term(self, term: str, *values: Any) -> str: ...

    def add_text(self, term: str) -> None: ...


def narrowed(
    scope: SubjectScope, bounds: Iterable[tuple[str, str | None]], after: str | None
) -> Sequence[SubjectRange]:
    """The ranges of a scope, as far as they lie in all of these half-open ranges and not below `after`."""
    low, high = after or "", None
    for first, end in bounds:
        low, high = max(low, first), _least(high, end)
    found = (replace(r, low=max(r.low, low), high=_least(r.high, high)) for r in scope.ranges())
    return [r for r in found if r.high is None or r.low < r.high]


def add_range(where: Conditions, column: str, found: SubjectRange, fits: Fits, *, low: bool = True) -> None:
    """Adds that a column is in a range. low: also that it is not below it, unless that is known."""
    if low and found.low:
        where.add_text(where.term(f"{column} >= {{}}", found.low))
    if found.high is not None:
        where.add_text(where.term(f"{column} < {{}}", found.high))
    if found.any_of:
        parts = [_part(where, column, part, fits) for part in found.any_of]
        where.add_text(f"({' OR '.join(parts)})")
    if found.cases:
        cases = [
            f"WHEN {_part(where, column, part, fits)} THEN {_TRUTH[belongs]}" for part, belongs in found.cases
        ]
        where.add_text(f"CASE {' '.join(cases)} ELSE {_TRUTH[found.otherwise]} END")


def any_range(where: Conditions, column: str, wanted: SchemaFilter, fits: Fits) -> str:
    """The condition that a column is in one of the ranges of a filter's scope; its values are bound."""
    if wanted.subject:
        return "TRUE" if wanted.scope.contains(wanted.subject) else "FALSE"
    parts = []
    for found in narrowed(wanted.scope, search.ranges(wanted), None):
        terms = _Terms(where)
        add_range(terms, column, found, fits)
        parts.append(f"({' AND '.join(terms.terms) or 'TRUE'})")
    return f"({' OR '.join(parts) or 'FALSE'})"


class _Terms:
    """Conditions that are collected, with their values bound elsewhere."""

    def __init__(self, where: Conditions) -> None:
        self._where = where
        self.terms: list[str] = []
        self.bind, self.term = where.bind, where.term

    def add_text(self, term: str) -> None:
        self.terms.append(term)


def _part(where: Conditions, column: str, part: Part, fits: Fits) -> str:
    terms = []
    if part.low:
        terms.append(where.term(f"{column} >= {{}}", part.low))
    if part.high is not None:
        terms.append(where.term(f"{column} < {{}}", part.high))
    if part.pattern is not None:
        terms.append(where.term(*fits(column, part.pattern)))
    return f"({' AND '.join(terms) or 'TRUE'})"


def _least(one: str | None, other: str | None) -> str | None:
    return one if other is None else other if one is None else min(one, other)
