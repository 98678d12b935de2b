"""How a version begins: the change that tells of it, and the transitions that led to its first state. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from ..errors import IncompatibleSchema, InvalidSchema, LintRefused, ProviderRefused
from ..model.change import Change, EventType
from ..model.lifecycle import PATH_TO_ACTIVE, TRANSITIONS, SchemaState, Transition
from ..model.principal import Actor
from ..model.schema import SchemaVersion
from ..model.subject import Subject
from .recording import change_of, registration_facts

_STEPS = [
    (None, PATH_TO_ACTIVE[0], "create"),
    *((before, state, TRANSITIONS[before, state]) for before, state in pairwise(PATH_TO_ACTIVE)),
]


def change_of_creation(version: SchemaVersion, by: Actor) -> Change:
    """The change that tells of a new version."""
    draft = version.state is SchemaState.DRAFT
    kind = EventType.SCHEMA_CREATED if draft else EventType.SCHEMA_REGISTERED
    return change_of(version, kind, by, version.created_at, registration_facts(version))


def change_of_failure(
    subject: Subject,
    error: InvalidSchema | LintRefused | ProviderRefused | IncompatibleSchema,
    by: Actor,
    at: datetime,
) -> Change:
    """The change that tells of a registration that was refused."""
    incompatible = isinstance(error, IncompatibleSchema)
    return Change(
        event_type=EventType.COMPATIBILITY_CHECK_FAILED if incompatible else EventType.VALIDATION_FAILED,
        subject=subject,
        schema_id="",
        version="",
        ordinal=0,
        at=at,
        actor=by.name,
        correlation_id=by.correlation_id,
        metadata={"reason": error.reason, "message": error.message[:500]},
    )


def steps_to(version: SchemaVersion, by: Actor) -> Sequence[Transition]:
    """The transitions that led a new version to its state."""
    return [
        Transition(version.schema_id, before, state, trigger, by.name, version.created_at)
        for before, state, trigger in _STEPS[: PATH_TO_ACTIVE.index(version.state) + 1]
    ]
