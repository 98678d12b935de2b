"""The SQL of lists and counts that all SQL back ends share; a SqlDialect fills in what differs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import ranking, search
from .ranking import MatchedField, RankQuery, points
from .rows import VERSION_COLUMNS, selectable_sql
from .values import Page, RankedPage, SchemaFilter

Statement = tuple[str, list[Any]]
"""SQL and the values of its parameters."""
Term = tuple[str, Any]
"""A condition with `{}` in the place of its value, and the value."""

COLUMNS_OF_V = ", ".join(f"v.{column}" for column in VERSION_COLUMNS)
_RANKED_AFTER = "(score < {} OR score = {} AND (subject > {} OR subject = {} AND ordinal < {}))"


@dataclass(slots=True)
class _Where:
    """Conditions and the parameters that they number."""

    place: Callable[[int], str]
    terms: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def bind(self, value: Any) -> str:
        self.parameters.append(value)
        return self.place(len(self.parameters))

    def term(self, term: str, *values: Any) -> str:
        return term.format(*(self.bind(value) for value in values))

    def add(self, term: str, *values: Any) -> None:
        self.terms.append(self.term(term, *values))

    @property
    def sql(self) -> str:
        return " AND ".join(self.terms) or "TRUE"


@dataclass(frozen=True, slots=True)
class SqlDialect:
    """What differs: the n-th place holder, and the conditions on versions `v` that use the back end's own indexes.

    words: the version has, for each word, a word that begins with it. labels: it has all these labels.
    pattern: its subject fits the pattern (see model/pattern.py).
    ranked: the tables of a ranked search, in which `hits` is what `words` is of versions alone; in_title: the version's
    title contains a text; question: what ranking.Question asks.
    """

    place: Callable[[int], str]
    words: Callable[[Sequence[str]], Term]
    labels: Callable[[Sequence[str]], Iterable[Term]]
    pattern: Callable[[str], Term]
    ranked: str
    hits: Callable[[Sequence[str]], Term]
    in_title: Callable[[str], Term]
    question: Callable[[RankQuery], Term]

    def scan(self, wanted: SchemaFilter, page: Page) -> Statement:
        """One page of the versions that pass the filter, by (subject, ordinal)."""
        where = self._matching(wanted)
        if page.after is not None and page.after[0] == wanted.subject:
            where.add("v.ordinal > {}", page.after[1])  # the index then leads to the page, however far it is
        elif page.after is not None:
            where.add("(v.subject, v.ordinal) > ({}, {})", *page.after)
        sql = (
            f"SELECT {COLUMNS_OF_V} FROM versions v WHERE {where.sql} ORDER BY v.subject, v.ordinal "
            f"LIMIT {where.bind(page.limit)} OFFSET {where.bind(page.offset)}"
        )
        return sql, where.parameters

    def count(self, wanted: SchemaFilter) -> Statement:
        """How many versions pass the filter."""
        where = self._matching(wanted)
        return f"SELECT count(*) FROM versions v WHERE {where.sql}", where.parameters

    def rank(self, wanted: SchemaFilter, page: RankedPage) -> Statement:
        """One page of the versions that pass a filter with words, the best first: their columns, their score and how many
        there are in all, or that there are more than MOST_HITS. At least one row, for the number: without a version when there is none."""
        where = _Where(self.place)
        score = self._score(where, wanted.text)
        self._add_matching(where, wanted, self.hits)
        scored = f"SELECT v.id, v.subject, v.ordinal, {score} AS score FROM {self.ranked} WHERE {where.sql} "
        scored += f"LIMIT {ranking.MOST_HITS + 1}"
        where.terms.clear()
        if page.after is not None:
            score_of, subject, ordinal = page.after
            where.add(_RANKED_AFTER, score_of, score_of, subject, subject, ordinal)
        sql = (
            f"WITH scored AS MATERIALIZED ({scored}), page AS (SELECT id, score FROM scored WHERE {where.sql} "
            f"ORDER BY score DESC, subject, ordinal DESC LIMIT {where.bind(page.limit)} OFFSET {where.bind(page.offset)}) "
            f"SELECT {COLUMNS_OF_V}, page.score, counted.total FROM (SELECT count(*) AS total FROM scored) AS counted "
            "LEFT JOIN page ON TRUE LEFT JOIN versions v ON v.id = page.id "
            "ORDER BY page.score DESC, v.subject, v.ordinal DESC"
        )
        return sql, where.parameters

    def _score(self, where: _Where, text: str) -> str:
        """The points of a version, see ranking.score."""
        first, *others = ranking.counted(text)
        # `exact` is checked with the first word only: a title without that word cannot contain it.
        points = self._points(where, first, exact=ranking.exact_needle(text))
        return " + ".join([points, *(self._points(where, word) for word in others)])

    def _points(self, where: _Where, word: str, *, exact: str = "") -> str:
        """The points of one word. Most versions do not have it in their title, which is checked first; only then is the title checked
        for `exact`. Values are bound in the order in which they occur in the SQL: SQLite does not number them."""
        present = where.term(*self.in_title(word))
        title = self._best(
            where, word, MatchedField.SEGMENT, MatchedField.SUBJECT, MatchedField.TAG, MatchedField.NAME
        )
        if exact:
            title += f" + CASE WHEN {where.term(*self.in_title(exact))} THEN {ranking.EXACT} ELSE 0 END"
        return f"CASE WHEN {present} THEN {title} ELSE {self._best(where, word, MatchedField.NAME)} END"

    def _best(self, where: _Where, word: str, *places: MatchedField) -> str:
        """The points for the best of these places; for the rest when it is in none."""
        cases = []
        for place in places:
            begins = where.term(*self.question(RankQuery(place, word, False)))
            cases.append(f"WHEN {begins} THEN {self._whole(where, word, place)}")
        return f"CASE {' '.join(cases)} ELSE {self._whole(where, word, MatchedField.REST)} END"

    def _whole(self, where: _Where, word: str, place: MatchedField) -> str:
        whole = where.term(*self.question(RankQuery(place, word, True)))
        whole_points, begun_points = (points(place, whole=known) for known in (True, False))
        return f"CASE WHEN {whole} THEN {whole_points} ELSE {begun_points} END"

    def subjects(self, prefix: str, include_deleted: bool, page: Page) -> Statement:
        """One page of the subjects that have a (live) version."""
        where = self._having_versions(prefix, include_deleted)
        if page.after is not None:
            where.add("s.subject > {}", page.after[0])
        sql = (
            f"SELECT s.subject FROM subjects s WHERE {where.sql} ORDER BY s.subject "
            f"LIMIT {where.bind(page.limit)} OFFSET {where.bind(page.offset)}"
        )
        return sql, where.parameters

    def count_subjects(self, prefix: str, include_deleted: bool) -> Statement:
        where = self._having_versions(prefix, include_deleted)
        return f"SELECT count(*) FROM subjects s WHERE {where.sql}", where.parameters

    def _having_versions(self, prefix: str, include_deleted: bool) -> _Where:
        where = _Where(self.place)
        live = "" if include_deleted else " AND v.deleted_at IS NULL"
        where.add(f"EXISTS (SELECT 1 FROM versions v WHERE v.subject = s.subject{live})")
        _add_prefix(where, "s.subject", prefix)
        return where

    def _matching(self, wanted: SchemaFilter) -> _Where:
        where = _Where(self.place)
        self._add_matching(where, wanted, self.words)
        return where

    def _add_matching(
        self, where: _Where, wanted: SchemaFilter, having: Callable[[Sequence[str]], Term]
    ) -> None:
        if wanted.latest_only:
            where.add(selectable_sql("v"))
            where.add(
                "NOT EXISTS (SELECT 1 FROM versions w WHERE w.subject = v.subject AND w.ordinal > v.ordinal AND "
                f"{selectable_sql('w')})"
            )
        elif not wanted.include_deleted:
            where.add("v.deleted_at IS NULL")
        words = search.words_of(wanted.text)
        if words:
            where.add(*having(words))
        labels = sorted(search.labels(wanted.tags, wanted.metadata.items()))
        for term in self.labels(labels) if labels else ():
            where.add(*term)
        if wanted.subject:
            where.add("v.subject = {}", wanted.subject)
        _add_prefix(where, "v.subject", wanted.subject_prefix)
        if wanted.subject_pattern:
            _add_prefix(where, "v.subject", search.literal_prefix(wanted.subject_pattern))
            where.add(*self.pattern(wanted.subject_pattern))
        if wanted.schema_type is not None:
            where.add("v.schema_type = {}", int(wanted.schema_type))
        if wanted.state is not None:
            where.add("v.state = {}", int(wanted.state))


def _add_prefix(where: _Where, column: str, prefix: str) -> None:
    if not prefix:
        return
    where.add(f"{column} >= {{}}", prefix)
    end = search.prefix_end(prefix)
    if end is not None:
        where.add(f"{column} < {{}}", end)
