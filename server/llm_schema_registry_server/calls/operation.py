"""What callers can ask of a server, whatever the face (gRPC, HTTP, ...) through which they ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, NamedTuple

NO_PERMISSION = "none"
"""The permission of an operation that anyone may call."""


class Idempotency(Enum):
    """Whether a call that may have run can be sent again; the values of google.protobuf.MethodOptions.IdempotencyLevel."""

    UNKNOWN = 0
    NO_SIDE_EFFECTS = 1
    IDEMPOTENT = 2


class Unnamed(Enum):
    """What a permission that holds for some subjects only is worth where the request names no resource; the values of
    schema_registry.v1.Unnamed."""

    REFUSED = 0
    """Nothing: the permission must hold everywhere."""
    FILTERED = 1
    """The answer tells of those subjects only."""
    ALLOWED = 2
    """What the call touches is decided one by one, as it becomes known."""


class ResourceKind(StrEnum):
    """What kinds of things calls touch."""

    SUBJECT = "subject"
    """By its qualified name."""
    SCHEMA = "schema"
    """By its schema id."""
    CONTEXT = "context"
    """By its name, which starts with a dot."""
    REFERENCE = "reference"
    """A subject that a schema in the request references: it is read, whatever is done with the schema."""
    PATTERN = "pattern"
    """Subjects by a pattern over their qualified names (model/pattern.py): what a stream of changes watches."""
    REGISTRY = "registry"
    """All subjects at once: what an answer tells may come from any of them, and changes with any of them."""


class Resource(NamedTuple):
    """One thing that a call touches."""

    kind: ResourceKind
    name: str


Resources = tuple[Resource, ...]

REGISTRY = Resource(ResourceKind.REGISTRY, "")
"""The one resource of its kind."""


def no_resources(request: Any) -> Resources:
    """For operations whose requests name no resource."""
    return ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that a server does, as a face offers it.

    `id` is distinct among all operations of a server and names it in metrics (`/schema_registry.v1.SchemaRegistry/GetSchema`);
    `name` is the same in every face that offers it (`GetSchema`), for people, logs and the audit. `resources` reads from a
    request what it names, before anything is done; of a stream of requests nothing is known before, its handler names
    what each request touches. `cached`: whether its answers may be kept and given out again (calls/answer_cache.py). `lookup` is a
    permission with which the call may be made where the other one is missing; it then changes nothing.

    Raises TypeError for what contradicts itself: no permission, an answer that is cached of what changes something.
    """

    id: str
    name: str
    permission: str
    mutates: bool = False
    client_streaming: bool = False
    server_streaming: bool = False
    idempotency: Idempotency = Idempotency.UNKNOWN
    resources: Callable[[Any], Resources] = no_resources
    cached: bool = False
    unnamed: Unnamed = Unnamed.REFUSED
    lookup: str = ""
    streams: bool = field(init=False)
    """Whether either side sends more than one message."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "streams", self.client_streaming or self.server_streaming)
        if not self.permission:
            raise TypeError(f"{self.id} declares no permission; {NO_PERMISSION!r} lets everyone in")
        if self.mutates and self.idempotency is Idempotency.NO_SIDE_EFFECTS:
            raise TypeError(f"{self.id} mutates and yet declares NO_SIDE_EFFECTS")
        if self.cached and (self.mutates or self.streams):
            raise TypeError(f"answers of {self.id} cannot be cached: it mutates or streams")
