"""StreamSchemaChanges: the events of changes over a wire, one by one or together, by what guards show of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime

from google.protobuf.duration_pb2 import Duration

from llm_schema_registry.v1 import schema_registry_pb2 as pb

from ..calls.call import Call
from ..calls.operation import Resource, ResourceKind
from ..errors import InvalidRequest, RegistryError
from ..model.change import Change, EventType
from ..model.pushed import Pushed
from ..registry.gathering import PushTogether, Together
from ..registry.subscribers import Push
from ..registry.subscribing import MOST_KINDS, Heartbeat
from ..registry.use_cases import UseCases
from . import convert
from .change_events import TOGETHER_BYTES, ChangeEvent, ChangeEvents, EventsTogether
from .protobuf.resources import subject
from .protobuf.shared_answer import SharedAnswer


class ChangeStreams:
    """Makes the streams of all subscribers. Events that go out together are at most `message_bytes`, the limit of a message."""

    def __init__(
        self, use: UseCases, wire: convert.MessageConverter, clock: Callable[[], datetime], message_bytes: int
    ) -> None:
        self._subscribing, self._wire, self._clock = use.subscribing, wire, clock
        self._events = ChangeEvents(wire, use.reading)
        self._together = EventsTogether(self._events, min(TOGETHER_BYTES, message_bytes))

    async def events(
        self, request: pb.StreamRequest, call: Call
    ) -> AsyncGenerator[pb.SchemaChangeEvent | SharedAnswer, None]:
        """The handler of StreamSchemaChanges."""
        interest = self._subscribing.filter(request.subjects, _kinds(request))
        heartbeat = _seconds(request.heartbeat_interval) if request.HasField("heartbeat_interval") else None
        gather = self._subscribing.gather(_seconds(request.gather)) or (0.0 if call.joins else None)
        with_schema, listening = request.include_schema, False
        changes: AsyncGenerator[Change | Together | Heartbeat, None]
        if gather is None:
            push = None if call.push is None else self._pushing(call, call.push, with_schema)
            changes = self._subscribing(interest, request.from_revision, heartbeat, push)
        else:
            pushes = None if call.push is None else self._pushing_together(call, call.push, with_schema)
            changes = self._subscribing.together(interest, request.from_revision, heartbeat, gather, pushes)
        async with aclosing(changes):
            async for change in changes:
                if isinstance(change, Heartbeat):
                    beat = self._wire.heartbeat(change.sequence, self._clock())
                    if not listening:
                        listening = True
                        call.resume_revision = beat.revision
                        await call.ready()
                    if heartbeat is None:
                        continue
                    yield beat
                    call.resume_revision = beat.revision
                elif isinstance(change, tuple):
                    async with aclosing(self._told_together(call, change, with_schema)) as messages:
                        async for event in messages:
                            yield event
                            call.resume_revision = event.revision
                elif call.shows(_told_of(change)):
                    events = self._events
                    event = await events.event_with_schema(change) if with_schema else events.event(change)
                    yield event
                    call.resume_revision = event.revision  # the wire has taken it

    async def _told_together(
        self, call: Call, changes: Together, with_schema: bool
    ) -> AsyncGenerator[ChangeEvent, None]:
        """The messages of these changes. Raises what a guard raises, after those of the changes before."""
        shown, refusal = [], None
        for change in changes:
            try:
                if call.shows(_told_of(change)):
                    shown.append(change)
            except RegistryError as error:
                refusal = error
                break
        rest = tuple(shown)
        while rest:
            together = self._together
            event, count = (
                await together.message_with_schemas(rest) if with_schema else together.message(rest)
            )
            yield event
            rest = rest[count:]
        if refusal is not None:
            raise refusal

    def _pushing_together(
        self, call: Call, push: Callable[[SharedAnswer], Pushed], with_schema: bool
    ) -> PushTogether:
        """What sends the first message of several changes at once, but for those that guards leave out."""
        sent = Pushed.SENT
        message_of = self._together.ready_with_schemas if with_schema else self._together.message

        def send(changes: Together) -> tuple[Pushed, int]:  # runs for each of thousands of subscribers
            shown = changes
            if call.watchers or call.selectors:
                try:
                    seen = tuple(change for change in changes if call.shows(_told_of(change)))
                except RegistryError:
                    return Pushed.UNFIT, 0
                if not seen:
                    return Pushed.NOTHING, len(changes)
                shown = changes if len(seen) == len(changes) else seen
            found = message_of(shown)
            if found is None:
                return Pushed.NOT_YET, 0
            event, count = found
            pushed = push(event)
            if pushed is not sent:
                return pushed, 0
            call.resume_revision = event.revision
            return pushed, len(changes) if count == len(shown) else changes.index(shown[count - 1]) + 1

        return send

    def _pushing(self, call: Call, push: Callable[[SharedAnswer], Pushed], with_schema: bool) -> Push:
        """What sends the event of a change at once, unless guards leave it out."""
        events, sent = self._events, Pushed.SENT
        event_of = events.ready_with_schema if with_schema else events.event

        def send(change: Change) -> Pushed:  # runs for each of thousands of subscribers
            if call.watchers or call.selectors:
                try:
                    if not call.shows(_told_of(change)):
                        return Pushed.NOTHING
                except RegistryError:
                    return Pushed.UNFIT
            latest = events.latest
            if latest is not None and latest[0] is change and not with_schema:
                event: ChangeEvent | None = latest[1]
            else:
                event = event_of(change)
            if event is None:
                return Pushed.NOT_YET
            pushed = push(event)
            if pushed is sent:
                call.resume_revision = event.revision
            return pushed

        return send


def _told_of(change: Change) -> Resource:
    """What a change tells of: a subject or a context, or all subjects when it is one of the registry."""
    if change.subject is not None:
        return subject(change.subject)
    context = change.metadata.get("scope", "").removeprefix("context:")
    return Resource(ResourceKind.CONTEXT, context if context.startswith(".") else "")


def _kinds(request: pb.StreamRequest) -> list[EventType]:
    """The kinds of event that a subscriber asks for."""
    if len(request.event_types) > MOST_KINDS:
        raise InvalidRequest(
            "event_types",
            f"has {len(request.event_types)} items; the limit is {MOST_KINDS}: name each kind once",
        )
    return [
        convert.enum(EventType, number, f"event_types[{i}]") for i, number in enumerate(request.event_types)
    ]


def _seconds(duration: Duration) -> float:
    """Any duration, also one that Python's timedelta cannot hold."""
    return float(duration.seconds) + duration.nanos / 1e9
