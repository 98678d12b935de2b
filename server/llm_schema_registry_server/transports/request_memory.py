"""The memory that requests may hold before and while they are answered, shared by all ports."""

from __future__ import annotations

from ..queues.caller import Caller
from ..queues.fair_queue import Cost, FairQueue, Queues, Ticket

NAME = "request_bytes"

LARGE = 64 * 1024
"""Requests of gRPC above this take room; smaller ones are bounded by the number of calls in flight."""

_MIDDLING, _HUGE = 1024 * 1024, 16 * 1024 * 1024


def request_memory(queues: Queues, most_bytes: int, *, largest: int) -> FairQueue:
    """Room for `most_bytes` of requests, shown among `queues`, and at least for two of the `largest`, which any caller may send."""
    most_bytes = max(most_bytes, 2 * largest)
    return queues.add(
        FairQueue(
            NAME,
            (most_bytes, most_bytes * 3 // 4, most_bytes // 2),
            queues.limits,
            what="pieces of request bodies wait for memory",
            setting="queues.waiting",
            per_caller_units=max(most_bytes // 4, largest),
        )
    )


def size_class(size: int) -> Cost:
    """How dear it is to hold a request of `size` bytes."""
    return Cost.CHEAP if size <= _MIDDLING else Cost.USUAL if size <= _HUGE else Cost.DEAR


def hold(memory: FairQueue, caller: str, size: int) -> Ticket:
    """Room for a request that has arrived already and so cannot wait. Raises LimitExceeded."""
    ticket = memory.take_now(Caller(caller), size_class(size), size)
    if ticket is None:
        raise memory.refusal(
            "full",
            f"large requests fill the memory that is set aside for them, {memory.held} bytes (setting queues.request_bytes); "
            "try again later",
            size=size,
        )
    return ticket
