"""ReportOutcomes and GetConformance: how often models answer as versions ask, told by those who asked them."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime

from llm_schema_engines.answers.conformance import Interval, Passes, interval_of

from ..errors import ConcurrentUpdate, InvalidRequest, SchemaNotFound, SubjectNotFound
from ..model.outcomes import ModelOutcomes, Outcomes, OutcomesKey, day_of, is_model_name
from ..model.schema import SchemaVersion
from ..model.selector import Exact, Ordinal, Range, Single, parse_selector
from ..model.subject import Subject
from ..storage.store import ReadTx, Store
from ..telemetry.work import Work
from .drops import DropRules, Drops, DropTest, compared
from .ids import is_schema_id
from .limits import RequestLimits
from .outcome_reports import OutcomeReports, Report
from .paging import DEFAULT_LIMIT, cells_in, no_token, token_of
from .selection import choose_or_raise

MOST_ITEMS = 1000
MOST_ROWS = 100
"""Of a page: each has bounds to be computed."""
MOST_COUNT = 10**9
"""Of one count of an item."""
ERROR_OF_BOUNDS = 0.05
"""How often a rate may ever be outside of its bounds."""
_REPORT_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_LAST = 2**31 - 1
_YIELD_EVERY = 10
"""Rows whose bounds are computed before other tasks of the event loop get their turn."""
_PARTS = ("retried", "coerced", "truncated")


@dataclass(frozen=True, slots=True)
class ConformanceLimits:
    """models, waiting, pause_seconds: see OutcomeReports. rules: for drops."""

    models: int = 50
    waiting: int = 100_000
    pause_seconds: float = 0.25
    rules: DropRules = field(default_factory=DropRules)


CONFORMANCE_LIMITS = ConformanceLimits()


@dataclass(frozen=True, slots=True)
class ReportedItem:
    """Outcomes of a model with a version, which its id names, or its subject and version."""

    schema_id: str
    subject: str
    version: str
    model: str
    outcomes: Outcomes


@dataclass(frozen=True, slots=True)
class Reported:
    """counted: False for a report that was counted before. unknown: places of items whose version is not there; they were left out."""

    counted: bool
    unknown: Sequence[int]


@dataclass(frozen=True, slots=True)
class Rate:
    """A count of answers, and its share of all with bounds."""

    count: int
    rate: float
    bounds: Interval


@dataclass(frozen=True, slots=True)
class Conformance:
    """A model with a version. outcomes: in the time that was asked for; first_pass ... truncated: rates of them. all: since the first report.
    drop: the comparison with an earlier version, over all; None where there is nothing to compare. before: that version."""

    version: SchemaVersion
    all: ModelOutcomes
    outcomes: Outcomes
    first_pass: Rate
    retried: Rate
    coerced: Rate
    truncated: Rate
    drop: DropTest | None
    before: SchemaVersion | None


@dataclass(frozen=True, slots=True)
class ConformanceQuestion:
    """version: a selector; "" for all. model: "" for all. since, until: whole days (UTC), the last one not included."""

    subject: Subject
    version: str = ""
    model: str = ""
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 0
    page_token: str = ""


class ConformanceCounters:
    """The use cases behind both."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        limits: RequestLimits,
        bounds: ConformanceLimits = CONFORMANCE_LIMITS,
        work: Work | None = None,
    ) -> None:
        self._store, self._limits, self._rules, self._work = store, limits, bounds.rules, work or Work()
        self._reports = OutcomeReports(
            store,
            clock,
            Drops(store, clock, bounds.rules).look,
            models=bounds.models,
            waiting=bounds.waiting,
            pause_seconds=bounds.pause_seconds,
        )

    async def stop(self) -> None:
        """Write what waits."""
        await self._reports.stop()

    async def report(
        self,
        report_id: str,
        items: Sequence[ReportedItem],
        by: str,
        touch: Callable[[SchemaVersion, str], None],
    ) -> Reported:
        """Count outcomes, once for each report of a caller. by: its name. touch: is told each version and the id that it was asked for by, "" if
        by its subject; raises SchemaNotFound for one that the caller may not know of. Raises InvalidRequest, LimitExceeded; when no version
        is there SchemaNotFound, SubjectNotFound or VersionNotFound."""
        _check(report_id, items)
        versions = await self._versions(items, touch)
        sums: defaultdict[OutcomesKey, Outcomes] = defaultdict(Outcomes)
        for item, version in zip(items, versions, strict=True):
            if version is not None:
                sums[version.schema_id, item.model] += item.outcomes
        known = {version.schema_id: version for version in versions if version is not None}
        report = Report(hashlib.sha256(f"{by}\0{report_id}".encode()).hexdigest(), sums, known)
        if not sums:
            await self._refuse(items[0])
        counted = await self._reports.add(report)
        self._work.reported(_totals(sums.values()) if counted else None)
        return Reported(counted, [place for place, version in enumerate(versions) if version is None])

    async def _refuse(self, item: ReportedItem) -> None:
        """Say what is wrong with a report of which no version is there."""
        name = _name(item, 0)
        if name is None:
            raise SchemaNotFound(item.schema_id[:80], no_id=not is_schema_id(item.schema_id))
        async with self._store.read() as tx:
            versions = await tx.versions(name[0], include_deleted=True)
        choose_or_raise(name[0], versions, name[1])
        raise ConcurrentUpdate("the version was put back meanwhile; report again")

    async def _versions(
        self, items: Sequence[ReportedItem], touch: Callable[[SchemaVersion, str], None]
    ) -> Sequence[SchemaVersion | None]:
        """The version of each item; None where there is none, or none that the caller may know of."""
        names = [_name(item, place) for place, item in enumerate(items)]
        found: dict[tuple[Subject, Single], SchemaVersion | None] = {}
        async with self._store.read() as tx:
            by_id = await tx.versions_by_id({i.schema_id for i in items if is_schema_id(i.schema_id)})
            for name in names:
                if name is not None and name not in found:
                    found[name] = await tx.selected(*name)
                    await asyncio.sleep(0)
        versions = []
        for item, name in zip(items, names, strict=True):
            version = by_id.get(item.schema_id) if name is None else found[name]
            try:
                if version is not None:
                    touch(version, item.schema_id)
            except SchemaNotFound:
                version = None
            versions.append(version)
        return versions

    async def of_subject(self, question: ConformanceQuestion) -> tuple[Sequence[Conformance], str]:
        """A page of a subject's, by version and model, and the token of the next one. Raises SubjectNotFound, VersionNotFound,
        InvalidRequest."""
        if question.model and not is_model_name(question.model):
            raise InvalidRequest("model", _no_model(question.model))
        if question.limit < 0:
            raise InvalidRequest("limit", f"is {question.limit}; it cannot be negative")
        count = min(question.limit or DEFAULT_LIMIT, self._limits.page, MOST_ROWS)
        first, end = _days(question)
        async with self._store.read_elsewhere() as tx:
            after, last = await _range(tx, question)
            if question.page_token:
                after = max(after, _read_token(question.page_token))
            rows = await tx.subject_outcomes(question.subject, after, last, question.model, count + 1)
            if not rows and not (await tx.subject_stamp(question.subject))[0]:
                raise SubjectNotFound(str(question.subject))
            shown = rows[:count]
            keys = [row.key for row in shown]
            windowed = first is not None or end is not None
            sums = await tx.outcomes_between(keys, first or 0, end or _LAST) if windowed and keys else None
            comparisons = await compared(tx, shown)
            ids = {row.schema_id for row in shown} | {c.before.schema_id for c in comparisons if c.before}
            versions = await tx.versions_by_id(ids)
        found = []
        for number, comparison in enumerate(comparisons, 1):
            row, before = comparison.after, comparison.before
            version = versions.get(row.schema_id)
            outcomes = row.outcomes if sums is None else sums.get(row.key)
            if version is not None and version.live and outcomes is not None:
                earlier = versions.get(before.schema_id) if before is not None else None
                found.append(_conformance(version, row, outcomes, self._rules.test(comparison), earlier))
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
        more = len(rows) > count
        return found, token_of(shown[-1].ordinal, shown[-1].model) if more else ""


