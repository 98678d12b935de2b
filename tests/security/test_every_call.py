"""Who may make which call on what: every RPC, route and WebSocket × permission × scope × wire, from the protos.

ROWS says how each RPC is asked about a subject; the verdict follows from the policy in the proto. A new RPC without a row fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from google.api import annotations_pb2
from google.protobuf import empty_pb2, json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from websockets.sync.client import connect

from llm_schema_registry.v1 import (
    access_pb2,
    admin_pb2,
    answers_pb2,
    audit_pb2,
    config_pb2,
    conformance_pb2,
    credentials_pb2,
    fixes_pb2,
    lifecycle_pb2,
    policy_pb2,
    providers_pb2,
    tickets_pb2,
    tools_pb2,
)
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.auth.permissions import PERMISSIONS, ROLES
from llm_schema_registry_server.rpc import methods
from llm_schema_registry_server.rpc.http import SOCKETS
from tests.api.wires import METHODS, CallFailed, HttpWire, Wire, rendered

from .callers import WIRES, Callers, callers

MINE, OTHERS = "mine.*", "others.*"
CONTENT = b'{"type":"string"}'
REFUSED = {"PERMISSION_DENIED", "UNAUTHENTICATED", "SUBJECT_NOT_FOUND", "SCHEMA_NOT_FOUND"}
CREATING = {"schema:write", "compatibility:config:read", "compatibility:config:write"}
"""Permissions of calls that a subject which is not there does not make fail."""
FULL = frozenset(PERMISSIONS)


@dataclass(frozen=True)
class Target:
    """A registered version that a call is about."""

    subject: str
    schema_id: str


Ask = Callable[[Target], Message]


@dataclass(frozen=True)
class Row:
    """How an RPC is asked about a version: by the subject's name, by the schema id, and without either; None where it cannot be.
    Requests that are let through change nothing, so that they may be made again."""

    by_name: Ask | None = None
    by_id: Ask | None = None
    unnamed: Message | None = None


def operand(target: Target) -> tools_pb2.SchemaOperand:
    return tools_pb2.SchemaOperand(subject=target.subject, version="1")


def outcomes(item: conformance_pb2.ModelOutcomes) -> conformance_pb2.ReportOutcomesRequest:
    item.model, item.answers = "m", 1
    return conformance_pb2.ReportOutcomesRequest(report_id="r", items=[item])


def chosen(**selector: str) -> tools_pb2.BatchGetSchemasRequest:
    return tools_pb2.BatchGetSchemasRequest(selectors=[tools_pb2.SchemaSelector(**selector)])


GIVEN = tools_pb2.SchemaOperand(schema_content=CONTENT, schema_type=pb.SCHEMA_TYPE_JSON)
DECODER = b'{"format": 1}'
ROWS: Mapping[str, Row] = {
    "RegisterSchema": Row(
        lambda t: pb.RegisterSchemaRequest(
            subject=t.subject, schema_content=CONTENT, schema_type=pb.SCHEMA_TYPE_JSON
        )
    ),
    "GetSchema": Row(by_id=lambda t: pb.GetSchemaRequest(schema_id=t.schema_id)),
    "GetSchemaByVersion": Row(lambda t: pb.GetSchemaByVersionRequest(subject=t.subject, version="1")),
    "GetLatestVersion": Row(lambda t: pb.GetLatestVersionRequest(subject=t.subject)),
    "ListSchemas": Row(unnamed=pb.ListSchemasRequest(limit=1)),
    "UpdateSchemaMetadata": Row(
        by_id=lambda t: pb.UpdateSchemaMetadataRequest(schema_id=t.schema_id, state=pb.SCHEMA_STATE_DRAFT)
    ),  # TRANSITION_REFUSED for whoever is let in
    "DeleteSchema": Row(by_id=lambda t: pb.DeleteSchemaRequest(schema_id=t.schema_id, permanent=True)),
    "ListVersions": Row(lambda t: pb.ListVersionsRequest(subject=t.subject)),
    "GetSubjectVersions": Row(lambda t: pb.GetSubjectVersionsRequest(subject=t.subject)),
    "ListSubjects": Row(unnamed=pb.ListSubjectsRequest()),
    "SearchSchemas": Row(unnamed=pb.SearchSchemasRequest()),
    "ValidateData": Row(
        lambda t: pb.ValidateDataRequest(subject=t.subject, version="1", data=b'"x"'),
        lambda t: pb.ValidateDataRequest(schema_id=t.schema_id, data=b'"x"'),
    ),
    "BatchValidate": Row(
        lambda t: pb.ValidateDataRequest(subject=t.subject, version="1", data=b'"x"'),
        lambda t: pb.ValidateDataRequest(schema_id=t.schema_id, data=b'"x"'),
    ),
    "ValidateSchema": Row(
        unnamed=pb.ValidateSchemaRequest(schema_content=CONTENT, schema_type=pb.SCHEMA_TYPE_JSON)
    ),
    "CheckCompatibility": Row(lambda t: pb.CompatibilityCheckRequest(subject=t.subject, new_schema=CONTENT)),
    "BatchCheckCompatibility": Row(
        lambda t: pb.CompatibilityCheckRequest(subject=t.subject, new_schema=CONTENT)
    ),
    "GetDependencies": Row(by_id=lambda t: pb.GetDependenciesRequest(schema_id=t.schema_id)),
    "GetDependents": Row(by_id=lambda t: pb.GetDependentsRequest(schema_id=t.schema_id)),
    "StreamSchemaChanges": Row(
        lambda t: _heartbeats(pb.StreamRequest(subjects=[t.subject])), unnamed=pb.StreamRequest()
    ),
    "HealthCheck": Row(unnamed=empty_pb2.Empty()),
    "GetConfig": Row(
        lambda t: config_pb2.GetConfigRequest(subject=t.subject), unnamed=config_pb2.GetConfigRequest()
    ),
    "SetConfig": Row(
        lambda t: config_pb2.SetConfigRequest(subject=t.subject, config=config_pb2.Config()),
        unnamed=config_pb2.SetConfigRequest(config=config_pb2.Config()),
    ),  # sets nothing: INVALID_REQUEST
    "DeleteConfig": Row(
        lambda t: config_pb2.DeleteConfigRequest(subject=t.subject),
        unnamed=config_pb2.DeleteConfigRequest(),
    ),  # CONFIG_NOT_FOUND
    "UndeleteSchema": Row(by_id=lambda t: lifecycle_pb2.UndeleteSchemaRequest(schema_id=t.schema_id)),
    "DeleteSubject": Row(lambda t: lifecycle_pb2.DeleteSubjectRequest(subject=t.subject, permanent=True)),
    "GetSchemaHistory": Row(by_id=lambda t: lifecycle_pb2.GetSchemaHistoryRequest(schema_id=t.schema_id)),
    "BatchGetSchemas": Row(
        lambda t: chosen(name=t.subject, version="1"), lambda t: chosen(id=t.schema_id)
    ),  # its item tells
    "ValidateItems": Row(
        lambda t: tools_pb2.ValidateItemsRequest(subject=t.subject, version="1", items=[b"{}"]),
        lambda t: tools_pb2.ValidateItemsRequest(schema_id=t.schema_id, items=[b"{}"]),
    ),
    "DiffSchemas": Row(
        lambda t: tools_pb2.DiffSchemasRequest(old=operand(t), new=GIVEN),
        lambda t: tools_pb2.DiffSchemasRequest(old=GIVEN, new=tools_pb2.SchemaOperand(schema_id=t.schema_id)),
        tools_pb2.DiffSchemasRequest(old=GIVEN, new=GIVEN),
    ),
    "ConvertSchema": Row(
        lambda t: tools_pb2.ConvertSchemaRequest(source=operand(t), target_type=pb.SCHEMA_TYPE_JSON),
        lambda t: tools_pb2.ConvertSchemaRequest(
            source=tools_pb2.SchemaOperand(schema_id=t.schema_id), target_type=pb.SCHEMA_TYPE_JSON
        ),
        tools_pb2.ConvertSchemaRequest(source=GIVEN, target_type=pb.SCHEMA_TYPE_JSON),
    ),
    "ValidateStream": Row(
        lambda t: answers_pb2.ValidateStreamRequest(
            document_id="d", subject=t.subject, version="1", chunk=b'"x"'
        ),
        lambda t: answers_pb2.ValidateStreamRequest(document_id="d", schema_id=t.schema_id, chunk=b'"x"'),
    ),
    "ReaskAnswer": Row(
        lambda t: answers_pb2.ReaskAnswerRequest(subject=t.subject, version="1", data=b'"x"'),
        lambda t: answers_pb2.ReaskAnswerRequest(schema_id=t.schema_id, data=b'"x"'),
    ),
    "CoerceAnswer": Row(
        lambda t: answers_pb2.CoerceAnswerRequest(subject=t.subject, version="1", data=b'"x"', kinds=[1]),
        lambda t: answers_pb2.CoerceAnswerRequest(schema_id=t.schema_id, data=b'"x"', kinds=[1]),
    ),
    "ListProfiles": Row(unnamed=providers_pb2.ListProfilesRequest()),
    "GetProfile": Row(unnamed=providers_pb2.GetProfileRequest(profile="cohere")),
    "PutProfile": Row(unnamed=providers_pb2.PutProfileRequest(profile="cohere")),  # INVALID_REQUEST
    "DeleteProfile": Row(unnamed=providers_pb2.DeleteProfileRequest(profile="none")),  # PROFILE_NOT_FOUND
    "CheckProfile": Row(
        lambda t: providers_pb2.CheckProfileRequest(schema=operand(t), profiles=["cohere"]),
        lambda t: providers_pb2.CheckProfileRequest(
            schema=tools_pb2.SchemaOperand(schema_id=t.schema_id), profiles=["cohere"]
        ),
        providers_pb2.CheckProfileRequest(schema=GIVEN, profiles=["cohere"]),
    ),
    "CompileForProvider": Row(
        lambda t: providers_pb2.CompileForProviderRequest(schema=operand(t), profile="mistral"),
        lambda t: providers_pb2.CompileForProviderRequest(
            schema=tools_pb2.SchemaOperand(schema_id=t.schema_id), profile="mistral"
        ),
        providers_pb2.CompileForProviderRequest(schema=GIVEN, profile="mistral"),
    ),
    "DecodeAnswer": Row(
        lambda t: providers_pb2.DecodeAnswerRequest(
            decoder=DECODER, data=b'"x"', subject=t.subject, version="1"
        ),
        lambda t: providers_pb2.DecodeAnswerRequest(decoder=DECODER, data=b'"x"', schema_id=t.schema_id),
        providers_pb2.DecodeAnswerRequest(decoder=DECODER, data=b'"x"'),
    ),
    "GrammarFor": Row(
        lambda t: providers_pb2.GrammarForRequest(
            schema=operand(t), syntax=providers_pb2.GRAMMAR_SYNTAX_GBNF
        ),
        lambda t: providers_pb2.GrammarForRequest(
            schema=tools_pb2.SchemaOperand(schema_id=t.schema_id), syntax=providers_pb2.GRAMMAR_SYNTAX_GBNF
        ),
        providers_pb2.GrammarForRequest(schema=GIVEN, syntax=providers_pb2.GRAMMAR_SYNTAX_GBNF),
    ),
    "ListProfileVerdicts": Row(unnamed=providers_pb2.ListProfileVerdictsRequest(profile="cohere")),
    "FindFixes": Row(
        lambda t: fixes_pb2.FindFixesRequest(subject=t.subject, new_schema=b'{"type": "string"}')
    ),
    "ReportOutcomes": Row(
        lambda t: outcomes(conformance_pb2.ModelOutcomes(subject=t.subject, version="1")),
        lambda t: outcomes(conformance_pb2.ModelOutcomes(schema_id=t.schema_id)),
        conformance_pb2.ReportOutcomesRequest(),  # INVALID_REQUEST
    ),
    "GetConformance": Row(lambda t: conformance_pb2.GetConformanceRequest(subject=t.subject)),
    "GetStatistics": Row(unnamed=admin_pb2.GetStatisticsRequest()),
    "ListGrants": Row(unnamed=access_pb2.ListGrantsRequest()),
    "SetGrant": Row(unnamed=access_pb2.SetGrantRequest()),  # INVALID_REQUEST
    "DeleteGrant": Row(
        unnamed=access_pb2.DeleteGrantRequest(holder="user:nobody", role="reader", scope="*")
    ),  # GRANT_NOT_FOUND
    "GetPolicies": Row(unnamed=access_pb2.GetPoliciesRequest()),
    "SetPolicies": Row(unnamed=access_pb2.SetPoliciesRequest(expected_version=7)),  # ABORTED
    "ExplainAccess": Row(unnamed=access_pb2.ExplainAccessRequest(permission="schema:read")),
    "CreateApiKey": Row(unnamed=credentials_pb2.CreateApiKeyRequest()),  # INVALID_REQUEST
    "ListApiKeys": Row(unnamed=credentials_pb2.ListApiKeysRequest()),
    "GetApiKey": Row(unnamed=credentials_pb2.GetApiKeyRequest(key_id="x")),  # API_KEY_NOT_FOUND
    "UpdateApiKey": Row(unnamed=credentials_pb2.UpdateApiKeyRequest(key_id="x", enabled=True)),
    "RotateApiKey": Row(unnamed=credentials_pb2.RotateApiKeyRequest(key_id="x")),
    "DeleteApiKey": Row(unnamed=credentials_pb2.DeleteApiKeyRequest(key_id="x")),
    "RevokeToken": Row(unnamed=credentials_pb2.RevokeTokenRequest()),  # INVALID_REQUEST
    "ListRevokedTokens": Row(unnamed=credentials_pb2.ListRevokedTokensRequest()),
    "CreateTicket": Row(unnamed=tickets_pb2.CreateTicketRequest()),
    "WhoAmI": Row(unnamed=credentials_pb2.WhoAmIRequest()),
    "ListAuditEvents": Row(unnamed=audit_pb2.ListAuditEventsRequest(limit=1)),
    "GetAuditCheckpoint": Row(unnamed=audit_pb2.GetAuditCheckpointRequest()),
    "GetInclusionProof": Row(unnamed=audit_pb2.GetInclusionProofRequest()),
    "GetConsistencyProof": Row(unnamed=audit_pb2.GetConsistencyProofRequest()),
    "ExportAudit": Row(unnamed=audit_pb2.ExportAuditRequest(first=1 << 40)),  # INVALID_REQUEST
    "CertifyCompatibility": Row(
        lambda t: pb.CompatibilityCheckRequest(subject=t.subject, new_schema=CONTENT)
    ),
}

CASES = [
    (rpc, how)
    for rpc, row in ROWS.items()
    for how in ("by_name", "by_id", "unnamed")
    if getattr(row, how) is not None
]


def _heartbeats(request: pb.StreamRequest) -> pb.StreamRequest:
    request.heartbeat_interval.FromSeconds(1)
    return request


def policy(rpc: str) -> policy_pb2.MethodPolicy:
    found: policy_pb2.MethodPolicy = METHODS[rpc].GetOptions().Extensions[policy_pb2.policy]
    return found


@dataclass(frozen=True)
class Caller:
    """Permissions that hold everywhere, and those that hold for MINE."""

    name: str
    everywhere: frozenset[str] = frozenset()
    mine: frozenset[str] = frozenset()

    def may(self, permission: str, inside: bool) -> bool:
        return permission in self.everywhere or (inside and permission in self.mine)

    def knows(self, inside: bool) -> bool:
        held = self.everywhere | (self.mine if inside else frozenset())
        return any(p.startswith(("schema:", "subject:", "compatibility:")) for p in held)


def verdict(rpc: str, how: str, caller: Caller, inside: bool) -> str:
    """What the caller gets: "" when it is let through, or the reason of its refusal. `inside`: the target is one of MINE."""
    rule = policy(rpc)
    needed = rule.permission
    if needed == "none":
        return ""
    asked = [needed, *([rule.lookup] if rule.lookup else [])]
    held = caller.everywhere | caller.mine
    if not held & set(asked):
        return "PERMISSION_DENIED" if caller.name else "UNAUTHENTICATED"
    if how == "unnamed":
        everywhere = needed in caller.everywhere
        return "" if everywhere or rule.unnamed else "PERMISSION_DENIED"
    if any(caller.may(permission, inside) for permission in asked):
        return ""
    if caller.knows(inside):
        return "PERMISSION_DENIED"
    if how == "by_id":
        return "SCHEMA_NOT_FOUND"
    creating = needed in CREATING or rule.unnamed == policy_pb2.UNNAMED_FILTERED
    return "PERMISSION_DENIED" if creating else "SUBJECT_NOT_FOUND"


def only(permission: str) -> str:
    return f"only {permission}".replace(":", "-")


def but(permission: str) -> str:
    return f"all but {permission}".replace(":", "-")


CALLERS = [
    Caller(""),
    Caller("nothing"),
    *(Caller(role, everywhere=held) for role, held in ROLES.items()),
    *(Caller(f"{role} of mine", mine=held) for role, held in ROLES.items()),
    *(Caller(f"{only(p)} of mine", mine=frozenset({p})) for p in sorted(PERMISSIONS)),
    *(Caller(f"{but(p)} of mine", mine=FULL - {p}) for p in sorted(PERMISSIONS)),
    *(Caller(f"{only(p)} everywhere", everywhere=frozenset({p})) for p in sorted(PERMISSIONS)),
    Caller("reader and writer of mine", everywhere=ROLES["reader"], mine=ROLES["developer"]),
]
SOME_CALLERS = [c for c in CALLERS if c.name in ("", "nothing", "admin", "admin of mine", "reader of mine")]
OWN_ROLES = {
    **{only(p): [p] for p in PERMISSIONS},
    **{but(p): sorted(PERMISSIONS - {p}) for p in PERMISSIONS},
}


def grants() -> Iterator[tuple[str, str, list[str]]]:
    for role in (*ROLES, *OWN_ROLES):
        yield f"user:{role} of mine", role, [MINE]
        yield f"user:{role} everywhere", role, ["*"]
        yield f"role:{role} team", role, [OTHERS]
    yield "user:reader and writer of mine", "developer", [MINE]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    with callers(tmp_path_factory.mktemp("every"), list(grants()), OWN_ROLES) as made:
        yield made


@pytest.fixture(scope="module")
def targets(servers: Callers) -> dict[str, dict[bool, Target]]:
    """By wire: a version of MINE, and one of OTHERS. Each wire's server has its own."""
    found: dict[str, dict[bool, Target]] = {}
    for wire in WIRES:
        admin = servers.wire(wire, "root", ["admin"])
        found[wire] = {}
        for inside, subject in ((True, "mine.s"), (False, "others.s")):
            registered = admin.call(
                "RegisterSchema",
                pb.RegisterSchemaRequest(
                    subject=subject, schema_content=CONTENT, schema_type=pb.SCHEMA_TYPE_JSON
                ),
            )
            found[wire][inside] = Target(subject, registered.schema_id)
        admin.call("GetStatistics", admin_pb2.GetStatisticsRequest(fresh=True))
    return found


