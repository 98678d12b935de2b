"""Times as options take them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def moment(text: str, option: str) -> datetime:
    """A point in time, or so long ago; in UTC without a zone. Raises typer.BadParameter that names the option."""
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is not None:
        return datetime.now(UTC) - timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time; write 30m, 24h, 7d or 2026-11-29T08:00", param_hint=option
        ) from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)
