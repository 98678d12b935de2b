"""Access policies over every wire: they narrow what grants give, for lists, kept answers and open streams too; and say why."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from google.protobuf import json_format

from llm_schema_registry.v1 import access_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.wires import CallFailed, Wire

from .callers import ENGINES, WIRES, Callers, callers
from .test_grants import _wait, refused, register

GRANTS = [("user:scoped", "reader", ["open.*"])]
ADMINS: dict[str, Any] = {
    "name": "admins",
    "effect": "POLICY_EFFECT_ALLOW",
    "condition": {"user_has_role": "admin"},
}
READERS: dict[str, Any] = {
    "name": "readers",
    "effect": "POLICY_EFFECT_ALLOW",
    "condition": {
        "all_of": {
            "conditions": [
                {"action_is": {"actions": ["POLICY_ACTION_READ"]}},
                {"resource_sensitivity": "SENSITIVITY_INTERNAL"},
            ]
        }
    },
}
VAULT: dict[str, Any] = {
    "name": "vault",
    "effect": "POLICY_EFFECT_DENY",
    "condition": {
        "all_of": {"conditions": [{"resource_has_tag": "vault"}, {"negation": {"user_is_owner": {}}}]}
    },
}
RESOURCES: list[dict[str, Any]] = [
    {"scopes": ["secret.open.*"], "sensitivity": "SENSITIVITY_PUBLIC"},
    {"scopes": ["secret.*"], "sensitivity": "SENSITIVITY_SECRET", "owner": "user:owner", "tags": ["vault"]},
    {"scopes": ["*"], "sensitivity": "SENSITIVITY_INTERNAL"},
]
POLICIES = {"policies": [ADMINS, READERS, VAULT], "resources": RESOURCES}
SUBJECTS = ("open.a", "secret.a", "secret.open.a")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    claims = '[auth.jwt.attribute_claims]\ndepartment = "dept"\nclearance = "org.clearance"\n'
    with callers(tmp_path_factory.mktemp("policies"), GRANTS, more=claims) as made:
        for engine in ENGINES:
            for subject in SUBJECTS:
                register(made.wire(engine, "root", ["admin"]), subject)
        yield made


@pytest.fixture(params=WIRES)
def ask(servers: Callers, request: pytest.FixtureRequest) -> Iterator[Callable[..., Wire]]:
    """Who asks, and which roles stand in the token; "root" has role admin. Without policies before and after."""
    made = lambda name, *roles: servers.wire(request.param, name, roles or ["admin"] * (name == "root"))  # noqa: E731
    yield made
    put(made("root"), {})


def put(asking: Wire, tree: dict[str, Any], **fields: Any) -> int:
    newest = asking.call("GetPolicies", access_pb2.GetPoliciesRequest()).version
    request = access_pb2.SetPoliciesRequest(
        policies=json_format.ParseDict(tree, access_pb2.AccessPolicies()),
        **{"expected_version": newest, **fields},
    )
    version: int = asking.call("SetPolicies", request).version
    return version


def seen(asking: Wire) -> set[str]:
    listed = asking.call("ListSubjects", pb.ListSubjectsRequest())
    assert listed.total_count == len(listed.subjects)
    assert {s.subject for s in asking.listing("ListSchemas", pb.ListSchemasRequest())} == set(listed.subjects)
    return set(listed.subjects)


def read(asking: Wire, subject: str) -> str:
    """The reason for which it cannot be read; "" when it can."""
    try:
        asking.call("GetLatestVersion", pb.GetLatestVersionRequest(subject=subject))
    except CallFailed as failed:
        return failed.reason
    return ""


def test_policies_narrow_what_roles_and_grants_give(ask: Callable[..., Wire]) -> None:
    root, reader, owner = ask("root"), ask("anna", "reader"), ask("owner", "reader")
    assert seen(reader) == set(SUBJECTS)
    for _ in range(3):
        assert [read(reader, subject) for subject in SUBJECTS] == ["", "", ""]
    put(root, POLICIES)
    assert seen(reader) == {"open.a", "secret.open.a"}
    for _ in range(3):  # kept answers too
        assert [read(reader, subject) for subject in SUBJECTS] == ["", "SUBJECT_NOT_FOUND", ""]
    assert read(owner, "secret.a") == "SUBJECT_NOT_FOUND", (
        "nothing allows it: the denial alone spares the owner"
    )
    assert seen(ask("scoped", "nothing")) == {"open.a"}, "policies give nothing"
    assert read(root, "secret.a") == "SUBJECT_NOT_FOUND", "a denial counts for admins"
    assert read(root, "open.a") == ""
    failed = refused(
        lambda: reader.call(
            "ValidateData", pb.ValidateDataRequest(subject="open.a", version="1", data=b'"x"')
        )
    )
    assert (failed.reason, "access policies" in failed.message) == ("PERMISSION_DENIED", True)
    assert "readers" not in failed.message, "callers do not learn how policies are called"
    put(root, {})
    assert seen(reader) == set(SUBJECTS)


def test_nothing_is_allowed_that_no_policy_allows(ask: Callable[..., Wire]) -> None:
    root, reader = ask("root"), ask("anna", "reader")
    put(root, {"policies": [ADMINS]})
    failed = refused(lambda: reader.call("ListSubjects", pb.ListSubjectsRequest()))
    assert failed.reason == "PERMISSION_DENIED"
    assert root.call("ListSubjects", pb.ListSubjectsRequest()).total_count == 3
    put(root, {"policies": [{**ADMINS, "disabled": True}]})
    assert seen(reader) == set(SUBJECTS), "policies that are all disabled have no say"


def test_attributes_come_from_claims_of_the_token(servers: Callers, ask: Callable[..., Wire]) -> None:
    root = ask("root")
    wire = getattr(root, "name", "native")
    clearance = {"name": "cleared", "effect": "POLICY_EFFECT_ALLOW", "condition": {"user_clearance_level": 3}}
    sales = {"name": "sales", "effect": "POLICY_EFFECT_DENY", "condition": {"department_is": "sales"}}
    put(
        root,
        {"policies": [ADMINS, clearance, sales], "callers": [{"holder": "user:root", "department": "it"}]},
    )

    def asking(**claims: Any) -> Wire:
        return servers.opened(wire, servers.headers("eve", ["reader"], **claims))

    assert read(asking(dept="it", org={"clearance": 3}), "open.a") == ""
    assert read(asking(dept="it", org={"clearance": 2}), "open.a") != ""
    assert read(asking(dept="it", org={"clearance": "high"}), "open.a") != ""
    assert read(asking(dept="sales", org={"clearance": 5}), "open.a") != ""
    assert read(asking(org={"clearance": 5}), "open.a") != "", "a denial that cannot be told counts"


def test_addresses_and_locations(ask: Callable[..., Wire]) -> None:
    root, reader = ask("root"), ask("anna", "reader")
    here = {"name": "here", "effect": "POLICY_EFFECT_ALLOW", "condition": {"location_is": "loopback"}}
    places = [
        {"name": "loopback", "networks": ["127.0.0.0/8", "::1/128"]},
        {"name": "moon", "networks": ["192.0.2.0/24"]},
    ]
    put(root, {"policies": [ADMINS, here], "locations": places})
    assert seen(reader) == set(SUBJECTS)
    put(root, {"policies": [ADMINS, {**here, "condition": {"location_is": "moon"}}], "locations": places})
    assert read(reader, "open.a") == "PERMISSION_DENIED"
    put(root, {"policies": [ADMINS, {**here, "condition": {"ip_in_range": {"networks": ["10.0.0.0/8"]}}}]})
    assert read(reader, "open.a") == "PERMISSION_DENIED"


def test_an_open_stream_is_decided_anew_when_policies_change(ask: Callable[..., Wire]) -> None:
    root, reader = ask("root"), ask("anna", "reader")
    stream = pb.StreamRequest()
    stream.heartbeat_interval.FromSeconds(1)
    events = reader.listing("StreamSchemaChanges", stream)
    assert next(events).heartbeat
    put(root, POLICIES)
    mark = f"s{time.monotonic_ns()}"
    put(root, {**POLICIES, "policies": [ADMINS, READERS]})
    register(root, f"secret.{mark}")
    register(root, f"open.{mark}")
    assert next(event.subject for event in events if not event.heartbeat) == f"open.{mark}"
    put(root, {"policies": [ADMINS]})
    ended: list[CallFailed] = []

    def drain() -> None:
        try:
            for _ in events:
                pass
        except CallFailed as failed:
            ended.append(failed)

    thread = threading.Thread(target=drain, daemon=True)
    thread.start()
    thread.join(10)
    assert ended, "it ends when nothing may be seen any more"
    assert ended[0].reason == "PERMISSION_DENIED"
    put(root, {})
    for subject in root.call("ListSubjects", pb.ListSubjectsRequest()).subjects:
        if mark in subject:
            _remove(root, subject)


def _remove(root: Wire, subject: str) -> None:
    from llm_schema_registry.v1 import lifecycle_pb2

    for permanent in (False, True):
        root.call("DeleteSubject", lifecycle_pb2.DeleteSubjectRequest(subject=subject, permanent=permanent))


def test_versions_follow_each_other_and_are_kept(ask: Callable[..., Wire]) -> None:
    root = ask("root")
    first = put(root, POLICIES)
    assert put(root, {"policies": [ADMINS]}, dry_run=True) == first + 1
    found = root.call("GetPolicies", access_pb2.GetPoliciesRequest())
    assert (found.version, found.set_by) == (first, "root")
    assert json_format.MessageToDict(found.policies, preserving_proto_field_name=True) == POLICIES
    failed = refused(lambda: put(root, {}, expected_version=first - 1))
    assert failed.reason == "CONCURRENT_UPDATE"
    assert put(root, {"policies": [ADMINS]}) == first + 1
    older = root.call("GetPolicies", access_pb2.GetPoliciesRequest(version=first))
    assert older.policies == found.policies
    assert (
        refused(lambda: root.call("GetPolicies", access_pb2.GetPoliciesRequest(version=999))).reason
        == "INVALID_REQUEST"
    )


def test_who_would_lock_himself_out_is_told(ask: Callable[..., Wire]) -> None:
    root = ask("root")
    failed = refused(lambda: put(root, {"policies": [READERS]}))
    assert (failed.reason, failed.fields) == ("INVALID_REQUEST", ("policies",))
    assert root.call("ListSubjects", pb.ListSubjectsRequest()).total_count == 3


def test_what_is_no_policy_is_refused(ask: Callable[..., Wire]) -> None:
    root = ask("root")
    for tree in (
        {"policies": [ADMINS, ADMINS]},
        {
            "policies": [
                {
                    "name": "x",
                    "effect": "POLICY_EFFECT_ALLOW",
                    "condition": {"ip_in_range": {"networks": ["nowhere"]}},
                }
            ]
        },
        {"policies": [ADMINS], "resources": [{"scopes": [":.*:x"]}]},
    ):
        assert refused(lambda tree=tree: put(root, tree)).reason == "INVALID_REQUEST"
    deep: dict[str, Any] = {"user_has_role": "admin"}
    for _ in range(60):
        deep = {"negation": deep}
    failed = refused(
        lambda: put(root, {"policies": [{"name": "x", "effect": "POLICY_EFFECT_ALLOW", "condition": deep}]})
    )
    assert failed.reason in {"INVALID_REQUEST", "MALFORMED_REQUEST"}
    wide = {"any_of": {"conditions": [{"user_has_role": "admin"}] * 101}}
    assert (
        refused(lambda: put(root, {"policies": [{**ADMINS, "condition": wide}]})).reason == "INVALID_REQUEST"
    )


def explained(asking: Wire, **fields: Any) -> access_pb2.ExplainAccessResponse:
    answer: access_pb2.ExplainAccessResponse = asking.call(
        "ExplainAccess", access_pb2.ExplainAccessRequest(**fields)
    )
    return answer


def test_a_decision_is_explained(ask: Callable[..., Wire]) -> None:
    root = ask("root")
    told = explained(
        root, permission="schema:read", resource="open.a", holder="user:scoped", roles=["nothing"]
    )
    assert (told.allowed, told.granted, told.policies_version) == (True, True, told.policies_version)
    assert [(g.role, g.scope) for g in told.grants] == [("reader", "open.*")]
    assert not explained(
        root, permission="schema:read", resource="secret.a", holder="user:scoped", roles=["x"]
    ).granted
    version = put(root, POLICIES)
    told = explained(
        root, permission="schema:read", resource="secret.a", holder="user:anna", roles=["reader"]
    )
    assert (told.allowed, told.granted, told.policy, told.policies_version) == (False, True, "vault", version)
    assert [(t.name, t.condition) for t in told.traces] == [
        ("admins", access_pb2.CONDITION_STATE_DOES_NOT_HOLD),
        ("readers", access_pb2.CONDITION_STATE_DOES_NOT_HOLD),
        ("vault", access_pb2.CONDITION_STATE_HOLDS),
    ]
    assert told.resource_facts.tags == ["vault"]
    own = explained(root, permission="admin:users")
    assert (own.allowed, own.policy) == (True, "admins")
    tried = explained(
        root,
        permission="schema:read",
        resource="secret.a",
        holder="user:anna",
        roles=["reader"],
        policies=json_format.ParseDict(
            {"policies": [{**READERS, "condition": None}]}, access_pb2.AccessPolicies()
        ),
    )
    assert (tried.allowed, tried.policies_version) == (True, 0)
    for wrong in (
        {"permission": "no"},
        {"permission": "schema:read", "holder": "*"},
        {"permission": "schema:read", "resource": " "},
    ):
        assert refused(lambda wrong=wrong: explained(root, **wrong)).reason in {
            "INVALID_REQUEST",
            "INVALID_SUBJECT",
        }


def test_policies_count_on_every_server_within_a_second(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("shared")
    with callers(home, STORAGE__PATH=str(home / "shared.db")) as made:
        here, there = (made.wire(engine, "root", ["admin"]) for engine in ENGINES)
        reader = made.wire(ENGINES[1], "anna", ["reader"])
        register(here, "secret.a")
        _wait(lambda: read(reader, "secret.a") == "", 5)
        put(here, POLICIES)
        _wait(lambda: read(reader, "secret.a") == "SUBJECT_NOT_FOUND", 1)
        put(there, {})
        assert read(reader, "secret.a") == ""
        put(there, POLICIES)
    with callers(home, STORAGE__PATH=str(home / "shared.db"), engines=ENGINES[:1]) as again:
        assert read(again.wire("native", "anna", ["reader"]), "secret.a") == "SUBJECT_NOT_FOUND", (
            "after a restart"
        )
    with turned_off(home) as again:
        assert read(again.wire("native", "anna", ["reader"]), "secret.a") == "", "auth.policies = false"


@contextmanager
def turned_off(home: Any) -> Iterator[Callers]:
    settings = {"STORAGE__PATH": str(home / "shared.db"), "AUTH__POLICIES": "false"}
    with callers(home, engines=ENGINES[:1], **settings) as made:
        yield made


def test_json_over_http_is_what_the_protos_say(servers: Callers) -> None:
    http: Any = servers.wire("http", "root", ["admin"])
    newest = http.client.get("/api/v1/policies").json()["version"]
    body = {"policies": {"policies": [ADMINS]}, "expected_version": newest}
    answer = http.client.put(
        "/api/v1/policies", content=json.dumps(body), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    shown = http.client.get("/api/v1/policies").json()
    assert shown["policies"]["policies"][0]["condition"] == {"user_has_role": "admin"}
    put(http, {})
