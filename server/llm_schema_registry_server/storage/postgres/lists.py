"""What PostgreSQL has of its own in the SQL of lists and searches. tests/storage/test_postgres_plans.py checks the plans."""

from __future__ import annotations

from collections.abc import Sequence

from .. import search
from ..ranking import MatchedField, RankQuery
from ..selection import SqlDialect, Statement, Term, Terms, words_and_labels
from ..values import SchemaFilter
from .queries import LIVE_HITS, LIVE_LABELLED_HITS


def _matching(words: Sequence[str]) -> str:
    return " & ".join(lexeme(word) for word in words)


def _hits(words: Sequence[str], labels: Sequence[str]) -> Terms:
    yield "s.words @@ {}::text::tsquery", _matching(words)
    if labels:
        yield "s.labels @> {}::text[]", labels


def matching(text: str) -> str:
    """What the index of words is asked for to find the versions that have the words of a text."""
    return _matching(search.words_of(text))


def count_words(wanted: SchemaFilter) -> Statement | None:
    """Counts the versions that pass a filter which asks for words, or for words and labels, by their indexes alone; None for
    another one."""
    if (asked := words_and_labels(wanted)) is None:
        return None
    words, labels = asked
    if labels:
        return LIVE_LABELLED_HITS, [_matching(words), labels]
    return LIVE_HITS, [_matching(words)]


def lexeme(word: str, whole: bool = False) -> str:
    """What BEGUN takes to look for a word that begins so, or for exactly this one."""
    return f"'{word}'" if whole else f"'{word}':*"  # words are letters and digits only


def _words(words: Sequence[str], labels: Sequence[str]) -> Terms:
    found = list(_hits(words, labels))
    where, values = " AND ".join(term for term, _ in found), [value for _, value in found]
    yield f"v.id IN (SELECT s.version FROM search s WHERE {where})", *values


MOST_LISTED = 20_000
"""Versions that have the words of a question and are listed for a walk by name, some 3 us for each; where there are more, the walk
soon meets some, and looks each up."""


def listed(words: Sequence[str], labels: Sequence[str]) -> Terms:
    """For a walk: the versions that are found are listed once, and looked up in memory."""
    # IS TRUE: else it becomes a join, for which each version that the walk passes is looked up in the table.
    for term, *values in _words(words, labels):
        yield f"({term}) IS TRUE", *values


def _in_title(text: str) -> Term:
    return "(strpos(s.title, {}) > 0)", text


def _question(asked: RankQuery) -> Term:
    if asked.place > MatchedField.NAME:
        return _in_title(asked.needle)
    column = "names" if asked.place is MatchedField.NAME else "words"
    # The SELECT: the query is parsed once, not for every version.
    return f"s.{column} @@ (SELECT {{}}::text::tsquery)", lexeme(asked.word, asked.whole)


def _labels(labels: Sequence[str]) -> Terms:
    return [("v.id IN (SELECT version FROM search WHERE labels @> {}::text[])", labels)]


def _like(pattern: str) -> str:
    literal = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return literal.replace("*", "%").replace("?", "_")


def _pattern(pattern: str) -> Term:
    return "v.subject IN (SELECT subject FROM subjects WHERE subject LIKE {})", _like(pattern)


def _fits(column: str, pattern: str) -> Term:
    return f"{column} LIKE {{}}", _like(pattern)


LISTS = SqlDialect(
    lambda number: f"${number}",
    words=_words,
    labels=_labels,
    pattern=_pattern,
    fits=_fits,
    found="versions v JOIN search s ON s.version = v.id",
    ranked="versions v JOIN search s ON s.version = v.id",
    hits=_hits,
    in_title=_in_title,
    question=_question,
    skips_by_index=True,
)
