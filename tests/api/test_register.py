"""RegisterSchema over every wire: what is stored, what is found again, what is refused, what version comes out."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import (
    AVRO,
    FIRST,
    JSON,
    PROTOBUF,
    SECOND,
    V1,
    V1_DESCRIBED,
    V2_BREAKING,
    V2_COMPATIBLE,
    closed,
    get,
    refused,
    register,
    sha256,
    versions,
)
from .wires import Wire

Name = Callable[[str], str]
REORDERED = b'{"type": "object", "properties": {"b": {}, "a": {}}}'
ORDERED = b'{"type": "object", "properties": {"a": {}, "b": {}}}'


def request(subject: str, content: bytes, **fields: Any) -> pb.RegisterSchemaRequest:
    return pb.RegisterSchemaRequest(subject=subject, schema_content=content, schema_type=JSON, **fields)


@pytest.mark.parametrize("schema_type", [JSON, AVRO, PROTOBUF])
def test_a_first_version_is_stored_as_it_came(wire: Wire, name: Name, schema_type: Any) -> None:
    content = FIRST[schema_type]
    answer = register(
        wire, name("s"), content, schema_type, description="d", tags=["x", "y"], metadata={"team": "blue"}
    )
    stored = get(wire, answer.schema_id)

    assert (answer.version, answer.ordinal, answer.subject, answer.created) == ("1.0.0", 1, name("s"), True)
    assert uuid.UUID(answer.schema_id).version == 7
    assert answer.checksum == sha256(content) == stored.checksum == answer.fingerprints.content
    assert (stored.schema_content, stored.schema_type) == (content, schema_type)
    assert (stored.description, list(stored.tags), dict(stored.metadata)) == (
        "d",
        ["x", "y"],
        {"team": "blue"},
    )
    assert stored.state == answer.state == pb.SCHEMA_STATE_ACTIVE
    assert stored.compatibility_level == pb.COMPATIBILITY_LEVEL_BACKWARD
    assert stored.created_at == answer.created_at
    assert answer.revision == stored.revision != ""
    assert answer.global_id == stored.global_id > 0


@pytest.mark.parametrize("schema_type", [JSON, AVRO, PROTOBUF])
def test_a_compatible_change_is_a_minor_step(wire: Wire, name: Name, schema_type: Any) -> None:
    register(wire, name("s"), FIRST[schema_type], schema_type)
    second = register(wire, name("s"), SECOND[schema_type], schema_type)

    assert (second.version, second.ordinal) == ("1.1.0", 2)
    assert second.change_class == pb.CHANGE_CLASS_COMPATIBLE
    assert second.report.compatible
    assert list(second.report.compared_versions) == ["1.0.0"]


def test_the_same_content_again_is_the_version_that_exists(wire: Wire, name: Name) -> None:
    first = register(wire, name("s"))
    again = register(wire, name("s"))

    assert (again.schema_id, again.version, again.created) == (first.schema_id, first.version, False)
    assert versions(wire, name("s")) == ["1.0.0"]


def test_an_older_content_again_is_the_old_version(wire: Wire, name: Name) -> None:
    first = register(wire, name("s"))
    register(wire, name("s"), V2_COMPATIBLE)

    assert register(wire, name("s")).schema_id == first.schema_id


def test_annotations_alone_are_a_patch(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    second = register(wire, name("s"), V1_DESCRIBED)

    assert (second.version, second.change_class) == ("1.0.1", pb.CHANGE_CLASS_ANNOTATION_ONLY)


def test_order_alone_is_a_patch_of_its_own_class(wire: Wire, name: Name) -> None:
    register(wire, name("s"), ORDERED)
    second = register(wire, name("s"), REORDERED)

    assert (second.version, second.change_class) == ("1.0.1", pb.CHANGE_CLASS_ORDER_ONLY)


def test_a_breaking_change_is_refused_with_the_report_and_leaves_nothing(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    error = refused(
        wire, "RegisterSchema", request(name("s"), V2_BREAKING), "FAILED_PRECONDITION", "INCOMPATIBLE_SCHEMA"
    )
    report = error.detail(pb.CompatibilityReport)

    assert not report.compatible
    assert report.level == pb.COMPATIBILITY_LEVEL_BACKWARD
    assert report.change_class == pb.CHANGE_CLASS_BREAKING
    assert report.violations[0].rule
    assert report.suggested_version == "2.0.0"
    assert versions(wire, name("s")) == ["1.0.0"]


def test_a_breaking_change_at_level_none_is_a_major_step(wire: Wire, name: Name) -> None:
    register(wire, name("s"), compatibility_level=pb.COMPATIBILITY_LEVEL_NONE)
    second = register(wire, name("s"), V2_BREAKING)

    assert (second.version, second.change_class) == ("2.0.0", pb.CHANGE_CLASS_BREAKING)


def test_a_dry_run_answers_as_if_and_stores_nothing(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    answer = register(wire, name("s"), V2_COMPATIBLE, dry_run=True)

    assert answer.version == "1.1.0"
    assert versions(wire, name("s")) == ["1.0.0"]


def test_the_same_content_in_two_subjects_has_one_global_id_and_two_schema_ids(
    wire: Wire, name: Name
) -> None:
    content = closed(**{name("p"): {}})
    first, second = register(wire, name("a"), content), register(wire, name("b"), content)

    assert first.global_id == second.global_id
    assert first.schema_id != second.schema_id


def test_an_explicit_version_is_taken_when_it_is_big_enough(wire: Wire, name: Name) -> None:
    first = register(wire, name("s"), version="3.2.1")
    second = register(wire, name("s"), V2_COMPATIBLE, version="3.5.0")

    assert (first.version, second.version) == ("3.2.1", "3.5.0")


@pytest.mark.parametrize(
    ("version", "code", "reason"),
    [
        ("0.9.0", "FAILED_PRECONDITION", "VERSION_NOT_GREATER"),
        ("1.0.0", "FAILED_PRECONDITION", "VERSION_NOT_GREATER"),
        ("1.0.1", "FAILED_PRECONDITION", "VERSION_NOT_GREATER"),
        ("one", "INVALID_ARGUMENT", "INVALID_VERSION"),
        ("1.0", "INVALID_ARGUMENT", "INVALID_VERSION"),
        ("-1.0.0", "INVALID_ARGUMENT", "INVALID_VERSION"),
        ("99999999999999999999.0.0", "INVALID_ARGUMENT", "INVALID_VERSION"),
    ],
)
def test_a_version_that_is_too_low_or_none_is_refused(
    wire: Wire, name: Name, version: str, code: str, reason: str
) -> None:
    register(wire, name("s"))
    refused(
        wire, "RegisterSchema", request(name("s"), V2_COMPATIBLE, version=version), code, reason, "version"
    )

    assert versions(wire, name("s")) == ["1.0.0"]


def test_a_version_and_auto_version_contradict_each_other(wire: Wire, name: Name) -> None:
    wanted = request(name("s"), V1, version="1.0.0", auto_version=True)

    refused(wire, "RegisterSchema", wanted, "INVALID_ARGUMENT", "INVALID_REQUEST", "version")


def test_white_space_alone_is_the_same_when_normalizing(wire: Wire, name: Name) -> None:
    first = register(wire, name("s"), b'{"type":"object"}')
    same = register(wire, name("s"), b'{\n  "type": "object"\n}', normalize=True)
    other = register(wire, name("s"), b'{ "type" : "object" }')

    assert same.schema_id == first.schema_id
    assert other.schema_id != first.schema_id


def test_without_activation_the_version_stays_registered_and_is_not_the_latest(
    wire: Wire, name: Name
) -> None:
    register(wire, name("s"))
    second = register(wire, name("s"), V2_COMPATIBLE, auto_activate=False)
    latest = wire.call("GetLatestVersion", pb.GetLatestVersionRequest(subject=name("s"))).schema

    assert second.state == pb.SCHEMA_STATE_REGISTERED
    assert latest.version == "1.0.0"


def test_a_draft_is_stored_unchecked_and_is_nobodys_latest(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    draft = register(wire, name("s"), V2_BREAKING, as_draft=True)
    latest = wire.call("GetLatestVersion", pb.GetLatestVersionRequest(subject=name("s"))).schema

    assert draft.state == pb.SCHEMA_STATE_DRAFT
    assert latest.version == "1.0.0"
    assert get(wire, draft.schema_id).schema_content == V2_BREAKING


def test_a_subject_holds_schemas_of_one_type(wire: Wire, name: Name) -> None:
    register(wire, name("s"))
    wanted = pb.RegisterSchemaRequest(subject=name("s"), schema_content=FIRST[AVRO], schema_type=AVRO)

    refused(wire, "RegisterSchema", wanted, "FAILED_PRECONDITION", "SCHEMA_TYPE_MISMATCH", "schema_type")


def test_the_first_level_becomes_the_subjects_level(wire: Wire, name: Name) -> None:
    register(wire, name("s"), compatibility_level=pb.COMPATIBILITY_LEVEL_FULL)
    error = refused(
        wire,
        "RegisterSchema",
        request(name("s"), V2_COMPATIBLE),
        "FAILED_PRECONDITION",
        "INCOMPATIBLE_SCHEMA",
    )

    assert error.detail(pb.CompatibilityReport).level == pb.COMPATIBILITY_LEVEL_FULL


def test_references_are_pinned_at_registration(wire: Wire, name: Name) -> None:
    base = b'{"$id": "https://example.com/%s", "type": "string"}' % name("base").encode()
    uri = f"https://example.com/{name('base')}"
    register(wire, name("base"), base)
    user = register(
        wire,
        name("user"),
        b'{"$ref": "%s"}' % uri.encode(),
        references=[pb.SchemaReference(name=uri, subject=name("base"), version="latest")],
    )
    register(wire, name("base"), base.replace(b'"string"', b'["string", "null"]'))
    (pinned,) = get(wire, user.schema_id).references

    assert (pinned.name, pinned.subject, pinned.version, pinned.ordinal) == (uri, name("base"), "1.0.0", 1)


@pytest.mark.parametrize(
    ("context", "bare"),
    [(":.staging:", "orders"), (":.a.b:", "x/y"), ("", "with space"), ("", "50%"), ("", "a/b")],
)
def test_subjects_of_every_spelling_survive(wire: Wire, name: Name, context: str, bare: str) -> None:
    subject = context + name(bare)
    answer = register(wire, subject)
    latest = wire.call("GetLatestVersion", pb.GetLatestVersionRequest(subject=subject)).schema

    assert answer.subject == latest.subject == subject
    assert latest.id == answer.schema_id


def test_an_invalid_schema_is_refused_with_its_issues(wire: Wire, name: Name) -> None:
    request = pb.RegisterSchemaRequest(
        subject=name("s"), schema_content=b'{"type": "strin"}', schema_type=JSON
    )

    error = refused(wire, "RegisterSchema", request, "INVALID_ARGUMENT", "INVALID_SCHEMA", "schema_content")

    (issue,) = error.detail(pb.SchemaValidationReport).issues
    assert issue.pointer == "/type"
    assert issue.rule
    assert (issue.line, issue.severity) == (1, pb.SEVERITY_ERROR)
