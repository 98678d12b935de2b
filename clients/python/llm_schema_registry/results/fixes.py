"""What a search for fixes of a refused change gives. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from ..enums import CompatibilityLevel, FixKind


@dataclass(frozen=True, slots=True)
class FixEdit:
    """One edit. `place`: a JSON pointer, or the full name of an element of Protobuf. `cost`: what is given up by it."""

    kind: FixKind
    place: str
    cost: str


@dataclass(frozen=True, slots=True)
class FixProof:
    """A version that a fix was compared with, and `backward` or `forward`; it was proved compatible."""

    version: str
    direction: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits under which a refused change is compatible. `content`: the edited schema. `patch`: the edits as a JSON Patch for the schema
    that was refused, as JSON text; "" for Protobuf. `takes_back`: nothing is known to be left of the change that decides which data is
    valid. `message`: what it costs."""

    edits: tuple[FixEdit, ...]
    content: bytes
    patch: str
    takes_back: bool
    message: str
    proofs: tuple[FixProof, ...]


@dataclass(frozen=True, slots=True)
class FoundFixes:
    """The fixes that a search has found, those that keep something of the change first. True when there are some.

    `compatible`: the schema needs none. `tried`: schemas that were parsed and compared. `complete`: the search came to its end.
    `reason`: what ended it, or why there is no fix.
    """

    fixes: tuple[Fix, ...]
    compatible: bool
    level: CompatibilityLevel
    compared_versions: tuple[str, ...]
    tried: int
    complete: bool
    reason: str

    def __bool__(self) -> bool:
        return bool(self.fixes)
