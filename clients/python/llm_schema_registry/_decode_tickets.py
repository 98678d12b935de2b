"""From the messages of TicketService to frozen values."""

from __future__ import annotations

from ._decode import time
from .results import Ticket
from .v1 import tickets_pb2


def ticket(m: tickets_pb2.CreateTicketResponse) -> Ticket:
    return Ticket(m.ticket, time(m, "expires_at"))
