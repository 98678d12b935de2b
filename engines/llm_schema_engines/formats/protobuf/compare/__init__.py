"""Comparing two Protobuf schemas: what the reader makes of the writer's data. Pure."""

from __future__ import annotations

from .comparison import RULES, compare

__all__ = ["RULES", "compare"]
