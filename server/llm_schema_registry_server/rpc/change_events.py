"""The events that tell subscribers of changes, each made once for all of them."""

from __future__ import annotations

from collections import OrderedDict

from llm_schema_registry.v1 import schema_registry_pb2 as pb

from ..caches.single_flight import SingleFlight
from ..errors import SchemaNotFound
from ..model.change import Change
from ..registry.reading import Reading
from .convert import MessageConverter
from .protobuf.shared_answer import SharedAnswer

MOST_EVENTS = 256
"""Events in memory, the latest used: a thousand subscribers want the same one within moments."""


class ChangeEvent(SharedAnswer):
    """The event of a change. `revision` is where a subscriber goes on that has it."""

    __slots__ = ("revision",)

    def __init__(self, message: pb.SchemaChangeEvent) -> None:
        super().__init__(message)
        self.revision = message.revision


class ChangeEvents:
    """Makes the event of a change. An event never changes, unless it carries the schema: then only subscribers that wait for
    it at the same moment share it."""

    def __init__(self, wire: MessageConverter, reading: Reading) -> None:
        self._wire, self._reading = wire, reading
        self._events: OrderedDict[int, ChangeEvent] = OrderedDict()
        self._with_schema: SingleFlight[int, ChangeEvent] = SingleFlight()

    def event(self, change: Change) -> ChangeEvent:
        """The event without the schema."""
        found = self._events.get(change.sequence)
        if found is not None:
            self._events.move_to_end(change.sequence)
            return found
        made = self._events[change.sequence] = ChangeEvent(self._wire.change(change, None))
        if len(self._events) > MOST_EVENTS:
            self._events.popitem(last=False)
        return made

    async def event_with_schema(self, change: Change) -> ChangeEvent:
        """The event with the version as it is now; without it for changes of configuration and for versions removed since."""
        if not change.schema_id:
            return self.event(change)
        return await self._with_schema.run(change.sequence, lambda: self._read(change))

    async def _read(self, change: Change) -> ChangeEvent:
        try:
            found = await self._reading.by_id(change.schema_id)
        except SchemaNotFound:
            return self.event(change)
        return ChangeEvent(self._wire.change(change, self._wire.schema(found)))
