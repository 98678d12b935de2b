"""`subscriptions/listen` of MCP 2026-07-28: changes of the registry as notifications that resources or lists have changed."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration

from ..v1 import schema_registry_pb2 as pb
from . import resources
from .wire import INVALID_PARAMS, SERVER_KEY, SUBSCRIPTION_KEY, Id, Json, ProtocolError, result

MOST_RESOURCES = 100
"""Resources that one stream may subscribe to."""
_BEAT_SECONDS = 15
_SUBJECTS_CHANGE = frozenset(
    {
        pb.EVENT_TYPE_SCHEMA_REGISTERED,
        pb.EVENT_TYPE_SCHEMA_CREATED,
        pb.EVENT_TYPE_SCHEMA_DELETED,
        pb.EVENT_TYPE_SCHEMA_UNDELETED,
    }
)
"""What may make the list of subjects another one."""


@dataclass(frozen=True, slots=True)
class Listening:
    """One stream. `request` is what StreamSchemaChanges is asked; `all`: whether changes of the list of resources are told."""

    id: Id
    request: pb.StreamRequest
    uris: dict[str, tuple[str, ...]]
    all: bool
    server: Json

    def acknowledged(self) -> Json:
        """The first message: what of the wishes is honoured."""
        honoured: Json = {}
        if self.all:
            honoured["resourcesListChanged"] = True
        if self.uris:
            honoured["resourceSubscriptions"] = [uri for uris in self.uris.values() for uri in uris]
        return self._notification("notifications/subscriptions/acknowledged", {"notifications": honoured})

    def messages(self, event: pb.SchemaChangeEvent) -> list[Json]:
        """What is told of a change."""
        if event.heartbeat or not event.subject:
            return []
        told = [
            self._notification("notifications/resources/updated", {"uri": uri})
            for uri in self.uris.get(event.subject, ())
        ]
        if self.all and event.event_type in _SUBJECTS_CHANGE:
            told.append(self._notification("notifications/resources/list_changed", {}))
        return told

    def finished(self) -> Json:
        """The last message, when the server ends the stream."""
        meta = {SUBSCRIPTION_KEY: self.id, SERVER_KEY: self.server}
        return result(self.id, {"resultType": "complete", "_meta": meta})

    def _notification(self, method: str, params: Json) -> Json:
        meta = {"_meta": {SUBSCRIPTION_KEY: self.id}}
        return {"jsonrpc": "2.0", "method": method, "params": {**params, **meta}}


def listening(id_: Id, params: Json, server: Json) -> Listening:
    """The stream that a request asks for. Raises ProtocolError."""
    wanted = params.get("notifications")
    if not isinstance(wanted, dict):
        raise ProtocolError(INVALID_PARAMS, "params.notifications must be an object")
    uris = wanted.get("resourceSubscriptions") or []
    if not isinstance(uris, list) or len(uris) > MOST_RESOURCES:
        raise ProtocolError(
            INVALID_PARAMS, f"resourceSubscriptions must be a list of at most {MOST_RESOURCES} resources"
        )
    every = wanted.get("resourcesListChanged") is True
    by_subject: dict[str, tuple[str, ...]] = {}
    for uri in dict.fromkeys(map(str, uris)):
        subject, _ = resources.parsed(uri)
        by_subject[subject] = (*by_subject.get(subject, ()), uri)
    request = pb.StreamRequest(
        subjects=[] if every else [_literal(s) for s in by_subject],
        heartbeat_interval=Duration(seconds=_BEAT_SECONDS),
    )
    if not every and not by_subject:
        # Nothing that changes here was asked for: a stream that stays silent, of a subject that nobody can have.
        request.event_types.append(pb.EVENT_TYPE_USAGE_THRESHOLD_EXCEEDED)
    return Listening(id_, request, by_subject, every, server)


def _literal(subject: str) -> str:
    """A name that is no pattern. Raises ProtocolError."""
    if "*" in subject or "?" in subject:
        raise ProtocolError(INVALID_PARAMS, "a resource to subscribe to is one subject, no pattern")
    return subject