def _conformance(
    version: SchemaVersion,
    row: ModelOutcomes,
    outcomes: Outcomes,
    drop: DropTest | None,
    before: SchemaVersion | None,
) -> Conformance:
    rates = {name: rate_of(getattr(outcomes, name), outcomes.answers) for name in ("first_pass", *_PARTS)}
    return Conformance(version, row, outcomes, **rates, drop=drop, before=before)


def rate_of(count: int, answers: int) -> Rate:
    """A rate with bounds that may be looked at at any time."""
    passes = Passes(min(count, answers), answers)
    return Rate(count, passes.rate, interval_of(passes, ERROR_OF_BOUNDS))


def _totals(outcomes: Collection[Outcomes]) -> Mapping[str, int]:
    total = sum(outcomes, Outcomes())
    return {each.name: getattr(total, each.name) for each in fields(total)}


def _check(report_id: str, items: Sequence[ReportedItem]) -> None:
    if not _REPORT_ID.fullmatch(report_id):
        raise InvalidRequest(
            "report_id",
            "must be 1 to 64 letters, digits and `._:-`, another one for each report, such as a UUID",
        )
    if not items:
        raise InvalidRequest("items", "must not be empty")
    if len(items) > MOST_ITEMS:
        raise InvalidRequest(
            "items", f"has {len(items)} items; the limit is {MOST_ITEMS}; make several reports"
        )
    for place, item in enumerate(items):
        if not is_model_name(item.model):
            raise InvalidRequest(f"items[{place}].model", _no_model(item.model))
        _check_counts(f"items[{place}]", item.outcomes)


