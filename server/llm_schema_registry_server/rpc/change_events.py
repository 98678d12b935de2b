"""The events that tell subscribers of changes, each made once for all of them."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import Generic, TypeVar, cast

from llm_schema_registry.v1 import schema_registry_pb2 as pb

from ..caches.single_flight import SingleFlight
from ..errors import RegistryError, SchemaNotFound
from ..model.change import Change
from ..registry.gathering import MOST_TOGETHER, Together
from ..registry.reading import Reading
from .convert import MessageConverter
from .protobuf.shared_answer import SharedAnswer

Key = TypeVar("Key")
Value = TypeVar("Value")

MOST_EVENTS = 256
"""Events in memory, the latest used: a thousand subscribers want the same one within moments."""
MOST_READY, READY_SECONDS = 8, 0.25
"""Events with schemas that are ready to be sent, and for how long."""
TOGETHER_BYTES = 32_768
"""Of a message with several events: what a reader is slow to take is held in pieces of this size, and no client's limit is near."""
MOST_TOGETHER_KEPT = 64
"""Messages with several events in memory, the latest used."""
_INNER_BYTES = 8
"""Of an event in another one: its tag, and its length up to 2**28."""


class ChangeEvent(SharedAnswer):
    """The event of a change. `revision` is where a subscriber goes on that has it."""

    __slots__ = ("revision",)

    def __init__(self, message: pb.SchemaChangeEvent, parts: Sequence[ChangeEvent] = ()) -> None:
        super().__init__(message, parts)
        self.revision: str = parts[-1].revision if parts else message.revision


Holding = tuple[ChangeEvent, int]
"""A message, and of how many changes."""


class ReadySoon(Generic[Key, Value]):
    """What is made in a task, for those who cannot wait for it, and is kept for a moment."""

    def __init__(self) -> None:
        self._ready: OrderedDict[Key, tuple[float, Value]] = OrderedDict()
        self.making: dict[Key, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._ready)

    def get(self, key: Key, make: Callable[[], Awaitable[Value]]) -> Value | None:
        """What was made a moment ago; None when it is not ready: it will be soon, unless `make` raises a RegistryError."""
        found = self._ready.get(key)
        if found is not None and time.monotonic() < found[0] + READY_SECONDS:
            return found[1]
        if key not in self.making and len(self.making) < MOST_READY:
            self.making[key] = asyncio.create_task(self._make(key, make))
        return None

    async def _make(self, key: Key, make: Callable[[], Awaitable[Value]]) -> None:
        ready = self._ready
        try:
            made = await make()
            ready[key] = time.monotonic(), made
            ready.move_to_end(key)
            while len(ready) > MOST_READY:
                ready.popitem(last=False)
            asyncio.get_running_loop().call_later(READY_SECONDS, self._drop, key, made)
        except RegistryError:
            return  # whoever waits for it meets that in its own task
        finally:
            del self.making[key]

    def _drop(self, key: Key, made: Value) -> None:
        found = self._ready.get(key)
        if found is not None and found[1] is made:
            del self._ready[key]


class ChangeEvents:
    """Makes the event of a change. An event never changes, unless it carries the schema: then only subscribers that wait for
    it within a moment share it."""

    def __init__(self, wire: MessageConverter, reading: Reading) -> None:
        self._wire, self._reading = wire, reading
        self._events: OrderedDict[int, ChangeEvent] = OrderedDict()
        self.latest: tuple[Change, ChangeEvent] | None = None
        """The change whose event was asked for last, and the event without the schema."""
        self._with_schema: SingleFlight[int, ChangeEvent] = SingleFlight()
        self.ready: ReadySoon[int, ChangeEvent] = ReadySoon()

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
        return self.ready.get(change.sequence, partial(self.event_with_schema, change))

    async def _read(self, change: Change) -> ChangeEvent:
        try:
            found = await self._reading.by_id(change.schema_id)
        except SchemaNotFound:
            return self.event(change)
        return ChangeEvent(self._wire.change(change, self._wire.schema(found)))


class EventsTogether:
    """Makes the message of several changes: the event of the first, with the others in its `more`. Whoever asks for the same changes shares
    it. It has at most `most_bytes`, unless the event of a single change is larger."""

    def __init__(self, events: ChangeEvents, most_bytes: int) -> None:
        self._events, self._most_bytes = events, most_bytes
        self._made: OrderedDict[tuple[int, ...], Holding] = OrderedDict()
        self._latest: tuple[Together, Holding] | None = None
        self._with_schema: SingleFlight[tuple[int, ...], Holding] = SingleFlight()
        self._ready: ReadySoon[tuple[int, ...], Holding] = ReadySoon()

    def message(self, changes: Together) -> Holding:
        """The message of the first of these changes, as many as it may hold, and how many these are; without schemas."""
        latest = self._latest
        if latest is not None and latest[0] is changes:  # a thousand times in a row, when it is told to all
            return latest[1]
        if len(changes) == 1:
            made: Holding = self._events.event(changes[0]), 1
        else:
            key = _key(changes)
            found = self._made.get(key)
            if found is None:
                found = self._made[key] = self._put_together(map(self._events.event, changes))
                if len(self._made) > MOST_TOGETHER_KEPT:
                    self._made.popitem(last=False)
            else:
                self._made.move_to_end(key)
            made = found
        self._latest = changes, made
        return made

    async def message_with_schemas(self, changes: Together) -> Holding:
        """As `message`, with the versions as they are now. Raises what reading the first of them raises; changes before one that cannot be
        read are a message without it."""

        async def read() -> Holding:
            events = [await self._events.event_with_schema(changes[0])]
            size = len(events[0].serialized())
            for change in changes[1:]:
                if size > self._most_bytes:
                    break
                try:
                    events.append(await self._events.event_with_schema(change))
                except RegistryError:
                    break  # met again by whoever asks for what follows
                size += len(events[-1].serialized())
            return self._put_together(events)

        return await self._with_schema.run(_key(changes), read)

    def ready_with_schemas(self, changes: Together) -> Holding | None:
        """`message_with_schemas` as it was a moment ago; None when it is not ready: it will be soon, unless a schema cannot be read."""
        return self._ready.get(_key(changes), partial(self.message_with_schemas, changes))

    def _put_together(self, events: Iterable[ChangeEvent]) -> Holding:
        parts: list[ChangeEvent] = []
        size = 0
        for event in islice(events, MOST_TOGETHER):
            size += len(event.serialized()) + _INNER_BYTES
            if parts and size > self._most_bytes:
                break
            parts.append(event)
        first = parts[0]
        if len(parts) == 1:
            return first, 1
        message = pb.SchemaChangeEvent()
        message.CopyFrom(cast(pb.SchemaChangeEvent, first.message))
        message.more.extend(cast(pb.SchemaChangeEvent, part.message) for part in parts[1:])
        return ChangeEvent(message, parts), len(parts)


def _key(changes: Together) -> tuple[int, ...]:
    return tuple(change.sequence for change in changes)
