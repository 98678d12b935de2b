"""A call -> who acts in it; a write's revision -> what the caller gets to know of it."""

from __future__ import annotations

from ..calls.call import Call
from ..model.principal import Actor

REVISION = "x-registry-revision"
"""Trailer (gRPC) or header (HTTP) of a write's answer: its place in the change log."""


def actor(call: Call) -> Actor:
    return Actor(call.principal, call.request_id)


def wrote(call: Call, revision: str) -> None:
    """Tell the caller the revision of its write."""
    if revision:
        call.response_metadata[REVISION] = revision
