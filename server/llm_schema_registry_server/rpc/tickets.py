"""The handlers of TicketService."""

from __future__ import annotations

from datetime import UTC, datetime

from llm_schema_registry.v1 import tickets_pb2 as pb

from ..auth.tickets import Tickets
from ..calls.call import Call
from .convert import timestamp


class TicketService:
    """One method per RPC, named as the RPC is."""

    def __init__(self, tickets: Tickets) -> None:
        self._tickets = tickets

    async def create_ticket(self, request: pb.CreateTicketRequest, call: Call) -> pb.CreateTicketResponse:
        ticket, expires = self._tickets.make(call.metadata)
        return pb.CreateTicketResponse(
            ticket=ticket, expires_at=timestamp(datetime.fromtimestamp(expires, UTC))
        )
