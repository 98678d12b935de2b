"""Whose address a call counts for: the connection's, or what a trusted proxy says, and never what a caller claims."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_schema_registry_server.calls.peer import NO_PROXIES, ForwardedHeader, TrustedProxies

PROXIES = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]
XFF: ForwardedHeader = "x-forwarded-for"


@pytest.mark.parametrize(
    ("connection", "address"),
    [
        ("192.0.2.7:4711", "192.0.2.7"),
        ("192.0.2.7", "192.0.2.7"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[::ffff:192.0.2.7]:80", "192.0.2.7"),
        ("ipv4:192.0.2.7:4711", "192.0.2.7"),
        ("ipv6:%5B2001:db8::1%5D:4711", "2001:db8::1"),
        ("ipv6:[fe80::1%25eth0]:4711", "fe80::1"),
        ("unix:", ""),
        ("", ""),
    ],
)
def test_every_transport_s_way_to_write_a_peer_is_read(connection: str, address: str) -> None:
    peer = NO_PROXIES.peer(connection, {XFF: "203.0.113.9"})

    assert (peer.address, peer.connection, peer.certificate) == (address, connection, b"")
    assert not peer.forwarded
    assert str(peer) == connection


@pytest.mark.parametrize(
    ("connection", "told", "address"),
    [
        ("10.1.2.3:80", "203.0.113.9", "203.0.113.9"),
        ("10.1.2.3:80", "203.0.113.9:5000", "203.0.113.9"),
        ("[fd00::5]:80", "[2001:db8::9]:443", "2001:db8::9"),
        # Two proxies of ours; before them the caller's own claim, which counts for nothing.
        ("10.1.2.3:80", "8.8.8.8, 203.0.113.9, 10.9.9.9", "203.0.113.9"),
        ("10.1.2.3:80", "10.9.9.9", "10.9.9.9"),  # a caller inside the trusted network
        ("10.1.2.3:80", "203.0.113.9, unknown", "10.1.2.3"),
        ("10.1.2.3:80", "203.0.113.9, nonsense:1:2", "10.1.2.3"),
        ("10.1.2.3:80", "", "10.1.2.3"),
        ("10.1.2.3:80", ",", "10.1.2.3"),
        ("192.0.2.7:80", "203.0.113.9", "192.0.2.7"),  # no proxy of ours
        ("unix:", "203.0.113.9", ""),
    ],
)
def test_only_a_trusted_proxy_is_believed_and_only_about_what_it_saw(
    connection: str, told: str, address: str
) -> None:
    peer = TrustedProxies(PROXIES).peer(connection, {XFF: told})

    assert peer.address == address
    assert peer.forwarded == (address not in connection)


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ("for=203.0.113.9", "203.0.113.9"),
        ('For="[2001:db8::9]:4711";proto=https', "2001:db8::9"),
        ("proto=http;for=203.0.113.9;by=10.0.0.1", "203.0.113.9"),
        ("for=8.8.8.8, for=203.0.113.9;proto=https, for=10.9.9.9", "203.0.113.9"),
        ("for=203.0.113.9, for=_hidden", "10.1.2.3"),
        ("for=203.0.113.9, proto=https", "10.1.2.3"),
        ("203.0.113.9", "10.1.2.3"),
    ],
)
def test_the_standard_header_is_read_where_it_is_the_one_that_proxies_set(told: str, address: str) -> None:
    headers = {"forwarded": told, XFF: "198.51.100.1"}

    assert TrustedProxies(PROXIES, "forwarded").peer("10.1.2.3:80", headers).address == address
    assert TrustedProxies(PROXIES).peer("10.1.2.3:80", headers).address == "198.51.100.1"


def test_the_log_shows_both_ends_of_a_proxy() -> None:
    peer = TrustedProxies(PROXIES).peer("10.1.2.3:80", {XFF: "203.0.113.9"})

    assert str(peer) == "203.0.113.9 via 10.1.2.3:80"


@given(st.text(max_size=200), st.sampled_from(["x-forwarded-for", "forwarded"]))
def test_any_header_gives_an_address_or_none(told: str, header: ForwardedHeader) -> None:
    address = TrustedProxies(PROXIES, header).peer("10.1.2.3:80", {header: told}).address

    assert str(ipaddress.ip_address(address)) == address
