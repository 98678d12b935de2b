"""Both clients and the command line over TLS: good ones work, and the errors of others say what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from websockets.asyncio.client import connect as websocket

from llm_schema_registry import (
    HandshakeFailed,
    ProtocolMismatch,
    RegistryError,
    RetryPolicy,
    Tls,
    Unauthenticated,
)
from llm_schema_registry.cli import run
from tests.api.server import ServerProcess
from tests.sdk.conftest import connect
from tests.support.authority import DAY, Authority, Pair, now
from tests.support.tls import TlsHome

OTHERS = Authority("others")


@dataclass(frozen=True)
class World:
    home: TlsHome
    required: ServerProcess
    """Asks for certificates."""
    plain: ServerProcess
    """Speaks no TLS."""
    expired: ServerProcess
    """Its certificate has expired."""
    elsewhere: ServerProcess
    """Its certificate is for another name."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("tls")
    home = TlsHome(directory / "good")
    late, odd = (TlsHome(directory / name, home.authority) for name in ("late", "odd"))
    late.renew(home.authority.server(ends=now() - DAY / 2))
    odd.renew(home.authority.server("elsewhere.example"))
    world = World(
        home,
        home.start("required", client_certificates="required"),
        ServerProcess(directory / "plain"),
        late.start("expired"),
        odd.start("elsewhere"),
    )
    yield world
    for server in (world.required, world.plain, world.expired, world.elsewhere):
        assert server.stop() == 0


def admin(world: World) -> Pair:
    return world.home.clients.issue(uris=["spiffe://test/role/admin"])


def tls(world: World, pair: Pair | None = None, authority: Authority | None = None) -> Tls:
    trusted = (authority or world.home.authority).pem
    return Tls(trusted, pair.key, pair.certificate) if pair is not None else Tls(trusted)


def target(server: ServerProcess, port: str = "grpc") -> str:
    return f"localhost:{server.ports[port]}"


async def failure(kind: str, where: str, given: Tls | None) -> RegistryError:
    async with connect(kind, where, tls=given, retry=RetryPolicy(connect=5), timeout=20) as client:
        with pytest.raises(RegistryError) as failed:
            await client.health_check()
    return failed.value


async def test_a_client_with_a_good_certificate_is_let_in(world: World, kind: str) -> None:
    for where in (
        f"https://{target(world.required)}",
        f"grpcs://{target(world.required)}",
        target(world.required),
    ):
        async with connect(kind, where, tls=tls(world, admin(world))) as client:
            assert (await client.health_check()).status.name == "HEALTHY"


async def test_a_client_without_tls_is_told_that_the_port_speaks_it(world: World, kind: str) -> None:
    for port in ("grpc", "http"):
        failed = await failure(kind, target(world.required, port), None)
        assert type(failed) is ProtocolMismatch
        assert f"https://{target(world.required, port)}" in failed.message


async def test_a_client_with_tls_is_told_that_the_port_does_not_speak_it(world: World, kind: str) -> None:
    failed = await failure(kind, f"https://{target(world.plain)}", tls(world))
    assert type(failed) is ProtocolMismatch
    assert "without it" in failed.message


async def test_a_server_that_is_not_trusted_is_named_with_the_reason(world: World, kind: str) -> None:
    for server, authority, why in (
        (world.required, OTHERS, "none of those that are trusted here"),
        (world.expired, None, "it has expired"),
        (world.elsewhere, None, "it is for another name"),
    ):
        failed = await failure(kind, f"https://{target(server)}", tls(world, authority=authority))
        assert type(failed) is HandshakeFailed
        assert why in failed.message
        assert target(server) in failed.message


async def test_another_name_counts_when_it_is_told(world: World, kind: str) -> None:
    given = Tls(world.home.authority.pem, server_name="elsewhere.example")
    async with connect(kind, f"https://{target(world.elsewhere)}", tls=given) as client:
        assert (await client.health_check()).status.name == "HEALTHY"


async def test_a_server_that_asks_for_a_certificate_is_named_so(world: World, kind: str) -> None:
    failed = await failure(kind, f"https://{target(world.required)}", tls(world))
    assert type(failed) is HandshakeFailed
    assert "asks for a client certificate, and none was given" in failed.message
    for bad in (
        OTHERS.issue(uris=["spiffe://test/role/admin"]),
        world.home.clients.issue(ends=now() - DAY / 2),
    ):
        failed = await failure(kind, f"https://{target(world.required)}", tls(world, bad))
        assert type(failed) is HandshakeFailed
        assert "refuses our client certificate" in failed.message
        assert "PRIVATE KEY" not in str(failed)


