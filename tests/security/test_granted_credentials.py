"""Grants to those who show no token: client certificates, and API keys, which bring grants of their own too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from llm_schema_registry.v1 import credentials_pb2 as keys_pb
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.api.server import ServerProcess
from tests.support.authority import Pair
from tests.support.tls import TlsHome

from .callers import ENGINES, WIRES, Callers, callers
from .test_grants import give, reads, refused, register, take_back

CI = "spiffe://test/ci"


def listed(wire: Any) -> set[str]:
    return set(wire.call("ListSubjects", pb.ListSubjectsRequest()).subjects)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> TlsHome:
    return TlsHome(tmp_path_factory.mktemp("granted"))


@pytest.fixture(scope="module")
def server(home: TlsHome) -> Iterator[ServerProcess]:
    made = home.start("server", client_certificates="required")
    yield made
    assert made.stop() == 0
    assert made.events("call_crashed") == []


@pytest.mark.parametrize("wire", ["grpc", "http"])
def test_a_certificate_has_what_is_granted_to_its_name(
    home: TlsHome, server: ServerProcess, wire: str
) -> None:
    def opened(pair: Pair) -> Any:
        return closing((home.grpc if wire == "grpc" else home.http)(server, pair))

    admin, caller = (
        home.clients.issue(uris=["spiffe://test/role/admin"]),
        home.clients.issue(uris=[CI]),
    )
    other = home.clients.issue(uris=[CI + "2"])
    # The same name, of another kind.
    dns = home.clients.issue(names=["uri:" + CI])
    with opened(admin) as root, opened(caller) as ci, opened(other) as second, opened(dns) as passing:
        for subject in ("orders.a", "secret.a"):
            register(root, subject)
        assert not reads(ci)
        give(root, f"cert:uri:{CI}", "reader", "orders.*")
        assert reads(ci)
        assert not reads(ci, "secret.a")
        assert listed(ci) == {"orders.a"}
        assert not reads(second)
        assert not reads(passing)
        take_back(root, f"cert:uri:{CI}", "reader", "orders.*")
        assert not reads(ci)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    with callers(tmp_path_factory.mktemp("keyed"), AUTH__API_KEYS__ENABLED="true") as made:
        for wire in ENGINES:
            for subject in ("orders.a", "bills.a", "secret.a"):
                register(made.wire(wire, "root", ["admin"]), subject)
        yield made


@pytest.mark.parametrize("wire", WIRES)
def test_a_key_has_the_grants_that_it_brings_and_those_to_its_name(servers: Callers, wire: str) -> None:
    root = servers.wire(wire, "root", ["admin"])
    name = f"ci-{wire}"
    made = root.call(
        "CreateApiKey",
        keys_pb.CreateApiKeyRequest(name=name, grants=[keys_pb.RoleGrant(role="reader", scope="orders.*")]),
    )
    key = servers.opened(wire, {"authorization": f"Bearer {made.secret}"})
    assert listed(key) == {"orders.a"}
    assert not reads(key, "bills.a")
    give(root, f"user:{name}", "reader", "*")
    assert not reads(key, "bills.a"), "a user of that name is somebody else"
    give(root, f"key:{name}", "reader", "bills.*")
    assert listed(key) == {"orders.a", "bills.a"}
    assert refused(lambda: register(key, "bills.new")).reason in {"PERMISSION_DENIED", "SUBJECT_NOT_FOUND"}
    take_back(root, f"key:{name}", "reader", "bills.*")
    assert listed(key) == {"orders.a"}
