"""What SQLite has of its own in the SQL of lists and searches. tests/storage/test_sqlite_plans.py checks the plans."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .. import search, spelling
from ..ranking import MatchedField, RankQuery
from ..rows import selectable_sql
from ..selection import SqlDialect, Statement, Term, Terms, words_and_labels
from ..values import SchemaFilter
from .queries import LIVE_HITS

MOST_LISTED = 20_000
"""Versions that have the words of a question and are listed for a walk by name, which takes 0.3 us for each; where there are more, the
walk soon meets some, and looks at the words of each version instead."""
_LATEST = f"SELECT max(ordinal), id FROM versions WHERE {selectable_sql('versions')} GROUP BY subject"
_FEW_LABELS = 8
"""So many labels have a condition each."""


def _matching(words: Sequence[str]) -> str:
    return " ".join(f'"{word}"*' for word in words)  # words are letters and digits only


def _hits(words: Sequence[str], labels: Sequence[str]) -> Terms:
    yield "words MATCH {}", _matching(words)
    yield from _labelled("w.rowid", labels)


def matching(text: str) -> str:
    """What the index of words is asked for to find the versions that have the words of a text."""
    return _matching(search.words_of(text))


def count_words(wanted: SchemaFilter) -> Statement | None:
    """Counts the versions that pass a filter which asks for words, or for words and labels, by their indexes alone; None for
    another one."""
    if (asked := words_and_labels(wanted)) is None:
        return None
    words, labels = asked
    sql, parameters = LIVE_HITS, [_matching(words)]
    for term, value in _labelled("words.rowid", labels):
        sql += f" AND {term.format('?')}"
        parameters.append(value)
    return sql, parameters


def count_latest(wanted: SchemaFilter) -> Statement | None:
    """As `count_words`, of the latest versions, for words that so many versions have that to look at the latest of all subjects takes
    less."""
    asked = words_and_labels(replace(wanted, latest_only=False, include_deleted=False))
    if not wanted.latest_only or asked is None:
        return None
    # SQLite takes the columns beside max() from the row that has it.
    sql, parameters = f"SELECT count(*) FROM ({_LATEST}) AS v", list[Any]()
    for number, (term, value) in enumerate(_words(*asked)):
        sql += f" {'AND' if number else 'WHERE'} {term.format('?')}"
        parameters.append(value)
    return sql, parameters


def begun(word: str) -> tuple[str]:
    """The parameters of BEGUN that look for a word that begins so."""
    return (f'"{word}"*',)


def known(word: str) -> tuple[str]:
    """The parameters of BEGUN that look for exactly this word."""
    return (f'"{word}"',)


def near(word: str) -> tuple[str, list[Any]]:
    """Selects the words that share enough trigrams with this one to be candidates; spelling.nearest decides."""
    grams = sorted(spelling.trigrams(word))
    common = " + ".join("(instr(padded, ?) > 0)" for _ in grams)
    sql = (
        "WITH listed AS MATERIALIZED (SELECT word, '  ' || word || ' ' AS padded FROM vocabulary) "
        f"SELECT word FROM listed WHERE {common} >= ?"
    )
    return sql, [*grams, math.ceil(spelling.NEAR * len(grams))]


def _words(words: Sequence[str], labels: Sequence[str]) -> Terms:
    yield "v.id IN (SELECT rowid FROM words WHERE words MATCH {})", _matching(words)
    yield from _labelled("v.id", labels)


def listed(words: Sequence[str], labels: Sequence[str]) -> Terms:
    """For a walk: the versions that have the words are listed once."""
    # `+`: versions are not looked for by that list, for then all of them would be sorted by name.
    yield "+v.id IN (SELECT rowid FROM words WHERE words MATCH {})", _matching(words)
    yield from _labelled("v.id", labels)


def each(words: Sequence[str], labels: Sequence[str]) -> Terms:
    """For a walk: the words of each version are looked at."""
    # The stored words of a version, with a space before each, have those of the query at the beginning of one: a look at the text
    # of one version takes microseconds, where the index has no way to look for a word in one version.
    has = "instr(' ' || f.about || ' ' || f.names, ' ' || asked.value) = 0"
    missing = f"SELECT 1 FROM json_each({{}}) asked WHERE {has}"
    yield (
        f"EXISTS (SELECT 1 FROM words f WHERE f.rowid = v.id AND NOT EXISTS ({missing}))",
        json.dumps(words),
    )
    yield from _labelled("v.id", labels)


def _in_title(text: str) -> Term:
    return "(instr(t.title, {}) > 0)", text


def _question(asked: RankQuery) -> Term:
    if asked.place > MatchedField.NAME:
        return _in_title(asked.needle)
    column = "names : " if asked.place is MatchedField.NAME else ""
    # The list of a word's versions is made once; looking into the words of each version takes several times as long.
    term = "v.id IN (SELECT rowid FROM words WHERE words MATCH {})"
    return term, f'{column}"{asked.word}"' + ("" if asked.whole else "*")


def _labels(labels: Sequence[str]) -> Terms:
    """The versions of one label, and of those the ones that have all others."""
    first, *others = labels
    yield "v.id IN (SELECT version FROM labels WHERE label = {})", first
    yield from _labelled("v.id", others)


def _labelled(version: str, labels: Sequence[str]) -> Terms:
    """A version that is found by something else has all these labels: few terms, however many labels there are."""
    for label in labels[:_FEW_LABELS]:
        yield f"EXISTS (SELECT 1 FROM labels l WHERE l.label = {{}} AND l.version = {version})", label
    if others := labels[_FEW_LABELS:]:
        missing = f"SELECT 1 FROM labels l WHERE l.label = asked.value AND l.version = {version}"
        yield (
            f"NOT EXISTS (SELECT 1 FROM json_each({{}}) asked WHERE NOT EXISTS ({missing}))",
            json.dumps(others),
        )


def _pattern(pattern: str) -> Term:
    return "v.subject GLOB {}", pattern.replace("[", "[[]")


def _fits(column: str, pattern: str) -> Term:
    return f"{column} GLOB {{}}", pattern.replace("[", "[[]")


LISTS = SqlDialect(
    lambda number: "?",
    words=_words,
    labels=_labels,
    pattern=_pattern,
    fits=_fits,
    found="words w CROSS JOIN versions v ON v.id = w.rowid",
    ranked="words w CROSS JOIN versions v ON v.id = w.rowid CROSS JOIN titles t ON t.version = v.id",
    hits=_hits,
    in_title=_in_title,
    question=_question,
)