def test_every_rpc_has_a_row() -> None:
    served = {method.path for method in methods.load()}
    assert served == {f"/{m.containing_service.full_name}/{m.name}" for m in METHODS.values()}
    assert set(ROWS) == set(METHODS)
    for rpc, row in ROWS.items():
        names = {f.name for f in METHODS[rpc].input_type.fields}
        assert (row.by_id is not None) >= ("schema_id" in names), rpc
        assert (row.by_name is not None) >= ("subject" in names), rpc
        assert (row.unnamed is not None) or policy(rpc).unnamed != policy_pb2.UNNAMED_FILTERED, rpc


def asked_as(caller: Caller) -> tuple[str, list[str]]:
    """Its name, and the roles in its token."""
    return caller.name, [caller.name] if caller.name in ROLES else ["reader"] * caller.name.startswith(
        "reader and"
    )


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("caller", CALLERS, ids=lambda c: c.name or "anonymous")
def test_a_call_is_allowed_exactly_where_it_should_be(
    servers: Callers, targets: dict[str, dict[bool, Target]], caller: Caller, wire: str
) -> None:
    asking = servers.wire(wire, *asked_as(caller))
    for rpc, how in CASES:
        for inside, target in targets[wire].items():
            found = outcome(asking, rpc, request_of(rpc, how, target))
            expected = verdict(rpc, how, caller, inside)
            told = (
                f"{rpc} {how} of {target.subject} as {caller.name!r}: {found or 'OK'}, not {expected or 'OK'}"
            )
            assert (found if found in REFUSED else "") == expected, told


