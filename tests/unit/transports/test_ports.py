"""Ports are asked for before a server does anything: the refusal names the cause and the setting."""

from __future__ import annotations

import socket

import pytest

from llm_schema_registry_server.transports.listener import ListenError
from llm_schema_registry_server.transports.ports import WantedPort, check_ports, held_ports
from llm_schema_registry_server.transports.tcp import listening, stop_listening


def test_free_ports_are_left_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    wanted = [WantedPort("gRPC", "grpc", "127.0.0.1", port), WantedPort("HTTP", "http", "127.0.0.1", 0)]
    for _ in range(2):
        check_ports(wanted)


@pytest.mark.parametrize("shared", [False, True])
def test_a_port_in_use_is_refused_even_where_it_could_be_shared(shared: bool) -> None:
    with socket.socket() as taken:
        if shared:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            ListenError, match=f"127.0.0.1:{port}: another program.*SCHEMA_REGISTRY_HTTP__PORT"
        ):
            check_ports([WantedPort("HTTP", "http", "127.0.0.1", port)])


def test_one_port_for_two_listeners_names_both_settings() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    wanted = [WantedPort(name, name, "127.0.0.1", port) for name in ("grpc", "http")]
    with pytest.raises(ListenError, match=r"grpc\.port is .*http\.port"):
        check_ports(wanted)


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(ListenError, match="no such address"):
        check_ports([WantedPort("gRPC", "grpc", "192.0.2.1", 9090)])


def test_held_ports_are_for_who_shares_them_and_for_nobody_else() -> None:
    with held_ports([WantedPort("HTTP", "http", "127.0.0.1", 0)]) as ports:
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", ports["http"]))
        with socket.create_server(("127.0.0.1", ports["http"]), reuse_port=True) as sharing:
            socket.create_connection(sharing.getsockname()).close()
    with (
        pytest.raises(ListenError, match=r"http\.port"),
        held_ports([WantedPort("HTTP", "http", "192.0.2.1", 0)]),
    ):
        pass


def test_who_stops_to_listen_leaves_new_connections_to_others_and_keeps_the_old_ones() -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            old, _ = listener.accept()
            assert listening(port) == [listener.fileno()]
            assert stop_listening(port)
            assert listening(port) == []
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))
            old.sendall(b"still here")
            assert client.recv(100) == b"still here"
            old.close()
    assert not stop_listening(port)
