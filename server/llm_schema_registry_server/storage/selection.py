"""The SQL of lists and counts that all SQL back ends share; a SqlDialect fills in what differs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ..model.scope import EVERYTHING, SubjectRange, SubjectScope
from . import ranking, search
from .ranking import MatchedField, RankQuery, points
from .rows import VERSION_COLUMNS, selectable_sql
from .scoping import add_range, any_range, narrowed
from .values import Page, RankedPage, SchemaFilter

Statement = tuple[str, list[Any]]
"""SQL and the values of its parameters."""
Term = tuple[str, Any]
"""A condition with `{}` in the place of its value, and the value."""
Terms = Iterable[tuple[Any, ...]]
"""Conditions with `{}` in the place of each value, and the values."""
Having = Callable[[Sequence[str], Sequence[str]], Terms]
"""The conditions that a version has some words and some labels."""

COLUMNS_OF_V = ", ".join(f"v.{column}" for column in VERSION_COLUMNS)
_NO_SUBJECT = "SELECT subject FROM subjects WHERE FALSE"
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

    def branch(self) -> _Where:
        """Conditions of their own that go on numbering the same parameters."""
        return _Where(self.place, parameters=self.parameters)

    def term(self, term: str, *values: Any) -> str:
        return term.format(*(self.bind(value) for value in values))

    def add(self, term: str, *values: Any) -> None:
        self.terms.append(self.term(term, *values))

    def add_text(self, term: str) -> None:
        """Adds a condition whose values are bound already."""
        self.terms.append(term)

    @property
    def sql(self) -> str:
        return " AND ".join(self.terms) or "TRUE"


def words_and_labels(wanted: SchemaFilter) -> tuple[Sequence[str], Sequence[str]] | None:
    """The words and the labels of a filter that asks for words, or for words and labels, and for nothing else; None for another one."""
    words = search.words_of(wanted.text)
    if not words or wanted != SchemaFilter(text=wanted.text, tags=wanted.tags, metadata=wanted.metadata):
        return None
    return words, _labels(wanted)


def _labels(wanted: SchemaFilter) -> list[str]:
    return sorted(search.labels(wanted.tags, wanted.metadata.items()))


@dataclass(frozen=True, slots=True)
class SqlDialect:
    """What differs: the n-th place holder, and the conditions on versions `v` that use the back end's own indexes.

    words: the version has, for each word, a word that begins with it, and all these labels: of a version `v` that is looked for by
    its words. labels: it has all these labels, which it is looked for by.
    pattern: its subject fits the pattern (see model/pattern.py). fits: that a column does, in a range of it that is read anyway.
    found: the tables of a search that only counts, ranked: those of a ranked one, in which `hits` is what `words` is of `v` alone; in_title: the version's
    title contains a text; question: what ranking.Question asks. skips_by_index: whether an offset reads the rows that it passes
    over, unless an index is asked for their places first; parameters are numbered then.
    """

    place: Callable[[int], str]
    words: Having
    labels: Callable[[Sequence[str]], Terms]
    pattern: Callable[[str], Term]
    fits: Callable[[str, str], Term]
    found: str
    ranked: str
    hits: Having
    in_title: Callable[[str], Term]
    question: Callable[[RankQuery], Term]
    skips_by_index: bool = False

    def scan(self, wanted: SchemaFilter, page: Page, *, walking: Having | None = None) -> Statement:
        """One page of the versions that pass the filter, by (subject, ordinal). walking: so many have its words that a walk through
        all versions soon meets them, which is cheaper than to look at all of them: what it looks for in each."""
        ranges = _one_by_one(wanted, page.after)
        if ranges is not None:
            return self._page_of_ranges(
                page,
                ranges,
                (f"SELECT {COLUMNS_OF_V} FROM versions v", "v.subject, v.ordinal", "subject, ordinal"),
                lambda where, found: self._add_scan(where, wanted, page, found),
            )
        where = _Where(self.place)
        self._add_matching(where, wanted, walking or self.words)
        if page.after is not None and page.after[0] == wanted.subject:
            where.add("v.ordinal > {}", page.after[1])  # the index then leads to the page, however far it is
        elif page.after is not None:
            where.add("(v.subject, v.ordinal) > ({}, {})", *page.after)
        if page.offset and self.skips_by_index and not wanted.text:
            return self._behind(where, page), where.parameters
        sql = (
            f"SELECT {COLUMNS_OF_V} FROM versions v WHERE {where.sql} ORDER BY v.subject, v.ordinal "
            f"LIMIT {where.bind(page.limit)} OFFSET {where.bind(page.offset)}"
        )
        return sql, where.parameters

    def _behind(self, where: _Where, page: Page) -> str:
        """A page with an offset: what is passed over is looked at in an index where one has all that is asked."""
        order = "ORDER BY v.subject, v.ordinal"
        first = f"SELECT v.subject, v.ordinal FROM versions v WHERE {where.sql} {order} LIMIT 1 OFFSET {where.bind(page.offset)}"
        found = (
            f"SELECT * FROM versions v WHERE (v.subject, v.ordinal) >= (first.subject, first.ordinal) AND {where.sql} {order} "
            f"LIMIT {where.bind(page.limit)}"
        )
        return f"WITH first AS MATERIALIZED ({first}) SELECT {COLUMNS_OF_V} FROM first CROSS JOIN LATERAL ({found}) v {order}"

    def count(self, wanted: SchemaFilter) -> Statement:
        """How many versions pass the filter."""
        ranges = _one_by_one(wanted, None)
        if ranges is None:
            where = self._matching(wanted)
            return f"SELECT count(*) FROM versions v WHERE {where.sql}", where.parameters
        whole, counts = _Where(self.place), []
        for found in ranges:
            where = whole.branch()
            self._add_range(where, wanted, found)
            counts.append(f"(SELECT count(*) FROM versions v WHERE {where.sql})")
        return f"SELECT {' + '.join(counts) or 0}", whole.parameters

    def count_some(self, wanted: SchemaFilter, most: int) -> Statement:
        """How many versions pass a filter with words, as far as `most`."""
        where = _Where(self.place)
        self._add_matching(where, wanted, self.hits)
        sql = f"SELECT count(*) FROM (SELECT 1 FROM {self.found} WHERE {where.sql} LIMIT {where.bind(most)}) AS listed"
        return sql, where.parameters

    def rank(self, wanted: SchemaFilter, page: RankedPage) -> Statement:
        """One page of the versions that pass a filter with words, the best first: their columns, their score and how many
        there are in all, or that there are more than MOST_HITS. At least one row, for the number: without a version when there is none."""
        score, scored_by = _score(self, wanted.text)
        where = _Where(self.place, parameters=list(scored_by))
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

    def score(self, where: _Where, text: str) -> str:
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

    def subjects(
        self, prefix: str, include_deleted: bool, page: Page, scope: SubjectScope = EVERYTHING
    ) -> Statement:
        """One page of the subjects that have a (live) version."""
        after = None if page.after is None else page.after[0]

        def add(where: _Where, found: SubjectRange) -> None:
            beyond = after is not None and after >= found.low
            if beyond:
                where.add("s.subject > {}", after)
            add_range(where, "s.subject", found, self.fits, low=not beyond)
            where.add(_having_versions(include_deleted, scope))

        ranges = narrowed(scope, search.intervals(prefix), after)
        return self._page_of_ranges(
            page, ranges, ("SELECT s.subject FROM subjects s", "s.subject", "subject"), add
        )

    def count_subjects(
        self, prefix: str, include_deleted: bool, scope: SubjectScope = EVERYTHING
    ) -> Statement:
        whole, counts = _Where(self.place), []
        for found in narrowed(scope, search.intervals(prefix), None):
            where = whole.branch()
            add_range(where, "s.subject", found, self.fits)
            where.add(_having_versions(include_deleted, scope))
            counts.append(f"(SELECT count(*) FROM subjects s WHERE {where.sql})")
        return f"SELECT {' + '.join(counts) or 0}", whole.parameters

    def _page_of_ranges(
        self,
        page: Page,
        ranges: Sequence[SubjectRange],
        select: tuple[str, str, str],
        add: Callable[[_Where, SubjectRange], None],
    ) -> Statement:
        """A page of what lies in some ranges: of each as many rows as the page may need, and the page of those.

        select: the statement up to its conditions, its order, and that order by the names of its columns. add: adds the
        conditions of a range.
        """
        head, order, order_of_all = select
        whole, parts = _Where(self.place), []
        for found in ranges or [SubjectRange("", "")]:
            where = whole.branch()
            add(where, found)
            parts.append(f"{head} WHERE {where.sql} ORDER BY {order}")
            if len(ranges) > 1:
                parts[-1] += f" LIMIT {where.bind(page.offset + page.limit)}"
        if len(parts) > 1:
            parts = [f"SELECT * FROM ({part}) AS r{number}" for number, part in enumerate(parts)]
            parts[-1] += f" ORDER BY {order_of_all}"
        sql = f"{' UNION ALL '.join(parts)} LIMIT {whole.bind(page.limit)} OFFSET {whole.bind(page.offset)}"
        return sql, whole.parameters

    def _add_scan(self, where: _Where, wanted: SchemaFilter, page: Page, found: SubjectRange) -> None:
        beyond = page.after is not None and page.after[0] >= found.low
        if page.after is not None and beyond:
            where.add("(v.subject, v.ordinal) > ({}, {})", *page.after)
        self._add_range(where, wanted, found, low=not beyond)

    def _add_range(
        self, where: _Where, wanted: SchemaFilter, found: SubjectRange, *, low: bool = True
    ) -> None:
        """Adds that a version is in a range and passes the rest of the filter."""
        add_range(where, "v.subject", found, self.fits, low=low)
        self._add_about(where, wanted, self.words)
        if wanted.subject_pattern:
            where.add(*self.fits("v.subject", wanted.subject_pattern))

    def _matching(self, wanted: SchemaFilter) -> _Where:
        where = _Where(self.place)
        self._add_matching(where, wanted, self.words)
        return where

    def _add_matching(self, where: _Where, wanted: SchemaFilter, having: Having) -> None:
        self._add_about(where, wanted, having)
        if wanted.subject:
            where.add("v.subject = {}", wanted.subject)
        if not wanted.scope.everything:
            where.add_text(any_range(where, "v.subject", wanted, self.fits))
        _add_prefix(where, "v.subject", wanted.subject_prefix)
        if wanted.subject_pattern:
            _add_prefix(where, "v.subject", search.literal_prefix(wanted.subject_pattern))
            where.add(*self.pattern(wanted.subject_pattern))

    def _add_about(self, where: _Where, wanted: SchemaFilter, having: Having) -> None:
        """Adds what the filter asks of a version, but for its subject."""
        if wanted.latest_only:
            where.add(selectable_sql("v"))
            where.add(
                "NOT EXISTS (SELECT 1 FROM versions w WHERE w.subject = v.subject AND w.ordinal > v.ordinal AND "
                f"{selectable_sql('w')})"
            )
        elif not wanted.include_deleted:
            where.add("v.deleted_at IS NULL")
        words, labels = search.words_of(wanted.text), _labels(wanted)
        if words:
            found = having(words, labels)
        else:
            found = self.labels(labels) if labels else ()
        for term in found:
            where.add(*term)
        if wanted.schema_type is not None:
            where.add("v.schema_type = {}", int(wanted.schema_type))
        if wanted.state is not None:
            where.add("v.state = {}", int(wanted.state))


@lru_cache(maxsize=256)
def _score(dialect: SqlDialect, text: str) -> tuple[str, tuple[Any, ...]]:
    """`SqlDialect.score`, with the first parameters of a statement. The same words are asked for again, page by page."""
    where = _Where(dialect.place)
    return dialect.score(where, text), tuple(where.parameters)


def _having_versions(include_deleted: bool, scope: SubjectScope) -> str:
    live = "" if include_deleted else " AND v.deleted_at IS NULL"
    # With an OFFSET, PostgreSQL looks for each subject by itself: inside a scope they are few, and versions are many.
    each = "" if scope.everything else " LIMIT 1 OFFSET 0"
    return f"EXISTS (SELECT 1 FROM versions v WHERE v.subject = s.subject{live}{each})"


def _one_by_one(wanted: SchemaFilter, after: tuple[str, int] | None) -> Sequence[SubjectRange] | None:
    """The ranges of a scope that are read each by itself; None where one statement looks for all: what words and labels find is
    found once, and narrowed by name."""
    if wanted.scope.everything or wanted.subject or wanted.text or wanted.tags or wanted.metadata:
        return None
    return narrowed(wanted.scope, search.ranges(wanted), None if after is None else after[0])


def _add_prefix(where: _Where, column: str, prefix: str) -> None:
    if not prefix:
        return
    where.add(f"{column} >= {{}}", prefix)
    end = search.prefix_end(prefix)
    if end is not None:
        where.add(f"{column} < {{}}", end)
