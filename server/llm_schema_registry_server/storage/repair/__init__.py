"""Finds rows that cannot be read, or that point to nothing, and mends them: `schema-registry-server repair`."""

from .repairing import RepairableStore, RepairFinding, repair

__all__ = ["RepairFinding", "RepairableStore", "repair"]
