"""What is recorded of calls over every wire: who did what, from where, with what outcome; and nothing that is secret."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from llm_schema_registry import VerdictInvalid, verify_verdict
from llm_schema_registry.v1 import access_pb2, audit_pb2, config_pb2, credentials_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.wires import CallFailed, Wire

from .callers import ENGINES, WIRES, Callers, callers

TEXT = b'{"type": "string", "description": "a-content-that-nobody-logs"}'
E = audit_pb2
QUICK = {"AUDIT__INTERVAL_SECONDS": "0.1"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    grants = [("user:sue", "developer", ["sue.*"])]
    home = tmp_path_factory.mktemp("audit")
    with callers(
        home, grants, {"own-auditor": ["admin:access"]}, AUTH__API_KEYS__ENABLED="true", **QUICK
    ) as made:
        yield made


def register(wire: Wire, subject: str, content: bytes = TEXT) -> Any:
    return wire.call(
        "RegisterSchema",
        pb.RegisterSchemaRequest(subject=subject, schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON),
    )


def failing(call: Callable[[], object]) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        call()
    return caught.value


def found(world: Callers, wire: str, count: int = 1, **wanted: Any) -> list[Any]:
    """The events that pass a filter, once there are so many of them; a moment later there are no more."""
    reader = world.wire(wire, "eve", ["auditor"])
    end = time.monotonic() + 20
    while True:
        request = audit_pb2.ListAuditEventsRequest(limit=1000, **wanted)
        events = list(reader.call("ListAuditEvents", request).events)
        if len(events) >= count or time.monotonic() > end:
            assert len(events) == count, [e.canonical for e in events]
            return events
        time.sleep(0.05)


@pytest.mark.parametrize("wire", WIRES)
def test_a_write_is_recorded_with_who_and_what(world: Callers, wire: str) -> None:
    made = register(world.wire(wire, "ada", ["admin"]), f"a-{wire}")

    (event,) = found(world, wire, resource=f"subject:a-{wire}", operation="RegisterSchema")
    assert (event.type, event.outcome) == (E.AUDIT_EVENT_TYPE_SCHEMA_REGISTERED, E.AUDIT_OUTCOME_ALLOWED)
    assert (event.principal, event.kind, event.address) == ("ada", "user", "127.0.0.1")
    assert event.credential.startswith("token ")
    assert (event.code, event.permission, event.count) == ("OK", "schema:write", 1)
    assert event.wire == ("http" if wire == "http" else "grpc")
    assert [r.name for r in event.resources] == [f"a-{wire}", made.schema_id]
    assert event.change > 0
    assert event.request_id
    assert json.loads(event.canonical)["revision"] == event.change


@pytest.mark.parametrize("wire", WIRES)
def test_who_may_not_is_recorded(world: Callers, wire: str) -> None:
    error = failing(lambda: register(world.wire(wire, "bob", ["reader"]), f"b-{wire}"))

    (event,) = found(world, wire, resource=f"b-{wire}", principal="bob")
    assert (event.type, event.outcome) == (E.AUDIT_EVENT_TYPE_AUTHORIZATION_DENIED, E.AUDIT_OUTCOME_DENIED)
    assert (event.code, event.reason) == ("PERMISSION_DENIED", "PERMISSION_DENIED")
    assert event.severity == E.AUDIT_SEVERITY_WARNING
    assert event.request_id == error.request_id
    assert event.change == 0


@pytest.mark.parametrize("wire", WIRES)
def test_bad_credentials_are_recorded_without_them(world: Callers, wire: str) -> None:
    token = world.issuer.token(sub="eve")
    forged = world.opened(wire, {"authorization": f"Bearer {token[:-9]}AAAAAAAAA"})
    error = failing(lambda: register(forged, f"c-{wire}"))
    assert error.reason == "UNAUTHENTICATED"

    events = found(world, wire, count=1, type=E.AUDIT_EVENT_TYPE_AUTHENTICATION_FAILURE, resource=f"c-{wire}")
    assert events[0].outcome == E.AUDIT_OUTCOME_DENIED
    assert (events[0].principal, events[0].kind, events[0].address) == ("anonymous", "anonymous", "127.0.0.1")


@pytest.mark.parametrize("wire", WIRES)
def test_what_is_hidden_is_denied_in_the_record(world: Callers, wire: str) -> None:
    """The caller learns that there is no such subject; the record says what happened. Kept answers are no way round."""
    subject = f"hidden-{wire}"
    admin, sue = world.wire(wire, "ada", ["admin"]), world.wire(wire, "sue")
    register(admin, subject)
    for _ in range(3):
        admin.call("GetLatestVersion", pb.GetLatestVersionRequest(subject=subject))
    error = failing(lambda: sue.call("GetLatestVersion", pb.GetLatestVersionRequest(subject=subject)))
    assert error.reason == "SUBJECT_NOT_FOUND"

    (event,) = found(world, wire, principal="sue", resource=f"subject:{subject}")
    assert (event.type, event.outcome) == (E.AUDIT_EVENT_TYPE_AUTHORIZATION_DENIED, E.AUDIT_OUTCOME_DENIED)
    assert (event.code, event.reason) == ("NOT_FOUND", "SUBJECT_NOT_FOUND")


@pytest.mark.parametrize("wire", WIRES)
def test_a_refused_item_of_a_batch_is_recorded(world: Callers, wire: str) -> None:
    admin, sue = world.wire(wire, "ada", ["admin"]), world.wire(wire, "sue")
    register(admin, f"item-{wire}")
    request = pb.ValidateDataRequest(subject=f"item-{wire}", version="1", data=b'"x"')
    (report,) = sue.batch("BatchValidate", [request])
    assert report.error.code

    (event,) = found(world, wire, principal="sue", resource=f"item-{wire}")
    assert (event.outcome, event.code) == (E.AUDIT_OUTCOME_DENIED, "OK")


@pytest.mark.parametrize("wire", WIRES)
def test_a_write_that_fails_is_recorded_with_its_reason(world: Callers, wire: str) -> None:
    admin = world.wire(wire, "ada", ["admin"])
    register(admin, f"f-{wire}")
    failing(lambda: register(admin, f"f-{wire}", b'{"type": "integer"}'))

    _, event = found(world, wire, count=2, resource=f"subject:f-{wire}")
    assert (event.type, event.outcome) == (E.AUDIT_EVENT_TYPE_SCHEMA_REGISTERED, E.AUDIT_OUTCOME_FAILED)
    assert event.reason == "INCOMPATIBLE_SCHEMA"


@pytest.mark.parametrize("wire", WIRES)
def test_reads_leave_no_trace_and_writes_that_change_nothing_do(world: Callers, wire: str) -> None:
    admin = world.wire(wire, "ada", ["admin"])
    register(admin, f"r-{wire}")
    admin.call("GetLatestVersion", pb.GetLatestVersionRequest(subject=f"r-{wire}"))
    failing(lambda: admin.call("GetLatestVersion", pb.GetLatestVersionRequest(subject=f"none-{wire}")))
    register(admin, f"r-{wire}")

    first, again = found(world, wire, count=2, resource=f"subject:r-{wire}")
    assert (first.change > 0, again.change) == (True, 0)
    assert again.outcome == E.AUDIT_OUTCOME_ALLOWED
    found(world, wire, count=0, resource=f"none-{wire}")


@pytest.mark.parametrize("wire", WIRES)
def test_access_and_settings_are_recorded_by_what_they_change(world: Callers, wire: str) -> None:
    admin = world.wire(wire, f"root-{wire}", ["admin"])
    key = admin.call(
        "CreateApiKey",
        credentials_pb2.CreateApiKeyRequest(
            name=f"key-{wire}", grants=[credentials_pb2.RoleGrant(role="reader")]
        ),
    )
    wider = credentials_pb2.RoleGrants(grants=[*key.api_key.grants, {"role": "developer", "scope": "a.*"}])
    for change in ({"grants": wider}, {"enabled": False}):
        update = credentials_pb2.UpdateApiKeyRequest(key_id=key.api_key.key_id, **change)
        admin.call("UpdateApiKey", update)
    admin.call("DeleteApiKey", credentials_pb2.DeleteApiKeyRequest(key_id=key.api_key.key_id))
    grant = {"holder": f"user:{wire}", "role": "reader", "scope": "orders.*"}
    admin.call("SetGrant", access_pb2.SetGrantRequest(**grant))
    admin.call("DeleteGrant", access_pb2.DeleteGrantRequest(**grant))
    for config in (
        config_pb2.Config(compatibility_level=pb.COMPATIBILITY_LEVEL_FULL),
        config_pb2.Config(lint=config_pb2.LINT_POLICY_OFF),
    ):
        admin.call("SetConfig", config_pb2.SetConfigRequest(subject=f"s-{wire}", config=config))

    events = found(world, wire, count=8, principal=f"root-{wire}")
    named, roles = {"change": "ACCESS_UPDATED", "name": f"key-{wire}"}, "reader@*, developer@a.*"
    set_by = {"change": "CONFIG_UPDATED", "scope": f"subject:s-{wire}"}
    assert [
        (E.AuditEventType.Name(e.type).removeprefix("AUDIT_EVENT_TYPE_"), dict(e.facts)) for e in events
    ] == [
        ("TOKEN_GENERATED", {**named, "enabled": "true", "roles": "reader@*"}),
        ("PERMISSION_GRANTED", {**named, "enabled": "true", "roles": roles}),
        ("PERMISSION_REVOKED", {**named, "enabled": "false", "roles": roles, "effect": "less"}),
        ("TOKEN_REVOKED", {**named, "enabled": "false", "roles": roles}),
        ("ROLE_ASSIGNED", {"change": "ACCESS_UPDATED", "roles": "reader@orders.*"}),
        ("ROLE_REVOKED", {"change": "ACCESS_UPDATED", "roles": "reader@orders.*"}),
        ("COMPATIBILITY_MODE_CHANGED", {**set_by, "compatibility_level": "FULL"}),
        ("CONFIGURATION_CHANGED", {**set_by, "lint": "OFF"}),
    ]
    assert all(e.outcome == E.AUDIT_OUTCOME_ALLOWED and e.change > 0 for e in events)
    assert key.secret not in "".join(e.canonical for e in events)


def refused(reader: Wire) -> None:
    """Whoever may not read the log gets no line of it."""
    exported = reader.listing("ExportAudit", audit_pb2.ExportAuditRequest())
    for error in (
        failing(lambda: reader.call("ListAuditEvents", audit_pb2.ListAuditEventsRequest())),
        failing(lambda: list(exported)),
    ):
        assert error.reason == "PERMISSION_DENIED"


@pytest.mark.parametrize("wire", WIRES)
def test_the_audit_log_is_for_auditors(world: Callers, wire: str) -> None:
    for role in ("auditor", "own-auditor", "admin"):
        world.wire(wire, "eve", [role]).call("GetAuditCheckpoint", audit_pb2.GetAuditCheckpointRequest())
    for role in ("developer", "reader", "service"):
        refused(world.wire(wire, "eve", [role]))
    auditor = world.wire(wire, "eve", ["auditor"])
    grant = access_pb2.SetGrantRequest(holder="user:eve", role="admin", scope="*")
    assert failing(lambda: auditor.call("SetGrant", grant)).reason == "PERMISSION_DENIED"


@pytest.mark.parametrize("wire", WIRES)
def test_a_flood_of_refusals_is_few_records(world: Callers, wire: str) -> None:
    subject = f"flood-{wire}"

    def refused(flood: Wire) -> None:
        for _ in range(50):
            failing(lambda: register(flood, subject))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(refused, [world.wire(wire, subject, ["reader"]) for _ in range(8)]))

    reader = world.wire(wire, "eve", ["auditor"])
    request = audit_pb2.ListAuditEventsRequest(principal=subject, limit=1000)
    end = time.monotonic() + 20
    while sum(e.count for e in reader.call("ListAuditEvents", request).events) < 400:
        assert time.monotonic() < end
        time.sleep(0.1)
    events = reader.call("ListAuditEvents", request).events
    assert sum(e.count for e in events) == 400
    assert max(e.count for e in events) > 1


@pytest.mark.parametrize("wire", WIRES)
def test_pages_go_on_in_either_direction(world: Callers, wire: str) -> None:
    reader = world.wire(wire, "eve", ["auditor"])
    for newest_first in (False, True):
        positions: list[int] = []
        request = audit_pb2.ListAuditEventsRequest(limit=7, newest_first=newest_first)
        while True:
            page = reader.call("ListAuditEvents", request)
            positions += [e.position for e in page.events]
            request.page_token = page.next_page_token
            if not page.next_page_token or len(positions) > 50:
                break
        assert positions == sorted(set(positions), reverse=newest_first)
    for token in ("x", "WyJhdWRpdCIsIC0xXQ", "WyJhdWRpdCBleHBvcnQiLCAxXQ"):
        request = audit_pb2.ListAuditEventsRequest(page_token=token)
        assert failing(lambda: reader.call("ListAuditEvents", request)).reason == "PAGE_TOKEN_INVALID"  # noqa: B023
    for request in (
        audit_pb2.ListAuditEventsRequest(limit=-1),
        audit_pb2.ListAuditEventsRequest(principal="x" * 2000),
        audit_pb2.ListAuditEventsRequest(type=99),  # type: ignore[arg-type]
    ):
        assert failing(lambda: reader.call("ListAuditEvents", request)).reason == "INVALID_REQUEST"  # noqa: B023


@pytest.mark.parametrize("wire", WIRES)
def test_a_verdict_is_verified_without_the_server(world: Callers, wire: str) -> None:
    admin = world.wire(wire, "ada", ["admin"])
    register(admin, f"v-{wire}")
    for content, compatible in ((TEXT, True), (b'{"type": "integer"}', False)):
        request = pb.CompatibilityCheckRequest(subject=f"v-{wire}", new_schema=content)
        made = admin.call("CertifyCompatibility", request)
        verdict = verify_verdict(made.note, made.public_key, content)

        assert (bool(verdict), made.report.compatible) == (compatible, compatible)
        assert (verdict.subject, verdict.level, verdict.compared) == (f"v-{wire}", "BACKWARD", ("1.0.0",))
        assert bool(verdict.claims["violations"]) is not compatible
        with pytest.raises(VerdictInvalid, match="another schema"):
            verify_verdict(made.note, made.public_key, b"{}")
        forged = made.note.replace(
            f'"compatible":{str(compatible).lower()}', f'"compatible":{str(not compatible).lower()}'
        )
        assert forged != made.note
        with pytest.raises(VerdictInvalid, match="signature is wrong"):
            verify_verdict(forged, made.public_key)
    checkpoint = admin.call("GetAuditCheckpoint", audit_pb2.GetAuditCheckpointRequest())
    with pytest.raises(VerdictInvalid):
        verify_verdict(checkpoint.note, checkpoint.public_key)


def test_no_secret_and_no_content_is_in_the_database(tmp_path: Path) -> None:
    """Every credential that the calls have shown, searched for in the files of the database as they lie on the disk."""
    with callers(tmp_path, AUTH__API_KEYS__ENABLED="true", AUDIT__READS="true", **QUICK) as made:
        headers = [made.headers("ada", ["admin"]), made.headers("bob", ["reader"])]
        secrets = [h["authorization"].removeprefix("Bearer ") for h in headers]
        for wire in WIRES:
            admin = made.opened(wire, headers[0])
            key = admin.call(
                "CreateApiKey",
                credentials_pb2.CreateApiKeyRequest(
                    name=wire, grants=[credentials_pb2.RoleGrant(role="reader")]
                ),
            )
            secrets.append(key.secret)
            for credential in (
                {"authorization": f"Bearer {key.secret}"},
                {"x-api-key": key.secret},
                headers[1],
            ):
                failing(lambda: register(made.opened(wire, credential), f"x-{wire}"))  # noqa: B023
            wrong = key.secret[:-4] + "abcd"
            secrets.append(wrong)
            failing(lambda: register(made.opened(wire, {"x-api-key": wrong}), f"x-{wire}"))  # noqa: B023
            with_content = made.opened(wire, headers[0])
            failing(lambda: register(with_content, f"y-{wire}", TEXT[:-1]))  # noqa: B023
            admin.call("ListAuditEvents", audit_pb2.ListAuditEventsRequest())
        found(made, "native", count=2, type=E.AUDIT_EVENT_TYPE_TOKEN_GENERATED)
        found(made, "grpcio", count=1, type=E.AUDIT_EVENT_TYPE_TOKEN_GENERATED)
    for engine in ENGINES:
        files = [f for f in (tmp_path / engine).iterdir() if f.name.startswith("registry.db")]
        assert files
        for file in files:
            data = file.read_bytes()
            assert not [s for s in secrets if s.encode() in data]
            assert b"a-content-that-nobody-logs" not in data


def test_reads_are_recorded_where_that_is_wanted(tmp_path: Path) -> None:
    with callers(tmp_path, AUDIT__READS="true", **QUICK) as made:
        for wire in WIRES:
            admin, reader = made.wire(wire, "ada", ["admin"]), made.wire(wire, f"reader-{wire}", ["reader"])
            register(admin, f"r-{wire}")
            for _ in range(3):  # the second and the third from what is kept
                reader.call("GetLatestVersion", pb.GetLatestVersionRequest(subject=f"r-{wire}"))
            failing(lambda: reader.call("GetLatestVersion", pb.GetLatestVersionRequest(subject="none")))  # noqa: B023

            events = found(made, wire, count=4, principal=f"reader-{wire}")
            assert [e.code for e in events] == ["OK", "OK", "OK", "NOT_FOUND"]
            assert [e.outcome for e in events] == [E.AUDIT_OUTCOME_ALLOWED] * 3 + [E.AUDIT_OUTCOME_FAILED]
