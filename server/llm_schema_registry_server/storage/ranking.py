"""The score of a version for the words of a query: a whole number, the same in every back end. Pure.

Each word of the query scores by the best place where it is found; a whole word scores more than the beginning of one. The
points of the words are added up. A version whose subject, or the last segment of it, is the query ranks before all others.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from ..model.schema import SchemaVersion
from ..model.subject import Subject
from . import search

EXACT = 100
"""Points of a query whose words are those of the subject or of its last segment, in order: more than all other points."""
MOST_WORDS = 8
"""Words of a query that score. All must be found, but more words would add little for what looking them up costs."""
MOST_HITS = 2000
"""Most versions that are ranked: a query that more versions pass is too general to rank, and the cost grows with their number."""
_LONGEST_TITLE = 2000
"""Characters of a title up to which tags are added; words of later tags score as REST."""
_SEPARATORS = re.compile(r"[./:]")


class MatchedField(IntEnum):
    """Where a word is found, from the fewest points on."""

    REST = 1
    """Description and metadata."""
    NAME = 2
    """A type or a field."""
    TAG = 3
    SUBJECT = 4
    SEGMENT = 5
    """What follows the last `.`, `/` or `:` of the subject."""


def title(version: SchemaVersion) -> str:
    return title_of(version.subject, tuple(version.tags))


def title_of(subject: Subject, tags: tuple[str, ...]) -> str:
    """The short text in which the words of subject and tags are searched: ` 5orders 4shop 3pii =orders =shop,orders `.

    Every word occurs once, after the number of its best place; `=` precedes what the whole query is compared with.
    """
    return _title(subject, tags) if tags else _untagged(subject)


def _title(subject: Subject, tags: tuple[str, ...]) -> str:
    segment = _last_segment(subject)
    exact = {",".join(search.words_of(text)) for text in {segment, subject.name, str(subject)}}
    parts = [f"={text}" for text in sorted(exact) if text]
    seen: set[str] = set()
    for place, texts in (
        (MatchedField.SEGMENT, (segment,)),
        (MatchedField.SUBJECT, (str(subject),)),
        (MatchedField.TAG, tags),
    ):
        room = sum(map(len, parts)) + len(parts)
        for word in sorted(search.index_words(texts) - seen):
            room += len(word) + 2
            if place is MatchedField.TAG and room > _LONGEST_TITLE:
                break
            seen.add(word)
            parts.append(f"{place}{word}")
    return f" {' '.join(parts)} "


@lru_cache(maxsize=4096)
def _untagged(subject: Subject) -> str:
    return _title(subject, ())


@dataclass(frozen=True, slots=True)
class RankedMatch:
    """The words of a version: its title, the words of its names, and all its words, both sorted."""

    title: str
    names: Sequence[str]
    words: Sequence[str]


@dataclass(frozen=True, slots=True)
class RankQuery:
    """A condition: a word of that place begins with `word`, or is `word` when `whole`."""

    place: MatchedField
    word: str
    whole: bool

    @property
    def needle(self) -> str:
        """What the title contains when it holds, for the places that are in the title."""
        return f" {self.place}{self.word}" + (" " if self.whole else "")

    def holds(self, found: RankedMatch) -> bool:
        if self.place > MatchedField.NAME:
            return self.needle in found.title
        return _has(found.names if self.place is MatchedField.NAME else found.words, self.word, self.whole)


def points(place: MatchedField, *, whole: bool) -> int:
    return 2 * place - (0 if whole else 1)


def counted(text: str) -> Sequence[str]:
    """The distinct words of a query that score."""
    return list(dict.fromkeys(search.words_of(text)))[:MOST_WORDS]


def exact_needle(text: str) -> str:
    """What the title contains when the query has the words of the subject, or of its last segment."""
    return f" ={','.join(search.words_of(text))} "


def score(text: str, found: RankedMatch) -> int:
    """The points of a version that has all words of the query."""
    exact = EXACT if exact_needle(text) in found.title else 0
    return exact + sum(_points(word, found) for word in counted(text))


def _points(word: str, found: RankedMatch) -> int:
    """Of a version that was found: some word of it begins with this one."""
    best = next(p for p in sorted(MatchedField, reverse=True) if RankQuery(p, word, False).holds(found))
    return points(best, whole=RankQuery(best, word, True).holds(found))


def _last_segment(subject: Subject) -> str:
    return next(filter(search.words_of, reversed(_SEPARATORS.split(subject.name))), "")


def _has(words: Sequence[str], wanted: str, whole: bool) -> bool:
    place = bisect_left(words, wanted)
    return place < len(words) and (words[place] == wanted if whole else words[place].startswith(wanted))


def found(version: SchemaVersion, names: Iterable[str]) -> RankedMatch:
    named = search.name_words(names)
    return RankedMatch(title(version), sorted(named), sorted(search.about_words(version) | named))
