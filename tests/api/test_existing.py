"""RegisterSchema of content that the subject has already, in each of the eleven states, over every wire."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llm_schema_registry.v1 import config_pb2, lifecycle_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import JSON, V1, V2_BREAKING, V2_COMPATIBLE, get, refused, register, update
from .wires import Wire

Name = Callable[[str], str]
S = pb.SchemaState

_TO_REGISTERED = ("VALIDATING", "COMPATIBILITY_CHECK", "REGISTERED")
STEPS_TO = {
    "DRAFT": (),
    "VALIDATING": ("VALIDATING",),
    "VALIDATION_FAILED": ("VALIDATING", "VALIDATION_FAILED"),
    "COMPATIBILITY_CHECK": ("VALIDATING", "COMPATIBILITY_CHECK"),
    "INCOMPATIBLE_REJECTED": ("VALIDATING", "COMPATIBILITY_CHECK", "INCOMPATIBLE_REJECTED"),
    "REGISTERED": _TO_REGISTERED,
    "ABANDONED": (*_TO_REGISTERED, "ABANDONED"),
    "ACTIVE": (*_TO_REGISTERED, "ACTIVE"),
    "DEPRECATED": (*_TO_REGISTERED, "ACTIVE", "DEPRECATED"),
    "ARCHIVED": (*_TO_REGISTERED, "ACTIVE", "DEPRECATED", "ARCHIVED"),
    "ROLLING_BACK": (*_TO_REGISTERED, "ACTIVE", "ROLLING_BACK"),
}
# The state afterwards, and whether the content is a new version then.
AFTERWARDS = {
    "DRAFT": ("ACTIVE", False),
    "VALIDATING": ("ACTIVE", False),
    "VALIDATION_FAILED": ("ACTIVE", True),
    "COMPATIBILITY_CHECK": ("ACTIVE", False),
    "INCOMPATIBLE_REJECTED": ("ACTIVE", True),
    "REGISTERED": ("ACTIVE", False),
    "ABANDONED": ("ACTIVE", True),
    "ACTIVE": ("ACTIVE", False),
    "DEPRECATED": ("DEPRECATED", False),
    "ARCHIVED": ("ACTIVE", True),
}


def in_state(wire: Wire, subject: str, state: str, content: bytes = V1) -> str:
    made = register(wire, subject, content, as_draft=True)
    for step in STEPS_TO[state]:
        update(wire, made.schema_id, state=S.Value(f"SCHEMA_STATE_{step}"))
    return made.schema_id


def latest(wire: Wire, subject: str) -> pb.SchemaInfo:
    schema: pb.SchemaInfo = wire.call("GetLatestVersion", pb.GetLatestVersionRequest(subject=subject)).schema
    return schema


def test_every_state_is_tried() -> None:
    assert {f"SCHEMA_STATE_{s}" for s in STEPS_TO} == set(S.keys()) - {"SCHEMA_STATE_UNSPECIFIED"}
    assert set(AFTERWARDS) == set(STEPS_TO) - {"ROLLING_BACK"}


@pytest.mark.parametrize("state", AFTERWARDS)
def test_after_a_registration_the_content_is_the_latest(wire: Wire, name: Name, state: str) -> None:
    before = in_state(wire, name("s"), state)
    done = register(wire, name("s"))
    retried = register(wire, name("s"))

    expected, anew = AFTERWARDS[state]
    assert (S.Name(done.state), done.created) == (f"SCHEMA_STATE_{expected}", anew)
    assert (done.schema_id != before) is anew
    found = latest(wire, name("s"))
    assert (found.id, found.schema_content, found.state) == (done.schema_id, V1, done.state)
    assert (retried.schema_id, retried.revision, retried.created) == (done.schema_id, done.revision, False)


def test_the_content_of_a_version_that_is_being_rolled_back_is_refused_with_the_way_out(
    wire: Wire, name: Name
) -> None:
    schema_id = in_state(wire, name("s"), "ROLLING_BACK")
    request = pb.RegisterSchemaRequest(subject=name("s"), schema_content=V1, schema_type=JSON)
    error = refused(
        wire, "RegisterSchema", request, "FAILED_PRECONDITION", "TRANSITION_REFUSED", "schema_content"
    )
    way_out = "PUT /api/v1/schemas/" if wire.name == "http" else "UpdateSchemaMetadata"
    assert f"set its state to ACTIVE or DEPRECATED with {way_out}" in error.message

    update(wire, schema_id, state=pb.SCHEMA_STATE_ACTIVE)
    assert register(wire, name("s")).schema_id == schema_id


def test_refused_content_saved_as_a_draft_is_refused_again(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    request = pb.RegisterSchemaRequest(subject=name("s"), schema_content=V2_BREAKING, schema_type=JSON)
    refused(wire, "RegisterSchema", request, "FAILED_PRECONDITION", "INCOMPATIBLE_SCHEMA")
    draft = register(wire, name("s"), V2_BREAKING, as_draft=True)
    error = refused(wire, "RegisterSchema", request, "FAILED_PRECONDITION", "INCOMPATIBLE_SCHEMA")

    assert error.detail(pb.CompatibilityReport).violations
    step = pb.UpdateSchemaMetadataRequest(schema_id=draft.schema_id, state=pb.SCHEMA_STATE_ACTIVE)
    told = refused(wire, "UpdateSchemaMetadata", step, "FAILED_PRECONDITION", "TRANSITION_REFUSED", "state")
    assert "register its content again" in told.message  # not: one of four steps, each by its name
    assert get(wire, draft.schema_id).state == pb.SCHEMA_STATE_DRAFT
    assert latest(wire, name("s")).schema_content == V1


def test_a_promoted_draft_keeps_its_id_and_gets_its_version(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    draft = register(wire, name("s"), V2_COMPATIBLE, as_draft=True)
    tried = register(wire, name("s"), V2_COMPATIBLE, dry_run=True)
    assert (tried.schema_id, tried.version, tried.state) == (draft.schema_id, "1.1.0", pb.SCHEMA_STATE_ACTIVE)
    assert get(wire, draft.schema_id).state == pb.SCHEMA_STATE_DRAFT
    done = register(wire, name("s"), V2_COMPATIBLE)

    assert (done.schema_id, done.version, done.created) == (draft.schema_id, "1.1.0", False)
    assert list(done.report.compared_versions) == ["1.0.0"]
    history = wire.call("GetSchemaHistory", lifecycle_pb2.GetSchemaHistoryRequest(schema_id=draft.schema_id))
    assert [S.Name(t.to_state).removeprefix("SCHEMA_STATE_") for t in history.transitions] == [
        "DRAFT",
        *STEPS_TO["ACTIVE"],
    ]


def test_without_activation_a_draft_becomes_registered_and_the_next_call_activates_it(
    wire: Wire, name: Name
) -> None:
    draft = register(wire, name("s"), as_draft=True)
    registered = register(wire, name("s"), auto_activate=False)
    active = register(wire, name("s"))

    assert {registered.schema_id, active.schema_id} == {draft.schema_id}
    assert registered.state == pb.SCHEMA_STATE_REGISTERED
    assert active.state == pb.SCHEMA_STATE_ACTIVE
    assert register(wire, name("s"), auto_activate=False).state == pb.SCHEMA_STATE_ACTIVE


def test_a_normalized_registration_promotes_a_draft_that_differs_in_white_space(
    wire: Wire, name: Name
) -> None:
    draft = register(wire, name("s"), b'{"type":"object"}', as_draft=True)
    done = register(wire, name("s"), b'{ "type": "object" }', normalize=True)

    assert (done.schema_id, done.state) == (draft.schema_id, pb.SCHEMA_STATE_ACTIVE)
    assert latest(wire, name("s")).schema_content == b'{"type":"object"}'


def test_a_draft_does_not_change_the_level_of_its_subject(wire: Wire, name: Name) -> None:
    register(wire, name("s"), V1)
    request = pb.RegisterSchemaRequest(
        subject=name("s"),
        schema_content=V2_BREAKING,
        schema_type=pb.SCHEMA_TYPE_JSON,
        as_draft=True,
        compatibility_level=pb.COMPATIBILITY_LEVEL_NONE,
    )
    refused(wire, "RegisterSchema", request, "INVALID_ARGUMENT", "INVALID_REQUEST", "compatibility_level")

    effective = wire.call("GetConfig", config_pb2.GetConfigRequest(subject=name("s"))).effective
    assert effective.compatibility_level == pb.COMPATIBILITY_LEVEL_BACKWARD
