"""Finds rows that cannot be read, or that point to nothing, and mends them: `schema-registry-server repair`."""

from .repairing import repair
from .table import RepairableStore, RepairFinding

__all__ = ["RepairFinding", "RepairableStore", "repair"]
