r"""Word boundaries, `\b` and `\B`, in terms without them. Pure.

A boundary looks at the characters before and after it. So the words of a pattern are built from the left: what has been read
up to a boundary is split by its last character, and what follows is narrowed by its first one, once there is one. The marks
of the beginning and the end of a text are no parts of words.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from .charsets import BEGIN, END, Charset, complement, normalize
from .syntax import Boundary, Choice, Sequence, Tree, has_boundary
from .terms import Arena, Term
from .word_characters import word_characters


@dataclass(frozen=True, slots=True)
class _Read:
    """The words read so far. free: any character may follow. pending: by whether the last character is a part of a word and
    whether the next one has to be."""

    free: Term
    pending: dict[tuple[bool, bool], Term]


class BoundaryTerms:
    """Terms of patterns with boundaries; `plain` makes those of trees without."""

    def __init__(self, arena: Arena, plain: Callable[[Tree], Term]) -> None:
        self._arena = arena
        self._plain = plain

    def whole(self, tree: Tree) -> Term:
        """The texts, with both marks, in which the pattern matches somewhere."""
        arena = self._arena
        read = self._after(tree, _Read(arena.everything, {}))
        return self._then(arena.everything, read).free

    def _after(self, tree: Tree, read: _Read) -> _Read:
        """What has been read when `tree` has been, too."""
        if isinstance(tree, Boundary):
            return self._at_boundary(tree, read)
        if not has_boundary(tree):
            return self._then(self._plain(tree), read)
        assert isinstance(tree, Sequence | Choice)  # parse_pattern refuses boundaries elsewhere
        if isinstance(tree, Sequence):
            for part in tree.parts:
                read = self._after(part, read)
            return read
        return self._union([self._after(part, read) for part in tree.parts])

    def _then(self, term: Term, read: _Read) -> _Read:
        arena = self._arena
        found = [arena.concat(read.free, term)]
        for (_, word), before in read.pending.items():
            begun = arena.concat(self._symbol(word), arena.everything)
            found.append(arena.concat(before, arena.intersection((term, begun))))
        return _Read(arena.union(found), read.pending if term.nullable else {})

    def _at_boundary(self, boundary: Boundary, read: _Read) -> _Read:
        arena = self._arena
        pending: dict[tuple[bool, bool], Term] = {}
        for before in (True, False):
            after = before if boundary.negative else not before
            ended = arena.concat(arena.everything, self._symbol(before))
            known = read.pending.get((before, after), arena.empty)
            pending[before, after] = arena.union((arena.intersection((read.free, ended)), known))
        return _Read(arena.empty, pending)

    def _union(self, reads: list[_Read]) -> _Read:
        arena = self._arena
        sides = {side: None for read in reads for side in read.pending}
        return _Read(
            arena.union([read.free for read in reads]),
            {side: arena.union([read.pending.get(side, arena.empty) for read in reads]) for side in sides},
        )

    def _symbol(self, word: bool) -> Term:
        return self._arena.symbol(word_characters() if word else _others())


@functools.cache
def _others() -> Charset:
    return normalize([*complement(word_characters()), (BEGIN, END)])
