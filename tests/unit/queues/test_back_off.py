"""Who offends again and again waits longer each time; who stops is forgiven."""

from __future__ import annotations

from llm_schema_registry_server.queues.back_off import MOST_CALLERS, BackOff


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def waits(back_off: BackOff, clock: Clock, offences: int) -> list[float]:
    """How long is waited after each of so many offences; each comes when the wait before is over."""
    found = []
    for _ in range(offences):
        back_off.note("a")
        found.append(back_off.seconds_left("a"))
        clock.now += found[-1]
    return found


def test_the_first_one_is_free_and_the_wait_doubles_up_to_the_longest() -> None:
    back_off = BackOff(10.0, clock=(clock := Clock()))

    assert waits(back_off, clock, 7) == [0, 1, 2, 4, 8, 10, 10]
    assert back_off.seconds_left("b") == 0


def test_offences_at_the_same_time_all_count() -> None:
    back_off = BackOff(60.0, clock=(clock := Clock()))

    for _ in range(4):
        back_off.note("a")

    assert back_off.seconds_left("a") == 4
    clock.now += 3
    assert back_off.seconds_left("a") == 1


def test_who_has_not_offended_for_long_begins_anew() -> None:
    back_off = BackOff(10.0, clock=(clock := Clock()))

    waits(back_off, clock, 5)
    clock.now += 10.5

    assert waits(back_off, clock, 3) == [0, 1, 2]


def test_nobody_waits_without_a_longest_wait() -> None:
    assert waits(BackOff(0.0, clock=(clock := Clock())), clock, 5) == [0] * 5


def test_a_bounded_number_of_callers_is_remembered() -> None:
    back_off = BackOff(60.0, clock=Clock())

    for caller in range(MOST_CALLERS + 100):
        back_off.note(caller)

    assert len(back_off) == MOST_CALLERS
