"""Values of the model as rows of a database and back, for every back end that has rows. Pure.

Times are microseconds since 1970 in UTC. What SQL never searches is stored as JSON. A row that cannot be decoded
raises StorageDamaged: it was not written by this server.
"""

from __future__ import annotations

import enum
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from types import TracebackType
from typing import Any

import orjson

from llm_schema_engines.model.compatibility import (
    ChangeClass,
    CompatibilityLevel,
)
from llm_schema_engines.model.schema import Fingerprints, SchemaType
from llm_schema_engines.model.version import SemanticVersion

from ..errors import InvalidRequest, StorageDamaged
from ..model.change import Change, kind_of
from ..model.config import Config
from ..model.lifecycle import SELECTABLE, SchemaState, Transition
from ..model.schema import ResolvedReference, SchemaVersion
from ..model.selector import (
    Exact,
    Latest,
    Ordinal,
    Single,
)
from ..model.subject import DEFAULT_CONTEXT, Subject
from ..model.timestamps import micros, moment
from ..model.usage import Usage, Uses
from .leases import Cursor
from .unreadable import note
from .values import Page, Recorded

_NEVER = datetime.max.replace(tzinfo=UTC)

Row = Sequence[Any]  # what a driver hands out: cells of the types that the column has

VERSION_COLUMNS = (
    "schema_id", "global_id", "identity", "subject", "ordinal", "version", "release", "schema_type",
    "content_digest", "generation_digest", "validation_digest", "size", "level", "state", "change_class",
    "origin", "about", "created_at", "updated_at", "revision", "deleted_at",
)  # fmt: skip
"""The columns of a version, in the order of `version_row`. `release` is `version` without its build metadata, which
does not count when versions are compared; `origin` is JSON that never changes, `about` JSON that may."""

CHANGE_COLUMNS = ("event_type", "subject", "schema_id", "version", "ordinal", "at", "facts")
TRANSITION_COLUMNS = ("schema_id", "from_state", "to_state", "at", "facts")
USAGE_COLUMNS = ("schema_id", "reads", "validations", "score", "used_at")


def selectable_sql(table: str) -> str:
    """model.selection.selectable as a condition on the rows of `table`; the indexes versions_selectable have the same."""
    states = ", ".join(str(int(state)) for state in sorted(SELECTABLE))
    return f"{table}.deleted_at IS NULL AND {table}.state IN ({states})"


def dump(value: object) -> str:
    return orjson.dumps(value).decode()


@lru_cache(maxsize=8192)
def subject_of(qualified: str) -> Subject:
    """The subject whose `str` is `qualified`. Unlike Subject.parse it does not check: the rules for names may have changed since it was stored."""
    if not qualified.startswith(":."):
        return Subject(DEFAULT_CONTEXT, qualified)
    context, _, name = qualified[1:].partition(":")
    return Subject(context, name)


def subject_in(row: Row) -> Subject:
    """The subject in a row of nothing else."""
    with reading("versions", row[0]):
        return subject_of(row[0])


def cells_of(table: str) -> Callable[[Row], tuple[Any, ...]]:
    """Decodes rows of texts and numbers: the cells as they are."""

    def cells(row: Row) -> tuple[Any, ...]:
        with reading(table, row[0]):
            _demand_texts(cell for cell in row if not isinstance(cell, int))
            return tuple(row)

    return cells


def text_of(table: str) -> Callable[[Row], str]:
    """Decodes rows of one text."""

    def text(row: Row) -> str:
        with reading(table, row[0]):
            return "".join(row)

    return text


def _demand_texts(cells: Iterable[Any]) -> None:
    """Raises TypeError unless all are texts. SQLite has texts that are no UTF-8, which come as bytes."""
    "".join(cells)


def uses_of(pairs: Iterable[Row]) -> Mapping[Subject, frozenset[Subject]]:
    """What each subject uses, from rows of (user, used)."""
    found: dict[Subject, set[Subject]] = {}
    for user, used in pairs:
        with reading("versions", user):
            found.setdefault(subject_of(user), set()).add(subject_of(used))
    return {user: frozenset(used) for user, used in found.items()}


def subjects_of(context: str) -> tuple[str, str]:
    """The bounds of the qualified subjects of a context other than the default one: from the first, before the second."""
    return f":{context}:", f":{context};"


def release_of(version: SemanticVersion) -> str:
    return str(version).partition("+")[0]


