"""File systems of a few megabytes, for tests of what happens when they are full."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path | None]:
    """A new file system in memory, which every user may enter; None where we may not mount one (only root may).

    Not below pytest's own directories: each run that begins closes them to other users, those of PostgreSQL too.
    """
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        (place := Path(parent) / "disk").mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(place)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            yield None
            return
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", str(place)], check=True)
