"""Whoever makes, rotates or enables an API key gets no more by it than he has: not by the grants to its name, nor by those to its roles."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llm_schema_registry.v1 import credentials_pb2 as keys_pb
from tests.api.wires import CallFailed, Wire

from .callers import Callers, callers

GRANTS = [
    ("key:deployer", "admin", ["*"]),
    ("key:helper", "reader", ["mine.sub.*"]),
    ("role:reader", "developer", ["others.*"]),
    ("role:looker", "reader", ["mine.*"]),
    ("user:keeper", "keeper", ["*"]),
    ("user:keeper", "reader", ["mine.*"]),
    ("user:wide", "keeper", ["*"]),
    ("user:wide", "reader", ["*"]),
]
ROLES = {"keeper": ["admin:users"], "looker": ["subject:read"]}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    home = tmp_path_factory.mktemp("named")
    with callers(home, GRANTS, ROLES, ["grpcio"], AUTH__API_KEYS__ENABLED="true") as made:
        yield made


@pytest.fixture(params=["grpcio", "http"])
def keeper(servers: Callers, request: pytest.FixtureRequest) -> Wire:
    """Manages keys, and reads what is `mine.`."""
    return servers.wire(request.param, "keeper")


def reason(wire: Wire, rpc: str, request: object) -> str:
    try:
        wire.call(rpc, request)  # type: ignore[arg-type]
    except CallFailed as failed:
        return failed.reason
    return ""


def asked(name: str, role: str = "reader", scope: str = "mine.*") -> keys_pb.CreateApiKeyRequest:
    return keys_pb.CreateApiKeyRequest(name=name, grants=[keys_pb.RoleGrant(role=role, scope=scope)])


def test_a_name_to_which_more_is_granted_is_nobodys_to_take(keeper: Wire) -> None:
    assert reason(keeper, "CreateApiKey", asked("deployer")) == "PERMISSION_DENIED"


def test_a_key_of_that_name_is_neither_rotated_nor_enabled_but_disabled_narrowed_and_deleted(
    servers: Callers, keeper: Wire
) -> None:
    root = servers.wire("grpcio", "root", ["admin"])
    key_id = root.call("CreateApiKey", asked("deployer", "developer", "*")).api_key.key_id
    update = keys_pb.UpdateApiKeyRequest

    def told(request: object, rpc: str = "UpdateApiKey") -> str:
        return reason(keeper, rpc, request)

    assert told(keys_pb.RotateApiKeyRequest(key_id=key_id), "RotateApiKey") == "PERMISSION_DENIED"
    narrowed = keys_pb.RoleGrants(grants=[keys_pb.RoleGrant(role="reader", scope="mine.*")])
    assert told(update(key_id=key_id, grants=narrowed)) == ""
    assert told(keys_pb.RotateApiKeyRequest(key_id=key_id), "RotateApiKey") == "PERMISSION_DENIED"
    assert told(update(key_id=key_id, enabled=False)) == ""
    assert told(update(key_id=key_id, enabled=True)) == "PERMISSION_DENIED"
    assert told(keys_pb.DeleteApiKeyRequest(key_id=key_id), "DeleteApiKey") == ""


def test_a_role_to_which_more_is_granted_is_not_given_either(servers: Callers, keeper: Wire) -> None:
    wide = servers.wire("http", "wide")
    refused = asked("some", scope="*")  # whoever has the role everywhere is a developer of others.*
    assert reason(wide, "CreateApiKey", refused) == "PERMISSION_DENIED"
    key_id = wide.call("CreateApiKey", asked("some")).api_key.key_id
    wider = keys_pb.RoleGrants(grants=refused.grants)
    request = keys_pb.UpdateApiKeyRequest(key_id=key_id, grants=wider)
    assert reason(wide, "UpdateApiKey", request) == "PERMISSION_DENIED"
    wide.call("DeleteApiKey", keys_pb.DeleteApiKeyRequest(key_id=key_id))


def test_a_name_to_which_no_more_is_granted_is_taken(keeper: Wire) -> None:
    made = keeper.call("CreateApiKey", asked("helper", scope="mine.a.*"))
    keeper.call("RotateApiKey", keys_pb.RotateApiKeyRequest(key_id=made.api_key.key_id))
    keeper.call("DeleteApiKey", keys_pb.DeleteApiKeyRequest(key_id=made.api_key.key_id))
