"""The registry's errors for those of SQLite: what happened, and the way out; operators are told to which file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from ...errors import RegistryError, StorageDamaged, StorageUnavailable

_DAMAGED = {
    sqlite3.SQLITE_CORRUPT: "is damaged; stop the server and restore it from a backup, or save what can be read with "
    "`sqlite3 FILE .recover`",
    sqlite3.SQLITE_NOTADB: "is not a SQLite database; name another file in storage.path or restore it from a backup",
    sqlite3.SQLITE_FORMAT: "is not a SQLite database; name another file in storage.path or restore it from a backup",
}
_FAILING = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
}
"""What a health check has to know of: others have nothing to do with the file, or pass by themselves."""
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: "is locked by another process; find it with `lsof`, or raise storage.lock_seconds",
    sqlite3.SQLITE_LOCKED: "is locked by another connection; retry",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that its directory exists and that the server may write there",
    sqlite3.SQLITE_READONLY: "cannot be written; check the permissions of the file and its directory, and that the "
    "file system is not mounted read-only",
    sqlite3.SQLITE_PERM: "cannot be accessed; check the permissions of the file and its directory",
    sqlite3.SQLITE_FULL: "has no room to grow; free space on its disk or raise its quota",
    sqlite3.SQLITE_IOERR: "cannot be read or written (input/output error); check the disk and its free space",
    sqlite3.SQLITE_NOMEM: "cannot be used: out of memory",
    sqlite3.SQLITE_INTERRUPT: "was busy with a query that was interrupted; retry",
    sqlite3.SQLITE_PROTOCOL: "is locked by too many processes; retry",
    sqlite3.SQLITE_TOOBIG: "cannot hold a value this large",
}


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection holds the lock that was wanted."""
    return _primary(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_no_text(error: sqlite3.Error) -> bool:
    """Whether a cell of a text column is no UTF-8. SQLite takes any bytes there; Python's module has no code for it."""
    return _primary(error) == 0 and "decode to UTF-8" in str(error)


class translated:
    """Raise StorageDamaged or StorageUnavailable for SQLite's errors about `file`; mistakes in our SQL pass unchanged.

    note: called with those that a health check has to know of. A class, since every statement passes here: one that contextlib
    makes of a generator costs more than many a statement."""

    __slots__ = ("_file", "_note")

    def __init__(self, file: Path, note: Callable[[RegistryError], None] | None = None) -> None:
        self._file, self._note = file, note

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, sqlite3.Error):
            self.fail(error)

    def fail(self, error: sqlite3.Error) -> None:
        """Raises what stands for the error; returns where it is one that passes unchanged."""
        translated_error = _error_of(error, self._file)
        if translated_error is None:
            return
        if self._note is not None and _primary(error) in _FAILING:
            self._note(translated_error)
        raise translated_error from error


def _error_of(error: sqlite3.Error, file: Path) -> RegistryError | None:
    code = _primary(error)
    name = getattr(error, "sqlite_errorname", "")
    if code in _DAMAGED:
        return StorageDamaged(f"the database file {_DAMAGED[code]}", inside=f"{file}: {error}", cause=name)
    if code in _UNAVAILABLE:
        return StorageUnavailable(
            f"the database file {_UNAVAILABLE[code]}", inside=f"{file}: {error}", cause=name
        )
    return None


def _primary(error: sqlite3.Error) -> int:
    # Extended codes (SQLITE_IOERR_FSYNC ...) keep the primary one in their low byte: sqlite.org/rescode.html
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
