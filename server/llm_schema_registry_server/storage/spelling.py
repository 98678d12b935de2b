"""Which words are near to one that nothing begins with: by their trigrams, as PostgreSQL's pg_trgm compares words. Pure.

Words of 3 to 40 letters from a to z take part; of others, libraries and locales have different notions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

NEAR = 0.3
"""The least similarity of a correction; also the default of pg_trgm.similarity_threshold."""
TRIED = 10
"""How many of the nearest words may prove to be gone."""
LONGEST = 40
SPELLED = f"[a-z]{{3,{LONGEST}}}"
_SPELLED = re.compile(SPELLED)


def is_spelled(word: str) -> bool:
    """Whether a word takes part."""
    return _SPELLED.fullmatch(word) is not None


def trigrams(word: str) -> frozenset[str]:
    """The runs of three characters, with two spaces before the word and one behind."""
    padded = f"  {word} "
    return frozenset(padded[n : n + 3] for n in range(len(padded) - 2))


def nearest(word: str, words: Iterable[str]) -> Sequence[str]:
    """The words that may be meant, the most similar first, equal ones by the alphabet; at most TRIED.

    Similarity is the share of the trigrams of both that both have. Of a word that takes no part: none.
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
