"""Who gets in: every RPC × every role, over every wire and both gRPC engines, against real servers that ask for tokens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf import duration_pb2, empty_pb2, message_factory

from llm_schema_registry.v1 import policy_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.auth.permissions import PERMISSIONS, ROLES
from tests.api.server import ServerProcess
from tests.api.wires import METHODS, CallFailed, GrpcWire, HttpWire, Wire
from tests.support.tokens import AUDIENCE, ISSUER, Issuer

ISSUING = Issuer("ES256", "HS256")
ENGINES = ("native", "grpcio")
WIRES = (*ENGINES, "http")
OWN_ROLE = "operator"
ROLES_ASKED = (*ROLES, OWN_ROLE, "no role", "anonymous")
DENIED = {"PERMISSION_DENIED", "UNAUTHENTICATED"}


def permission_of(rpc: str) -> str:
    return str(METHODS[rpc].GetOptions().Extensions[policy_pb2.policy].permission)


def may(role: str, rpc: str) -> bool:
    held = {"metrics:read"} if role == OWN_ROLE else ROLES.get(role, frozenset())
    lookup = METHODS[rpc].GetOptions().Extensions[policy_pb2.policy].lookup
    return permission_of(rpc) in {"none", *held} or lookup in held


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ServerProcess]]:
    """A server of each engine that asks for tokens."""
    home = tmp_path_factory.mktemp("closed")
    keys = ISSUING.write(home / "keys.json")
    running = {
        engine: ServerProcess(
            home / engine,
            GRPC__ENGINE=engine,
            AUTH__JWT__KEYS_FILE=str(keys),
            AUTH__JWT__ISSUER=ISSUER,
            AUTH__JWT__AUDIENCE=AUDIENCE,
            AUTH__ROLES__OPERATOR="metrics:read",
        )
        for engine in ENGINES
    }
    yield running
    for server in running.values():
        server.stop()
        assert server.events("call_crashed") == []
        assert "eyJ" not in server.log.read_text(), "a token has no place in the log"


def headers_of(role: str) -> dict[str, str]:
    if role == "anonymous":
        return {}
    return {"authorization": f"Bearer {ISSUING.token(sub=f'a {role}', roles=[role])}"}


Open = Callable[[str, dict[str, str]], Wire]


@pytest.fixture
def opened(closed: dict[str, ServerProcess]) -> Iterator[Open]:
    """Makes wires whose calls carry headers."""
    with ExitStack() as made:

        def opened(wire: str, headers: dict[str, str]) -> Wire:
            if wire == "http":
                http = HttpWire(closed["native"].http)
                made.callback(http.close)
                http.client.headers.update(headers)
                return http
            found = GrpcWire(wire, closed[wire].grpc)
            made.callback(found.channel.close)
            found.channel = grpc.intercept_channel(found.channel, _Carrying(headers))
            return found

        yield opened


class _Carrying(
    grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamStreamClientInterceptor
):
    """Puts metadata into every call."""

    def __init__(self, metadata: dict[str, str]) -> None:
        self._metadata = tuple(metadata.items())

    def _call(self, proceed: Any, details: Any, request: Any) -> Any:
        return proceed(details._replace(metadata=(*(details.metadata or ()), *self._metadata)), request)

    intercept_unary_unary = intercept_unary_stream = intercept_stream_stream = _call


def outcome(wire: Wire, rpc: str) -> str:
    """The reason for which an empty request fails; "" when it does not."""
    method = METHODS[rpc]
    request = message_factory.GetMessageClass(method.input_type)()
    for field in method.input_type.fields:
        if field.type == field.TYPE_STRING and not field.is_repeated:
            setattr(request, field.name, "x")  # a path needs something between its slashes
    try:
        if not method.server_streaming:
            wire.call(rpc, request)
        elif method.client_streaming:
            list(wire.batch(rpc, [request]))
        else:
            if rpc == "StreamSchemaChanges":
                request.heartbeat_interval.FromSeconds(1)  # type: ignore[attr-defined]  # the message is made at run time
            next(iter(wire.listing(rpc, request)), None)
    except CallFailed as failed:
        return failed.reason
    return ""


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("role", ROLES_ASKED)
def test_every_rpc_is_open_to_just_those_who_hold_its_permission(opened: Open, role: str, wire: str) -> None:
    with_role = opened(wire, headers_of(role))
    refusal = "UNAUTHENTICATED" if role == "anonymous" else "PERMISSION_DENIED"
    for rpc in METHODS:
        found = outcome(with_role, rpc)
        if may(role, rpc):
            assert found not in DENIED, f"{rpc} as {role}"
        else:
            assert found == refusal, f"{rpc} as {role}"


def test_permissions_of_the_protos_are_those_that_roles_hold() -> None:
    assert {permission_of(rpc) for rpc in METHODS} - {"none"} <= PERMISSIONS


@pytest.mark.parametrize("wire", WIRES)
def test_an_answer_kept_from_ones_read_does_not_reach_another(opened: Open, wire: str) -> None:
    admin = opened(wire, headers_of("admin"))
    subject = f"secret.s{uuid4().hex[:8]}"
    registered = admin.call(
        "RegisterSchema",
        pb.RegisterSchemaRequest(
            subject=subject, schema_content=b'{"type":"string"}', schema_type=pb.SCHEMA_TYPE_JSON
        ),
    )
    question = pb.GetSchemaRequest(schema_id=registered.schema_id)
    for _ in range(3):
        admin.call("GetSchema", question)
    for role in ("no role", OWN_ROLE, "anonymous"):
        with pytest.raises(CallFailed) as refused:
            opened(wire, headers_of(role)).call("GetSchema", question)
        assert refused.value.reason in DENIED
        assert subject not in str(refused.value)
    assert opened(wire, headers_of("reader")).call("GetSchema", question).schema.subject == subject


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    "shown",
    ["Bearer", "Basic YWRhOmFkYQ==", "Bearer not.a.token", "Bearer " + "x" * 7000, "ApiKey llmsr_x"],
)
def test_what_is_no_token_is_refused_before_the_cached_answer(opened: Open, wire: str, shown: str) -> None:
    with pytest.raises(CallFailed) as refused:
        opened(wire, {"authorization": shown}).call("HealthCheck", empty_pb2.Empty())
    assert refused.value.reason == "UNAUTHENTICATED"
    assert "x" * 100 not in str(refused.value)


@pytest.mark.parametrize("wire", WIRES)
def test_a_name_that_a_caller_gives_itself_does_not_count(opened: Open, wire: str) -> None:
    named = {**headers_of("admin"), "x-registry-actor": "somebody else"}
    subject = f"actors.s{uuid4().hex[:8]}"
    registered = opened(wire, named).call(
        "RegisterSchema",
        pb.RegisterSchemaRequest(
            subject=subject, schema_content=b'{"type":"string"}', schema_type=pb.SCHEMA_TYPE_JSON
        ),
    )
    found = opened(wire, headers_of("admin")).call(
        "GetSchema", pb.GetSchemaRequest(schema_id=registered.schema_id)
    )
    assert "somebody else" not in str(found)
    assert "a admin" in str(found)
    with pytest.raises(CallFailed):
        opened(wire, {"x-registry-actor": "admin"}).call(
            "GetSchema", pb.GetSchemaRequest(schema_id=registered.schema_id)
        )


@pytest.mark.parametrize("wire", WIRES)
def test_a_stream_ends_when_the_token_that_opened_it_expires(opened: Open, wire: str) -> None:
    expires = time.time() - 28  # with the leeway of 30 s: in 2 s
    token = ISSUING.token(roles=["admin"], exp=expires)
    watching = opened(wire, {"authorization": f"Bearer {token}"})
    with pytest.raises(CallFailed) as ended:
        for _ in watching.listing(
            "StreamSchemaChanges", pb.StreamRequest(heartbeat_interval=duration_pb2.Duration(seconds=1))
        ):
            pass
    assert ended.value.reason == "UNAUTHENTICATED"


def test_http_says_how_to_authenticate(closed: dict[str, ServerProcess]) -> None:
    with closing(HttpWire(closed["native"].http)) as http:
        refused = http.client.get("/api/v1/subjects")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (
            401,
            'Bearer realm="schema-registry"',
        )
        assert http.client.get("/health/live").status_code == 200


def test_two_headers_of_credentials_are_nobody(closed: dict[str, ServerProcess]) -> None:
    """Not the first of them for a proxy, and the last one for the server."""
    with closing(HttpWire(closed["native"].http)) as http:
        admin = headers_of("admin")["authorization"]
        pairs = [("authorization", admin), ("authorization", "Bearer nonsense")]
        for lines in (pairs, pairs[::-1], pairs[:1] * 2, [pairs[0], ("authorization", "")]):
            assert http.client.get("/api/v1/subjects", headers=lines).status_code == 401
        assert http.client.get("/api/v1/subjects", headers=pairs[:1]).status_code == 200


def test_an_open_server_listens_on_loopback_only(tmp_path: Path) -> None:
    for part in ("GRPC", "HTTP"):
        with (
            suppress(AssertionError, RuntimeError),
            pytest.raises(Exception, match="could read and change everything"),
        ):
            ServerProcess(tmp_path / part, **{f"{part}__HOST": "0.0.0.0"}).stop()
        assert "could read and change everything" in (tmp_path / part / "server.log").read_text()
    told = ServerProcess(tmp_path / "told", GRPC__HOST="0.0.0.0", HTTP__HOST="0.0.0.0", AUTH__INSECURE="true")
    assert told.stop() == 0
