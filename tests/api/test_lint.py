"""What the lint rules find is told by ValidateSchema and RegisterSchema, and refused where the subject's settings say so: on
every way by which content becomes a registered version."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from llm_schema_registry.v1 import config_pb2, lifecycle_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .helpers import AVRO, JSON, PROTOBUF, V1, delete, refused, register, update, versions
from .wires import CallFailed, Wire

Name = Callable[[str], str]
OFF, WARN = config_pb2.LINT_POLICY_OFF, config_pb2.LINT_POLICY_WARN
REFUSE_ERRORS = config_pb2.LINT_POLICY_REFUSE_ERRORS
REFUSE_WARNINGS = config_pb2.LINT_POLICY_REFUSE_WARNINGS
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(**keywords: Any) -> bytes:
    return json.dumps({"$schema": DIALECT, **keywords}).encode()


MISSPELLED = schema(type="object", properties={"a": {"type": "string", "maxLenght": 3}})
EMPTY_RANGE = schema(type="object", properties={"a": {"type": "integer", "minimum": 3, "maximum": 2}})
UNSATISFIABLE = schema(allOf=[{"type": "string"}, {"type": "integer"}])
NO_NAMESPACE = b'{"type": "record", "name": "R", "fields": []}'
BAD_NAME = b'syntax = "proto3";\npackage t;\nmessage bad_name { string a = 1; }\n'
UNWISE = {JSON: MISSPELLED, AVRO: NO_NAMESPACE, PROTOBUF: BAD_NAME}
RULE = {JSON: "json/misspelled-keyword", AVRO: "avro/missing-namespace", PROTOBUF: "MESSAGE_PASCAL_CASE"}


def set_lint(wire: Wire, policy: Any, subject: str = "", context: str = "") -> None:
    config = config_pb2.Config(lint=policy)
    wire.call("SetConfig", config_pb2.SetConfigRequest(subject=subject, context=context, config=config))


def wanted(subject: str, content: bytes, kind: Any = JSON, **fields: Any) -> pb.RegisterSchemaRequest:
    return pb.RegisterSchemaRequest(subject=subject, schema_content=content, schema_type=kind, **fields)


def not_let_in(wire: Wire, rpc: str, request: Any) -> CallFailed:
    return refused(wire, rpc, request, "FAILED_PRECONDITION", "LINT_REFUSED")


def reported(error: CallFailed) -> pb.SchemaValidationReport:
    """The findings among the details of an error."""
    report: pb.SchemaValidationReport = error.detail(pb.SchemaValidationReport)
    return report


@pytest.mark.parametrize("kind", [JSON, AVRO, PROTOBUF])
def test_a_registration_tells_what_is_unwise(wire: Wire, name: Name, kind: Any) -> None:
    answer = register(wire, name("s"), UNWISE[kind], kind)

    assert RULE[kind] in {issue.rule for issue in answer.warnings}
    for issue in answer.warnings:
        assert issue.message
        assert issue.hint
        assert issue.severity == pb.SEVERITY_WARNING
    assert not answer.warnings_truncated


def test_a_finding_has_its_place(wire: Wire, name: Name) -> None:
    (issue,) = register(wire, name("s"), MISSPELLED).warnings

    assert issue.pointer == "/properties/a/maxLenght"
    assert issue.message == "the keyword 'maxLenght' is unknown and ignored; 'maxLength' is meant?"


def test_what_is_wise_has_no_warnings(wire: Wire, name: Name) -> None:
    assert not register(wire, name("s"), V1).warnings


def test_content_that_was_there_already_is_not_looked_at(wire: Wire, name: Name) -> None:
    register(wire, name("s"), MISSPELLED)

    again = register(wire, name("s"), MISSPELLED)

    assert (again.created, list(again.warnings)) == (False, [])


def test_drafts_promotions_and_dry_runs_tell_it_too(wire: Wire, name: Name) -> None:
    dry = register(wire, name("s"), MISSPELLED, dry_run=True)
    draft = register(wire, name("s"), MISSPELLED, as_draft=True)
    promoted = register(wire, name("s"), MISSPELLED)

    assert promoted.previous_state == pb.SCHEMA_STATE_DRAFT
    assert [len(answer.warnings) for answer in (dry, draft, promoted)] == [1, 1, 1]


def test_off_tells_nothing(wire: Wire, name: Name) -> None:
    set_lint(wire, OFF, name("s"))

    assert not register(wire, name("s"), MISSPELLED).warnings
    assert not register(wire, name("s"), EMPTY_RANGE, as_draft=True).warnings


def test_validate_schema_runs_all_rules_and_tells_places(wire: Wire) -> None:
    content = json.dumps({"allOf": [{"type": "string"}, {"type": "integer", "minimun": 1}]}, indent=1)
    report = wire.call(
        "ValidateSchema",
        pb.ValidateSchemaRequest(schema_content=content.encode(), schema_type=JSON),
    )

    assert report.valid
    assert [(i.rule, i.severity, i.pointer, i.line) for i in report.issues] == [
        ("json/unsatisfiable", pb.SEVERITY_ERROR, "", 1),
        ("json/missing-dialect", pb.SEVERITY_INFO, "", 1),
        ("json/misspelled-keyword", pb.SEVERITY_WARNING, "/allOf/1/minimun", 8),
    ]
    assert len(report.warnings) == 2
    assert report.warnings[1] == (
        "line 8, column 15: /allOf/1/minimun: the keyword 'minimun' is unknown and ignored; 'minimum' is meant? "
        "(json/misspelled-keyword)"
    )


def test_what_is_told_is_bounded(wire: Wire, name: Name) -> None:
    long = "x" * 300
    many = schema(properties={f"{long}{n}": {"type": "string", "minimum": 1} for n in range(400)})
    answer = register(wire, name("s"), many)
    report = wire.call("ValidateSchema", pb.ValidateSchemaRequest(schema_content=many, schema_type=JSON))

    assert 10 < len(answer.warnings) <= 50
    assert sum(issue.ByteSize() for issue in answer.warnings) <= 17 * 1024
    assert answer.warnings_truncated
    assert len(report.issues) == 200
    assert report.truncated


@pytest.mark.parametrize("content", [EMPTY_RANGE, UNSATISFIABLE])
def test_errors_are_refused(wire: Wire, name: Name, content: bytes) -> None:
    set_lint(wire, REFUSE_ERRORS, name("s"))

    assert register(wire, name("s"), MISSPELLED).warnings  # a warning is told
    report = reported(not_let_in(wire, "RegisterSchema", wanted(name("s"), content)))

    assert report.valid
    assert {issue.severity for issue in report.issues} == {pb.SEVERITY_ERROR}
    assert versions(wire, name("s")) == ["1.0.0"]
    set_lint(wire, WARN, name("s"))
    assert register(wire, name("s"), content, compatibility_level=pb.COMPATIBILITY_LEVEL_NONE).created


@pytest.mark.parametrize("kind", [JSON, AVRO, PROTOBUF])
def test_warnings_are_refused(wire: Wire, name: Name, kind: Any) -> None:
    set_lint(wire, REFUSE_WARNINGS, name("s"))

    error = not_let_in(wire, "RegisterSchema", wanted(name("s"), UNWISE[kind], kind))

    assert RULE[kind] in {issue.rule for issue in reported(error).issues}
    assert RULE[kind] in str(error)


def test_the_policy_of_a_context_holds_for_its_subjects(wire: Wire, name: Name) -> None:
    context = "." + name("c").replace(".", "-")
    set_lint(wire, REFUSE_WARNINGS, context=context)

    not_let_in(wire, "RegisterSchema", wanted(f":{context}:s", MISSPELLED))
    set_lint(wire, WARN, f":{context}:s")
    assert register(wire, f":{context}:s", MISSPELLED).created


@pytest.mark.parametrize(
    "fields",
    [{}, {"dry_run": True}, {"auto_activate": False}, {"normalize": True}, {"version": "7.0.0"}],
    ids=str,
)
def test_no_way_of_registering_leads_around(wire: Wire, name: Name, fields: dict[str, Any]) -> None:
    set_lint(wire, REFUSE_WARNINGS, name("s"))
    not_let_in(wire, "RegisterSchema", wanted(name("s"), MISSPELLED, **fields))

    register(wire, name("s"), MISSPELLED, as_draft=True)  # nobody but its author reads a draft
    if "version" not in fields:
        not_let_in(wire, "RegisterSchema", wanted(name("s"), MISSPELLED, **fields))
    level = pb.COMPATIBILITY_LEVEL_NONE
    not_let_in(wire, "RegisterSchema", wanted(name("s"), MISSPELLED, compatibility_level=level, **fields))


def test_a_draft_that_goes_on_step_by_step_is_refused(wire: Wire, name: Name) -> None:
    set_lint(wire, REFUSE_WARNINGS, name("s"))
    draft = register(wire, name("s"), MISSPELLED, as_draft=True).schema_id
    for state in (pb.SCHEMA_STATE_VALIDATING, pb.SCHEMA_STATE_COMPATIBILITY_CHECK):
        update(wire, draft, state=state)

    error = not_let_in(
        wire,
        "UpdateSchemaMetadata",
        pb.UpdateSchemaMetadataRequest(schema_id=draft, state=pb.SCHEMA_STATE_REGISTERED),
    )

    assert [issue.rule for issue in reported(error).issues] == ["json/misspelled-keyword"]
    set_lint(wire, WARN, name("s"))
    assert update(wire, draft, state=pb.SCHEMA_STATE_REGISTERED).state == pb.SCHEMA_STATE_REGISTERED


def test_undeleting_does_not_lead_around(wire: Wire, name: Name) -> None:
    unwise = register(wire, name("s"), MISSPELLED).schema_id
    delete(wire, unwise)
    set_lint(wire, REFUSE_WARNINGS, name("s"))

    request = lifecycle_pb2.UndeleteSchemaRequest(schema_id=unwise)
    error = not_let_in(wire, "UndeleteSchema", request)

    assert reported(error).issues
    assert "it stays softly deleted" in str(error)
    set_lint(wire, WARN, name("s"))
    assert wire.call("UndeleteSchema", request).schema.id == unwise


def test_what_was_let_in_stays_in(wire: Wire, name: Name) -> None:
    registered = register(wire, name("s"), MISSPELLED, auto_activate=False).schema_id
    set_lint(wire, REFUSE_WARNINGS, name("s"))

    assert update(wire, registered, description="d").description == "d"
    assert register(wire, name("s"), MISSPELLED).state == pb.SCHEMA_STATE_ACTIVE
    level = pb.COMPATIBILITY_LEVEL_FULL
    assert not register(wire, name("s"), MISSPELLED, compatibility_level=level).created


def test_an_error_behind_a_thousand_warnings_is_refused(wire: Wire, name: Name) -> None:
    set_lint(wire, REFUSE_ERRORS, name("s"))
    decoys = {f"p{n}": {"type": "string", "minimum": 1} for n in range(1500)}
    hidden = schema(properties={**decoys, "q": {"minLength": 2, "maxLength": 1}})

    report = reported(not_let_in(wire, "RegisterSchema", wanted(name("s"), hidden)))

    assert [(issue.rule, issue.pointer) for issue in report.issues] == [
        ("json/empty-range", "/properties/q/minLength")
    ]


def test_details_of_a_stream_or_an_http_answer_hold_every_finding(wire: Wire, name: Name) -> None:
    set_lint(wire, REFUSE_WARNINGS, name("s"))
    many = schema(properties={f"p{n}": {"type": "string", "minimum": 1} for n in range(30)})

    error = not_let_in(wire, "RegisterSchema", wanted(name("s"), many))

    # gRPC carries errors in trailers, which are small.
    assert len(reported(error).issues) == 30 if wire.name == "http" else 0 < len(reported(error).issues) < 30
    assert "and 27 more" in str(error)
