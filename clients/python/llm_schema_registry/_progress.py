"""How far a stream has come, so that it can go on after it broke. Pure."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from ._call import changed
from .errors import DeadlineExceeded, InternalError


class Progress:
    """The request that asks for the rest of a listing."""

    def __init__(self, request: Message) -> None:
        self.request = request
        self.complete = False

    def received(self, item: Any) -> None:  # a message with page_token; protobuf has no type for that
        """Note an item: the rest begins after it, and is one shorter when there is a limit."""
        rest: dict[str, object] = {"page_token": item.page_token}
        limit: int = getattr(self.request, "limit", 0)
        if limit > 0:
            self.complete = limit == 1
            rest["limit"] = limit - 1
        request = changed(self.request, **rest)
        if "offset" in request.DESCRIPTOR.fields_by_name:
            request.ClearField("offset")
        self.request = request


def ended_early(answered: int) -> InternalError:
    """The failure of a server that ends a batch while it owes answers."""
    message = f"the server ended the batch after {answered} answers although more were due"
    return InternalError(message, reason="")


def silent(patience: float) -> DeadlineExceeded:
    """The failure of a stream on which nothing came for too long."""
    return DeadlineExceeded(f"nothing came for {patience:g} s")
