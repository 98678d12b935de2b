"""The limits that a worker process sets for itself before it reads anything hostile: memory, files, CPU, its parent's life.

Linux; elsewhere what the system lacks is left out (the parent's kill timer remains).
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that the kernel sends when the parent dies."""

MAX_FILES = 512
"""Open files: a source and its references become one memory file each (64 references, twice, with room)."""

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Largest file, memory files too: it bounds the output of a compiler that does not stop."""


def die_with(parent: int) -> None:
    """Have the kernel kill this process when `parent`, its parent, dies, however it dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)  # the parent died before prctl was called


def confine(memory_bytes: int, file_bytes: int = MAX_FILE_BYTES) -> None:
    """Limit address space and files for the rest of this process; write no core dump."""
    for what, limit in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, MAX_FILES),
        (resource.RLIMIT_FSIZE, file_bytes),
    ):
        hard = resource.getrlimit(what)[1]
        value = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (value, value))


def limit_cpu(seconds: float) -> None:
    """Allow `seconds` more of CPU: the last resort when the parent is too busy to watch the clock."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = int(used.ru_utime + used.ru_stime + seconds) + 2
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, hard))
