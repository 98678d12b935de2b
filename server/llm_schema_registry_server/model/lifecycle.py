"""The eleven states of a version and the eighteen transitions between them, as data."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from llm_schema_engines.model.fast_init import fast_init


class SchemaState(enum.IntEnum):
    """The state of a version; numbers are those of the wire (SchemaState in schema_registry.proto)."""

    DRAFT = 1
    ACTIVE = 2
    DEPRECATED = 3
    ARCHIVED = 4
    VALIDATING = 5
    VALIDATION_FAILED = 6
    COMPATIBILITY_CHECK = 7
    INCOMPATIBLE_REJECTED = 8
    REGISTERED = 9
    ABANDONED = 10
    ROLLING_BACK = 11


S = SchemaState

TRANSITIONS: Mapping[tuple[SchemaState, SchemaState], str] = {
    (S.DRAFT, S.VALIDATING): "submit for validation",
    (S.VALIDATING, S.VALIDATION_FAILED): "validation found errors",
    (S.VALIDATING, S.COMPATIBILITY_CHECK): "validation passed",
    (S.VALIDATION_FAILED, S.DRAFT): "fix and resubmit",
    (S.VALIDATION_FAILED, S.ABANDONED): "abandon",
    (S.COMPATIBILITY_CHECK, S.INCOMPATIBLE_REJECTED): "incompatible",
    (S.COMPATIBILITY_CHECK, S.REGISTERED): "compatible",
    (S.INCOMPATIBLE_REJECTED, S.DRAFT): "modify",
    (S.INCOMPATIBLE_REJECTED, S.ABANDONED): "abandon",
    (S.REGISTERED, S.ACTIVE): "activate",
    (S.REGISTERED, S.ABANDONED): "abandon",
    (S.ACTIVE, S.DEPRECATED): "deprecate",
    (S.ACTIVE, S.ACTIVE): "update metadata",
    (S.ACTIVE, S.ROLLING_BACK): "roll back",
    (S.DEPRECATED, S.ARCHIVED): "archive",
    (S.DEPRECATED, S.ACTIVE): "reactivate",
    (S.ROLLING_BACK, S.ACTIVE): "rollback succeeded",
    (S.ROLLING_BACK, S.DEPRECATED): "rollback was partial",
}
"""(from, to) -> what triggers it."""

SELECTABLE = frozenset({S.ACTIVE, S.DEPRECATED})
"""States that `latest` and version ranges choose from."""

EVER_REGISTERED = frozenset({S.REGISTERED, S.ACTIVE, S.DEPRECATED, S.ARCHIVED, S.ROLLING_BACK})
"""States that compatibility checks run against: data written under them may exist."""


UNCHECKED = frozenset({S.DRAFT, S.VALIDATING, S.COMPATIBILITY_CHECK})
"""States on the way to REGISTERED: parsed, but not checked against the other versions and without a version number."""

PATH_TO_ACTIVE = (S.DRAFT, S.VALIDATING, S.COMPATIBILITY_CHECK, S.REGISTERED, S.ACTIVE)
"""The states that a version passes from its creation to ACTIVE; a registration takes all of them at once."""


def steps_between(start: SchemaState, end: SchemaState) -> Sequence[tuple[SchemaState, SchemaState]]:
    """The transitions that lead from `start` to `end`: one, or several of PATH_TO_ACTIVE. Raises ValueError when neither
    the table nor the path leads there."""
    if (start, end) in TRANSITIONS:
        return [(start, end)]
    path = PATH_TO_ACTIVE[PATH_TO_ACTIVE.index(start) : PATH_TO_ACTIVE.index(end) + 1]
    if not path:
        raise ValueError(f"no path leads from {start.name} to {end.name}")
    return list(pairwise(path))


def allowed_from(state: SchemaState) -> tuple[SchemaState, ...]:
    """The states that `state` may become, in table order."""
    return tuple(to for (start, to) in TRANSITIONS if start is state)


@fast_init
@dataclass(frozen=True, slots=True)
class Transition:
    """One recorded transition of a version. `from_state` is None for its creation."""

    schema_id: str
    from_state: SchemaState | None
    to_state: SchemaState
    trigger: str
    actor: str
    at: datetime
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
