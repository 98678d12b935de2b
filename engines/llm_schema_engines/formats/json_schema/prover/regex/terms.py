"""Regular expressions as interned terms with derivatives (Brzozowski 1964). Pure.

Intersection and complement are constructors like any other, so that every Boolean question about patterns is the
question whether one term is empty.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from .charsets import SYMBOLS, Charset, contains


class TermKind(enum.IntEnum):
    EMPTY = 0  # no word
    EPSILON = 1  # the empty word
    SYMBOL = 2  # one symbol of a set
    CONCAT = 3
    UNION = 4
    INTERSECTION = 5
    COMPLEMENT = 6
    REPEAT = 7


class Term:
    """A node of a regular expression. Equal terms of one arena are the same object."""

    __slots__ = ("derivatives", "firsts", "high", "kind", "low", "nullable", "number", "parts", "symbols")

    def __init__(
        self,
        kind: TermKind,
        number: int,
        *,
        parts: tuple[Term, ...] = (),
        symbols: Charset = (),
        low: int = 0,
        high: int | None = None,
    ) -> None:
        self.kind = kind
        self.number = number
        self.parts = parts
        self.symbols = symbols
        self.low = low
        self.high = high
        self.derivatives: dict[int, Term] = {}
        self.nullable = _nullable(self)
        self.firsts = _firsts(self)


def _nullable(term: Term) -> bool:
    kind, parts = term.kind, term.parts
    if kind in (TermKind.CONCAT, TermKind.INTERSECTION):
        return all(part.nullable for part in parts)
    if kind is TermKind.UNION:
        return any(part.nullable for part in parts)
    if kind is TermKind.COMPLEMENT:
        return not parts[0].nullable
    if kind is TermKind.REPEAT:
        return term.low == 0 or parts[0].nullable
    return kind is TermKind.EPSILON


def _firsts(term: Term) -> frozenset[Charset]:
    """The character sets by which first symbols lead to different derivatives."""
    kind, parts = term.kind, term.parts
    if kind is TermKind.SYMBOL:
        return frozenset((term.symbols,))
    if kind is TermKind.CONCAT and not parts[0].nullable:
        return parts[0].firsts
    return frozenset().union(*(part.firsts for part in parts))


class Arena:
    """Creates terms and interns them: one object for each distinct term."""

    def __init__(self) -> None:
        self._terms: dict[tuple[object, ...], Term] = {}
        self.empty = self._make(TermKind.EMPTY)
        self.epsilon = self._make(TermKind.EPSILON)
        self.everything = self._make(TermKind.REPEAT, parts=(self.symbol(SYMBOLS),))

    def __len__(self) -> int:
        return len(self._terms)

    def _make(
        self,
        kind: TermKind,
        *,
        parts: tuple[Term, ...] = (),
        symbols: Charset = (),
        low: int = 0,
        high: int | None = None,
    ) -> Term:
        key = (kind, tuple(part.number for part in parts), symbols, low, high)
        term = self._terms.get(key)
        if term is None:
            term = Term(kind, len(self._terms), parts=parts, symbols=symbols, low=low, high=high)
            self._terms[key] = term
        return term

    def symbol(self, symbols: Charset) -> Term:
        return self._make(TermKind.SYMBOL, symbols=symbols) if symbols else self.empty

    def concat(self, first: Term, second: Term) -> Term:
        if first is self.empty or second is self.empty:
            return self.empty
        if first is self.epsilon:
            return second
        if second is self.epsilon:
            return first
        if first is self.everything and second is self.everything:
            return first
        if first.kind is TermKind.CONCAT:
            return self.concat(first.parts[0], self.concat(first.parts[1], second))
        return self._make(TermKind.CONCAT, parts=(first, second))

    def union(self, terms: Iterable[Term]) -> Term:
        found: dict[int, Term] = {}
        for term in terms:
            for part in term.parts if term.kind is TermKind.UNION else (term,):
                if part is self.everything:
                    return part
                if part is not self.empty:
                    found[part.number] = part
        for part in found.values():
            if part.kind is TermKind.COMPLEMENT and part.parts[0].number in found:
                return self.everything
        return self._collect(TermKind.UNION, found, self.empty)

    def intersection(self, terms: Iterable[Term]) -> Term:
        found: dict[int, Term] = {}
        for term in terms:
            for part in term.parts if term.kind is TermKind.INTERSECTION else (term,):
                if part is self.empty:
                    return part
                if part is not self.everything:
                    found[part.number] = part
        for part in found.values():
            if part.kind is TermKind.COMPLEMENT and part.parts[0].number in found:
                return self.empty
        return self._collect(TermKind.INTERSECTION, found, self.everything)

    def _collect(self, kind: TermKind, found: dict[int, Term], neutral: Term) -> Term:
        if len(found) < 2:
            return next(iter(found.values()), neutral)
        return self._make(kind, parts=tuple(found[number] for number in sorted(found)))

    def complement(self, term: Term) -> Term:
        if term.kind is TermKind.COMPLEMENT:
            return term.parts[0]
        if term is self.empty:
            return self.everything
        if term is self.everything:
            return self.empty
        return self._make(TermKind.COMPLEMENT, parts=(term,))

    def repeat(self, term: Term, low: int, high: int | None) -> Term:
        if term is self.epsilon or high == 0:
            return self.epsilon
        if term is self.empty:
            return self.epsilon if low == 0 else self.empty
        if (low, high) == (1, 1):
            return term
        if term.kind is TermKind.REPEAT and (term.low, term.high, low, high) == (0, None, 0, None):
            return term
        return self._make(TermKind.REPEAT, parts=(term,), low=low, high=high)

    def derivative(self, term: Term, symbol: int) -> Term:
        """The derivative: the words that may follow `symbol` in the words of `term`."""
        known = term.derivatives.get(symbol)
        if known is None:
            known = term.derivatives[symbol] = self._derive(term, symbol)
        return known

    def _derive(self, term: Term, symbol: int) -> Term:
        kind, parts = term.kind, term.parts
        if kind is TermKind.SYMBOL:
            return self.epsilon if contains(term.symbols, symbol) else self.empty
        if kind is TermKind.CONCAT:
            first = self.concat(self.derivative(parts[0], symbol), parts[1])
            if not parts[0].nullable:
                return first
            return self.union((first, self.derivative(parts[1], symbol)))
        if kind is TermKind.UNION:
            return self.union([self.derivative(part, symbol) for part in parts])
        if kind is TermKind.INTERSECTION:
            return self.intersection([self.derivative(part, symbol) for part in parts])
        if kind is TermKind.COMPLEMENT:
            return self.complement(self.derivative(parts[0], symbol))
        if kind is TermKind.REPEAT:
            inner = parts[0]
            low = 0 if inner.nullable else max(term.low - 1, 0)
            high = None if term.high is None else term.high - 1
            return self.concat(self.derivative(inner, symbol), self.repeat(inner, low, high))
        return self.empty
