"""What handlers have in common: who acts in a call, what it touches, and what its caller gets to know of a write."""

from __future__ import annotations

from ..calls.call import Call
from ..model.principal import Actor
from ..registry.reading import Reading
from .protobuf.resources import subject

REVISION = "x-registry-revision"
"""Trailer (gRPC) or header (HTTP) of a write's answer: its place in the change log."""


def actor(call: Call) -> Actor:
    return Actor(call.principal, call.request_id)


async def touch_owner(reading: Reading, schema_id: str, call: Call) -> None:
    """Name the subject that a schema id belongs to, before the handler acts on it. Raises SchemaNotFound, InvalidRequest."""
    call.touch(subject(await reading.subject_of(schema_id)))


def wrote(call: Call, revision: str) -> None:
    """Tell the caller the revision of its write."""
    if revision:
        call.response_metadata[REVISION] = revision
