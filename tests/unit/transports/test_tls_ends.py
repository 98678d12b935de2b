"""Who is at the other end of a connection of the front, and which address stands for it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from llm_schema_registry_server.calls.peer import BehindFront, Fronted, Peer
from llm_schema_registry_server.transports.front.ends import Ends, StandIns

XFF = "x-forwarded-for"


def test_an_address_has_one_stand_in_and_no_two_share_one() -> None:
    stand_ins = StandIns()
    found = [stand_ins.of(f"10.0.{i >> 8}.{i & 255}") for i in range(1000)]
    assert len(set(found)) == 1000
    assert found == [stand_ins.of(f"10.0.{i >> 8}.{i & 255}") for i in range(1000)]
    assert all(ip_address(one) in ip_network("127.0.0.0/8") for one in found)
    assert "127.0.0.1" not in found


def test_so_many_are_remembered_and_no_more() -> None:
    stand_ins = StandIns(most=2)
    a, b = stand_ins.of("a"), stand_ins.of("b")
    assert stand_ins.of("a") == a
    stand_ins.of("c")
    assert stand_ins.of("a") == a
    assert stand_ins.of("b") != b


def test_a_connection_is_known_from_its_opening_to_its_end() -> None:
    ends = Ends()
    behind = BehindFront(ends.find)
    assert behind.peer("127.0.0.2:5", {}).stranger
    ends.add("127.0.0.2:5", Fronted("203.0.113.7:4711", b"certificate"))
    for name in ("127.0.0.2:5", "ipv4:127.0.0.2:5", "ipv6:[::ffff:127.0.0.2]:5"):
        assert behind.peer(name, {XFF: "1.2.3.4"}) == Peer("203.0.113.7", "203.0.113.7:4711", b"certificate")
    assert behind.named("ipv4:127.0.0.2:5") == "203.0.113.7:4711"
    ends.remove("127.0.0.2:5")
    assert behind.named("ipv4:127.0.0.2:5") == "ipv4:127.0.0.2:5"
    assert behind.peer("127.0.0.2:5", {}) == Peer("", "127.0.0.2:5", stranger=True)
    ends.remove("127.0.0.2:5")


def test_a_port_that_comes_again_is_somebody_else() -> None:
    ends = Ends()
    behind = BehindFront(ends.find)
    for host, certificate in (("10.0.0.1", b"a"), ("10.0.0.2", b"b")):
        ends.add("127.0.0.2:5", Fronted(f"{host}:1", certificate))
        peer = behind.peer("127.0.0.2:5", {})
        assert (peer.address, peer.certificate) == (host, certificate)
        ends.remove("127.0.0.2:5")


def test_a_proxy_is_trusted_by_its_own_address_and_never_by_its_stand_in() -> None:
    ends = Ends()
    behind = BehindFront(ends.find, [ip_network("10.0.0.0/8")])
    loopback = BehindFront(ends.find, [ip_network("127.0.0.0/8")])
    ends.add("127.0.0.2:5", Fronted("10.0.0.1:1", b"of the proxy"))
    for told in ("203.0.113.1", "203.0.113.2"):
        peer = behind.peer("127.0.0.2:5", {XFF: told})
        assert (peer.address, peer.certificate, peer.forwarded) == (told, b"of the proxy", True)
    assert behind.trusts("ipv4:127.0.0.2:5")
    assert loopback.peer("127.0.0.2:5", {XFF: "203.0.113.1"}).address == "10.0.0.1"
    assert not loopback.trusts("ipv4:127.0.0.2:5")
    assert not loopback.trusts("ipv4:127.0.0.3:5")