async def test_a_key_of_another_certificate_is_told(world: World, kind: str) -> None:
    good, other = admin(world), admin(world)
    given = Tls(world.home.authority.pem, other.key, good.certificate)
    failed = await failure(kind, f"https://{target(world.required)}", given)
    assert type(failed) is HandshakeFailed
    assert "the key belongs to the certificate" in failed.message


async def test_a_certificate_that_names_nobody_is_unauthenticated(world: World, kind: str) -> None:
    failed = await failure(
        kind, f"https://{target(world.required)}", tls(world, world.home.clients.issue("x"))
    )
    assert isinstance(failed, Unauthenticated)


def test_what_is_no_pem_is_refused_before_anything_is_sent() -> None:
    pair = OTHERS.issue()
    with pytest.raises(ValueError, match="root_certificates: is no PEM"):
        Tls(b"/etc/ssl/ca.pem")
    with pytest.raises(ValueError, match="private_key: is no PEM"):
        Tls(None, pair.certificate, pair.certificate)
    with pytest.raises(ValueError, match="given together"):
        Tls(None, None, pair.certificate)


def test_files_are_read(tmp_path: Path) -> None:
    pair = OTHERS.issue()
    certificate, key = pair.write(tmp_path, "me")
    assert Tls.from_files(certificate=certificate, key=str(key)) == Tls(None, pair.key, pair.certificate)
    with pytest.raises(FileNotFoundError):
        Tls.from_files(tmp_path / "absent.pem")


async def test_a_websocket_speaks_tls_and_knows_who_asks(world: World) -> None:
    where = f"wss://localhost:{world.required.ports['http']}/api/v1/schemas/subscribe"
    for role, answer in (("admin", '"event'), ("of-nobody", "PERMISSION_DENIED")):
        pair = world.home.clients.issue(uris=[f"spiffe://test/role/{role}"])
        async with websocket(where, ssl=world.home.context(pair)) as socket:
            await socket.send('{"heartbeat_interval":"1s"}')
            async with asyncio.timeout(10):
                assert answer in str(await socket.recv())


@pytest.fixture
def command(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> object:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("SERVER", "TOKEN", "OUTPUT", "PROFILE", "TIMEOUT", "CONTEXT", "CA", "CERT", "KEY"):
        monkeypatch.delenv(f"SCHEMA_REGISTRY_{name}", raising=False)

    def command(*arguments: str) -> tuple[int, str]:
        code = run(arguments)
        out, err = capsys.readouterr()
        return code, out + err

    return command


def test_the_command_line_takes_files_from_options_variables_and_profiles(
    world: World, tmp_path: Path, command: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(command)
    ca = tmp_path / "ca.pem"
    ca.write_bytes(world.home.authority.pem)
    cert, key = admin(world).write(tmp_path, "me")
    server = ("-S", f"https://{target(world.required)}")
    files = ("--ca", str(ca), "--cert", str(cert), "--key", str(key))
    code, said = command(*server, "health", *files)
    assert (code, "HEALTHY" in said) == (0, True)

    code, said = command(*server, "health")
    assert (code, "--ca FILE" in said) == (4, True)
    code, said = command(*server, "health", "--ca", str(ca))
    assert code == 4
    assert "asks for a client certificate" in said
    assert command(*server, "health", "--ca", str(ca), "--cert", str(cert))[0] == 2
    assert command(*server, "health", "--ca", str(tmp_path / "absent.pem"))[0] == 3
    code, said = command("-S", f"http://{target(world.required)}", "health", *files)
    assert (code, "https://" in said) == (2, True)

    with monkeypatch.context() as variables:
        for name, file in (("CA", ca), ("CERT", cert), ("KEY", key)):
            variables.setenv(f"SCHEMA_REGISTRY_{name}", str(file))
        assert command(*server, "health")[0] == 0

    monkeypatch.chdir(tmp_path)
    made = command(
        "profile",
        "set",
        "here",
        "--server",
        server[1],
        "--ca",
        "ca.pem",
        "--cert",
        "me.pem",
        "--key",
        "me.key",
    )
    assert made[0] == 0
    monkeypatch.chdir("/")
    assert command("health")[0] == 0
    assert str(ca) in command("profile", "show")[1]
    assert command("-S", f"http://{target(world.plain)}", "health")[0] == 0
