"""What a conversion cannot carry, and the errors of what cannot be converted at all. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

MOST_LOSSES = 1000


class LossKind(enum.StrEnum):
    """DROPPED: the information is gone. NOT_ENFORCED: it is carried along and found again on the way back, but the target
    does not check it. RESTATED: the target says it in another way that leads back. CHANGED: the target says it in another way, from which the way back leads elsewhere. NARROWED: the
    target cannot hold some data of the source, and the data converter refuses it."""

    DROPPED = "DROPPED"
    NOT_ENFORCED = "NOT_ENFORCED"
    NARROWED = "NARROWED"
    RESTATED = "RESTATED"
    CHANGED = "CHANGED"


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing that was not carried: where in the source schema (a JSON pointer, or a full name for Protobuf)."""

    kind: LossKind
    pointer: str
    message: str


@dataclass(slots=True)
class Losses:
    """Collects losses, each once."""

    found: dict[Loss, None] = field(default_factory=dict)

    def add(self, kind: LossKind, pointer: str, message: str) -> None:
        if len(self.found) < MOST_LOSSES:
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
