"""What a rule of schema resolution finds. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule: where below the reader's type, both sides, a sentence, and which datum would show it.

    `probe` is a value of the writer's type that the reader refuses; None when every value is refused.
    """

    below: str
    reader: str
    writer: str
    message: str
    probe: object = None
