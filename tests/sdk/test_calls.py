"""Every RPC has a method, and what is asked and answered crosses the wire whole."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from llm_schema_registry import (
    AnswerChunk,
    AsyncSchemaRegistry,
    CheckItem,
    Coercion,
    DataEncoding,
    ModelOutcomes,
    RoleGrant,
    SchemaOperand,
    SchemaReference,
    SchemaRegistry,
    SchemaState,
    SchemaType,
    ValidationItem,
)
from llm_schema_registry.enums import WireEnum
from tests.sdk.conftest import Face, collect
from tests.sdk.fake_registry import METHODS, FakeRegistry, answers, described, filled

REFERENCE = SchemaReference("money.json", "common.money", "^1.0")
SENT_REFERENCE = [{"name": "money.json", "subject": "common.money", "version": "^1.0"}]

CALLS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], dict[str, Any]]] = {
    "RegisterSchema": (
        "register_schema",
        ("orders", {"type": "object", "title": "é"}, "json"),
        {
            "references": [REFERENCE],
            "description": "d",
            "tags": ["a"],
            "metadata": {"k": "v"},
            "compatibility_level": "full-transitive",
            "version": "2.0.0",
            "auto_activate": False,
            "normalize": True,
            "dry_run": True,
            "as_draft": True,
        },
        {
            "subject": "orders",
            "schema_content": '{"type":"object","title":"é"}'.encode(),
            "schema_type": 1,
            "references": SENT_REFERENCE,
            "description": "d",
            "tags": ["a"],
            "metadata": {"k": "v"},
            "compatibility_level": 6,
            "version": "2.0.0",
            "auto_version": False,
            "auto_activate": False,
            "normalize": True,
            "dry_run": True,
            "as_draft": True,
        },
    ),
    "GetSchema": ("get_schema", ("id",), {}, {"schema_id": "id"}),
    "GetSchemaByVersion": ("get_schema_by_version", ("s", 3), {}, {"subject": "s", "version": "3"}),
    "GetLatestVersion": ("get_latest_version", ("s",), {}, {"subject": "s"}),
    "ListSchemas": (
        "list_schemas",
        (),
        {
            "subject_prefix": "o",
            "schema_type": SchemaType.AVRO,
            "state": "deprecated",
            "limit": 7,
            "offset": 2,
            "page_token": "t",
            "include_deleted": True,
        },
        {
            "subject_prefix": "o",
            "schema_type": 2,
            "state": 3,
            "limit": 7,
            "offset": 2,
            "page_token": "t",
            "include_deleted": True,
        },
    ),
    "UpdateSchemaMetadata": (
        "update_schema_metadata",
        ("id",),
        {"description": "", "tags": [], "metadata": {}, "state": SchemaState.DEPRECATED, "reason": "old"},
        {
            "schema_id": "id",
            "description": "",
            "tags": [],
            "metadata": {},
            "state": 3,
            "reason": "old",
            "clear_tags": True,
            "clear_metadata": True,
        },
    ),
    "DeleteSchema": ("delete_schema", ("id",), {}, {"schema_id": "id", "soft_delete": True}),
    "ListVersions": (
        "list_versions",
        ("s",),
        {"limit": 3, "offset": 1, "page_token": "t", "include_deleted": True},
        {"subject": "s", "limit": 3, "offset": 1, "page_token": "t", "include_deleted": True},
    ),
    "ValidateData": (
        "validate_data",
        ("id", [1, None]),
        {
            "strict": True,
            "encoding": DataEncoding.AVRO_JSON,
            "message_name": "a.B",
            "max_errors": 5,
        },
        {
            "schema_id": "id",
            "data": b"[1,null]",
            "strict": True,
            "encoding": 3,
            "message_name": "a.B",
            "max_errors": 5,
        },
    ),
    "ValidateSchema": (
        "validate_schema",
        ('"int"', "avro"),
        {"references": [REFERENCE]},
        {"schema_content": b'"int"', "schema_type": 2, "references": SENT_REFERENCE},
    ),
    "BatchValidate": (
        "validate_many",
        ([ValidationItem("id", b"\x00", True, "binary", "m", 2)],),
        {},
        {
            "schema_id": "id",
            "data": b"\x00",
            "strict": True,
            "encoding": 2,
            "message_name": "m",
            "max_errors": 2,
        },
    ),
    "CheckCompatibility": (
        "check_compatibility",
        ("s", True),
        {"level": "FULL", "compare_version": 2, "references": [REFERENCE], "schema_type": "JSON"},
        {
            "subject": "s",
            "new_schema": b"true",
            "level": 3,
            "compare_version": "2",
            "references": SENT_REFERENCE,
            "schema_type": 1,
        },
    ),
    "BatchCheckCompatibility": (
        "check_many",
        ([CheckItem("s", "x", "FULL", "1.0.0", (REFERENCE,), "AVRO")],),
        {},
        {
            "subject": "s",
            "new_schema": b"x",
            "level": 3,
            "compare_version": "1.0.0",
            "references": SENT_REFERENCE,
            "schema_type": 2,
        },
    ),
    "BatchGetSchemas": (
        "get_schemas",
        (["id", ("s", 2)],),
        {"page_token": "t"},
        {"selectors": [{"id": "id"}, {"name": "s", "version": "2"}], "page_token": "t"},
    ),
    "ValidateItems": (
        "validate_items",
        ("id", ["text", {"a": 1}, None]),
        {"strict": True, "encoding": "json", "message_name": "m", "max_errors": 3},
        {
            "schema_id": "id",
            "items": [b"text", b'{"a":1}', b"null"],
            "strict": True,
            "encoding": 1,
            "message_name": "m",
            "max_errors": 3,
        },
    ),
    "DiffSchemas": (
        "diff_schemas",
        (SchemaOperand("s", 2), SchemaOperand(content=True, schema_type="json", references=(REFERENCE,))),
        {},
        {
            "old": {"subject": "s", "version": "2"},
            "new": {"schema_content": b"true", "schema_type": 1, "references": SENT_REFERENCE},
        },
    ),
    "ConvertSchema": (
        "convert_schema",
        (SchemaOperand(schema_id="id"), "avro"),
        {"message_name": "m", "data": {"a": 1}},
        {"source": {"schema_id": "id"}, "target_type": 2, "message_name": "m", "data": b'{"a":1}'},
    ),
    "ValidateStream": (
        "validate_stream",
        ([AnswerChunk("d", b"{", "id", "", "", True, True, True, True)],),
        {},
        {
            "document_id": "d",
            "chunk": b"{",
            "schema_id": "id",
            "strict": True,
            "fence": True,
            "prose": True,
            "end": True,
        },
    ),
    "ReaskAnswer": (
        "reask_answer",
        ("id", b"{}"),
        {
            "strict": True,
            "style": "mcp",
            "max_tokens": 50,
            "redact": True,
            "subschemas": True,
            "call_id": "c",
        },
        {
            "schema_id": "id",
            "data": b"{}",
            "strict": True,
            "style": 3,
            "max_tokens": 50,
            "redact": True,
            "subschemas": True,
            "call_id": "c",
        },
    ),
    "CoerceAnswer": (
        "coerce_answer",
        ("id", {"a": 1}),
        {"kinds": ["date", Coercion.ENUM_CASE]},
        {"schema_id": "id", "data": b'{"a":1}', "kinds": [8, 2]},
    ),
    "ListProfiles": ("list_profiles", (), {}, {}),
    "GetProfile": ("get_profile", ("cohere",), {}, {"profile": "cohere"}),
    "PutProfile": (
        "put_profile",
        ("own", {"id": "own"}),
        {"dry_run": True},
        {"profile": "own", "document": '{"id":"own"}', "dry_run": True},
    ),
    "DeleteProfile": ("delete_profile", ("own",), {}, {"profile": "own"}),
    "CheckProfile": (
        "check_profile",
        (SchemaOperand("s", 2), ["cohere"]),
        {"tool_name": "t", "max_findings": 3},
        {
            "schema": {"subject": "s", "version": "2"},
            "profiles": ["cohere"],
            "tool_name": "t",
            "max_findings": 3,
        },
    ),
    "CompileForProvider": (
        "compile_for_provider",
        (SchemaOperand(content=True), "cohere"),
        {"surface": "tool", "name": "t", "description": "d", "prove_seconds": 0.5},
        {
            "schema": {"schema_content": b"true", "schema_type": 1},
            "profile": "cohere",
            "surface": "tool",
            "name": "t",
            "description": "d",
            "prove_seconds": 0.5,
        },
    ),
    "DecodeAnswer": (
        "decode_answer",
        ({"format": 1}, {"a": 1}),
        {"subject": "s", "version": 2},
        {"decoder": b'{"format":1}', "data": b'{"a":1}', "subject": "s", "version": "2"},
    ),
    "GrammarFor": (
        "grammar_for",
        (SchemaOperand(schema_id="id"), "lark"),
        {"prove_seconds": 0.5},
        {"schema": {"schema_id": "id"}, "syntax": 2, "prove_seconds": 0.5},
    ),
    "ListProfileVerdicts": (
        "list_profile_verdicts",
        ("cohere", "unknown"),
        {"limit": 2, "page_token": "t"},
        {"profile": "cohere", "fit": 3, "limit": 2, "page_token": "t"},
    ),
    "FindFixes": (
        "find_fixes",
        ("s", {"type": "string"}),
        {"level": "full", "compare_version": 2, "schema_type": "json", "limit": 2},
        {
            "subject": "s",
            "new_schema": b'{"type":"string"}',
            "level": 3,
            "compare_version": "2",
            "schema_type": 1,
            "limit": 2,
        },
    ),
    "ReportOutcomes": (
        "report_outcomes",
        ([ModelOutcomes("m", 9, 4, 3, 2, 1, schema_id="id")],),
        {"report_id": "r"},
        {
            "report_id": "r",
            "items": [
                {
                    "schema_id": "id",
                    "model": "m",
                    "answers": 9,
                    "first_pass": 4,
                    "retried": 3,
                    "coerced": 2,
                    "truncated": 1,
                }
            ],
        },
    ),
    "GetConformance": (
        "get_conformance",
        ("s", 2),
        {"model": "m", "since": datetime(2026, 1, 1, tzinfo=UTC), "limit": 2, "page_token": "t"},
        {
            "subject": "s",
            "version": "2",
            "model": "m",
            "since": {"seconds": 1767225600},
            "limit": 2,
            "page_token": "t",
        },
    ),
    "CreateTicket": ("create_ticket", (), {}, {}),
    "GetStatistics": ("get_statistics", (), {"fresh": True}, {"fresh": True}),
    "CreateApiKey": (
        "create_api_key",
        ("ci", ["reader", RoleGrant("developer", "orders.*")]),
        {"expires_at": datetime(2030, 1, 1, tzinfo=UTC)},
        {
            "name": "ci",
            "grants": [{"role": "reader", "scope": ""}, {"role": "developer", "scope": "orders.*"}],
            "expires_at": Timestamp(seconds=1893456000),
        },
    ),
    "ListApiKeys": (
        "list_api_keys",
        (),
        {"limit": 2, "page_token": "t", "name": "ci"},
        {"limit": 2, "page_token": "t", "name": "ci"},
    ),
    "GetApiKey": ("get_api_key", ("k",), {}, {"key_id": "k"}),
    "UpdateApiKey": (
        "update_api_key",
        ("k",),
        {"enabled": True, "grants": ["reader"], "never_expires": True},
        {"key_id": "k", "enabled": True, "grants": {"grants": [{"role": "reader"}]}, "never_expires": True},
    ),
    "RotateApiKey": (
        "rotate_api_key",
        ("k",),
        {"overlap_seconds": 1.5},
        {"key_id": "k", "overlap": Duration(seconds=1, nanos=500_000_000)},
    ),
    "DeleteApiKey": ("delete_api_key", ("k",), {}, {"key_id": "k"}),
    "RevokeToken": (
        "revoke_token",
        (),
        {"token_id": "j", "expires_at": datetime(2030, 1, 1, tzinfo=UTC), "reason": "lost"},
        {"token_id": "j", "expires_at": Timestamp(seconds=1893456000), "reason": "lost"},
    ),
    "ListRevokedTokens": (
        "list_revoked_tokens",
        (),
        {"limit": 2, "page_token": "t"},
        {"limit": 2, "page_token": "t"},
    ),
    "WhoAmI": ("who_am_i", (), {}, {}),
    "ListAuditEvents": (
        "list_audit_events",
        (),
        {
            "since": datetime(2030, 1, 1, tzinfo=UTC),
            "until": datetime(2030, 1, 1, tzinfo=UTC),
            "principal": "ada",
            "operation": "RegisterSchema",
            "type": "SCHEMA_REGISTERED",
            "outcome": "ALLOWED",
            "severity": "INFO",
            "resource": "orders",
            "newest_first": True,
            "limit": 2,
            "page_token": "t",
        },
        {
            "since": Timestamp(seconds=1893456000),
            "until": Timestamp(seconds=1893456000),
            "principal": "ada",
            "operation": "RegisterSchema",
            "type": 15,
            "outcome": 1,
            "severity": 1,
            "resource": "orders",
            "newest_first": True,
            "limit": 2,
            "page_token": "t",
        },
    ),
    "ExportAudit": ("export_audit", (), {"first": 3}, {"first": 3}),
    "GetAuditCheckpoint": ("get_audit_checkpoint", (), {}, {}),
    "GetInclusionProof": (
        "get_inclusion_proof",
        (3,),
        {"tree_size": 7},
        {"position": 3, "tree_size": 7},
    ),
    "GetConsistencyProof": (
        "get_consistency_proof",
        (3,),
        {"new_size": 7},
        {"old_size": 3, "new_size": 7},
    ),
    "CertifyCompatibility": (
        "certify_compatibility",
        ("orders", "{}"),
        {"level": "FULL", "compare_version": 2, "schema_type": "JSON"},
        {
            "subject": "orders",
            "new_schema": b"{}",
            "level": 3,
            "compare_version": "2",
            "schema_type": 1,
        },
    ),
    "ListGrants": (
        "list_grants",
        ("user:ada",),
        {"limit": 2, "page_token": "t"},
        {"holder": "user:ada", "limit": 2, "page_token": "t"},
    ),
    "SetGrant": (
        "set_grant",
        ("user:ada", "reader", "orders.*"),
        {},
        {"holder": "user:ada", "role": "reader", "scope": "orders.*"},
    ),
    "DeleteGrant": (
        "delete_grant",
        ("user:ada", "reader", "orders.*"),
        {},
        {"holder": "user:ada", "role": "reader", "scope": "orders.*"},
    ),
    "GetPolicies": ("get_policies", (3,), {}, {"version": 3}),
    "SetPolicies": (
        "set_policies",
        ({"policies": [{"name": "all", "effect": "POLICY_EFFECT_ALLOW"}]},),
        {"expected_version": 3, "dry_run": True, "allow_lockout": True},
        {
            "policies": {"policies": [{"name": "all", "effect": 1}]},
            "expected_version": 3,
            "dry_run": True,
            "allow_lockout": True,
        },
    ),
    "ExplainAccess": (
        "explain_access",
        ("schema:read", "orders"),
        {
            "holder": "user:ada",
            "roles": ["reader"],
            "department": "d",
            "clearance": 2,
            "address": "::1",
            "at": datetime(2030, 1, 1, tzinfo=UTC),
            "policies": {"policies": []},
        },
        {
            "permission": "schema:read",
            "resource": "orders",
            "holder": "user:ada",
            "roles": ["reader"],
            "department": "d",
            "clearance": 2,
            "address": "::1",
            "at": Timestamp(seconds=1893456000),
            "policies": {"policies": []},
        },
    ),
    "SearchSchemas": (
        "search_schemas",
        ("q",),
        {
            "subject_pattern": "o*",
            "schema_type": "PROTOBUF",
            "tags": ["a"],
            "metadata": {"k": "v"},
            "latest_only": True,
            "order_by": "name",
            "limit": 2,
            "offset": 1,
            "page_token": "t",
        },
        {
            "query": "q",
            "subject_pattern": "o*",
            "schema_type": 3,
            "tags": ["a"],
            "metadata_filters": {"k": "v"},
            "latest_only": True,
            "order_by": 2,
            "limit": 2,
            "offset": 1,
            "page_token": "t",
        },
    ),
    "GetDependencies": (
        "get_dependencies",
        ("id",),
        {"transitive": True, "limit": 2, "page_token": "t"},
        {"schema_id": "id", "transitive": True, "limit": 2, "page_token": "t"},
    ),
    "GetDependents": (
        "get_dependents",
        ("id",),
        {"transitive": True, "limit": 2, "page_token": "t"},
        {"schema_id": "id", "transitive": True, "limit": 2, "page_token": "t"},
    ),
    "ListSubjects": (
        "list_subjects",
        (),
        {"prefix": "o", "limit": 3, "offset": 1, "page_token": "t", "include_deleted": True},
        {"prefix": "o", "limit": 3, "offset": 1, "page_token": "t", "include_deleted": True},
    ),
    "GetSubjectVersions": (
        "get_subject_versions",
        ("s",),
        {"include_deleted": True, "limit": 2, "page_token": "t"},
        {"subject": "s", "include_deleted": True, "limit": 2, "page_token": "t"},
    ),
    "StreamSchemaChanges": (
        "watch",
        (),
        {
            "subjects": ["o*"],
            "event_types": ["SCHEMA_REGISTERED", 3],
            "from_revision": "r.1",
            "include_schema": True,
            "heartbeat": 2.5,
            "heartbeats": True,
            "gather": 0.25,
        },
        {
            "subjects": ["o*"],
            "event_types": [1, 3],
            "from_revision": "r.1",
            "include_schema": True,
            "heartbeat_interval": {"seconds": 2, "nanos": 500_000_000},
            "gather": {"seconds": 0, "nanos": 250_000_000},
        },
    ),
    "HealthCheck": ("health_check", (), {}, {}),
    "GetConfig": ("get_config", ("s",), {"context": ".c"}, {"subject": "s", "context": ".c"}),
    "SetConfig": (
        "set_config",
        ("s",),
        {
            "context": ".c",
            "compatibility_level": "NONE",
            "mode": "READONLY",
            "strictness": "WIRE",
            "writer_model": "DECLARED_KEYS",
            "apply_defaults": False,
            "format_policy": "ASSERT",
            "undecided": "ALLOW",
            "default_dialect": "d",
            "profiles": ["cohere"],
            "worst_fit": "fits",
            "coercions": ["date", Coercion.ENUM_CASE],
        },
        {
            "subject": "s",
            "context": ".c",
            "config": {
                "compatibility_level": 7,
                "mode": 2,
                "strictness": 1,
                "writer_model": 2,
                "apply_defaults": False,
                "format_policy": 2,
                "undecided": 2,
                "default_dialect": "d",
                "profiles": {"names": ["cohere"]},
                "worst_fit": 1,
                "coercions": {"kinds": [8, 2]},
            },
        },
    ),
    "DeleteConfig": ("delete_config", ("s",), {"context": ".c"}, {"subject": "s", "context": ".c"}),
    "UndeleteSchema": ("undelete_schema", ("id",), {}, {"schema_id": "id"}),
    "DeleteSubject": ("delete_subject", ("s",), {"permanent": True}, {"subject": "s", "permanent": True}),
    "GetSchemaHistory": (
        "get_schema_history",
        ("id",),
        {"limit": 2, "page_token": "t"},
        {"schema_id": "id", "limit": 2, "page_token": "t"},
    ),
}
"""RPC -> method, arguments, and the request that must arrive."""

RENAMED = {
    "schema_content": "content",
    "total_count": "total",
    "versions": "items",
    "subjects": "items",
    "api_key": "key",
    "resource_facts": "resource",
}
WRAPPED = {
    "GetSchemaResponse": "schema",
    "UpdateSchemaMetadataResponse": "schema",
    "UndeleteSchemaResponse": "schema",
    "GetApiKeyResponse": "api_key",
    "UpdateApiKeyResponse": "api_key",
    "RevokeTokenResponse": "revoked_token",
    "SetGrantResponse": "grant",
    "DeleteProfileResponse": "revision",
    "SetPoliciesResponse": "version",
}
"""Answers of which the SDK hands out what is in one field."""
UNSHOWN = {
    "AuditEvent": {"leaf_hash"},
    "CreateApiKeyResponse": {"revision"},
    "RotateApiKeyResponse": {"revision"},
    "SchemaChangeEvent": {"more"},  # given out one by one
}
RENAMED_IN = {
    "SearchSchemasResponse": {"schemas": "items"},
    "ReportOutcomesResponse": {"repeated_report": "repeated"},
}
"""Fields of the wire whose name in the SDK differs."""


def test_every_rpc_of_the_api_has_a_method() -> None:
    assert {method.name for method in METHODS.values()} == set(CALLS)
    for method, *_ in CALLS.values():
        assert callable(getattr(SchemaRegistry, method))
        assert callable(getattr(AsyncSchemaRegistry, method))


def test_both_clients_have_the_same_public_methods() -> None:
    blocking, asynchronous = (
        {n for n in dir(c) if n[0] != "_"} for c in (SchemaRegistry, AsyncSchemaRegistry)
    )
    assert blocking == asynchronous


@pytest.mark.parametrize("rpc", CALLS)
async def test_arguments_arrive_whole_and_answers_return_whole(
    rpc: str, fake: FakeRegistry, client: Face
) -> None:
    method, args, kwargs, expected = CALLS[rpc]
    answer = filled(described(rpc))
    fake.script(rpc, answers(answer))

    call = getattr(client, method)(*args, **kwargs)
    if hasattr(call, "__aiter__"):
        result = (await collect(call, 1))[0]
        await call.aclose()
    else:
        result = await call

    request = fake.calls[rpc][0].request
    assert plain(request, expected) == expected
    assert unset(request, expected) == []
    if result is not None:
        assert_whole(answer, result)


def plain(message: Any, like: dict[str, Any]) -> dict[str, Any]:
    """The named fields of a message as plain values."""
    result: dict[str, Any] = {}
    for name, example in like.items():
        value = getattr(message, name)
        if isinstance(example, dict) and hasattr(value, "DESCRIPTOR"):
            value = plain(value, example)
        elif isinstance(example, dict):
            value = dict(value)
        elif isinstance(example, list):
            value = [plain(v, e) if isinstance(e, dict) else v for v, e in zip(value, example, strict=True)]
        result[name] = value
    return result


def unset(message: Any, expected: dict[str, Any]) -> list[str]:
    """Fields that arrived although nobody set them."""
    return [f.name for f, _ in message.ListFields() if f.name not in expected]


def assert_whole(message: Any, value: Any) -> None:
    """Every field of the wire is in the value, under its name and equal."""
    name = message.DESCRIPTOR.name
    if name == "ListGrantsResponse":
        fixed, managed = [[g for g in value if g.fixed is told] for told in (True, False)]
        value = {"fixed": fixed, "grants": managed, "next_page_token": value.next_page_token}
    elif name == "ExportAuditResponse":
        assert json.loads(value) == {"checkpoint": message.checkpoint}
        return
    elif name == "PolicyTrace":
        assert (message.name, message.effect, value.effect) == (value.name, 1, "ALLOW")
        assert (message.condition, value.holds) == (1, True)
        return
    elif name == "ProfileNames":
        assert tuple(message.names) == value
        return
    elif isinstance(value, RoleGrant):
        assert (message.role, message.scope) == (value.role, value.scope)
        return
    elif isinstance(value, tuple):
        (listed,) = (f.name for f in message.DESCRIPTOR.fields if f.is_repeated)
        token = getattr(value, "next_page_token", "")
        value = {
            "subject": "subject-1",
            listed: value,
            "next_page_token": token,
            "complete": getattr(value, "complete", None),
        }  # the subject was asked for
    elif name in WRAPPED:
        assert_equal_one(getattr(message, WRAPPED[name]), value)
        return
    for f, sent in message.ListFields():
        if f.name == "index" or f.name in UNSHOWN.get(name, ()):
            continue  # the client counts itself, because a new connection begins at 0 again
        names = RENAMED | RENAMED_IN.get(name, {})
        called = names.get(f.name, f.name)
        got = (
            value[f.name] if isinstance(value, dict) else getattr(value, called, getattr(value, f.name, None))
        )
        assert_equal(f, sent, got)


def assert_equal(f: Any, sent: Any, got: Any) -> None:
    if f.message_type is not None and f.message_type.GetOptions().map_entry:
        assert set(sent) == set(got)
        for key, item in sent.items():
            assert_whole(item, got[key]) if hasattr(item, "DESCRIPTOR") else check(item, got[key])
    elif f.is_repeated:
        assert len(sent) == len(got) == 1
        assert_equal_one(sent[0], got[0])
    else:
        assert_equal_one(sent, got)


def assert_equal_one(sent: Any, got: Any) -> None:
    if hasattr(sent, "ToDatetime"):
        check(sent.ToDatetime().timestamp(), got.replace(tzinfo=None).timestamp())
    elif hasattr(sent, "DESCRIPTOR") and isinstance(got, dict):
        assert json_format.MessageToDict(sent, preserving_proto_field_name=True) == got
    elif dataclasses.is_dataclass(got) or (hasattr(sent, "DESCRIPTOR") and isinstance(got, tuple)):
        assert_whole(sent, got)
    else:
        check(sent, got.number if isinstance(got, WireEnum) else got)


def check(sent: Any, got: Any) -> None:
    assert sent == got
