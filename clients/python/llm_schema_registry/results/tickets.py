"""What asking for a ticket gives. Frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Ticket:
    """Whoever has it may open one WebSocket with it, in the name of who asked for it, before `expires_at`."""

    ticket: str = field(repr=False)
    expires_at: datetime | None
