"""Which words are in the vocabulary of a database: a registration writes only those that may not be."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from . import spelling

_MOST = 100_000
"""Words remembered; with more, all are forgotten and written once again."""


class Vocabulary:
    """What this server knows to be in the table `vocabulary`, from which no word is ever removed."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def new_of(self, words: Iterable[str]) -> list[str]:
        """The words that take part in spelling and are not known to be there, sorted: whoever writes in this order waits for
        nobody who waits for him."""
        return sorted(w for w in words if w not in self._known and spelling.is_spelled(w))

    def committed(self, words: Collection[str]) -> None:
        if len(self._known) + len(words) > _MOST:
            self._known.clear()
        self._known.update(words)
