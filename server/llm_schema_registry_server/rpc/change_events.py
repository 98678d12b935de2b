"""The events that tell subscribers of changes, each made once for all of them."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict

from llm_schema_registry.v1 import schema_registry_pb2 as pb

from ..caches.single_flight import SingleFlight
from ..errors import RegistryError, SchemaNotFound
from ..model.change import Change
from ..registry.reading import Reading
from .convert import MessageConverter
from .protobuf.shared_answer import SharedAnswer

MOST_EVENTS = 256
"""Events in memory, the latest used: a thousand subscribers want the same one within moments."""
MOST_READY, READY_SECONDS = 8, 0.25
"""Events with schemas that are ready to be sent, and for how long."""


class ChangeEvent(SharedAnswer):
    """The event of a change. `revision` is where a subscriber goes on that has it."""

    __slots__ = ("revision",)

    def __init__(self, message: pb.SchemaChangeEvent) -> None:
        super().__init__(message)
        self.revision = message.revision


class ChangeEvents:
    """Makes the event of a change. An event never changes, unless it carries the schema: then only subscribers that wait for
    it within a moment share it."""

    def __init__(self, wire: MessageConverter, reading: Reading) -> None:
        self._wire, self._reading = wire, reading
        self._events: OrderedDict[int, ChangeEvent] = OrderedDict()
        self.latest: tuple[Change, ChangeEvent] | None = None
        """The change whose event was asked for last, and the event without the schema."""
        self._with_schema: SingleFlight[int, ChangeEvent] = SingleFlight()
        self._ready: OrderedDict[int, tuple[float, ChangeEvent]] = OrderedDict()
        self._making: dict[int, asyncio.Task[None]] = {}

    def event(self, change: Change) -> ChangeEvent:
        """The event without the schema."""
        latest = self.latest
        if latest is not None and latest[0] is change:  # a thousand times in a row, when it is told to all
            return latest[1]
        found = self._events.get(change.sequence)
        if found is None:
            found = self._events[change.sequence] = ChangeEvent(self._wire.change(change, None))
            if len(self._events) > MOST_EVENTS:
                self._events.popitem(last=False)
        else:
            self._events.move_to_end(change.sequence)
        self.latest = change, found
        return found

    async def event_with_schema(self, change: Change) -> ChangeEvent:
        """The event with the version as it is now; without it for changes of configuration and for versions removed since."""
        if not change.schema_id:
            return self.event(change)
        return await self._with_schema.run(change.sequence, lambda: self._read(change))

    def ready_with_schema(self, change: Change) -> ChangeEvent | None:
        """`event_with_schema` as it was a moment ago; None when it is not ready: it will be soon, unless the schema cannot be read."""
        if not change.schema_id:
            return self.event(change)
        sequence = change.sequence
        found = self._ready.get(sequence)
        if found is not None and time.monotonic() < found[0] + READY_SECONDS:
            return found[1]
        if sequence not in self._making and len(self._making) < MOST_READY:
            self._making[sequence] = asyncio.create_task(self._make_ready(change))
        return None

    async def _make_ready(self, change: Change) -> None:
        ready = self._ready
        try:
            event = await self.event_with_schema(change)
            ready[change.sequence] = time.monotonic(), event
            ready.move_to_end(change.sequence)
            while len(ready) > MOST_READY:
                ready.popitem(last=False)
            asyncio.get_running_loop().call_later(READY_SECONDS, self._drop, change.sequence, event)
        except RegistryError:
            return  # whoever waits for it meets that in its own task
        finally:
            del self._making[change.sequence]

    def _drop(self, sequence: int, event: ChangeEvent) -> None:
        found = self._ready.get(sequence)
        if found is not None and found[1] is event:
            del self._ready[sequence]

    async def _read(self, change: Change) -> ChangeEvent:
        try:
            found = await self._reading.by_id(change.schema_id)
        except SchemaNotFound:
            return self.event(change)
        return ChangeEvent(self._wire.change(change, self._wire.schema(found)))