@pytest.mark.parametrize("caller", SOME_CALLERS, ids=lambda c: c.name or "anonymous")
def test_every_route_has_the_verdict_of_its_rpc(
    servers: Callers, targets: dict[str, dict[bool, Target]], caller: Caller
) -> None:
    http = servers.wire("http", *asked_as(caller))
    assert isinstance(http, HttpWire)
    for rpc, how in CASES:
        rule = METHODS[rpc].GetOptions().Extensions[annotations_pb2.http]
        if METHODS[rpc].server_streaming or METHODS[rpc].client_streaming:
            continue
        for inside, target in targets["http"].items():
            request = request_of(rpc, how, target)
            for binding in range(1 + len(rule.additional_bindings)):
                verb, path, query, body = rendered(rpc, request, binding)
                if "//" in path or path.endswith("/"):
                    continue  # the request has nothing for this path
                answer = http.client.request(verb, path, params=query, json=body)
                reason = _reason(answer.json()) if answer.content else ""
                assert (reason if reason in REFUSED else "") == verdict(rpc, how, caller, inside), (
                    verb,
                    path,
                )


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize("caller", SOME_CALLERS, ids=lambda c: c.name or "anonymous")
def test_every_websocket_has_the_verdict_of_its_rpc(
    servers: Callers, targets: dict[str, dict[bool, Target]], caller: Caller, path: str
) -> None:
    rpc = SOCKETS[path].rpartition("/")[2]
    http = servers.wire("http", *asked_as(caller))
    assert isinstance(http, HttpWire)
    shown = {name: value for name, value in http.client.headers.items() if name == "authorization"}
    for how in (how for name, how in CASES if name == rpc):
        for inside, target in targets["http"].items():
            request = _heartbeats(request_of(rpc, how, target))  # type: ignore[arg-type]
            where = f"ws{str(http.client.base_url).rstrip('/').removeprefix('http')}{path}"
            with connect(where, additional_headers=shown) as opened:
                opened.send(json_format.MessageToJson(request))
                reason = json.loads(opened.recv(10)).get("error", {}).get("error_code", "")
            assert reason == verdict(rpc, how, caller, inside), (path, how, target.subject)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(("rpc", "how"), [case for case in CASES if case[1] != "unnamed"])
