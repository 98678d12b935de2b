"""Calls about tickets."""

from __future__ import annotations

from .. import _decode_tickets
from .._call import TICKETS, Unary, unary
from .._checked import checked
from ..results import Ticket
from ..v1 import tickets_pb2


@checked
def create_ticket(*, timeout: float | None = None) -> Unary[Ticket]:
    """A ticket that opens one WebSocket within 30 s in the name of this client: hand it to a page in a browser, which cannot show
    credentials there and adds it to the URL as `?ticket=...`."""
    return unary(
        TICKETS + "CreateTicket",
        tickets_pb2.CreateTicketResponse,
        _decode_tickets.ticket,
        tickets_pb2.CreateTicketRequest(),
        timeout,
    )
