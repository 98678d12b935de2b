"""Compares two Protobuf schemas: can the reader read the writer's data? Pure."""

from __future__ import annotations

from .comparison import RULES, compare

__all__ = ["RULES", "compare"]