def test_what_is_hidden_is_answered_as_what_is_missing(
    servers: Callers, targets: dict[str, dict[bool, Target]], rpc: str, how: str, wire: str
) -> None:
    hidden, missing = targets[wire][False], Target("others.t", "01890000-0000-7000-8000-000000000000")
    asking = servers.wire(wire, "admin of mine")
    told = [failure_of(asking, rpc, request_of(rpc, how, target)) for target in (hidden, missing)]

    texts = [_neutral(failure, target) for failure, target in zip(told, (hidden, missing), strict=True)]
    assert texts[0] == texts[1]
    assert texts[0], "an answer was given of what is hidden"


def _neutral(failure: CallFailed | None, target: Target) -> tuple[object, ...]:
    """All that a failure tells, without the names that the request had."""
    if failure is None:
        return ()
    metadata = {k: v for k, v in failure.metadata.items() if k != "request_id"}
    told = repr(
        (
            failure.code,
            failure.http,
            failure.reason,
            failure.message,
            sorted(metadata.items()),
            failure.fields,
        )
    )
    return (told.replace(target.subject, "SUBJECT").replace(target.schema_id, "ID"),)


def request_of(rpc: str, how: str, target: Target) -> Message:
    made = getattr(ROWS[rpc], how)
    return made if isinstance(made, Message) else made(target)  # type: ignore[no-any-return]


