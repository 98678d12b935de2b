"""The comparisons that a compatibility level requires: in which directions, against which versions. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..model.compatibility import CompatibilityLevel, Direction

L = CompatibilityLevel
BACKWARD, FORWARD = (Direction.BACKWARD,), (Direction.FORWARD,)


@dataclass(frozen=True, slots=True)
class LevelRequirements:
    """The directions that a level compares in. `transitive`: with all earlier versions, not only the newest."""

    directions: tuple[Direction, ...]
    transitive: bool


LEVEL_REQUIREMENTS: Mapping[CompatibilityLevel, LevelRequirements] = {
    L.BACKWARD: LevelRequirements(BACKWARD, transitive=False),
    L.FORWARD: LevelRequirements(FORWARD, transitive=False),
    L.FULL: LevelRequirements(BACKWARD + FORWARD, transitive=False),
    L.BACKWARD_TRANSITIVE: LevelRequirements(BACKWARD, transitive=True),
    L.FORWARD_TRANSITIVE: LevelRequirements(FORWARD, transitive=True),
    L.FULL_TRANSITIVE: LevelRequirements(BACKWARD + FORWARD, transitive=True),
    L.NONE: LevelRequirements((), transitive=False),
}
