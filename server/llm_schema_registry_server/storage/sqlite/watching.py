"""Whether the file of a database can be read and written: what went wrong last, and whether it still does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from ...errors import RegistryError, StorageDamaged, StorageUnavailable

PROBE_SECONDS = 60.0
"""How often a health check writes when nothing else has."""
ROOM = 256 * 1024
"""Bytes that must be free on the disk for a write to be worth trying."""


class FileWatch:
    """Knows the files of an open database, and remembers the last failure until reading and writing work again."""

    def __init__(self, file: Path, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._file, self._timer = file, timer
        self._log = file.with_name(file.name + "-wal")
        self._numbers = {path: _number(path) for path in (self._file, self._log)}
        self._written_at = timer()
        self.trouble: RegistryError | None = None
        """The last failure, None when all has worked since."""

    def note(self, error: RegistryError) -> None:
        """SQLite could not read or write."""
        self.trouble = error

    def wrote(self) -> None:
        """A transaction was committed."""
        self._written_at = self._timer()
        self._numbers[self._log] = self._numbers[self._log] or _number(self._log)
        if not isinstance(self.trouble, StorageDamaged):
            self.trouble = None

    @property
    def write_due(self) -> bool:
        """Whether only a write can tell that writing works."""
        return (
            self.trouble is not None
            or self._timer() - self._written_at >= PROBE_SECONDS
            or self._free() < ROOM
        )

    def check(self) -> None:
        """Raise StorageUnavailable when a file was removed or replaced: what is written into it is lost."""
        for path, known in self._numbers.items():
            if known is None or (now := _number(path)) == known:
                continue
            what = "the database file" if path == self._file else "the write-ahead log"
            if now is not None:
                raise StorageUnavailable(
                    f"{what} was replaced while in use; restart the server", inside=str(path)
                )
            way_out = (
                "put it back or restart the server"
                if path == self._file
                else "stop the server with SIGTERM, which writes what it still has of it into the database, and start it again"
            )
            raise StorageUnavailable(f"{what} is gone, removed while in use; {way_out}", inside=str(path))

    def check_room(self) -> None:
        """Raise StorageUnavailable when the last write failed and the disk is full."""
        free = self._free()
        if self.trouble is not None and free < ROOM:
            raise StorageUnavailable(
                f"the disk of the database has {free} bytes left; free space on it ({self.trouble.message})",
                inside=str(self._file),
            )

    def _free(self) -> int:
        found = os.statvfs(self._file.parent)
        return found.f_bavail * found.f_frsize


def _number(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one of the same name; None when there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
