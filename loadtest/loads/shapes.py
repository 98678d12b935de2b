"""How a load changes in the course of a run. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Shape = Callable[[float], float]
"""From the part of a run that is over (0 to 1) to the part of the full load (0 to 1)."""


def sustained(part: float) -> float:
    """The full load all the time."""
    return 1.0


def ramp(part: float) -> float:
    """From a tenth of the load up to all of it, steadily."""
    return 0.1 + 0.9 * part


def spike(part: float) -> float:
    """A fifth of the load, the whole of it for a fifth of the time, and a fifth again."""
    return 1.0 if 0.4 <= part < 0.6 else 0.2


SHAPES: Mapping[str, Shape] = {"sustained": sustained, "ramp": ramp, "spike": spike, "soak": sustained}
"""A soak is one long sustained run, at whose end memory must be where it was after its first third."""
