"""What a call is, whichever client makes it: the RPC, the message to send and how to read the answer.

The functions in `_calls` return these descriptions; the blocking and the asyncio client carry them out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from ._methods import IDEMPOTENT

R = TypeVar("R")
I = TypeVar("I")  # noqa: E741 - the items of a batch
Answer = TypeVar("Answer", bound=Message)


@dataclass(frozen=True, slots=True)
class Rpc(Generic[Answer]):
    """One RPC: its path on the wire and the message it answers with."""

    path: str
    answer: type[Answer]


@dataclass(frozen=True, slots=True)
class Unary(Generic[R]):
    """A call with one answer.

    `repeatable`: doing it twice is the same as doing it once, so it is retried even when the first try may have
    arrived. Others are retried only when the server itself said that it did nothing. `least_revision`: the change that
    the answer must know; "" when any will do.
    """

    rpc: Rpc[Any]
    request: Message
    decode: Callable[[Any], R]
    timeout: float | None
    repeatable: bool
    least_revision: str = ""

    def after(self, page_token: str) -> Unary[R]:
        """The call for the next page."""
        restarts = {"offset": 0} if "offset" in self.request.DESCRIPTOR.fields_by_name else {}
        return self.with_fields(page_token=page_token, **restarts)

    def with_fields(self, **fields: object) -> Unary[R]:
        """The same call with some fields of its request changed."""
        return replace(self, request=changed(self.request, **fields))


@dataclass(frozen=True, slots=True)
class Listing(Generic[R]):
    """A call with a stream of items, each of which names the place to go on after it."""

    rpc: Rpc[Any]
    request: Message
    decode: Callable[[Any], R]
    timeout: float | None


@dataclass(frozen=True, slots=True)
class Batch(Generic[I, R]):
    """A call with a stream of requests and one answer for each, in order. `decode` is given the place of the item."""

    rpc: Rpc[Any]
    encode: Callable[[I], Message]
    decode: Callable[[Any, int], R]
    window: int
    timeout: float | None


REGISTRY = "/schema_registry.v1.SchemaRegistry/"
CONFIG = "/schema_registry.v1.ConfigService/"
LIFECYCLE = "/schema_registry.v1.LifecycleService/"
TOOLS = "/schema_registry.v1.ToolsService/"
ANSWERS = "/schema_registry.v1.AnswerService/"
PROVIDERS = "/schema_registry.v1.ProviderService/"
FIXES = "/schema_registry.v1.FixService/"
CONFORMANCE = "/schema_registry.v1.ConformanceService/"
ADMIN = "/schema_registry.v1.AdminService/"
AUDIT = "/schema_registry.v1.AuditService/"
TICKETS = "/schema_registry.v1.TicketService/"


def unary(
    path: str,
    answer: type[Answer],
    decode: Callable[[Answer], R],
    request: Message,
    timeout: float | None,
    *,
    repeatable: bool | None = None,
) -> Unary[R]:
    """A description whose parts are checked against each other before their types are forgotten.

    `repeatable` is what the protos declare of the RPC, unless this request knows better.
    """
    repeat = path in IDEMPOTENT if repeatable is None else repeatable
    return Unary(Rpc(path, answer), request, decode, timeout, repeat)


def changed(request: Answer, **fields: object) -> Answer:
    """A copy of a message with some scalar fields changed."""
    copy = type(request)()
    copy.CopyFrom(request)
    for name, value in fields.items():
        setattr(copy, name, value)
    return copy
