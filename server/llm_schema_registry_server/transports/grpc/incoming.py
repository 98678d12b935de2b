"""From what an engine knows of a call to the Call that the pipeline takes, and back to trailers."""

from __future__ import annotations

import time
from collections.abc import Iterable

from ...calls.call import Call, Method, request_id

Metadata = Iterable[tuple[str, str | bytes]]


def incoming(method: Method, metadata: Metadata, peer: str, remaining: float | None) -> Call:
    """The call; `remaining` is what is left of its deadline in seconds, None when it has none.

    Binary metadata (`-bin`) is nothing that we read. A name that comes twice counts with its last value.
    """
    texts = {name: value for name, value in metadata if isinstance(value, str)}
    deadline = None if remaining is None else time.monotonic() + remaining
    return Call(method, texts, peer, "grpc", request_id(texts), deadline)


def trailers(call: Call) -> list[tuple[str, str | bytes]]:
    """What goes out behind the answers of a call that went well."""
    return list(call.response_metadata.items())
