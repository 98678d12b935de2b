"""Statistics from the rows of the counting statements, and as JSON. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import IntEnum
from typing import Any, TypeVar

import orjson

from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_engines.model.schema import SchemaType

from ..model.lifecycle import SchemaState
from ..model.statistics import ContentSizes, Group, LogSize, Statistics, SubjectSize, by_day, first_day
from ..model.subject import DEFAULT_CONTEXT, Subject
from ..model.timestamps import micros, moment
from . import rows

E = TypeVar("E", bound=IntEnum)

ELSEWHERE = b"\xff"
"""First byte of a placeholder for a content that is in the object store; no UTF-8 text has it."""
MARK_BYTES = 1000
"""A placeholder is shorter than this: longer contents need not be inspected."""
DAY = 24 * 3600 * 1_000_000
"""Microseconds of a day."""
_FIRST_PART = re.compile(r"[^./:]*[./:]")
_EPOCH = date(1970, 1, 1)


def since(at: datetime) -> int:
    """Versions made from this moment on (microseconds) are counted by day."""
    return micros(first_day(at))


def prefix_of(subject: Subject) -> str | None:
    """The qualified subject up to the first `.`, `/` or `:` of its name; None when it has none."""
    found = _FIRST_PART.match(subject.name)
    if found is None:
        return None
    head = "" if subject.context == DEFAULT_CONTEXT else f":{subject.context}:"
    return head + found[0]


def day_of(at: datetime) -> date:
    return _EPOCH + timedelta(days=micros(at) // DAY)


def statistics_from_rows(
    at: datetime,
    versions: Iterable[rows.Row],
    subjects: rows.Row,
    contents: rows.Row,
    log: rows.Row,
) -> Statistics:
    """Statistics from the rows of the four counting statements of a back end.

    versions: (schema type, state, level, deleted, day since 1970 or None for an older one, how many).
    subjects: (live ones, deleted ones, JSON of contexts, of prefixes: [[name, subjects, versions]], and of the largest
    ones: [[subject, versions, deleted, size]]). contents: the cells of ContentSizes. log: those of LogSize.
    """
    live: Counter[tuple[int, int, int]] = Counter()
    registered: Counter[date] = Counter()
    deleted_versions = 0
    for kind, state, level, deleted, day, count in versions:
        if deleted:
            deleted_versions += count
        else:
            live[kind, state, level] += count
        if day is not None:
            registered[_EPOCH + timedelta(days=day)] += count
    live_subjects, deleted_subjects, contexts, prefixes, largest = subjects
    changes, oldest, newest = log
    return Statistics(
        at=at,
        subjects=live_subjects,
        deleted_subjects=deleted_subjects,
        versions=live.total(),
        deleted_versions=deleted_versions,
        by_type=_along(live, 0, SchemaType),
        by_state=_along(live, 1, SchemaState),
        by_level=_along(live, 2, CompatibilityLevel),
        contexts=tuple(Group(*cells) for cells in _loaded(contexts)),
        prefixes=tuple(Group(*cells) for cells in _loaded(prefixes)),
        largest=tuple(SubjectSize(*cells) for cells in _loaded(largest)),
        registered=by_day(at, registered),
        contents=ContentSizes(*map(int, contents)),
        log=LogSize(changes, _moment(oldest), _moment(newest)),
    )


def _loaded(cell: str | bytes) -> Any:
    """JSON; of names that are no UTF-8 it shows what can be shown."""
    return orjson.loads(cell.decode(errors="replace") if isinstance(cell, bytes) else cell)


def _along(counts: Mapping[tuple[int, int, int], int], place: int, kind: type[E]) -> Mapping[E, int]:
    """By the members of `kind`; numbers that are none, of damaged rows or of a newer server, are left out."""
    found: Counter[int] = Counter()
    for key, count in counts.items():
        found[key[place]] += count
    return {member: found[number] for member in kind if (number := int(member)) in found}


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)


def cell(statistics: Statistics) -> str:
    """As JSON. A reader takes what it knows of it, so that servers of two versions may share a store."""
    s = statistics
    return rows.dump(
        {
            "at": micros(s.at),
            "subjects": [s.subjects, s.deleted_subjects],
            "versions": [s.versions, s.deleted_versions],
            "by_type": _pairs(s.by_type),
            "by_state": _pairs(s.by_state),
            "by_level": _pairs(s.by_level),
            "contexts": [[g.name, g.subjects, g.versions] for g in s.contexts],
            "prefixes": [[g.name, g.subjects, g.versions] for g in s.prefixes],
            "largest": [[x.subject, x.versions, x.deleted, x.size] for x in s.largest],
            "registered": [count for _, count in s.registered],
            "contents": [s.contents.count, s.contents.size, s.contents.elsewhere, s.contents.rows],
            "log": [s.log.changes, *(None if t is None else micros(t) for t in (s.log.oldest, s.log.newest))],
        }
    )  # fmt: skip


def _pairs(counts: Mapping[Any, int]) -> Sequence[tuple[int, int]]:
    return [(int(key), count) for key, count in counts.items()]


def statistics_of(stored: str) -> Statistics:
    """The statistics that `cell` wrote."""
    with rows.reading("statistics", 1):
        tree = orjson.loads(stored)
        at = moment(tree["at"])
        days = [day for day, _ in by_day(at, {})]
        changes, oldest, newest = tree["log"]
        return Statistics(
            at=at,
            subjects=tree["subjects"][0],
            deleted_subjects=tree["subjects"][1],
            versions=tree["versions"][0],
            deleted_versions=tree["versions"][1],
            by_type={SchemaType(key): count for key, count in tree["by_type"]},
            by_state={SchemaState(key): count for key, count in tree["by_state"]},
            by_level={CompatibilityLevel(key): count for key, count in tree["by_level"]},
            contexts=tuple(Group(*cells) for cells in tree["contexts"]),
            prefixes=tuple(Group(*cells) for cells in tree["prefixes"]),
            largest=tuple(SubjectSize(*cells) for cells in tree["largest"]),
            registered=tuple(zip(days, tree["registered"], strict=True)),
            contents=ContentSizes(*tree["contents"]),
            log=LogSize(changes, _moment(oldest), _moment(newest)),
        )
