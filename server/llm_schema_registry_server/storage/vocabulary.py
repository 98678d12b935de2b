"""The words that are known to be in the vocabulary of a database, so that registrations write only others."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from . import spelling

_MOST = 100_000
"""Words in memory; when there are more, all are dropped and written once again."""


class Vocabulary:
    """What this server knows to be in the table `vocabulary`. No word is ever removed from the table."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def new_of(self, words: Iterable[str]) -> list[str]:
        """The words for spelling that are not known to be there, sorted: transactions that write in this order cannot deadlock."""
        return sorted(w for w in words if w not in self._known and spelling.is_spelled(w))

    def committed(self, words: Collection[str]) -> None:
        if len(self._known) + len(words) > _MOST:
            self._known.clear()
        self._known.update(words)
