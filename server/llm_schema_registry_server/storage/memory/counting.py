"""The statistics of a memory store."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from ...model.change import Change
from ...model.schema import SchemaVersion
from ...model.statistics import TOP, ContentSizes, Group, LogSize, Statistics, SubjectSize, by_day
from ...model.subject import Subject
from ..counting import ELSEWHERE, day_of, prefix_of
from .tables import Tables


def counted(tables: Tables, changes: Sequence[Change], at: datetime) -> Statistics:
    """See store.ReadTx.count_everything."""
    versions = list(tables.versions.values())
    live = [v for v in versions if v.live]
    by_subject: defaultdict[Subject, list[SchemaVersion]] = defaultdict(list)
    for version in versions:
        by_subject[version.subject].append(version)
    alive = {s: sum(v.live for v in found) for s, found in by_subject.items()}
    alive = {s: count for s, count in alive.items() if count}
    return Statistics(
        at=at,
        subjects=len(alive),
        deleted_subjects=len(by_subject) - len(alive),
        versions=len(live),
        deleted_versions=len(versions) - len(live),
        by_type=dict(Counter(v.schema_type for v in live)),
        by_state=dict(Counter(v.state for v in live)),
        by_level=dict(Counter(v.level for v in live)),
        contexts=_groups(alive, lambda subject: subject.context),
        prefixes=_groups(alive, prefix_of),
        largest=_largest(by_subject),
        registered=by_day(at, Counter(day_of(v.created_at) for v in versions)),
        contents=_sizes(tables, versions),
        log=LogSize(len(changes), changes[0].at, changes[-1].at) if changes else LogSize(),
    )


def _groups(alive: Mapping[Subject, int], name: Callable[[Subject], str | None]) -> Sequence[Group]:
    subjects: Counter[str] = Counter()
    versions: Counter[str] = Counter()
    for subject, count in alive.items():
        group = name(subject)
        if group is not None:
            subjects[group] += 1
            versions[group] += count
    names = sorted(subjects, key=lambda group: (-subjects[group], group))
    return tuple(Group(group, subjects[group], versions[group]) for group in names[:TOP])


def _largest(by_subject: Mapping[Subject, Sequence[SchemaVersion]]) -> Sequence[SubjectSize]:
    names = sorted(by_subject, key=lambda subject: (-len(by_subject[subject]), str(subject)))
    return tuple(_size(subject, by_subject[subject]) for subject in names[:TOP])


def _size(subject: Subject, versions: Sequence[SchemaVersion]) -> SubjectSize:
    deleted = sum(not v.live for v in versions)
    return SubjectSize(str(subject), len(versions), deleted, sum(v.size for v in versions))


def _sizes(tables: Tables, versions: Iterable[SchemaVersion]) -> ContentSizes:
    sent = {v.identity: v.size for v in versions}
    count = size = elsewhere = rows = 0
    for identity, stored in tables.contents.items():
        moved = stored.content.startswith(ELSEWHERE)
        bytes_sent = sent.get(identity, 0) if moved else len(stored.content)
        count, size = count + 1, size + bytes_sent
        elsewhere += bytes_sent if moved else 0
        rows += len(stored.content) + len(stored.canonical) + len(stored.artifact)
    return ContentSizes(count, size, elsewhere, rows)
