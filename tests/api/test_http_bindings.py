"""Every binding of every RPC works, and a value that does not fit a field is refused in words that help.

The bindings are read from the descriptors: a new one is tested or the first test fails. Hostile values of every field:
test_every_field.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from google.api import annotations_pb2
from google.protobuf import message_factory

from llm_schema_registry.v1 import access_pb2, audit_pb2, config_pb2, credentials_pb2, providers_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.rpc.http import LIVE
from tests.support.profiles import profile

from .helpers import V1, V2_COMPATIBLE, register
from .wires import METHODS, Wire, rendered

BINDINGS = [
    (rpc, number)
    for rpc, method in sorted(METHODS.items())
    for number in range(1 + len(method.GetOptions().Extensions[annotations_pb2.http].additional_bindings))
]


@pytest.fixture
def http(servers: Any) -> httpx.Client:
    client: httpx.Client = servers.wire("http").client
    return client


def arguments(rpc: str, number: int, schema_id: str, subject: str, key_id: str = "") -> dict[str, Any]:
    """Fields of a request that succeeds, given a subject with two versions of which `schema_id` is the first, and an API key."""
    by_scope = [{}, {"context": ".bindings"}, {"subject": subject}][number] if "Config" in rpc else {}
    named = subject.lower()
    return {
        "RegisterSchema": {"subject": subject, "schema_type": "SCHEMA_TYPE_JSON", "schema_content": V1},
        "GetSchema": {"schema_id": schema_id},
        "GetSchemaByVersion": {"subject": subject, "version": "1"},
        "GetLatestVersion": {"subject": subject},
        "ListSchemas": {"subject_prefix": subject},
        "UpdateSchemaMetadata": {"schema_id": schema_id, "description": "changed"},
        "DeleteSchema": {"schema_id": schema_id, "soft_delete": True},
        "ListVersions": {"subject": subject},
        "GetSubjectVersions": {"subject": subject},
        "ListSubjects": {"prefix": subject},
        "SearchSchemas": {"query": "a"},
        "ValidateData": {
            **({"subject": subject, "version": "1"} if number else {"schema_id": schema_id}),
            "data": b'{"a": "x"}',
        },
        "ValidateSchema": {"schema_type": "SCHEMA_TYPE_JSON", "schema_content": V1},
        "BatchValidate": {"schema_id": schema_id, "data": b"{}"},
        "CheckCompatibility": {"subject": subject, "new_schema": V2_COMPATIBLE},
        "BatchCheckCompatibility": {"subject": subject, "new_schema": V2_COMPATIBLE},
        "GetDependencies": {"schema_id": schema_id},
        "GetDependents": {"schema_id": schema_id},
        "StreamSchemaChanges": {"from_revision": "earliest"},
        "HealthCheck": {},
        "GetConfig": by_scope,
        "SetConfig": {**by_scope, "config": {"undecided": "UNDECIDED_POLICY_REFUSE"}},
        "DeleteConfig": by_scope,
        "UndeleteSchema": {"schema_id": schema_id},
        "DeleteSubject": {"subject": subject},
        "GetSchemaHistory": {"schema_id": schema_id},
        "GetStatistics": {},
        "CreateTicket": {},
        "BatchGetSchemas": {"selectors": [{"id": schema_id}]},
        "ValidateItems": {
            **({"subject": subject, "version": "1"} if number else {"schema_id": schema_id}),
            "items": [b'{"a": "x"}', b"1"],
        },
        "DiffSchemas": {"old": {"subject": subject, "version": "1"}, "new": {"version": "2"}},
        "ValidateStream": {"document_id": "d", "schema_id": schema_id, "chunk": b"{}"},
        "ReaskAnswer": {"schema_id": schema_id, "data": b"{}"},
        "CoerceAnswer": {"schema_id": schema_id, "data": b"{}", "kinds": ["COERCION_ENUM_CASE"]},
        "FindFixes": {"subject": subject, "new_schema": V2_COMPATIBLE},
        "ConvertSchema": {"source": {"schema_id": schema_id}, "target_type": "SCHEMA_TYPE_AVRO"},
        "ReportOutcomes": {
            "report_id": subject,
            "items": [{"schema_id": schema_id, "model": "m", "answers": 2, "first_pass": 1}],
        },
        "GetConformance": {"subject": subject, "limit": 2},
        "ListProfiles": {},
        "GetProfile": {"profile": "openai-strict"},
        "PutProfile": {"profile": named, "document": profile(named)},
        "DeleteProfile": {"profile": named},
        "CheckProfile": {"schema": {"schema_id": schema_id}, "profiles": ["cohere"]},
        "CompileForProvider": {"schema": {"subject": subject}, "profile": "openai-strict"},
        "DecodeAnswer": {"decoder": b'{"format": 1}', "data": b'{"a": "x"}', "schema_id": schema_id},
        "GrammarFor": {"schema": {"schema_id": schema_id}, "syntax": "GRAMMAR_SYNTAX_GBNF"},
        "ListProfileVerdicts": {"profile": "cohere", "limit": 1},
        "CreateApiKey": {"name": f"another.{subject}", "grants": [{"role": "reader"}]},
        "ListApiKeys": {"limit": 1},
        "GetApiKey": {"key_id": key_id},
        "UpdateApiKey": {"key_id": key_id, "enabled": False},
        "RotateApiKey": {"key_id": key_id, "overlap": {"seconds": 60}},
        "DeleteApiKey": {"key_id": key_id},
        "RevokeToken": {"token_id": subject, "expires_at": {"seconds": int(time.time()) + 60}},
        "ListRevokedTokens": {"limit": 1},
        "WhoAmI": {},
        "ListGrants": {"limit": 1},
        "SetGrant": {"holder": f"user:{subject}", "role": "reader", "scope": subject},
        "DeleteGrant": {"holder": f"user:{subject}", "role": "reader", "scope": subject},
        "GetPolicies": {},
        "SetPolicies": {"dry_run": True, "policies": {}},
        "ExplainAccess": {"permission": "schema:read", "resource": subject, "holder": "user:ada"},
        "ListAuditEvents": {"limit": 1},
        "GetAuditCheckpoint": {},
        "GetInclusionProof": {"position": 0},
        "GetConsistencyProof": {"old_size": 1},
        "ExportAudit": {"first": 0},
        "CertifyCompatibility": {"subject": subject, "new_schema": V2_COMPATIBLE},
    }[rpc]


def wait_for_audit(wire: Wire) -> None:
    """Until entries have their place in the audit log, which takes a moment."""
    for _ in range(300):
        if wire.call("GetAuditCheckpoint", audit_pb2.GetAuditCheckpointRequest()).size:
            return
        time.sleep(0.1)
    raise AssertionError("nothing comes into the audit log")


@pytest.mark.parametrize(("rpc", "number"), BINDINGS)
def test_every_binding_answers_a_right_request(
    servers: Any, http: httpx.Client, name: Callable[[str], str], rpc: str, number: int
) -> None:
    wire: Wire = servers.wire("http")
    subject = name("s")
    schema_id = register(wire, subject, V1).schema_id
    register(wire, subject, V2_COMPATIBLE)
    if rpc == "DeleteConfig":
        configured = {**arguments("SetConfig", number, schema_id, subject)}
        wire.call("SetConfig", config_pb2.SetConfigRequest(**configured))
    if rpc == "DeleteProfile":
        put = arguments("PutProfile", number, schema_id, subject)
        wire.call("PutProfile", providers_pb2.PutProfileRequest(**put))
    if rpc == "DeleteGrant":
        wire.call("SetGrant", access_pb2.SetGrantRequest(**arguments("SetGrant", number, schema_id, subject)))
    if rpc == "UndeleteSchema":
        wire.call("DeleteSchema", pb.DeleteSchemaRequest(schema_id=schema_id, soft_delete=True))
    made = credentials_pb2.CreateApiKeyRequest(
        name=subject, grants=[credentials_pb2.RoleGrant(role="reader")]
    )
    key_id = wire.call("CreateApiKey", made).api_key.key_id
    if METHODS[rpc].containing_service.name == "AuditService":
        wait_for_audit(wire)
    kind = message_factory.GetMessageClass(METHODS[rpc].input_type)
    given = kind(**arguments(rpc, number, schema_id, subject, key_id))
    verb, path, query, body = rendered(rpc, given, number)

    with http.stream(verb, path, params=query, json=body) as answer:
        if f"/{METHODS[rpc].containing_service.full_name}/{rpc}" not in LIVE:  # those never end
            answer.read()
        assert answer.status_code in (200, 201, 204), answer.text


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("tags", "llm", 'must be a list of strings, such as ["text"]; it is the string "llm"'),
        (
            "metadata",
            ["a"],
            'must be an object whose values are strings, such as {"key": "text"}; it is a list',
        ),
        ("subject", 7, 'must be a string, such as "text"; it is the number 7'),
        ("dry_run", "yes", 'must be true or false, such as true; it is the string "yes"'),
        ("schema_content", {"type": "object"}, "give `schema` instead to write the schema itself"),
        ("references", {"name": "a"}, "must be a list of objects, such as "),
        ("schema_type", "JSN", "is none of JSON, AVRO, PROTOBUF"),
    ],
)
def test_the_message_says_what_is_expected_with_an_example(
    http: httpx.Client, field: str, value: Any, said: str
) -> None:
    body = {"subject": "said", "schema_type": "JSON", "schema": {}, field: value}
    if field == "schema_content":
        del body["schema"]
    answer = http.post("/api/v1/schemas", json=body)

    assert answer.status_code == 400
    assert said in answer.json()["message"], answer.json()["message"]
    assert answer.json()["details"][0]["metadata"]["field"] == field
