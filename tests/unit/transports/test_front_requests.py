"""What the front looks at in the requests of HTTP/2 that are none of gRPC, whatever the pieces in which they come."""

from __future__ import annotations

import pytest

from llm_schema_registry_server.transports.front.http2 import PREFACE, frame
from llm_schema_registry_server.transports.front.incomplete import IncompleteCalls
from llm_schema_registry_server.transports.front.inspection import Abuse
from llm_schema_registry_server.transports.front.requests import RequestInspection

DATA, HEADERS, RST, PING = 0, 1, 3, 6
END_STREAM, END_HEADERS = 1, 4
FREE = 8
"""Requests of each connection that are not counted."""


class World:
    """One connection; what it spends is counted."""

    def __init__(self, allowed: float = 1e9, incomplete: IncompleteCalls | None = None) -> None:
        self.spent, self.allowed = 0.0, allowed
        self.incomplete = IncompleteCalls(100) if incomplete is None else incomplete
        self.inspection = RequestInspection(self.incomplete, "10.0.0.7", self.spend)
        self.pieces = 0
        self.send(PREFACE)

    def spend(self, cost: float) -> bool:
        self.spent += cost
        return self.spent <= self.allowed

    def send(self, data: bytes, piece: int = 1 << 20) -> bytes:
        out = b""
        for at in range(0, len(data), piece):
            out += self.inspection.incoming(data[at : at + piece])
            while self.inspection.unfinished:
                self.pieces += 1
                out += self.inspection.incoming(b"")
        return out


def begun(count: int, first: int = 1, flags: int = END_HEADERS) -> bytes:
    return b"".join(frame(HEADERS, flags, first + 2 * n, b"some block") for n in range(count))


@pytest.mark.parametrize("piece", [1, 7, 9, 30, 5000])
def test_a_request_is_incomplete_until_its_body_has_ended(piece: int) -> None:
    world = World()
    sent = begun(20)
    assert world.send(sent, piece) == sent
    assert len(world.incomplete) == 20 - FREE
    for n in range(20):
        part = frame(DATA, 0, 2 * n + 1, b"part of a body")
        assert world.send(part, piece) == part
        assert len(world.incomplete) == max(0, 20 - FREE - n)
        world.send(frame(DATA, END_STREAM, 2 * n + 1, b""), piece)
    assert len(world.incomplete) == 0
    assert world.spent == 0
    world.inspection.close()
    assert world.spent == 0


def test_a_request_without_a_body_is_complete() -> None:
    world = World()
    world.send(begun(500, flags=END_HEADERS | END_STREAM))
    assert len(world.incomplete) == 0
    assert world.spent == 0


def test_trailers_end_a_body() -> None:
    world = World()
    world.send(begun(9) + frame(HEADERS, END_HEADERS | END_STREAM, 17, b"trailers"))
    assert len(world.incomplete) == 0


def test_a_connection_that_begins_more_requests_than_its_caller_may_have_is_ended() -> None:
    incomplete = IncompleteCalls(20)
    world = World(incomplete=incomplete)
    world.send(begun(20 + FREE))
    with pytest.raises(Abuse, match="do not come") as abuse:
        world.send(begun(1, 201))
    assert abuse.value.setting == "grpc.incomplete_calls_per_address"
    world.inspection.close()
    assert len(incomplete) == 0
    assert world.spent == 20 + FREE, "each as one that was reset"


@pytest.mark.parametrize(
    ("end", "cost"),
    [
        (frame(DATA, END_STREAM, 1, b"too early"), 1.0),
        (frame(HEADERS, END_STREAM | END_HEADERS, 1, b"x"), 1.0),
        (frame(RST, 0, 1, bytes(4)), 1.0),
        (frame(HEADERS, END_HEADERS, 1, b"an answer begins"), 0.0),
    ],
)
def test_what_is_answered_before_it_has_come_costs_its_client(end: bytes, cost: float) -> None:
    world = World()
    world.send(begun(1))
    assert world.inspection.outgoing(end) == end
    world.send(frame(DATA, 0, 1, b"the rest"))
    assert world.spent == cost


def test_a_request_that_is_reset_costs_less_once_its_answer_has_begun() -> None:
    """So every client leaves a stream of events."""
    world = World()
    world.send(begun(2, flags=END_HEADERS | END_STREAM))
    world.inspection.outgoing(frame(HEADERS, END_HEADERS, 1, b"200"))
    world.send(frame(RST, 0, 1, bytes(4)))
    assert world.spent == 0.25
    world.send(frame(RST, 0, 3, bytes(4)))
    assert world.spent == 1.25


def test_who_sends_frames_that_carry_nothing_is_cut() -> None:
    with pytest.raises(Abuse, match="carry nothing"):
        World(allowed=10).send(frame(PING, 0, 0, bytes(8)) * 1000)


def test_many_frames_are_looked_at_in_pieces() -> None:
    world = World()
    sent = frame(PING, 0, 0, bytes(8)) * 20_000
    assert world.send(sent) == sent
    assert world.pieces >= 20_000 // 256
    assert world.inspection.units == pytest.approx(20_000 / 32)
