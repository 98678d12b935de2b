"""Instants as whole numbers, which is how they are stored and sent. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Microseconds since EPOCH."""
    return (at - EPOCH) // MICROSECOND


def moment(value: int) -> datetime:
    """What `micros` says so of, in UTC."""
    return EPOCH + timedelta(microseconds=value)
