"""The default back end: one SQLite file, no service beside it."""

from .store import SqliteStore

__all__ = ["SqliteStore"]
