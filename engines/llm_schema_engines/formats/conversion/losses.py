"""The losses of a conversion, and the errors of what cannot be converted at all. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

MAX_LOSSES = 1000


class LossKind(enum.StrEnum):
    """How information is lost.

    DROPPED: it is gone. NOT_ENFORCED: the target keeps it, and converting back restores it, but the target does not
    check it. RESTATED: the target expresses it differently, and converting back restores it. CHANGED: the target
    expresses it differently, and converting back gives another schema. NARROWED: the target cannot hold some data of
    the source; the data converter refuses such data.
    """

    DROPPED = "DROPPED"
    NOT_ENFORCED = "NOT_ENFORCED"
    NARROWED = "NARROWED"
    RESTATED = "RESTATED"
    CHANGED = "CHANGED"


@dataclass(frozen=True, slots=True)
class Loss:
    """One loss. `pointer`: where in the source schema (a JSON pointer, after the name of the reference and `#` where it is in a
    reference of a JSON Schema; for Protobuf a full name)."""

    kind: LossKind
    pointer: str
    message: str


@dataclass(slots=True)
class Losses:
    """Collects losses, each once."""

    found: dict[Loss, None] = field(default_factory=dict)

    def add(self, kind: LossKind, pointer: str, message: str) -> None:
        if len(self.found) < MAX_LOSSES:
            self.found[Loss(kind, pointer, message)] = None

    def dropped(self, pointer: str, message: str) -> None:
        self.add(LossKind.DROPPED, pointer, message)

    def not_enforced(self, pointer: str, message: str) -> None:
        self.add(LossKind.NOT_ENFORCED, pointer, message)

    def narrowed(self, pointer: str, message: str) -> None:
        self.add(LossKind.NARROWED, pointer, message)

    def changed(self, pointer: str, message: str) -> None:
        self.add(LossKind.CHANGED, pointer, message)

    def restated(self, pointer: str, message: str) -> None:
        self.add(LossKind.RESTATED, pointer, message)

    def report(self) -> tuple[Loss, ...]:
        return tuple(self.found)
