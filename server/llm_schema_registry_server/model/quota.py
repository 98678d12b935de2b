"""How much a context may hold, and how much it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

UNLIMITED = 0
"""As a limit: there is none. It is not "nothing", so that a context can be let off the limit that others have."""


@dataclass(frozen=True, slots=True)
class ContextUsage:
    """What a context holds, softly deleted versions too: subjects with a version, versions, and the bytes of their contents as they
    were registered, each version counted by itself."""

    subjects: int = 0
    versions: int = 0
    bytes: int = 0

    def __add__(self, other: ContextUsage) -> ContextUsage:
        return ContextUsage(
            self.subjects + other.subjects, self.versions + other.versions, self.bytes + other.bytes
        )

    def __sub__(self, other: ContextUsage) -> ContextUsage:
        return ContextUsage(
            self.subjects - other.subjects, self.versions - other.versions, self.bytes - other.bytes
        )


@dataclass(frozen=True, slots=True)
class Quota:
    """The most that a context may hold; UNLIMITED in one place is no limit there."""

    subjects: int = UNLIMITED
    versions: int = UNLIMITED
    bytes: int = UNLIMITED

    def __bool__(self) -> bool:
        return bool(self.subjects or self.versions or self.bytes)

    def passed(self, held: ContextUsage, more: ContextUsage) -> Iterator[tuple[str, int, int, int]]:
        """What `more` would be too much of: its name, the limit, what is held of it and what is added."""
        for name in ("subjects", "versions", "bytes"):
            limit, now, added = getattr(self, name), getattr(held, name), getattr(more, name)
            if limit and added and now + added > limit:
                yield name, limit, now, added
