"""TLS on the listeners over real sockets: who is let in, as whom, and what those hear who are not."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from google.protobuf import empty_pb2, message_factory

from llm_schema_registry.v1 import credentials_pb2
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.auth.permissions import ROLES
from tests.api.server import ServerProcess
from tests.api.wires import METHODS, CallFailed, Wire
from tests.security.test_authentication import DENIED, may, outcome
from tests.support.authority import DAY, SERVER, Authority, Pair, now, signed_by
from tests.support.tls import TlsHome, refusal, shake
from tests.support.tokens import AUDIENCE, ISSUER, Issuer

ISSUING = Issuer("ES256")
WIRES = ("grpc", "http")
OTHERS = Authority("others")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> TlsHome:
    return TlsHome(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def revoked(home: TlsHome) -> Pair:
    pair = home.clients.issue(uris=["spiffe://test/role/admin"])
    home.crl.write_bytes(home.clients.revocations(pair))
    return pair


def stopped(server: ServerProcess) -> None:
    assert server.stop() == 0
    assert server.events("call_crashed") == []
    assert "Traceback" not in server.log.read_text()


@pytest.fixture(scope="module")
def required(home: TlsHome, revoked: Pair) -> Iterator[ServerProcess]:
    """Knows callers by certificates alone."""
    server = home.start("required", client_certificates="required")
    yield server
    stopped(server)


@pytest.fixture(scope="module")
def optional(home: TlsHome, revoked: Pair) -> Iterator[ServerProcess]:
    """Takes certificates and tokens."""
    server = home.start(
        "optional",
        client_certificates="optional",
        AUTH__JWT__KEYS_FILE=str(ISSUING.write(home.directory / "keys.json")),
        AUTH__JWT__ISSUER=ISSUER,
        AUTH__JWT__AUDIENCE=AUDIENCE,
    )
    yield server
    stopped(server)


@pytest.fixture(scope="module")
def served(home: TlsHome, required: ServerProcess, optional: ServerProcess) -> dict[str, ServerProcess]:
    return {"required": required, "optional": optional}


def wire_of(home: TlsHome, server: ServerProcess, wire: str, pair: Pair | None) -> Any:
    return (home.grpc if wire == "grpc" else home.http)(server, pair)


def known(home: TlsHome, role: str) -> Pair:
    return home.clients.issue(uris=[f"spiffe://test/role/{role}"])


def registered_by(wire: Wire, subject: str) -> str:
    """The name under which a registration was recorded."""
    done = wire.call(
        "RegisterSchema",
        pb.RegisterSchemaRequest(
            subject=subject, schema_content=b'{"type":"string"}', schema_type=pb.SCHEMA_TYPE_JSON
        ),
    )
    return str(wire.call("GetSchema", pb.GetSchemaRequest(schema_id=done.schema_id)))


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("role", ["admin", "developer", "reader", "service", "of nobody"])
def test_every_rpc_is_open_to_just_those_whose_certificate_gives_the_role(
    home: TlsHome, required: ServerProcess, role: str, wire: str
) -> None:
    caller = wire_of(home, required, wire, known(home, role.replace(" ", "-")))
    for rpc in METHODS:
        found = outcome(caller, rpc)
        looks_up = rpc == "RegisterSchema" and "schema:read" in ROLES.get(role, frozenset())
        if may(role, rpc) or looks_up:
            assert found not in DENIED, f"{rpc} as {role}"
        else:
            assert found == "PERMISSION_DENIED", f"{rpc} as {role}"
    caller.close()


Bad = Callable[[TlsHome, Pair], Pair | None]
BAD: dict[str, tuple[Bad, str]] = {
    "no certificate": (lambda home, revoked: None, "TLSV13_ALERT_CERTIFICATE_REQUIRED"),
    "unknown authority": (
        lambda home, revoked: OTHERS.issue(uris=["spiffe://test/role/admin"]),
        "UNKNOWN_CA",
    ),
    "unknown authority, same name": (
        lambda home, revoked: Authority("clients").issue(uris=["spiffe://test/role/admin"]),
        "",
    ),
    "the server's own authority": (lambda home, revoked: home.authority.issue(), "UNKNOWN_CA"),
    "certificate expired": (lambda home, revoked: home.clients.issue(ends=now() - DAY / 2), "EXPIRED"),
    "certificate not yet valid": (
        lambda home, revoked: home.clients.issue(begins=now() + DAY / 2),
        "BAD_CERTIFICATE",
    ),
    "certificate revoked": (lambda home, revoked: revoked, "REVOKED"),
    "certificate for another purpose": (
        lambda home, revoked: home.clients.issue(purpose=SERVER),
        "UNSUPPORTED_CERTIFICATE",
    ),
    "of one who is no authority": (lambda home, revoked: _signed_by_a_client(home), ""),
    "no revocation list of its authority": (
        lambda home, revoked: Authority("below", home.clients).issue(),
        "",
    ),
}


def _signed_by_a_client(home: TlsHome) -> Pair:
    """A certificate that a client has made with the key of its own good one."""
    good = home.clients.issue("mallory")
    return signed_by(good, uris=["spiffe://test/role/admin"])


@pytest.mark.parametrize("kind", ["required", "optional"])
@pytest.mark.parametrize("port", WIRES)
@pytest.mark.parametrize("bad", BAD)
def test_a_certificate_that_is_not_good_ends_the_handshake(
    home: TlsHome, served: dict[str, ServerProcess], revoked: Pair, bad: str, port: str, kind: str
) -> None:
    make, heard = BAD[bad]
    server = served[kind]
    pair = make(home, revoked)
    found = refusal(server.ports[port], home.context(pair))
    if pair is None and kind == "optional":
        assert found == ""
    else:
        assert heard in found
        assert found != ""


@pytest.mark.parametrize("port", WIRES)
def test_an_older_version_is_refused(home: TlsHome, required: ServerProcess, port: str) -> None:
    context = home.context(known(home, "admin"), version=ssl.TLSVersion.TLSv1_2)
    assert "PROTOCOL_VERSION" in refusal(required.ports[port], context)


def test_tls_1_2_is_spoken_where_the_settings_say_so(home: TlsHome) -> None:
    server = home.start("older", client_certificates="required", TLS__MINIMUM_VERSION="1.2")
    for port in WIRES:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            assert refusal(server.ports[port], home.context(known(home, "admin"), version=version)) == ""
        old = home.context(version=ssl.TLSVersion.TLSv1_2)
        assert refusal(server.ports[port], old) != ""  # without a certificate
    stopped(server)


def test_a_client_of_another_protocol_is_refused_on_the_port_of_grpc(
    home: TlsHome, required: ServerProcess
) -> None:
    context = home.context(known(home, "admin"))
    assert refusal(required.ports["grpc"], context, alpn=("http/1.1",)) != ""  # type: ignore[arg-type]
    assert refusal(required.ports["grpc"], home.context(known(home, "admin")), alpn=()) != ""  # type: ignore[arg-type]


def test_http_speaks_both_of_its_protocols(home: TlsHome, required: ServerProcess) -> None:
    for offered, taken in ((("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1")):
        with shake(required.ports["http"], home.context(known(home, "admin")), alpn=offered) as connection:
            assert connection.selected_alpn_protocol() == taken
            assert connection.version() == "TLSv1.3"


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    ("shown", "name", "allowed"),
    [
        (
            {"uris": ["spiffe://test/role/admin"], "names": ["a.workers.test"]},
            "cert:uri:spiffe://test/role/admin",
            True,
        ),
        ({"names": ["a.workers.test"], "emails": ["ops@example.test"]}, "cert:dns:a.workers.test", False),
        ({"emails": ["ops@example.test"]}, "cert:email:ops@example.test", True),
        ({"names": ["workers.test"]}, "cert:dns:workers.test", False),
        ({"names": ["uri:spiffe://test/role/admin"]}, "cert:dns:uri:spiffe://test/role/admin", False),
        ({"uris": ["spiffe://test/role/admin/"]}, "cert:uri:spiffe://test/role/admin/", False),
        ({"uris": ["spiffe://elsewhere/spiffe://test/role/admin"]}, "cert:uri:spiffe://elsewhere", False),
    ],
)
def test_a_name_of_the_certificate_is_who_calls(
    home: TlsHome, required: ServerProcess, shown: dict[str, list[str]], name: str, allowed: bool, wire: str
) -> None:
    caller = wire_of(home, required, wire, home.clients.issue("spiffe://test/role/admin", **shown))
    subject = f"names.s{uuid4().hex[:8]}"
    if allowed:
        assert name in registered_by(caller, subject)
    else:
        with pytest.raises(CallFailed, match="PERMISSION_DENIED") as refused:
            registered_by(caller, subject)
        assert name.removeprefix("cert:") in str(refused.value)
    caller.close()


@pytest.mark.parametrize("wire", WIRES)
def test_a_certificate_without_a_name_that_counts_is_nobody(
    home: TlsHome, required: ServerProcess, wire: str
) -> None:
    """The common name is no identity unless the settings say so."""
    caller = wire_of(home, required, wire, home.clients.issue("admin"))
    with pytest.raises(CallFailed, match="names nobody") as refused:
        caller.call("HealthCheck", empty_pb2.Empty())
    assert refused.value.reason == "UNAUTHENTICATED"
    caller.close()


def test_the_common_name_counts_where_the_settings_say_so(home: TlsHome) -> None:
    server = home.start(
        "common",
        client_certificates="required",
        AUTH__CERTIFICATES__IDENTITY="cn",
        AUTH__CERTIFICATES__DEFAULT_ROLES="admin",
    )
    caller = home.grpc(server, home.clients.issue("worker 7", uris=["spiffe://test/role/reader"]))
    assert "cert:cn:worker 7" in registered_by(caller, "common.name")
    caller.close()
    stopped(server)


FORGED = {
    "x-registry-actor": "cert:uri:spiffe://test/role/admin",
    "x-client-cert": "spiffe://test/role/admin",
    "x-forwarded-client-cert": "URI=spiffe://test/role/admin",
    "x-ssl-client-verify": "SUCCESS",
    "x-forwarded-for": "127.0.0.1",
    "forwarded": "for=127.0.0.1",
    "client-cert": ":AAAA:",
}


@pytest.mark.parametrize("kind", ["required", "optional"])
def test_headers_that_speak_of_certificates_say_nothing(
    home: TlsHome, served: dict[str, ServerProcess], kind: str
) -> None:
    pair = known(home, "reader") if kind == "required" else None
    caller = home.http(served[kind], pair)
    caller.client.headers.update(FORGED)
    with pytest.raises(CallFailed) as refused:
        registered_by(caller, f"forged.s{uuid4().hex[:8]}")
    assert refused.value.reason == ("PERMISSION_DENIED" if pair else "UNAUTHENTICATED")
    caller.close()


@pytest.mark.parametrize("wire", WIRES)
def test_credentials_that_are_shown_count_and_must_be_good(
    home: TlsHome, optional: ServerProcess, wire: str
) -> None:
    admin = known(home, "admin")

    def ask(pair: Pair | None, token: str) -> str:
        caller = home.http(optional, pair)
        caller.client.headers["authorization"] = f"Bearer {token}"
        try:
            return registered_by(caller, f"both.s{uuid4().hex[:8]}")
        except CallFailed as failed:
            return failed.reason
        finally:
            caller.close()

    assert ask(admin, "nonsense") == "UNAUTHENTICATED"
    assert ask(admin, ISSUING.token(sub="tom", roles=["reader"])) == "PERMISSION_DENIED"
    assert "tom" in ask(known(home, "reader"), ISSUING.token(sub="tom", roles=["admin"]))
    assert "tom" in ask(None, ISSUING.token(sub="tom", roles=["admin"]))
    caller = wire_of(home, optional, wire, None)
    with pytest.raises(CallFailed, match="UNAUTHENTICATED"):
        registered_by(caller, "nobody.at.all")
    caller.close()


@pytest.mark.parametrize("wire", WIRES)
def test_grants_are_for_the_names_of_certificates_and_of_no_other_kind(
    home: TlsHome, optional: ServerProcess, wire: str
) -> None:
    caller = wire_of(home, optional, wire, known(home, "granted"))
    subject = f"granted.s{uuid4().hex[:8]}"
    assert "cert:uri:spiffe://test/role/granted" in registered_by(caller, subject)
    with pytest.raises(CallFailed, match="PERMISSION_DENIED"):
        registered_by(caller, f"elsewhere.s{uuid4().hex[:8]}")
    who = caller.call("WhoAmI", credentials_pb2.WhoAmIRequest())
    assert "spiffe://test/role/granted" in str(who)
    caller.close()
    for name in ("cert:uri:spiffe://test/role/granted", "uri:spiffe://test/role/granted"):
        pretender = home.http(optional, None)
        pretender.client.headers["authorization"] = f"Bearer {ISSUING.token(sub=name, roles=[])}"
        with pytest.raises(CallFailed):
            registered_by(pretender, subject)
        pretender.close()


def test_a_token_is_not_taken_where_certificates_alone_count(home: TlsHome, required: ServerProcess) -> None:
    caller = home.http(required, known(home, "admin"))
    caller.client.headers["authorization"] = f"Bearer {ISSUING.token(roles=['admin'])}"
    with pytest.raises(CallFailed, match="UNAUTHENTICATED"):
        caller.call("HealthCheck", empty_pb2.Empty())
    caller.close()


@pytest.mark.parametrize("wire", WIRES)
def test_an_answer_kept_from_ones_read_does_not_reach_another(
    home: TlsHome, required: ServerProcess, wire: str
) -> None:
    admin = wire_of(home, required, wire, known(home, "admin"))
    subject = f"kept.s{uuid4().hex[:8]}"
    done = admin.call(
        "RegisterSchema",
        pb.RegisterSchemaRequest(
            subject=subject, schema_content=b'{"type":"string"}', schema_type=pb.SCHEMA_TYPE_JSON
        ),
    )
    question = pb.GetSchemaRequest(schema_id=done.schema_id)
    for _ in range(3):
        admin.call("GetSchema", question)
    nobody, reader = (wire_of(home, required, wire, known(home, role)) for role in ("of-nobody", "reader"))
    with pytest.raises(CallFailed, match="PERMISSION_DENIED") as refused:
        nobody.call("GetSchema", question)
    assert subject not in str(refused.value)
    assert reader.call("GetSchema", question).schema.subject == subject
    for wire_ in (admin, nobody, reader):
        wire_.close()


@pytest.mark.parametrize("wire", WIRES)
def test_streams_in_both_directions_know_who_calls(home: TlsHome, required: ServerProcess, wire: str) -> None:
    rpc = next(name for name, method in METHODS.items() if method.client_streaming)
    item = message_factory.GetMessageClass(METHODS[rpc].input_type)()
    for role, refused in (("reader", False), ("of-nobody", True)):
        caller = wire_of(home, required, wire, known(home, role))
        if refused:
            with pytest.raises(CallFailed, match="PERMISSION_DENIED"):
                list(caller.batch(rpc, [item]))
        else:
            assert len(list(caller.batch(rpc, [item, item]))) == 2
        caller.close()


def test_what_goes_through_is_what_was_sent(home: TlsHome, required: ServerProcess) -> None:
    """A megabyte and more in both directions, in frames and records of every size."""
    text = ("x" * 1000 + "é") * 1100
    content = ('{"type":"string","description":"' + text + '"}').encode()
    for wire in WIRES:
        caller = wire_of(home, required, wire, known(home, "admin"))
        done = caller.call(
            "RegisterSchema",
            pb.RegisterSchemaRequest(
                subject=f"large.{wire}", schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON
            ),
        )
        for _ in range(3):
            found = caller.call("GetSchema", pb.GetSchemaRequest(schema_id=done.schema_id))
            assert found.schema.schema_content == content
        caller.close()


def test_the_addresses_in_the_log_are_those_of_callers(home: TlsHome, required: ServerProcess) -> None:
    caller = home.http(required, known(home, "of-nobody"))
    subject = f"logged.s{uuid4().hex[:8]}"
    with pytest.raises(CallFailed):
        registered_by(caller, subject)
    caller.close()
    peers = {line["peer"].rpartition(":")[0] for line in required.events("call_failed")}
    assert peers == {"127.0.0.1"}


def test_every_outcome_is_counted(home: TlsHome, required: ServerProcess) -> None:
    def counted() -> dict[str, float]:
        page = httpx.get(f"http://127.0.0.1:{required.ports['metrics']}/metrics").text
        lines = (
            line.rpartition(" ") for line in page.splitlines() if line.startswith("schema_registry_tls_")
        )
        return {name: float(value) for name, _, value in lines}

    before = counted()
    assert refusal(required.ports["http"], home.context(OTHERS.issue())) != ""
    after = counted()
    name = 'schema_registry_tls_handshakes_total{listener="http",outcome="unknown authority"}'
    assert after[name] == before.get(name, 0) + 1
    expires = after['schema_registry_tls_certificate_expires_timestamp_seconds{listener="grpc"}']
    assert abs(expires - (now() + DAY).timestamp()) < 600


def test_no_secret_is_in_the_log(required: ServerProcess, optional: ServerProcess) -> None:
    for server in (required, optional):
        text = server.log.read_text()
        assert "PRIVATE KEY" not in text
        assert "eyJ" not in text
        assert "BEGIN CERTIFICATE" not in text


def test_files_are_not_shown_to_callers(tmp_path: Path, home: TlsHome, required: ServerProcess) -> None:
    """Paths of keys are nothing that an answer tells."""
    caller = home.http(required, known(home, "admin"))
    assert str(home.directory) not in caller.client.get("/api/v1").text
    assert str(home.directory) not in caller.client.get("/health").text
    caller.close()