def selected_by(selector: Single) -> tuple[str, list[Any]]:
    """The name of a selector in queries.SELECTED, and its parameters after the subject."""
    match selector:
        case Ordinal(number):
            return "ORDINAL", [number]
        case Exact(version):
            return "RELEASE", [release_of(version)]
        case Latest():
            return "LATEST", []


_semantic = lru_cache(maxsize=8192)(SemanticVersion.parse)


def version_row(version: SchemaVersion) -> tuple[Any, ...]:
    """The cells of VERSION_COLUMNS."""
    prints = version.fingerprints
    return (
        version.schema_id, version.global_id, version.identity, str(version.subject), version.ordinal,
        str(version.version), release_of(version.version), int(version.schema_type),
        prints.content, prints.generation, prints.validation, version.size, int(version.level),
        int(version.state), int(version.change_class), _origin(version), about_cell(version),
        micros(version.created_at), *stamp_row(version),
    )  # fmt: skip


def stamp_row(version: SchemaVersion) -> tuple[int, int, int | None]:
    """The cells of updated_at, revision and deleted_at."""
    deleted_at = None if version.deleted_at is None else micros(version.deleted_at)
    return micros(version.updated_at), version.revision, deleted_at


def about_cell(version: SchemaVersion) -> str:
    return dump(
        {
            "description": version.description,
            "tags": list(version.tags),
            "metadata": dict(version.metadata),
        }
    )


def _origin(version: SchemaVersion) -> str:
    return dump(
        {
            "created_by": version.created_by,
            "options": dict(version.options),
            "references": [
                [r.name, str(r.subject), r.ordinal, str(r.version), r.schema_id] for r in version.references
            ],
        }
    )


def version_of(row: Row) -> SchemaVersion:
    """The version in a row of VERSION_COLUMNS."""
    with reading("versions", row[0]):
        _demand_texts((row[0], row[2], row[8], row[9], row[10]))
        origin, about = orjson.loads(row[15]), orjson.loads(row[16])
        return SchemaVersion(
            schema_id=row[0],
            global_id=row[1],
            identity=row[2],
            subject=subject_of(row[3]),
            ordinal=row[4],
            version=_semantic(row[5]),
            schema_type=SchemaType(row[7]),
            fingerprints=Fingerprints(row[8], row[9], row[10]),
            references=tuple(
                ResolvedReference(name, subject_of(subject), ordinal, _semantic(version), schema_id)
                for name, subject, ordinal, version, schema_id in origin["references"]
            ),
            size=row[11],
            level=CompatibilityLevel(row[12]),
            state=SchemaState(row[13]),
            change_class=ChangeClass(row[14]),
            description=about["description"],
            tags=tuple(about["tags"]),
            metadata=about["metadata"],
            options=origin["options"],
            created_at=moment(row[17]),
            updated_at=moment(row[18]),
            created_by=origin["created_by"],
            revision=row[19],
            deleted_at=None if row[20] is None else moment(row[20]),
        )


def change_row(change: Change) -> tuple[Any, ...]:
    """The cells of CHANGE_COLUMNS."""
    return (
        int(change.event_type),
        None if change.subject is None else str(change.subject),
        change.schema_id,
        change.version,
        change.ordinal,
        micros(change.at),
        dump(
            {
                "actor": change.actor,
                "correlation_id": change.correlation_id,
                "metadata": dict(change.metadata),
            }
        ),
    )


def change_of(row: Row) -> Change:
    """The change in a row of (sequence, *CHANGE_COLUMNS)."""
    with reading("changes", row[0]):
        _demand_texts((row[3], row[4]))
        facts = orjson.loads(row[7])
        return Change(
            event_type=kind_of(row[1]),
            subject=None if row[2] is None else subject_of(row[2]),
            schema_id=row[3],
            version=row[4],
            ordinal=row[5],
            at=moment(row[6]),
            actor=facts["actor"],
            correlation_id=facts["correlation_id"],
            metadata=facts["metadata"],
            sequence=row[0],
        )


def change_time_of(row: Row) -> tuple[int, datetime]:
    """Sequence and time of a change, of a row of both. A time that cannot be decoded is _NEVER: retention passes over times of
    the future."""
    try:
        with reading("changes", row[0]):
            return row[0], moment(row[1])
    except StorageDamaged as error:
        note(error)
        return row[0], _NEVER


