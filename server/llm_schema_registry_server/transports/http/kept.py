"""Kept answers over HTTP: what makes two requests the same question, and the replies that are made of an answer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from ...calls.answer_cache import CachedAnswer
from ...calls.call import REQUEST_ID, Call
from .asgi import Reply, Scope
from .routes import Match

TRIED = "schema_registry.tried"
"""Where the scope has what `at_once` has begun and not finished."""


class Tried(NamedTuple):
    """A call whose answer is not kept, or not for everybody: the guards that decide quickly have been asked."""

    match: Match
    call: Call
    key: bytes


def etag(body: bytes) -> str:
    """The validator of a body (RFC 9110 8.8.3)."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def question(scope: Scope, body: bytes) -> bytes:
    """What makes two requests the same question."""
    return b"%b?%b\n%b" % (scope["raw_path"], scope["query_string"], body)


def kept_reply(cached: CachedAnswer, call: Call) -> Reply:
    """The reply with a kept answer, or one that says that the caller has it."""
    if "if-none-match" in call.metadata:
        return fresh_or_not_modified(200, cached.body, dict(cached.metadata), call)
    return Reply(200, cached.body, (*cached.metadata, *call.own_metadata, (REQUEST_ID, call.request_id)))


def fresh_or_not_modified(status: int, body: bytes, metadata: Mapping[str, str], call: Call) -> Reply:
    """The reply with this body and its etag among `metadata`, or one that says that the caller has it."""
    extra = (*metadata.items(), *call.own_metadata, (REQUEST_ID, call.request_id))
    etag = metadata.get("etag")
    if etag is not None and etag in call.metadata.get("if-none-match", ""):
        return Reply(304, headers=extra)
    return Reply(status, body, extra)
