"""What a compatibility level asks: in which directions, against which versions. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..model.compatibility import CompatibilityLevel, Direction

L = CompatibilityLevel
BACKWARD, FORWARD = (Direction.BACKWARD,), (Direction.FORWARD,)


@dataclass(frozen=True, slots=True)
class Demand:
    """The directions a level asks about, and whether against every version that counts or only the newest."""

    directions: tuple[Direction, ...]
    transitive: bool


DEMANDS: Mapping[CompatibilityLevel, Demand] = {
    L.BACKWARD: Demand(BACKWARD, transitive=False),
    L.FORWARD: Demand(FORWARD, transitive=False),
    L.FULL: Demand(BACKWARD + FORWARD, transitive=False),
    L.BACKWARD_TRANSITIVE: Demand(BACKWARD, transitive=True),
    L.FORWARD_TRANSITIVE: Demand(FORWARD, transitive=True),
    L.FULL_TRANSITIVE: Demand(BACKWARD + FORWARD, transitive=True),
    L.NONE: Demand((), transitive=False),
}
