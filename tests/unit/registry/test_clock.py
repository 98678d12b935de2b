"""A wall clock that leaps ahead is believed when it stays there; one that is set back, at once."""

from datetime import UTC, datetime, timedelta

from llm_schema_registry_server.registry.clock import SteadyClock

START = datetime(2026, 1, 1, tzinfo=UTC)
CENTURIES = timedelta(days=73_000)


class Machine:
    def __init__(self, **bounds: float) -> None:
        self.wall, self.monotonic = START, 1000.0
        self.leaps: list[float] = []
        self.clock = SteadyClock(
            self.leaps.append, wall=lambda: self.wall, monotonic=lambda: self.monotonic, **bounds
        )

    def after(self, seconds: float, leap: timedelta = timedelta()) -> datetime:
        """The time that is told when so many seconds have passed and the wall clock has leapt besides."""
        self.wall += timedelta(seconds=seconds) + leap
        self.monotonic += seconds
        return self.clock()


def test_time_passes() -> None:
    machine = Machine()

    assert [machine.after(s) - START for s in (0, 1, 7200)] == [timedelta(seconds=s) for s in (0, 1, 7201)]
    assert machine.leaps == []


def test_a_clock_that_is_ahead_for_a_second_dates_nothing_in_the_future() -> None:
    machine = Machine()

    assert machine.after(1, CENTURIES) == START + timedelta(seconds=1)
    assert machine.after(1) == START + timedelta(seconds=2)
    assert machine.after(1, -CENTURIES) == START + timedelta(seconds=3) == machine.wall
    assert machine.leaps == [CENTURIES.total_seconds()]


def test_a_clock_that_stays_ahead_is_believed() -> None:
    machine = Machine()

    machine.after(1, CENTURIES)
    told = machine.after(60)

    assert told == machine.wall
    assert machine.after(1) == machine.wall
    assert len(machine.leaps) == 1


def test_a_clock_that_is_set_back_or_drifts_is_believed_at_once() -> None:
    machine = Machine()

    assert machine.after(1, -CENTURIES) == machine.wall
    assert machine.after(1, timedelta(minutes=59)) == machine.wall
    assert machine.leaps == []


def test_what_is_a_leap_and_when_it_is_believed_is_a_setting() -> None:
    machine = Machine(leap_seconds=10.0, believed_after_seconds=5.0)

    assert machine.after(1, timedelta(seconds=9)) == machine.wall
    assert machine.after(1, timedelta(seconds=11)) < machine.wall
    assert machine.after(5) == machine.wall
    assert machine.leaps == [11.0]


def test_a_clock_that_is_always_believed() -> None:
    assert (machine := Machine(believed_after_seconds=0.0)).after(1, CENTURIES) == machine.wall
