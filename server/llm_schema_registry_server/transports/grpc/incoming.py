"""From what an engine knows of a call to the Call that the pipeline takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from ...calls.call import Call
from ...calls.operation import Operation
from ...calls.peer import TrustedProxies

FACE = "grpc"

Metadata = Collection[tuple[str, str | bytes]]
# Each proxy may add a line of its own; RFC 9110 5.3 reads them as one list. Two lines of credentials are refused when they are joined.
_LISTS = ("x-forwarded-for", "forwarded", "authorization", "x-api-key")


def incoming(
    operation: Operation,
    metadata: Metadata,
    connection: str | Callable[[], str],
    remaining: float | None,
    proxies: TrustedProxies,
) -> Call:
    """The call; `remaining` is what is left of its deadline in seconds, None when it has none.

    A name that comes twice counts with its last value, except for lists. Values of binary metadata (names in `-bin`) stay bytes: nothing
    asks for such a name, and to look for them would cost every call.
    """
    texts: dict[str, str] = dict(metadata)  # type: ignore[arg-type]
    if len(texts) != len(metadata):
        for name in _LISTS:
            if name in texts:
                texts[name] = ",".join(v for n, v in metadata if n == name and isinstance(v, str))
    deadline = None if remaining is None else time.monotonic() + remaining
    return Call(operation, texts, connection, FACE, "", deadline, proxies)
