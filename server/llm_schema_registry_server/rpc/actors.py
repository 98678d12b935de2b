"""What handlers have in common: who acts in a call, what it touches, and what its caller gets to know of a write."""

from __future__ import annotations

from ..calls.call import Call
from ..errors import SchemaNotFound, SubjectNotFound
from ..model.principal import Actor
from ..model.schema import SchemaVersion
from ..model.subject import Subject
from ..registry.reading import Reading
from .protobuf.resources import subject

REVISION = "x-registry-revision"
"""Trailer (gRPC) or header (HTTP) of a write's answer: its place in the change log."""


def actor(call: Call) -> Actor:
    return Actor(call.principal, call.request_id, call.rights)


async def touch_owner(reading: Reading, schema_id: str, call: Call) -> None:
    """Name the subject that a schema id belongs to, before the handler acts on it. Raises SchemaNotFound, InvalidRequest."""
    learn(await reading.subject_of(schema_id), schema_id, call)


def learn(name: Subject, schema_id: str, call: Call) -> None:
    """Names the subject behind a schema id. Raises what a watcher raises; to a caller who may not know that there is such a
    subject, the schema is not there either: SchemaNotFound, as for an id that no version has."""
    try:
        call.touch(subject(name))
    except SubjectNotFound:
        raise SchemaNotFound(schema_id) from None


def named_or_learnt(version: SchemaVersion, schema_id: str, call: Call) -> None:
    """Names the subject of a version that was asked for by its id, or by its subject when `schema_id` is ""."""
    if schema_id:
        learn(version.subject, schema_id, call)
    else:
        call.touch(subject(version.subject))


def wrote(call: Call, revision: str) -> None:
    """Tell the caller the revision of its write."""
    if revision:
        call.response_metadata[REVISION] = revision
