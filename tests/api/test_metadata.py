"""UpdateSchemaMetadata and the lifecycle: what may change, in which order, and what is remembered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llm_schema_registry.v1 import lifecycle_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import V2_BREAKING, V2_COMPATIBLE, get, refused, register, update
from .wires import Wire

Name = Callable[[str], str]
S = pb.SchemaState


def wanted(schema_id: str, **fields: Any) -> pb.UpdateSchemaMetadataRequest:
    return pb.UpdateSchemaMetadataRequest(schema_id=schema_id, **fields)


def test_only_what_is_given_changes(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"), description="old", tags=["a"], metadata={"k": "v"})
    before = get(wire, made.schema_id)
    after = update(wire, made.schema_id, description="new")

    assert (after.description, list(after.tags), dict(after.metadata)) == ("new", ["a"], {"k": "v"})
    assert (after.schema_content, after.version, after.state) == (
        before.schema_content,
        before.version,
        before.state,
    )
    assert after.revision > before.revision
    assert get(wire, made.schema_id) == after


def test_tags_and_metadata_are_replaced_or_cleared_as_a_whole(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"), tags=["a", "b"], metadata={"k": "v", "l": "w"})
    replaced = update(wire, made.schema_id, tags=["c"], metadata={"m": "x"})
    cleared = update(wire, made.schema_id, clear_tags=True, clear_metadata=True)

    assert (list(replaced.tags), dict(replaced.metadata)) == (["c"], {"m": "x"})
    assert (list(cleared.tags), dict(cleared.metadata)) == ([], {})


def test_replacing_and_clearing_contradict_each_other(wire: Wire, name: Name) -> None:
    request = wanted(register(wire, name("s")).schema_id, tags=["a"], clear_tags=True)

    refused(wire, "UpdateSchemaMetadata", request, "INVALID_ARGUMENT", "INVALID_REQUEST", "tags")


def test_a_version_lives_from_active_to_archived(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"))
    deprecated = update(wire, made.schema_id, state=S.SCHEMA_STATE_DEPRECATED, reason="use v2")
    archived = update(wire, made.schema_id, state=S.SCHEMA_STATE_ARCHIVED)

    assert (deprecated.state, archived.state) == (S.SCHEMA_STATE_DEPRECATED, S.SCHEMA_STATE_ARCHIVED)


@pytest.mark.parametrize(
    "state",
    [S.SCHEMA_STATE_DRAFT, S.SCHEMA_STATE_VALIDATING, S.SCHEMA_STATE_ABANDONED, S.SCHEMA_STATE_ROLLING_BACK],
)
def test_a_step_that_the_lifecycle_does_not_know_is_refused(wire: Wire, name: Name, state: Any) -> None:
    made = register(wire, name("s"))
    update(wire, made.schema_id, state=S.SCHEMA_STATE_DEPRECATED)
    update(wire, made.schema_id, state=S.SCHEMA_STATE_ARCHIVED)
    error = refused(
        wire,
        "UpdateSchemaMetadata",
        wanted(made.schema_id, state=state),
        "FAILED_PRECONDITION",
        "TRANSITION_REFUSED",
        "state",
    )

    assert error.metadata["from_state"] == "ARCHIVED"
    assert get(wire, made.schema_id).state == S.SCHEMA_STATE_ARCHIVED


def test_a_refused_step_changes_nothing_else_either(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"), description="old")
    request = wanted(made.schema_id, description="new", state=S.SCHEMA_STATE_DRAFT)
    refused(wire, "UpdateSchemaMetadata", request, "FAILED_PRECONDITION", "TRANSITION_REFUSED")

    assert get(wire, made.schema_id).description == "old"


def test_a_draft_becomes_active_step_by_step_and_gets_its_version_then(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    draft = register(wire, name("s"), V2_COMPATIBLE, as_draft=True)
    for state in (
        S.SCHEMA_STATE_VALIDATING,
        S.SCHEMA_STATE_COMPATIBILITY_CHECK,
        S.SCHEMA_STATE_REGISTERED,
        S.SCHEMA_STATE_ACTIVE,
    ):
        last = update(wire, draft.schema_id, state=state)

    assert (last.state, last.version) == (S.SCHEMA_STATE_ACTIVE, "1.1.0")


def test_a_breaking_draft_cannot_be_registered(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    draft = register(wire, name("s"), V2_BREAKING, as_draft=True)
    update(wire, draft.schema_id, state=S.SCHEMA_STATE_VALIDATING)
    update(wire, draft.schema_id, state=S.SCHEMA_STATE_COMPATIBILITY_CHECK)
    request = wanted(draft.schema_id, state=S.SCHEMA_STATE_REGISTERED)

    error = refused(wire, "UpdateSchemaMetadata", request, "FAILED_PRECONDITION", "INCOMPATIBLE_SCHEMA")

    assert error.detail(pb.CompatibilityReport).violations


def test_history_records_every_step_with_actor_and_reason(wire: Wire, name: Name) -> None:
    made = register(wire, name("s"))
    update(wire, made.schema_id, state=S.SCHEMA_STATE_DEPRECATED, reason="use v2")
    request = lifecycle_pb2.GetSchemaHistoryRequest(schema_id=made.schema_id)
    steps = wire.call("GetSchemaHistory", request).transitions

    assert steps[0].from_state == S.SCHEMA_STATE_UNSPECIFIED
    assert (steps[-1].from_state, steps[-1].to_state, steps[-1].reason) == (
        S.SCHEMA_STATE_ACTIVE,
        S.SCHEMA_STATE_DEPRECATED,
        "use v2",
    )
    assert all(step.actor and step.at.seconds for step in steps)
    assert [s.from_state for s in steps[1:]] == [s.to_state for s in steps[:-1]]


@pytest.mark.parametrize("state", [99, -1])
def test_a_state_that_does_not_exist_is_refused(wire: Wire, name: Name, state: int) -> None:
    request = wanted(register(wire, name("s")).schema_id, state=state)

    refused(wire, "UpdateSchemaMetadata", request, "INVALID_ARGUMENT", "INVALID_REQUEST", "state")


def test_an_unknown_id_cannot_be_updated(wire: Wire) -> None:
    refused(wire, "UpdateSchemaMetadata", wanted("nobody"), "NOT_FOUND", "SCHEMA_NOT_FOUND")
