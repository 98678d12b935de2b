"""A registration on PostgreSQL: what it has to know in one statement, and what it writes in another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from ...errors import ConcurrentUpdate
from ...model.config import Config
from ...model.schema import SchemaVersion
from .. import ranking, rows, search
from ..store import Entry, Grounds, Standing
from ..vocabulary import Vocabulary
from . import queries

_GROUNDS = 4  # columns of subject_grounds()


def standing_of(scopes: Sequence[str], found: Sequence[rows.Row]) -> Standing:
    """What the rows of queries.STANDING say."""
    count, revision, last_ordinal, settings = found[0][:_GROUNDS]
    cells = orjson.loads(settings) if settings else {}
    configs: dict[str, Config | None] = {
        scope: rows.config_of(scope, cells[scope]) if scope in cells else None for scope in scopes
    }
    same = [rows.version_of(row[_GROUNDS:]) for row in found if row[_GROUNDS] is not None]
    return Standing(Grounds((count, revision), last_ordinal + 1, configs, mark=settings), same)


def parameters(grounds: Grounds, entry: Entry, vocabulary: Vocabulary) -> list[Any]:
    """What queries.APPEND takes, in its order; the words for the vocabulary come last."""
    version, content = entry.version, entry.content
    count, revision = grounds.stamp
    about, names = search.about_words(version), search.name_words(entry.names)
    cells = dict(zip(rows.VERSION_COLUMNS, rows.version_row(version), strict=True))
    return [
        str(version.subject), list(grounds.configs), count, revision, grounds.next_ordinal - 1, grounds.mark,
        sorted(entry.targets), [entry.targets[target] for target in sorted(entry.targets)],
        version.subject.context,
        *(cells[column] for column in queries.APPENDED_COLUMNS),
        sorted(about), sorted(names),
        sorted(search.labels(version.tags, version.metadata.items())), ranking.title(version),
        content.digest, content.content, content.canonical, content.artifact,
        *rows.change_row(entry.change),
        *(list(column) for column in zip(*(rows.transition_row(step)[1:] for step in entry.steps), strict=True)),
        vocabulary.new_of(about | names),
    ]  # fmt: skip


def outcome(entry: Entry, found: Sequence[rows.Row]) -> SchemaVersion | None:
    """What the row of queries.APPEND says."""
    ((revision, global_id),) = found
    if revision is None:
        return None
    if global_id is None:
        raise taken(entry.version)
    return replace(entry.version, global_id=global_id, revision=revision)


def taken(version: SchemaVersion) -> ConcurrentUpdate:
    """A key of the version belongs to another one."""
    return ConcurrentUpdate(
        f"version {version.ordinal} ({version.version}) of subject {str(version.subject)!r} is taken; "
        "read the subject again and retry",
        subject=str(version.subject),
    )
