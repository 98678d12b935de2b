"""Gives imported versions the states, and subjects the settings, that they had where they were pulled."""

from __future__ import annotations

from .._sync_client import SchemaRegistry
from ..enums import SchemaState
from ..errors import NotFound
from ..results import Registration, SchemaInfo
from .sources import Step

S = SchemaState

PULLED = (S.DRAFT, S.REGISTERED, S.ACTIVE, S.DEPRECATED, S.ARCHIVED)
"""The states of versions that are worth pulling: the others lead to one of these or to nothing."""

_LATER = (S.ACTIVE, S.DEPRECATED, S.ARCHIVED)
"""The way of a version after its registration."""


def found_archived(client: SchemaRegistry, step: Step) -> SchemaInfo | None:
    """The archived version that the step brings, if it is there: registered again, its content would become a new one."""
    if step.state is not S.ARCHIVED:
        return None
    try:
        found = client.get_schema_by_version(step.subject, step.version)
    except NotFound:
        return None
    return found if found.content == step.content else None


def restore_state(client: SchemaRegistry, step: Step, done: Registration | SchemaInfo) -> None:
    """Move a version on to the state of its step."""
    if step.state not in _LATER or done.state not in _LATER:
        return
    schema_id = done.id if isinstance(done, SchemaInfo) else done.schema_id
    here, there = _LATER.index(done.state), _LATER.index(step.state)
    for state in _LATER[here + 1 : there + 1]:
        client.update_schema_metadata(schema_id, state=state, reason="restored by import")
