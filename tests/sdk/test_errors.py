"""A failure arrives as the exception of its reason, with every fact that the server sent."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from google.rpc import error_details_pb2

from llm_schema_registry import (
    Code,
    FieldViolation,
    IncompatibleSchema,
    InvalidSchema,
    LintRefused,
    RegistryError,
    RevisionCompacted,
    SchemaNotFound,
    Severity,
    Unimplemented,
    UnknownFailure,
    errors,
)
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server import errors as server_errors
from tests.sdk.conftest import Face
from tests.sdk.fake_registry import FakeRegistry, fails


def server_reasons() -> dict[str, type[server_errors.RegistryError]]:
    classes = [c for c in vars(server_errors).values() if isinstance(c, type)]
    failures = [c for c in classes if issubclass(c, server_errors.RegistryError)]
    return {c.reason: c for c in failures if c is not server_errors.RegistryError}


def test_every_reason_of_the_server_has_a_class_of_the_same_name_and_code() -> None:
    for reason, theirs in server_reasons().items():
        ours = errors.BY_REASON[reason]
        assert (ours.__name__, int(ours.CODE)) == (theirs.__name__, int(theirs.code))


def test_every_code_has_a_class() -> None:
    assert set(errors.BY_CODE) == set(Code)


@pytest.mark.parametrize("reason", sorted(server_reasons()))
async def test_a_reason_arrives_as_its_class(reason: str, fake: FakeRegistry, client: Face) -> None:
    code = Code(int(server_reasons()[reason].code))
    fake.script("HealthCheck", fails(code, "why", reason=reason, metadata={"a": "b", "request_id": "req-7"}))

    with pytest.raises(errors.BY_REASON[reason]) as caught:
        await client.health_check()
    failure = caught.value
    assert type(failure) is errors.BY_REASON[reason]
    assert (failure.code, failure.reason, failure.message, failure.request_id) == (
        code,
        reason,
        "why",
        "req-7",
    )
    assert failure.metadata == {"a": "b"}
    assert str(failure) == "why"


async def test_violations_name_the_fields_at_fault(fake: FakeRegistry, client: Face) -> None:
    violation = FieldViolation("subject", "is empty")
    fake.script(
        "HealthCheck", fails(Code.INVALID_ARGUMENT, reason="INVALID_SUBJECT", violations=(violation,))
    )

    with pytest.raises(errors.InvalidSubject) as caught:
        await client.health_check()
    assert caught.value.violations == (violation,)


async def test_an_incompatible_schema_carries_the_report(fake: FakeRegistry, client: Face) -> None:
    report = pb.CompatibilityReport(message="no", level=pb.COMPATIBILITY_LEVEL_FULL)
    report.violations.add(rule="R", witness=b"\x00", undecided=True)
    fake.script(
        "RegisterSchema", fails(Code.FAILED_PRECONDITION, reason="INCOMPATIBLE_SCHEMA", details=(report,))
    )

    with pytest.raises(IncompatibleSchema) as caught:
        await client.register_schema("s", {})
    assert caught.value.report is not None
    (violation,) = caught.value.report.violations
    assert (violation.rule, violation.witness, violation.undecided) == ("R", b"\x00", True)


async def test_an_incompatible_schema_without_a_report_is_still_one(fake: FakeRegistry, client: Face) -> None:
    fake.script("RegisterSchema", fails(Code.FAILED_PRECONDITION, reason="INCOMPATIBLE_SCHEMA"))

    with pytest.raises(IncompatibleSchema) as caught:
        await client.register_schema("s", {})
    assert caught.value.report is None


async def test_what_lint_refuses_carries_its_issues(fake: FakeRegistry, client: Face) -> None:
    report = pb.SchemaValidationReport(valid=True)
    report.issues.add(rule="R", message="m", pointer="/a", severity=pb.SEVERITY_WARNING, hint="h")
    fake.script("RegisterSchema", fails(Code.FAILED_PRECONDITION, reason="LINT_REFUSED", details=(report,)))

    with pytest.raises(LintRefused) as caught:
        await client.register_schema("s", {})
    (issue,) = caught.value.issues
    assert (issue.rule, issue.pointer, issue.severity, issue.hint) == ("R", "/a", "WARNING", "h")


async def test_an_invalid_schema_carries_its_issues_with_positions(fake: FakeRegistry, client: Face) -> None:
    report = pb.SchemaValidationReport()
    report.issues.add(rule="R", message="m", pointer="/a", line=3, column=4, severity=pb.SEVERITY_ERROR)
    fake.script("RegisterSchema", fails(Code.INVALID_ARGUMENT, reason="INVALID_SCHEMA", details=(report,)))

    with pytest.raises(InvalidSchema) as caught:
        await client.register_schema("s", {})
    (issue,) = caught.value.issues
    assert (issue.rule, issue.pointer, issue.line, issue.column, issue.severity) == (
        "R",
        "/a",
        3,
        4,
        Severity.ERROR,
    )


async def test_issues_are_read_from_the_violations_when_nothing_better_came(
    fake: FakeRegistry, client: Face
) -> None:
    violation = FieldViolation("schema_content#/type", "no such type")
    fake.script(
        "RegisterSchema", fails(Code.INVALID_ARGUMENT, reason="INVALID_SCHEMA", violations=(violation,))
    )

    with pytest.raises(InvalidSchema) as caught:
        await client.register_schema("s", {})
    assert [(i.pointer, i.message) for i in caught.value.issues] == [("/type", "no such type")]


async def test_a_compacted_revision_says_where_to_start_again(fake: FakeRegistry, client: Face) -> None:
    fake.script(
        "HealthCheck",
        fails(Code.OUT_OF_RANGE, reason="REVISION_COMPACTED", metadata={"revision": "r.1", "oldest": "r.9"}),
    )

    with pytest.raises(RevisionCompacted) as caught:
        await client.health_check()
    assert (caught.value.revision, caught.value.oldest) == ("r.1", "r.9")


@pytest.mark.parametrize("details", [b"\xff\xff", b"", "words"])
async def test_details_that_cannot_be_read_leave_code_and_message(
    details: Any, fake: FakeRegistry, client: Face
) -> None:
    trailers = () if details == "words" else (("grpc-status-details-bin", details),)
    fake.script("HealthCheck", fails(Code.UNIMPLEMENTED, "why", trailers=trailers))

    with pytest.raises(Unimplemented) as caught:
        await client.health_check()
    assert (caught.value.message, caught.value.reason) == ("why", "")


async def test_a_reason_of_another_service_is_not_taken_for_ours(fake: FakeRegistry, client: Face) -> None:
    foreign = error_details_pb2.ErrorInfo(reason="SCHEMA_NOT_FOUND", domain="elsewhere")
    fake.script("HealthCheck", fails(Code.UNKNOWN, details=(foreign,)))

    with pytest.raises(UnknownFailure):
        await client.health_check()


async def test_a_reason_from_the_future_falls_back_to_its_code(fake: FakeRegistry, client: Face) -> None:
    fake.script("HealthCheck", fails(Code.NOT_FOUND, reason="MOON_NOT_FOUND"))

    with pytest.raises(errors.NotFound) as caught:
        await client.health_check()
    assert caught.value.reason == "MOON_NOT_FOUND"


def test_errors_cross_process_boundaries() -> None:
    sent = SchemaNotFound("gone", metadata={"schema_id": "x"}, request_id="r")

    received = pickle.loads(pickle.dumps(sent))
    assert type(received) is SchemaNotFound
    assert (received.message, received.metadata, received.request_id) == ("gone", {"schema_id": "x"}, "r")
    assert isinstance(received, RegistryError)
