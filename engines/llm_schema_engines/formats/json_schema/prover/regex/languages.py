"""Decides questions about patterns: does one match, is there a text that matches some and not others? Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from .boundaries import BoundaryTerms
from .charsets import BEGIN, CHARACTERS, END, representatives
from .syntax import (
    Choice,
    LookAhead,
    Repeat,
    Sequence,
    Symbols,
    Tree,
    Unsupported,
    has_boundary,
    has_look_ahead,
    parse_pattern,
)
from .terms import Arena, Term


@dataclass(frozen=True, slots=True)
class WordSearch:
    """The result of a search for a word. `word`: None when none was found; then `complete` means that none exists.
    `states`: how many states were visited."""

    word: str | None
    complete: bool
    states: int


class Languages:
    """Patterns as terms of one arena. states: most states of each search."""

    def __init__(self, states: int) -> None:
        self._arena = Arena()
        self._states = states
        self._known: dict[str, Term | Unsupported] = {}
        self._branches: dict[frozenset[tuple[tuple[int, int], ...]], list[int]] = {}

    def pattern(self, pattern: str) -> Term:
        """The texts in which the pattern matches somewhere; raises Unsupported."""
        known = self._known.get(pattern)
        if known is None:
            try:
                known = self._build(pattern)
            except Unsupported as error:
                known = error
            self._known[pattern] = known
        if isinstance(known, Unsupported):
            raise known
        return known

    def matches(self, pattern: str, text: str) -> bool | None:
        """Whether the pattern matches in the text; None when the pattern is not supported."""
        try:
            term = self.pattern(pattern)
        except Unsupported:
            return None
        arena = self._arena
        term = arena.derivative(term, BEGIN)
        for char in text:
            term = arena.derivative(term, ord(char))
        return arena.derivative(term, END).nullable

    def find(
        self,
        *,
        matching: Iterable[str],
        avoiding: Iterable[str],
        least: int,
        most: int | None,
        excluded: Iterable[str],
    ) -> WordSearch:
        """A shortest text of `least` to `most` characters that matches all of the first, none of the second and is
        not excluded. Raises Unsupported."""
        arena = self._arena
        terms = [self.pattern(p) for p in matching]
        terms += [arena.complement(self.pattern(p)) for p in avoiding]
        if least:
            terms.append(self._text(arena.repeat(arena.symbol(CHARACTERS), least, None)))
        words = [self._word(word) for word in excluded]
        if words:
            terms.append(arena.complement(arena.union(words)))
        return self._search(arena.intersection(terms), most)

    def _search(self, term: Term, most: int | None) -> WordSearch:
        """A breadth-first search: the first word found is a shortest one."""
        arena = self._arena
        start = arena.derivative(term, BEGIN)
        queue: deque[tuple[Term, str]] = deque([(start, "")])
        seen = {start.number}
        while queue:
            state, word = queue.popleft()
            if arena.derivative(state, END).nullable:
                return WordSearch(word, complete=True, states=len(seen))
            if most is not None and len(word) >= most:
                continue
            for symbol in self._branching(state):
                after = arena.derivative(state, symbol)
                if after is arena.empty or after.number in seen:
                    continue
                if len(seen) >= self._states:
                    return WordSearch(None, complete=False, states=len(seen))
                seen.add(after.number)
                queue.append((after, word + chr(symbol)))
        return WordSearch(None, complete=True, states=len(seen))

    def _branching(self, state: Term) -> list[int]:
        known = self._branches.get(state.firsts)
        if known is None:
            known = self._branches[state.firsts] = representatives(list(state.firsts))
        return known

    def _text(self, body: Term) -> Term:
        arena = self._arena
        end = arena.symbol(((END, END),))
        return arena.concat(arena.symbol(((BEGIN, BEGIN),)), arena.concat(body, end))

    def _word(self, word: str) -> Term:
        arena = self._arena
        body = arena.epsilon
        for char in reversed(word):
            body = arena.concat(arena.symbol(((ord(char), ord(char)),)), body)
        return self._text(body)

    def _build(self, pattern: str) -> Term:
        arena = self._arena
        tree = parse_pattern(pattern)
        if has_boundary(tree):
            return BoundaryTerms(arena, self._plain).whole(tree)
        return arena.concat(arena.everything, self._before(tree, arena.everything))

    def _before(self, tree: Tree, rest: Term) -> Term:
        """The words of `tree` followed by those of `rest`; look-ahead narrows what follows."""
        arena = self._arena
        if not has_look_ahead(tree):
            return arena.concat(self._plain(tree), rest)
        if isinstance(tree, Sequence):
            for part in reversed(tree.parts):
                rest = self._before(part, rest)
            return rest
        if isinstance(tree, Choice):
            return arena.union([self._before(part, rest) for part in tree.parts])
        if isinstance(tree, LookAhead):
            ahead = self._before(tree.part, arena.everything)
            return arena.intersection((arena.complement(ahead) if tree.negative else ahead, rest))
        raise Unsupported("look-ahead inside a repetition")

    def _plain(self, tree: Tree) -> Term:
        arena = self._arena
        if isinstance(tree, Symbols):
            return arena.symbol(tree.charset)
        if isinstance(tree, Choice):
            return arena.union([self._plain(part) for part in tree.parts])
        if isinstance(tree, Sequence):
            term = arena.epsilon
            for part in reversed(tree.parts):
                term = arena.concat(self._plain(part), term)
            return term
        if isinstance(tree, Repeat):
            return arena.repeat(self._plain(tree.part), tree.low, tree.high)
        raise Unsupported("look-ahead inside a repetition")
