"""Finds rows that cannot be read, or that point to nothing, and mends them: `schema-registry-server repair`."""

from .repairing import Finding, RepairableStore, repair

__all__ = ["Finding", "RepairableStore", "repair"]