def _check_counts(item: str, outcomes: Outcomes) -> None:
    for name in ("answers", "first_pass", *_PARTS):
        count = getattr(outcomes, name)
        if not 0 <= count <= MOST_COUNT:
            raise InvalidRequest(f"{item}.{name}", f"is {count}; it must be from 0 to {MOST_COUNT}")
    if not outcomes.answers:
        raise InvalidRequest(f"{item}.answers", "is 0; report answers that have ended")
    if outcomes.first_pass > outcomes.answers:
        raise InvalidRequest(f"{item}.first_pass", f"is {outcomes.first_pass}, of {outcomes.answers} answers")
    for name in _PARTS:
        count, left = getattr(outcomes, name), outcomes.answers - outcomes.first_pass
        if count > left:
            raise InvalidRequest(
                f"{item}.{name}",
                f"is {count}, and {left} of {outcomes.answers} answers were not valid at once; an answer that was asked for again, corrected or "
                "cut off is not one of first_pass",
            )


def _no_model(name: str) -> str:
    return f"{name[:80]!r} is no name of a model: 1 to 128 letters, digits and `._:/@+-`, the first one a letter or a digit"


def _name(item: ReportedItem, place: int) -> tuple[Subject, Single] | None:
    """The subject and version of an item; None where it has an id. Raises InvalidRequest."""
    named = f"items[{place}]"
    if item.schema_id:
        if item.subject or item.version:
            raise InvalidRequest(
                f"{named}.schema_id",
                "cannot be given together with subject and version; give one or the other",
            )
        return None
    if not item.subject:
        raise InvalidRequest(named, "names no version; give schema_id, or subject and version")
    selector = parse_selector(item.version, f"{named}.version")
    if not item.version or not isinstance(selector, Exact | Ordinal):
        raise InvalidRequest(
            f"{named}.version",
            f"{item.version[:80]!r} must be one version, 1.4.0 or 3: which one is latest may change",
        )
    return Subject.parse(item.subject, f"{named}.subject"), selector


def _days(question: ConformanceQuestion) -> tuple[int | None, int | None]:
    first = None if question.since is None else day_of(question.since)
    end = None if question.until is None else day_of(question.until)
    if first is not None and end is not None and first >= end:
        raise InvalidRequest("until", "must be at least a day after since; days are those of UTC")
    return first, end


async def _range(tx: ReadTx, question: ConformanceQuestion) -> tuple[tuple[int, str], int]:
    """Behind which ordinal and model a list begins, and its last ordinal."""
    if not question.version:
        return (0, ""), _LAST
    selector = parse_selector(question.version)
    version = None if isinstance(selector, Range) else await tx.selected(question.subject, selector)
    if version is None:
        versions = await tx.versions(question.subject, include_deleted=True)
        version = choose_or_raise(question.subject, versions, selector)
    return (version.ordinal, ""), version.ordinal


def _read_token(text: str) -> tuple[int, str]:
    match cells_in(text):
        case [int(ordinal), str(model)] if 0 <= ordinal <= _LAST and is_model_name(model):
            return ordinal, model
    raise no_token(text)
