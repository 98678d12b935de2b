"""What PostgreSQL has of its own in the SQL of lists and searches. tests/storage/test_postgres_plans.py checks the plans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .. import search
from ..ranking import MatchedField, RankQuery
from ..selection import SqlDialect, Term


def _hits(words: Sequence[str]) -> Term:
    return "words @@ {}::text::tsquery", " & ".join(lexeme(word) for word in words)


def matching(text: str) -> str:
    """What the index of words is asked for to find the versions that have the words of a text."""
    return str(_hits(search.words_of(text))[1])


def lexeme(word: str, whole: bool = False) -> str:
    """What BEGUN takes to look for a word that begins so, or for exactly this one."""
    return f"'{word}'" if whole else f"'{word}':*"  # words are letters and digits only


def _words(words: Sequence[str]) -> Term:
    term, query = _hits(words)
    return f"v.id IN (SELECT version FROM search WHERE {term})", query


def _in_title(text: str) -> Term:
    return "(strpos(s.title, {}) > 0)", text


def _question(asked: RankQuery) -> Term:
    if asked.place > MatchedField.NAME:
        return _in_title(asked.needle)
    column = "names" if asked.place is MatchedField.NAME else "words"
    # The SELECT: the query is parsed once, not for every version.
    return f"s.{column} @@ (SELECT {{}}::text::tsquery)", lexeme(asked.word, asked.whole)


def _labels(labels: Sequence[str]) -> Iterable[Term]:
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
    each=_words,  # the planner walks through the versions where that is cheaper
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
