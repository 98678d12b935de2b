"""One call, whatever the wire: what an RPC is, and one use of it in flight."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from google.protobuf.message import Message

from ..model.principal import Principal

Wire = Literal["grpc", "http"]

NO_PERMISSION = "none"
"""The permission of an RPC that anyone may call."""

NOBODY = Principal("anonymous", anonymous=True)
"""The principal of a call that nobody has authenticated."""

REQUEST_ID = "x-request-id"
_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._:\-]{1,64}")
# Ids need to be distinct, not secret: a random prefix for the process, then a counter.
_PREFIX = os.urandom(6).hex()
_COUNTER = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Binding:
    """One google.api.http rule: verb, path template, and the field that the body fills ("*" all, "" none)."""

    verb: str
    path: str
    body: str


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC as its descriptor describes it; `service` is the full name (`schema_registry.v1.SchemaRegistry`)."""

    service: str
    name: str
    request_type: type[Message]
    response_type: type[Message]
    client_streaming: bool
    server_streaming: bool
    permission: str
    mutates: bool
    bindings: tuple[Binding, ...] = ()
    path: str = field(init=False)
    """The name on the gRPC wire: `/schema_registry.v1.SchemaRegistry/GetSchema`."""
    streams: bool = field(init=False)
    """Whether either side sends more than one message."""

    def __post_init__(self) -> None:  # once, where every call asks several times
        object.__setattr__(self, "path", f"/{self.service}/{self.name}")
        object.__setattr__(self, "streams", self.client_streaming or self.server_streaming)


async def _nothing() -> None:
    """What `ready` does on a wire that tells its caller anyway."""


@dataclass(slots=True)
class Call:
    """One RPC in flight: what the guards read and what they learn.

    Names in `metadata` are lower case. `deadline` is a point of time.monotonic(), None when the caller may wait for
    ever. What handlers put into `response_metadata` goes out as trailers (gRPC) or headers (HTTP). A handler of a stream
    awaits `ready` when the stream stands but has nothing to send yet: the caller then gets the initial metadata.
    `resume_revision` is where a subscription goes on when it breaks here: everything before it was handed to the wire.
    """

    method: Method
    metadata: Mapping[str, str]
    peer: str
    wire: Wire
    request_id: str
    deadline: float | None = None
    principal: Principal = NOBODY
    response_metadata: dict[str, str] = field(default_factory=dict)
    ready: Callable[[], Awaitable[None]] = _nothing
    resume_revision: str | None = None


def request_id(metadata: Mapping[str, str]) -> str:
    """The caller's x-request-id when it is short and harmless in a log, otherwise a new one."""
    given = metadata.get(REQUEST_ID)
    if given is not None and _ACCEPTABLE_ID.fullmatch(given):
        return given
    return f"{_PREFIX}-{next(_COUNTER):x}"
