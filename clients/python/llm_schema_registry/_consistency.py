"""Read-your-writes across replicas: each read names the client's last write, and the replica waits until it knows it."""

from __future__ import annotations

from collections.abc import Iterable

from ._call import REGISTRY
from ._methods import MUTATING

REVISION = "x-registry-revision"
"""Trailer of a write's answer: its place in the change log."""

LEAST_REVISION = "x-registry-min-revision"
"""Header of a read: the answer must know the change log at least so far."""

UNBOUND = MUTATING | {REGISTRY + "StreamSchemaChanges", REGISTRY + "HealthCheck"}
"""Paths of the calls that never wait for a revision."""


class LastWrite:
    """The newest revision among the answers to a client's writes. Without `enabled` it asks for nothing."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled
        self.revision = ""

    def concerns(self, path: str) -> bool:
        """Whether the trailers of this call are worth reading."""
        return self._enabled and path in MUTATING

    def note(self, trailers: Iterable[tuple[str, str | bytes]]) -> None:
        """Keep the revision of a write. Tokens of one registry sort as its changes do; another registry's replace them."""
        for key, value in trailers:
            if key == REVISION and isinstance(value, str):
                same = value.partition(".")[0] == self.revision.partition(".")[0]
                self.revision = max(self.revision, value) if same else value

    def headers(self, path: str) -> tuple[tuple[str, str], ...]:
        """What a call to this path sends along."""
        return ((LEAST_REVISION, self.revision),) if self.revision and path not in UNBOUND else ()
