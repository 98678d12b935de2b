"""The frames of HTTP/2 that are counted before an engine sees them."""

from __future__ import annotations

import random

import pytest

from llm_schema_registry_server.transports.front.frames import FrameHeads
from llm_schema_registry_server.transports.reset_budget import ResetBudget

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9


class FrameMeter:
    """What all frames cost, in pieces of at most so many heads."""

    def __init__(self, most: int = 7) -> None:
        self._heads, self._most = FrameHeads(), most

    def cost(self, data: bytes) -> float:
        cost = 0.0
        while data:
            heads, read = self._heads.read(data, self._most)
            assert read
            assert len(heads) <= self._most
            cost += sum(head.cost for head in heads)
            data = data[read:]
        return cost


def frame(kind: int, payload: bytes = b"", flags: int = 0) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + bytes(4) + payload


@pytest.mark.parametrize(
    ("frames", "cost"),
    [
        (frame(HEADERS, b"h" * 70) + frame(DATA, b"d" * 300, 1), 0.0),
        (frame(DATA, b"", 1), 0.0),  # the end of a stream
        (frame(WINDOW_UPDATE, bytes(4)), 0.0),
        (frame(DATA), 0.05),
        (frame(RST_STREAM, bytes(4)) * 3, 3.0),
        (frame(PING, bytes(8)) + frame(SETTINGS) + frame(PRIORITY, bytes(5)) + frame(CONTINUATION), 0.2),
        (frame(DATA, frame(RST_STREAM, bytes(4)) * 1000), 0.0),  # what looks like frames inside of one
    ],
)
def test_frames_that_ask_for_nothing_cost(frames: bytes, cost: float) -> None:
    assert FrameMeter().cost(PREFACE + frames) == pytest.approx(cost)


def test_the_pieces_in_which_frames_come_make_no_difference() -> None:
    chance = random.Random(5)
    sent = PREFACE + b"".join(
        frame(chance.randrange(10), bytes(chance.choice((0, 1, 8, 9, 200)))) for _ in range(300)
    )
    whole = FrameMeter().cost(sent)
    assert whole > 10

    for size in (1, 2, 8, 9, 10, 23, 24, 25, 1000):
        meter = FrameMeter()
        parts = sum(meter.cost(sent[at : at + size]) for at in range(0, len(sent), size))
        assert parts == pytest.approx(whole)
    meter, at, total = FrameMeter(), 0, 0.0
    while at < len(sent):
        size = chance.randrange(1, 40)
        total += meter.cost(sent[at : at + size])
        at += size
    assert total == pytest.approx(whole)


def test_a_caller_has_so_much_in_a_second_and_five_times_as_much_at_once() -> None:
    now = 0.0
    budget = ResetBudget(10, clock=lambda: now)

    assert all(budget.spend("a", 1.0) for _ in range(50))
    assert not budget.spend("a", 1.0)
    assert budget.spend("b", 1.0)
    now = 1.2
    assert [budget.spend("a", 1.0) for _ in range(12)].count(True) >= 10
    assert not budget.spend("a", 1.0)


def test_who_has_spent_too_much_is_barred_until_half_of_it_is_there_again() -> None:
    now = 0.0
    budget = ResetBudget(10, clock=lambda: now)
    assert budget.spend("a", 49)
    assert not budget.barred("a")
    assert not budget.spend("a", 100)
    assert budget.barred("a")
    assert not budget.barred("b")
    now = 2.0
    assert budget.barred("a")
    now = 3.0
    assert not budget.barred("a")
    assert budget.spend("a", 20)
    for n in range(20_000):  # others are remembered instead
        budget.spend(str(n), 100)
    assert not budget.barred("a")
    assert not budget.barred("0")
