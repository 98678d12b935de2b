"""Corrections of a word that begins no known word: by trigrams, as PostgreSQL's pg_trgm compares words. Pure.

Only words of 3 to 40 letters from a to z have corrections: for others, the trigrams of libraries and locales differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

NEAR = 0.3
"""The least similarity of a correction; also the default of pg_trgm.similarity_threshold."""
TRIED = 10
"""Most candidates: some of the nearest words may no longer belong to a version."""
LONGEST = 40
SPELLED = f"[a-z]{{3,{LONGEST}}}"
_SPELLED = re.compile(SPELLED)


def is_spelled(word: str) -> bool:
    """Whether a word can be corrected, or be a correction."""
    return _SPELLED.fullmatch(word) is not None


def trigrams(word: str) -> frozenset[str]:
    """The runs of three characters, with two spaces before the word and one behind."""
    padded = f"  {word} "
    return frozenset(padded[n : n + 3] for n in range(len(padded) - 2))


def nearest(word: str, words: Iterable[str]) -> Sequence[str]:
    """The corrections of `word` among `words`, the most similar first, equal ones alphabetically; at most TRIED.

    Similarity is the number of common trigrams divided by the number of all trigrams of both.
    """
    if not is_spelled(word):
        return []
    grams = trigrams(word)
    rated = ((_similarity(grams, trigrams(other)), other) for other in words if is_spelled(other))
    near = sorted((-rate, other) for rate, other in rated if rate >= NEAR)
    return [other for _, other in near[:TRIED]]


def _similarity(one: frozenset[str], other: frozenset[str]) -> float:
    common = len(one & other)
    return common / (len(one) + len(other) - common)
