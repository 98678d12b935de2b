"""Registrations on PostgreSQL: one statement reads what they depend on, another writes them; each for one or for many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import groupby
from operator import itemgetter
from typing import Any

import orjson

from ...errors import ConcurrentUpdate
from ...model.config import Config
from ...model.schema import SchemaVersion
from ...model.subject import Subject
from .. import ranking, rows, search
from ..selection import COLUMNS_OF_V as _COLUMNS_OF_V
from ..values import NewVersion, Precondition, SubjectSnapshot
from ..vocabulary import Vocabulary
from . import queries


@dataclass(frozen=True, slots=True)
class SnapshotRequest:
    """The arguments of Store.subject_snapshot."""

    subject: Subject
    scopes: Sequence[str]
    identity: str


@dataclass(frozen=True, slots=True)
class AppendRequest:
    """The arguments of Store.append."""

    precondition: Precondition
    entry: NewVersion


class RetrySeparately(Enum):
    """The outcome of an append in a batch that has to be retried in a statement of its own: another transaction has the lock of
    its subject, or a key of it is taken. Nothing was written."""

    RETRY = auto()


# OFFSET 0: each subject is looked up by itself, where a join might read all versions; and subject_grounds is inlined into the
# plan only when no subquery is among its arguments.
SNAPSHOTS = (
    f"SELECT e.place, g.*, {_COLUMNS_OF_V} FROM (SELECT place, subject, identity, "
    "ARRAY(SELECT json_array_elements_text(scopes)) AS scopes FROM unnest($1::text[], $2::json[], $3::text[]) "
    "WITH ORDINALITY AS given (subject, scopes, identity, place) OFFSET 0) e "
    "CROSS JOIN LATERAL subject_grounds(e.subject, e.scopes) g "
    "LEFT JOIN LATERAL (SELECT * FROM versions v WHERE v.subject = e.subject AND v.identity = e.identity "
    "OFFSET 0) v ON true ORDER BY e.place, v.ordinal"
)
_PRECONDITION_COLUMNS = 5  # columns before those of a version
_VERSION_TYPES = {
    "ordinal": "int", "schema_type": "smallint", "size": "bigint", "level": "smallint", "state": "smallint",
    "change_class": "smallint", "origin": "json", "about": "json", "created_at": "bigint", "updated_at": "bigint",
    "deleted_at": "bigint",
}  # fmt: skip
_ALLOTTED = {"global_id": "h.global_id", "revision": "h.sequence"}
_OWN = [
    (n, column) for n, column in enumerate(rows.VERSION_COLUMNS) if column not in _ALLOTTED
]  # of version_row
_CHANGE_TYPES = {"event_type": "smallint", "at": "bigint", "facts": "json"}
"""The CHANGE_COLUMNS that are passed; the others are copied from the version."""
_CHANGE_CELLS = itemgetter(*map(rows.CHANGE_COLUMNS.index, _CHANGE_TYPES))
_GIVEN = (
    [(column, _VERSION_TYPES.get(column, "text")) for _, column in _OWN]
    + [(name, "text") for name in ("words", "names", "labels", "title", "digest")]
    + [(name, "bytea") for name in ("content", "canonical", "artifact")]
    + [(f"change_{column}", kind) for column, kind in _CHANGE_TYPES.items()]
    + [("audit", "text")]
)
"""The columns that are passed for each new version, with their types; words and labels, which have no spaces, as one text."""


def _append() -> str:
    """The one statement that writes registrations: nothing for those whose precondition no longer holds."""
    number = iter(range(1, 100))

    def arrays(*types: str) -> list[str]:
        return [f"${next(number)}::{kind}[]" for kind in types]

    columns = arrays(*(kind for _, kind in _GIVEN))
    place_of = dict(zip((name for name, _ in _GIVEN), columns, strict=True))
    precondition = arrays("json", "bigint", "bigint", "int", "text")
    users, targets, revisions = arrays("int", "text", "bigint")
    (contexts,) = arrays("text")
    step_users, *steps = arrays("int", "smallint", "smallint", "bigint", "json")
    (new_words,) = arrays("text")
    asked = [place_of["subject"], *precondition, users, targets, revisions, contexts, place_of["identity"]]
    version = ", ".join(_ALLOTTED.get(column, f"g.{column}") for column in rows.VERSION_COLUMNS)
    change = ", ".join(f"change_{c}" if c in _CHANGE_TYPES else c for c in rows.CHANGE_COLUMNS)
    step = ", ".join(column for column in rows.TRANSITION_COLUMNS if column != "schema_id")
    content = "(SELECT DISTINCT ON (identity) identity, digest, content, canonical, artifact FROM a ORDER BY identity)"
    return (
        f"WITH given AS (SELECT * FROM unnest({', '.join(columns)}) "
        f"WITH ORDINALITY AS g ({', '.join(name for name, _ in _GIVEN)}, place)), "
        f"h AS MATERIALIZED (SELECT * FROM admit_appends({', '.join(asked)}, ${next(number)}::bool)), "
        f"v AS (INSERT INTO versions ({', '.join(rows.VERSION_COLUMNS)}) "
        f"SELECT {version} FROM h JOIN given g USING (place) WHERE h.sequence IS NOT NULL "
        "ON CONFLICT DO NOTHING RETURNING id, schema_id), "
        "a AS (SELECT v.id, h.sequence, h.global_id, g.* FROM v JOIN given g USING (schema_id) JOIN h USING (place)), "
        f"o AS ({queries.add_subjects('a')}), "
        "s AS (INSERT INTO search (version, words, names, labels, title, titled) "
        "SELECT a.id, array_to_tsvector(string_to_array(words, ' ')) || n.names, n.names, "
        "string_to_array(labels, ' '), title, 1 "
        "FROM a, LATERAL (SELECT array_to_tsvector(string_to_array(a.names, ' ')) AS names) n), "
        "r AS (INSERT INTO version_references "
        f"SELECT t.target, a.id FROM unnest({users}, {targets}) AS t (place, target) JOIN a USING (place)), "
        f"put AS ({queries.put_contents(content)}), "
        f"log AS (INSERT INTO changes (sequence, {', '.join(rows.CHANGE_COLUMNS)}) SELECT sequence, {change} FROM a), "
        f"steps AS (INSERT INTO transitions (schema_id, {step}) SELECT a.schema_id, {step} "
        f"FROM unnest({', '.join([step_users, *steps])}) WITH ORDINALITY AS t (place, {step}, nth) JOIN a USING (place) "
        "ORDER BY t.nth), "
        "noted AS (INSERT INTO audit_inbox (entry, revision) SELECT audit, sequence FROM a WHERE audit <> ''), "
        # Last, and sorted: a transaction that waits for a word of another one holds no lock that the other still needs.
        f"spelled AS (INSERT INTO vocabulary SELECT word FROM unnest({new_words}) AS word "
        "WHERE EXISTS (SELECT FROM a) ORDER BY word ON CONFLICT DO NOTHING) "
        "SELECT h.busy, h.sequence, a.global_id FROM h LEFT JOIN a USING (place) ORDER BY h.place"
    )


APPEND = _append()


def snapshot_parameters(requests: Sequence[SnapshotRequest]) -> list[Any]:
    """The parameters of SNAPSHOTS."""
    return [
        [str(request.subject) for request in requests],
        [rows.dump(request.scopes) for request in requests],
        [request.identity for request in requests],
    ]


def snapshots(requests: Sequence[SnapshotRequest], found: Sequence[rows.Row]) -> list[SubjectSnapshot]:
    """Decodes the rows of SNAPSHOTS."""
    by_place = groupby(found, itemgetter(0))
    return [
        _snapshot_of(request.scopes, list(of)) for request, (_, of) in zip(requests, by_place, strict=True)
    ]


def _snapshot_of(scopes: Sequence[str], found: Sequence[rows.Row]) -> SubjectSnapshot:
    _, count, revision, last_ordinal, settings = found[0][:_PRECONDITION_COLUMNS]
    cells = orjson.loads(settings) if settings else {}
    configs: dict[str, Config | None] = {
        scope: rows.config_of(scope, cells[scope]) if scope in cells else None for scope in scopes
    }
    same = [
        rows.version_of(row[_PRECONDITION_COLUMNS:])
        for row in found
        if row[_PRECONDITION_COLUMNS] is not None
    ]
    return SubjectSnapshot.of(Precondition((count, revision), last_ordinal + 1, configs, mark=settings), same)


def append_parameters(
    appends: Sequence[AppendRequest], vocabulary: Vocabulary, *, wait: bool
) -> tuple[list[Any], list[str]]:
    """The parameters of APPEND, and the words that it adds to the vocabulary. wait: whether to wait for locked subjects."""
    entries = [append.entry for append in appends]
    words: set[str] = set()
    given = []
    for entry in entries:
        about, names = search.about_words(entry.version), search.name_words(entry.names)
        words |= about | names
        given.append((*_version_cells(entry), " ".join(about), " ".join(names), *_other_cells(entry)))
    precondition = [
        (rows.dump(list(p.configs)), *p.stamp, p.next_ordinal - 1, p.mark)
        for p in (append.precondition for append in appends)
    ]
    targets = [(place, *target) for place, e in enumerate(entries, 1) for target in sorted(e.targets.items())]
    steps = [(place, *row[1:]) for place, e in enumerate(entries, 1) for row in rows.transition_rows(e.steps)]
    new_words = vocabulary.new_of(words)
    return [
        *columns_of(given, len(_GIVEN)),
        *columns_of(precondition, 5),
        *columns_of(targets, 3),
        [entry.version.subject.context for entry in entries],
        *columns_of(steps, len(rows.TRANSITION_COLUMNS)),
        new_words,
        wait,
    ], new_words


def outcomes(
    appends: Sequence[AppendRequest], found: Sequence[rows.Row]
) -> list[SchemaVersion | RetrySeparately | None]:
    """Decodes the rows of APPEND, one for each request: the version as stored, None when its precondition does not hold."""
    return [
        RetrySeparately.RETRY if busy or _is_taken(*given) else _stored(append, *given)
        for append, (busy, *given) in zip(appends, found, strict=True)
    ]


def outcome(append: AppendRequest, found: Sequence[rows.Row]) -> SchemaVersion | None:
    """Decodes the row of APPEND for a single request. Raises ConcurrentUpdate when a key of the version is taken."""
    ((_, *given),) = found
    if _is_taken(*given):
        raise taken(append.entry.version)
    return _stored(append, *given)


def _is_taken(revision: int | None, global_id: int | None) -> bool:
    return revision is not None and global_id is None


def _stored(append: AppendRequest, revision: int | None, global_id: int | None) -> SchemaVersion | None:
    if revision is None or global_id is None:
        return None
    return replace(append.entry.version, global_id=global_id, revision=revision)


def taken(version: SchemaVersion) -> ConcurrentUpdate:
    """The error for a version of which a key belongs to another version."""
    return ConcurrentUpdate(
        f"version {version.ordinal} ({version.version}) of subject {str(version.subject)!r} is taken; "
        "read the subject again and retry",
        subject=str(version.subject),
    )


def _version_cells(entry: NewVersion) -> list[Any]:
    row = rows.version_row(entry.version)
    return [row[n] for n, _ in _OWN]


def _other_cells(entry: NewVersion) -> tuple[Any, ...]:
    version, content = entry.version, entry.content
    labels = search.labels(version.tags, version.metadata.items())
    return (
        " ".join(sorted(labels)), ranking.title(version),
        content.digest, content.content, content.canonical, content.artifact,
        *_CHANGE_CELLS(rows.change_row(entry.change)),
        entry.audit,
    )  # fmt: skip


def columns_of(table: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """A table as arrays of its columns, for `unnest`. width: the number of columns of a table without rows."""
    return [list(column) for column in zip(*table, strict=True)] if table else [[] for _ in range(width)]
