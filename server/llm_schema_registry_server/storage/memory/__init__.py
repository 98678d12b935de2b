"""The back end that keeps everything in dictionaries, until its process ends. It is the reference for the others."""

from .store import MemoryStore

__all__ = ["MemoryStore"]
