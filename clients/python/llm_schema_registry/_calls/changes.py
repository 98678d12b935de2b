"""The watch over the change log: what it asks for, and how it goes on after the connection broke."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable

from google.protobuf.duration_pb2 import Duration

from .._arguments import texts
from .._call import REGISTRY, Rpc, changed
from .._checked import checked
from .._encode import numbers
from .._retry import Attempts
from ..enums import EventType
from ..errors import Code, RegistryError
from ..v1 import schema_registry_pb2 as pb

log = logging.getLogger("llm_schema_registry")

STREAM_CHANGES = Rpc(REGISTRY + "StreamSchemaChanges", pb.SchemaChangeEvent)
RESUMABLE = frozenset({Code.UNAVAILABLE, Code.ABORTED, Code.CANCELLED, Code.DEADLINE_EXCEEDED})
"""Codes of a stream that broke without fault of the request: ABORTED is a server that no longer waited
for this reader, CANCELLED one that stopped at once, DEADLINE_EXCEEDED a silence that no living server keeps, or a proxy that limits the age of streams."""

GATHER = 0.1
"""Seconds that a server may hold back a change that follows another one."""


class Subscription:
    """Where a watch stands: the request that continues it, and whether to continue after a failure.

    A message may bring several changes (`received`), which are given out one by one (`next`): what continues the watch is the place after
    the last one that was given out.

    Not connected yet, a failure is treated as that of any call: tried again as the retry policy says, then raised.
    Once connected, the watch goes on for ever: an interruption is no reason to lose a subscriber.
    """

    def __init__(
        self, request: pb.StreamRequest, attempts: Attempts, *, patience: float, heartbeats: bool
    ) -> None:
        self.request = request
        self.patience = patience
        self.heartbeats = heartbeats
        self._attempts = attempts
        self._waiting: deque[pb.SchemaChangeEvent] = deque()
        self._connected = False
        self._failed = False
        self._standing = False
        self._lost = False
        self.on_standing: Callable[[bool], None] = lambda standing: None
        """Told when the connection stands (something came over it) and when it broke."""

    @property
    def revision(self) -> str:
        """The last place known to be complete; "" before there is one."""
        return self.request.from_revision

    def received(self, message: pb.SchemaChangeEvent) -> None:
        """Note a message. A server that does not gather sends one event in each."""
        self._connected = True
        self._attempts.succeeded()
        self._stands(True)
        self._waiting.append(message)
        self._waiting.extend(message.more)

    def next(self) -> pb.SchemaChangeEvent | None:
        """The next event that the caller is to see, of those that were received; None when there is none."""
        while self._waiting:
            event = self._waiting.popleft()
            if event.revision:
                self.request = changed(self.request, from_revision=event.revision)
            if self.heartbeats or not event.heartbeat:
                return event
        return None

    def failed(self, error: RegistryError) -> float | None:
        """Seconds to wait before going on from `revision`; None to raise the error."""
        self._stands(False)
        if error.code not in RESUMABLE:
            return None
        if not self._connected:
            if not self._failed:  # the time to connect counts from here, not from when the watch was made
                self._attempts.succeeded()
                self._failed = True
            return self._attempts.after(error)
        return self._interrupted(str(error))

    def ended(self) -> float:
        """Seconds to wait before going on after a server that ended the stream without a word."""
        self._stands(False)
        return self._interrupted("the stream ended")

    def _stands(self, standing: bool) -> None:
        if standing is not self._standing:
            self._standing = standing
            if standing and self._lost:
                self._lost = False
                log.warning("watch connected again, from revision %r", self.revision)
            self.on_standing(standing)

    def _interrupted(self, why: str) -> float:
        # One line when the connection is lost and one when it is back, however many tries lie between.
        log.log(
            logging.DEBUG if self._lost else logging.WARNING,
            "watch interrupted (%s); resuming from revision %r",
            why,
            self.revision,
        )
        self._lost = True
        return self._attempts.pause()


@checked
def subscription(
    attempts: Attempts,
    *,
    subjects: Iterable[str],
    event_types: Iterable[EventType | str],
    from_revision: str,
    include_schema: bool,
    heartbeat: float,
    patience: float | None,
    heartbeats: bool,
    gather: float | None,
) -> Subscription:
    """The subscription of a watch. Raises ValueError for a heartbeat under a second, which the API does not offer."""
    if heartbeat < 1:
        raise ValueError(f"heartbeat is {heartbeat} s; the shortest is 1 s")
    interval = Duration()
    interval.FromNanoseconds(int(heartbeat * 1e9))
    request = pb.StreamRequest(
        subjects=texts(subjects, "subjects"),
        event_types=numbers(EventType, event_types, "event_types"),
        from_revision=from_revision,
        include_schema=include_schema,
        heartbeat_interval=interval,
    )
    if gather is not None:
        request.gather.FromNanoseconds(int(gather * 1e9))
    wait = 2 * heartbeat + 1 if patience is None else patience
    return Subscription(request, attempts, patience=wait, heartbeats=heartbeats)