def cursor_of(row: Row) -> Cursor:
    """The cursor of a row of name, sequence and time."""
    with reading("cursors", row[0]):
        _demand_texts((row[0],))
        return Cursor(row[0], row[1], moment(row[2]))


def transition_rows(steps: Iterable[Transition]) -> list[tuple[Any, ...]]:
    """The cells of TRANSITION_COLUMNS: one row for consecutive steps that were made together."""
    runs: list[list[Transition]] = []
    for step in steps:
        if runs and _continues(runs[-1][-1], step):
            runs[-1].append(step)
        else:
            runs.append([step])
    return [_run_row(run) for run in runs]


_occasion = attrgetter("schema_id", "at", "actor", "reason", "metadata")


def _continues(before: Transition, step: Transition) -> bool:
    return step.from_state is before.to_state and _occasion(step) == _occasion(before)


def _run_row(run: Sequence[Transition]) -> tuple[Any, ...]:
    first, last = run[0], run[-1]
    facts: dict[str, Any] = {
        "trigger": last.trigger,
        "actor": last.actor,
        "reason": last.reason,
        "metadata": dict(last.metadata),
    }
    if first is not last:
        facts["through"] = [[int(step.to_state), step.trigger] for step in run[:-1]]
    return (
        last.schema_id,
        None if first.from_state is None else int(first.from_state),
        int(last.to_state),
        micros(last.at),
        dump(facts),
    )


def transitions_of(row: Row) -> list[Transition]:
    """The steps in a row of TRANSITION_COLUMNS."""
    with reading("transitions", row[0]):
        _demand_texts((row[0],))
        facts = orjson.loads(row[4])
        steps: list[Transition] = []
        state = None if row[1] is None else SchemaState(row[1])
        for number, trigger in [*facts.get("through", ()), (row[2], facts["trigger"])]:
            before, state = state, SchemaState(number)
            steps.append(
                Transition(
                    row[0],
                    before,
                    state,
                    trigger,
                    facts["actor"],
                    moment(row[3]),
                    facts["reason"],
                    facts["metadata"],
                )
            )
        return steps


def recorded_of(row: Row) -> Recorded:
    """The record in a row of (*TRANSITION_COLUMNS, id); without steps when they cannot be decoded."""
    try:
        return Recorded(row[-1], transitions_of(row))
    except StorageDamaged as error:
        note(error)
        return Recorded(row[-1], ())


def after_of(page: Page | None) -> tuple[str, int]:
    """The key behind which a page begins; one before all others where it has none."""
    return (page and page.after) or ("", 0)


def usage_row(usage: Usage) -> tuple[Any, ...]:
    """The cells of USAGE_COLUMNS."""
    uses = usage.uses
    return usage.schema_id, uses.reads, uses.validations, usage.score, micros(usage.used_at)


def usage_of(row: Row) -> Usage:
    """The usage in a row of USAGE_COLUMNS."""
    with reading("usage", row[0]):
        _demand_texts((row[0],))
        return Usage(row[0], Uses(row[1], row[2]), row[3], moment(row[4]))


_CONFIG_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    name: typing.get_args(hint)[0] for name, hint in typing.get_type_hints(Config).items()
}
"""Field of Config -> what makes its value of a JSON value: the type that it has where it is set."""


def config_cell(config: Config) -> str:
    cells = {f.name: getattr(config, f.name) for f in fields(config)}
    return dump({k: v.value if isinstance(v, enum.Enum) else v for k, v in cells.items() if v is not None})


def config_of(scope: str, cell: str) -> Config:
    with reading("configs", scope):
        _demand_texts((scope,))
        return Config(**{key: _CONFIG_FIELDS[key](value) for key, value in orjson.loads(cell).items()})


def scope_of(row: Row) -> tuple[str, Config]:
    """The scope and its settings, of a row of both."""
    return row[0], config_of(*row)


class reading:
    """Raise StorageDamaged when decoding a row fails. A class, for each row is decoded under it: what contextlib makes of a generator
    costs as much as the decoding of a change."""

    __slots__ = ("_key", "_table")

    def __init__(self, table: str, key: object) -> None:
        self._table, self._key = table, key

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, _UNREADABLE):
            raise StorageDamaged(
                f"the row {self._key!r} of table {self._table} is not readable ({error}); it was changed by hand or "
                "written by a newer server: restore it from a backup, upgrade, or see `schema-registry-server repair`",
                table=self._table,
                key=str(self._key),
            ) from error


_UNREADABLE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    InvalidRequest,
)
