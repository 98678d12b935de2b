"""The eleven states of a version and the eighteen transitions between them, as data."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from llm_schema_engines.model.fast_init import fast_init


class SchemaState(enum.IntEnum):
    """Where a version stands; numbers are those of the wire (SchemaState in schema_registry.proto)."""

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


def allowed_from(state: SchemaState) -> tuple[SchemaState, ...]:
    """The states that `state` may become, in table order."""
    return tuple(to for (start, to) in TRANSITIONS if start is state)


@fast_init
@dataclass(frozen=True, slots=True)
class Transition:
    """One recorded step of a version's life. `from_state` is None for its creation."""

    schema_id: str
    from_state: SchemaState | None
    to_state: SchemaState
    trigger: str
    actor: str
    at: datetime
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
