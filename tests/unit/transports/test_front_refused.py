"""An address that goes on asking although it is refused is read more slowly."""

from __future__ import annotations

import pytest

from llm_schema_registry_server.transports.front.refused import Refusals


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def refusals(per_second: float = 10) -> tuple[Refusals, Clock]:
    clock = Clock()
    return Refusals(per_second, clock), clock


def test_five_times_as_many_as_in_a_second_come_without_a_pause() -> None:
    found, _ = refusals()
    assert [found.note("a") for _ in range(50)] == [0.0] * 50
    assert found.note("a") == pytest.approx(0.1)
    assert found.pause("a") == pytest.approx(0.1)
    assert found.pause("b") == 0
    assert found.note("b") == 0


def test_a_pause_is_as_long_as_the_refusals_were_many_and_no_longer_than_five_seconds() -> None:
    found, clock = refusals()
    for _ in range(70):
        found.note("a")
    assert found.pause("a") == pytest.approx(2.0)
    clock.now += 1.5
    assert found.pause("a") == pytest.approx(0.5)
    clock.now += 0.5
    assert found.pause("a") == pytest.approx(0)
    assert found.note("a") == pytest.approx(0.1)
    for _ in range(1_000):
        found.note("a")
    assert found.pause("a") == pytest.approx(5.0)


def test_who_waits_has_its_room_again() -> None:
    found, clock = refusals()
    for _ in range(100):
        found.note("a")
    clock.now += 10
    assert [found.note("a") for _ in range(50)] == [0.0] * 50


def test_addresses_are_forgotten() -> None:
    found, _ = refusals()
    for number in range(10_001):
        for _ in range(60 if number == 0 else 1):
            found.note(str(number))
    assert found.pause("0") == 0
