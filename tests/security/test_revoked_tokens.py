"""Tokens that were revoked count nowhere, over every wire and on two servers of one storage."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from google.protobuf import duration_pb2, timestamp_pb2

from llm_schema_registry.v1 import credentials_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2 as registry_pb
from tests.api.wires import CallFailed, Wire
from tests.security.replicas import WIRES, Replicas, bearer, caller
from tests.support.tokens import AUDIENCE, ISSUER, Issuer

ISSUING = Issuer("ES256", "HS256")
SECONDS = 2.0
"""Within one second every server knows; another one is for a busy machine."""


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def replicas(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    home = tmp_path_factory.mktemp("revoked")
    made = Replicas(
        home,
        request.param,
        AUTH__JWT__KEYS_FILE=str(ISSUING.write(home / "keys.json")),
        AUTH__JWT__ISSUER=ISSUER,
        AUTH__JWT__AUDIENCE=AUDIENCE,
        AUTH__REVOKED_TOKENS="40",
    )
    made.start()
    yield made
    made.stop()
    assert "eyJ" not in made.logs(), "a token has no place in the log"


Open = Callable[[str, str], Wire]


@pytest.fixture
def opened(replicas: Replicas) -> Iterator[Open]:
    with ExitStack() as made:

        def opened(wire: str, token: str) -> Wire:
            return made.enter_context(caller(wire, replicas.of(wire), bearer(token)))

        yield opened


@pytest.fixture
def admin(opened: Open) -> Wire:
    return opened("native", ISSUING.token(sub="root", roles=["admin"], jti=f"admin {uuid4()}"))


def reason(wire: Wire) -> str:
    try:
        wire.call("ListSubjects", registry_pb.ListSubjectsRequest())
    except CallFailed as failed:
        return failed.reason
    return ""


def await_refusal(wire: Wire) -> None:
    began = time.monotonic()
    while reason(wire) != "UNAUTHENTICATED":
        assert time.monotonic() - began < SECONDS, "the token counts still"
        time.sleep(0.02)


def at(moment: datetime) -> timestamp_pb2.Timestamp:
    made = timestamp_pb2.Timestamp()
    made.FromDatetime(moment)
    return made


SOME_DAY = at(datetime.now(UTC) + timedelta(days=9))


def later() -> timestamp_pb2.Timestamp:
    return at(datetime.now(UTC) + timedelta(minutes=9))


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("jti", ["jti", None, 7, "", "\u0007", "x" * 300])
def test_a_token_is_revoked_by_itself(opened: Open, admin: Wire, wire: str, jti: object) -> None:
    given = f"{jti} {uuid4()}" if jti == "jti" else jti
    token = ISSUING.token(sub=f"bob {uuid4()}", roles=["reader"], jti=given)
    other = ISSUING.token(sub=f"bob {uuid4()}", roles=["reader"], jti=f"{uuid4()}")
    with_token, with_other = opened(wire, token), opened(wire, other)
    assert (reason(with_token), reason(with_other)) == ("", "")
    revoked = admin.call("RevokeToken", pb.RevokeTokenRequest(token=token, reason="lost")).revoked_token
    await_refusal(with_token)
    assert reason(with_other) == ""
    assert revoked.principal.startswith("bob ")
    assert (revoked.reason, revoked.revoked_by) == ("lost", "root")
    assert revoked.token_id == (given if jti == "jti" else revoked.token_id)
    assert revoked.token_id.startswith("sha256:") is (jti != "jti")
    listed = admin.call("ListRevokedTokens", pb.ListRevokedTokensRequest(limit=1000)).revoked_tokens
    assert revoked in listed


@pytest.mark.parametrize("wire", WIRES)
def test_a_token_is_revoked_by_its_id(opened: Open, admin: Wire, wire: str) -> None:
    jti = f"urn:uuid:{uuid4()}"
    with_token = opened(wire, ISSUING.token(roles=["reader"], jti=jti))
    assert reason(with_token) == ""
    admin.call("RevokeToken", pb.RevokeTokenRequest(token_id=jti, expires_at=later()))
    await_refusal(with_token)
    # Another token of the same id is the same token, in another encoding.
    assert reason(opened(wire, ISSUING.token("HS256", roles=["admin"], jti=jti))) == "UNAUTHENTICATED"
    assert reason(opened(wire, ISSUING.token(roles=["reader"], jti=jti.upper()))) == ""


@pytest.mark.parametrize("wire", WIRES)
def test_a_stream_ends_when_its_token_is_revoked(opened: Open, admin: Wire, wire: str) -> None:
    jti = str(uuid4())
    watching = opened(wire, ISSUING.token(roles=["reader"], jti=jti)).listing(
        "StreamSchemaChanges",
        registry_pb.StreamRequest(heartbeat_interval=duration_pb2.Duration(seconds=20)),
    )
    next(watching)
    admin.call("RevokeToken", pb.RevokeTokenRequest(token_id=jti, expires_at=later()))
    began = time.monotonic()
    with pytest.raises(CallFailed) as ended:
        for _ in watching:
            pass
    assert ended.value.reason == "UNAUTHENTICATED"
    assert time.monotonic() - began < SECONDS


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.RevokeTokenRequest(), "token_id"),
        (pb.RevokeTokenRequest(token="x"), "token"),
        (pb.RevokeTokenRequest(token="e30.e30.e30x", token_id="y"), "token_id"),
        (pb.RevokeTokenRequest(token="a.b.c" * 9000), "token"),
        (pb.RevokeTokenRequest(token="e30.W10.e30"), "token"),
        (pb.RevokeTokenRequest(token="e30.e30.e30"), "expires_at"),
        (pb.RevokeTokenRequest(token_id="x"), "expires_at"),
        (pb.RevokeTokenRequest(token_id="x", expires_at=at(datetime(2020, 1, 1, tzinfo=UTC))), "expires_at"),
        (pb.RevokeTokenRequest(token_id="x", expires_at=at(datetime(2120, 1, 1, tzinfo=UTC))), "expires_at"),
        (pb.RevokeTokenRequest(token_id="x" * 300, expires_at=SOME_DAY), "token_id"),
        (pb.RevokeTokenRequest(token_id="a\nb", expires_at=SOME_DAY), "token_id"),
        (pb.RevokeTokenRequest(token_id="x", expires_at=SOME_DAY, reason="x" * 501), "reason"),
        (pb.RevokeTokenRequest(token_id="x", expires_at=timestamp_pb2.Timestamp(nanos=-1)), "expires_at"),
    ],
    ids=range(13),
)
def test_impossible_revocations_are_refused(admin: Wire, request_: pb.RevokeTokenRequest, field: str) -> None:
    with pytest.raises(CallFailed) as refused:
        admin.call("RevokeToken", request_)
    assert (refused.value.reason, refused.value.fields) == ("INVALID_REQUEST", (field,))
    assert "e30" not in str(refused.value)


def test_there_is_a_limit_and_an_end(tmp_path: Path) -> None:
    """Servers remember so many, and those that have ended make room for others."""
    alone = Replicas(
        tmp_path,
        "sqlite",
        AUTH__JWT__KEYS_FILE=str(ISSUING.write(tmp_path / "keys.json")),
        AUTH__JWT__ISSUER=ISSUER,
        AUTH__JWT__AUDIENCE=AUDIENCE,
        AUTH__JWT__LEEWAY_SECONDS="0",
        AUTH__REVOKED_TOKENS="3",
    )
    alone.start()
    with caller("http", alone.of("http"), bearer(ISSUING.token(roles=["admin"]))) as admin:
        soon = at(datetime.now(UTC) + timedelta(seconds=2))
        for name in ("a", "b", "c", "c"):
            admin.call("RevokeToken", pb.RevokeTokenRequest(token_id=name, expires_at=soon))
        with pytest.raises(CallFailed) as refused:
            admin.call("RevokeToken", pb.RevokeTokenRequest(token_id="d", expires_at=later()))
        assert refused.value.reason == "LIMIT_EXCEEDED"
        time.sleep(2.1)
        assert not admin.call("ListRevokedTokens", pb.ListRevokedTokensRequest()).revoked_tokens
        admin.call("RevokeToken", pb.RevokeTokenRequest(token_id="d", expires_at=later()))
    alone.stop()


def test_a_server_that_starts_knows_what_was_revoked(tmp_path: Path) -> None:
    settings = {
        "AUTH__JWT__KEYS_FILE": str(ISSUING.write(tmp_path / "keys.json")),
        "AUTH__JWT__ISSUER": ISSUER,
        "AUTH__JWT__AUDIENCE": AUDIENCE,
    }
    token = ISSUING.token(roles=["reader"], jti="gone")
    for round_ in range(2):
        server = Replicas(tmp_path, "sqlite", **settings)
        server.start()
        with (
            caller("http", server.of("http"), bearer(ISSUING.token(roles=["admin"]))) as admin,
            caller("grpcio", server.of("grpcio"), bearer(token)) as gone,
        ):
            if not round_:
                admin.call("RevokeToken", pb.RevokeTokenRequest(token=token))
                await_refusal(gone)
            assert reason(gone) == "UNAUTHENTICATED"
        server.stop()