def outcome(wire: Wire, rpc: str, request: Message) -> str:
    """The reason for which a request fails; "" when it does not."""
    failed = failure_of(wire, rpc, request)
    return "" if failed is None else failed.reason


def failure_of(wire: Wire, rpc: str, request: Message) -> CallFailed | None:
    method = METHODS[rpc]
    try:
        if method.client_streaming:
            (answer,) = wire.batch(rpc, [request])
            return _failed_item(answer.error) if answer.HasField("error") else None
        if method.server_streaming:
            if rpc == "StreamSchemaChanges":
                _heartbeats(request)  # type: ignore[arg-type]
            next(iter(wire.listing(rpc, request)), None)
        else:
            answer = wire.call(rpc, request)
            if rpc == "BatchGetSchemas" and answer.items[0].HasField("error"):
                return _failed_item(answer.items[0].error)
    except CallFailed as failed:
        return failed
    return None


def _reason(answer: Any) -> str:
    """Why a call, or the only item of one, was refused, as HTTP tells it."""
    if "error_code" in answer:
        return str(answer["error_code"])
    for item in answer.get("items", ()) if isinstance(answer.get("items"), list) else ():
        for detail in item.get("error", {}).get("details", ()):
            if detail.get("reason"):
                return str(detail["reason"])
    return ""


def _failed_item(status: status_pb2.Status) -> CallFailed:
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    return CallFailed(status.code, status.message, info.reason, dict(info.metadata))
