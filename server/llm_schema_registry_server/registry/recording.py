"""How what happens to a version is recorded: an entry of the change log, its row, its history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from ..model.change import Change, EventType
from ..model.lifecycle import TRANSITIONS, UNCHECKED, SchemaState, Transition, steps_between
from ..model.principal import Actor
from ..model.schema import SchemaVersion
from ..storage.store import WriteTx

S = SchemaState

EVENTS: Mapping[SchemaState, EventType] = {
    S.VALIDATION_FAILED: EventType.VALIDATION_FAILED,
    S.COMPATIBILITY_CHECK: EventType.SCHEMA_VALIDATED,
    S.INCOMPATIBLE_REJECTED: EventType.COMPATIBILITY_CHECK_FAILED,
    S.REGISTERED: EventType.SCHEMA_REGISTERED,
    S.ACTIVE: EventType.SCHEMA_ACTIVATED,
    S.DEPRECATED: EventType.SCHEMA_DEPRECATED,
    S.ARCHIVED: EventType.SCHEMA_ARCHIVED,
    S.ROLLING_BACK: EventType.SCHEMA_ROLLED_BACK,
}
"""The event of entering a state; states that are not named here make a SCHEMA_UPDATED."""


def change_of(
    version: SchemaVersion, kind: EventType, by: Actor, at: datetime, metadata: Mapping[str, str]
) -> Change:
    """The change that tells of something that happened to a version."""
    return Change(
        event_type=kind,
        subject=version.subject,
        schema_id=version.schema_id,
        version=str(version.version),
        ordinal=version.ordinal,
        at=at,
        actor=by.name,
        correlation_id=by.correlation_id,
        metadata=metadata,
    )


def registration_facts(version: SchemaVersion) -> dict[str, str]:
    """The metadata of the event that tells of a registration."""
    return {
        "state": version.state.name,
        "schema_type": version.schema_type.name,
        "change_class": version.change_class.name,
    }


async def record_update(
    tx: WriteTx, before: SchemaVersion, after: SchemaVersion, by: Actor, *, reason: str = ""
) -> SchemaVersion:
    """Write a version that has changed, at its `updated_at`; answers with it as stored.

    One event, whatever the number of transitions: SCHEMA_REGISTERED when the version becomes REGISTERED or is activated
    from before that, else the event of its new state.
    """
    moved = after.state is not before.state
    kind = EVENTS.get(after.state, EventType.SCHEMA_UPDATED) if moved else EventType.SCHEMA_UPDATED
    metadata = {"from_state": before.state.name, "to_state": after.state.name} if moved else {}
    if before.state in UNCHECKED and after.state in (S.REGISTERED, S.ACTIVE):
        kind = EventType.SCHEMA_REGISTERED
        metadata |= registration_facts(after)
    if reason:
        metadata["reason"] = reason[:500]
    sequence = await tx.append_change(change_of(after, kind, by, after.updated_at, metadata))
    stored = replace(after, revision=sequence)
    await tx.update_version(stored)
    # ACTIVE -> ACTIVE is the table's "update metadata": recorded for any change of an active version.
    if moved or before.state is S.ACTIVE:
        await tx.record_transitions(
            [
                Transition(
                    after.schema_id,
                    start,
                    end,
                    TRANSITIONS[start, end],
                    by.name,
                    after.updated_at,
                    reason[:500],
                )
                for start, end in steps_between(before.state, after.state)
            ]
        )
    return stored
