"""Instants as whole numbers, which is how they are stored and sent. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
Clock = Callable[[], datetime]
"""Tells the time in UTC."""


def wall_clock() -> datetime:
    """The time of the machine, which may leap."""
    return datetime.now(UTC)


def micros(at: datetime) -> int:
    """Microseconds since EPOCH."""
    return (at - EPOCH) // MICROSECOND


def moment(value: int) -> datetime:
    """What `micros` says so of, in UTC."""
    return EPOCH + timedelta(microseconds=value)
