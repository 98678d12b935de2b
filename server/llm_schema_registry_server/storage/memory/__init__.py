"""The back end that forgets: everything in dictionaries. It is the reference that the others are measured against."""

from .store import MemoryStore

__all__ = ["MemoryStore"]
