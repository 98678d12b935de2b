"""Settings of TLS that contradict each other are refused, and what they make of a server's openness."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_schema_registry_server.auth.access import Access
from llm_schema_registry_server.auth.permissions import Roles
from llm_schema_registry_server.errors import Unavailable
from llm_schema_registry_server.factories import make_authenticator, make_certificates
from llm_schema_registry_server.queues.fair_queue import Queues
from llm_schema_registry_server.settings import Settings, SettingsError, load
from llm_schema_registry_server.settings.tls import ListenerName
from llm_schema_registry_server.storage.memory.store import MemoryStore

PAIR = {"CERTIFICATE_FILE": "c.pem", "KEY_FILE": "k.pem"}
ASKING = {**PAIR, "CLIENT_CA_FILE": "ca.pem", "CLIENT_CERTIFICATES": "required"}


def settings(tls: dict[str, str], **others: str) -> Settings:
    environment = {f"SCHEMA_REGISTRY_TLS__{name}": value for name, value in tls.items()}
    return load(
        environ={**environment, **{f"SCHEMA_REGISTRY_{name}": value for name, value in others.items()}}
    )


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        ({"CERTIFICATE_FILE": "c.pem"}, "given together"),
        ({"KEY_FILE": "k.pem"}, "given together"),
        ({"CLIENT_CERTIFICATES": "required", "CLIENT_CA_FILE": "ca.pem"}, "without TLS nobody shows one"),
        ({**PAIR, "CLIENT_CERTIFICATES": "required"}, "needs client_ca_file"),
        ({**PAIR, "HTTP_CLIENT_CERTIFICATES": "optional"}, "needs client_ca_file"),
        ({**PAIR, "REVOCATION_FILE": "crl.pem"}, "needs client_certificates"),
        ({**PAIR, "MINIMUM_VERSION": "1.1"}, "MINIMUM_VERSION"),
        ({**PAIR, "LISTENERS": "grpc,htpp"}, "LISTENERS"),
    ],
)
def test_what_contradicts_itself_is_refused(tls: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        settings(tls)


@pytest.mark.parametrize(
    ("given", "there"),
    [
        ({}, False),
        ({"GRPC__HOST": "localhost"}, False),
        ({"GRPC__HOST": "::1"}, False),
        ({"GRPC__HOST": "0.0.0.0"}, True),
        ({"GRPC__HOST": "registry.internal"}, True),
        ({"PROXIES__TRUSTED": "127.0.0.1"}, True),
        ({"GRPC__FRONT": "on"}, True),
        ({"GRPC__HOST": "0.0.0.0", "GRPC__FRONT": "off"}, False),
    ],
)
def test_a_front_stands_where_callers_may_come_from_elsewhere(given: dict[str, str], there: bool) -> None:
    assert settings({}, AUTH__INSECURE="true", **given).fronts_grpc is there


def test_each_listener_asks_as_it_is_told() -> None:
    tls = settings({**ASKING, "HTTP_CLIENT_CERTIFICATES": "none", "LISTENERS": "grpc,http,metrics"}).tls
    asked: dict[ListenerName, str] = {name: tls.asks(name) for name in ("grpc", "http", "metrics")}  # type: ignore[misc]
    assert asked == {"grpc": "required", "http": "none", "metrics": "required"}
    tls = settings(ASKING).tls
    assert (tls.speaks("metrics"), tls.asks("metrics")) == (False, "none")


@pytest.mark.parametrize("mode", ["required", "optional"])
def test_who_asks_for_certificates_asks_who_calls(mode: str) -> None:
    found = settings({**ASKING, "CLIENT_CERTIFICATES": mode}, GRPC__HOST="0.0.0.0", HTTP__HOST="0.0.0.0")
    assert found.asks_who
    roles, store = Roles(), MemoryStore()
    assert make_certificates(found, roles) is not None
    access = Access(store, reload=lambda: None, granted=lambda: None)
    authenticator = make_authenticator(found, roles, access, store, Queues(), access.user_changed)
    anonymous = authenticator.known({})
    assert anonymous is not None
    assert anonymous.permissions == frozenset()
    assert authenticator.known({"authorization": "Bearer x"}) is None  # and then it is refused


def test_encryption_alone_asks_nobody() -> None:
    with pytest.raises(SettingsError, match="could read and change everything"):
        settings(PAIR, GRPC__HOST="0.0.0.0")
    only_metrics = {
        **PAIR,
        "CLIENT_CA_FILE": "ca.pem",
        "METRICS_CLIENT_CERTIFICATES": "required",
        "LISTENERS": "metrics",
    }
    with pytest.raises(SettingsError, match="could read and change everything"):
        settings(only_metrics, GRPC__HOST="0.0.0.0")


def test_names_of_roles_have_their_kind(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('[auth.certificates.roles]\n"worker.example" = ["reader"]\n')
    with pytest.raises(SettingsError, match=r"dns:worker\.example"):
        load(file, {})
    file.write_text('[auth.certificates.roles]\n"dns:worker.example" = ["wizard"]\n')
    environment = {f"SCHEMA_REGISTRY_TLS__{name}": value for name, value in ASKING.items()}
    with pytest.raises(Unavailable, match="wizard"):
        make_certificates(load(file, environment), Roles())


def test_identity_cannot_be_empty() -> None:
    with pytest.raises(SettingsError, match="IDENTITY"):
        settings(ASKING, AUTH__CERTIFICATES__IDENTITY="")
    assert settings(ASKING, AUTH__CERTIFICATES__IDENTITY="cn, uri").auth.certificates.identity == (
        "cn",
        "uri",
    )
