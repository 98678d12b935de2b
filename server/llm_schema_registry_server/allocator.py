"""How the allocator of the C library gives memory back.

glibc keeps what a large buffer took once it has been freed (the size from which buffers are mapped by themselves grows up to 32 MiB with
each that is freed), and has up to eight arenas for each processor, each with free room of its own. A server that has met a few large
messages in several threads stays as large as it was then. See mallopt(3).
"""

from __future__ import annotations

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # malloc.h
_CHOICES = {
    "MALLOC_MMAP_THRESHOLD_": (_MMAP_THRESHOLD, 256 * 1024),
    "MALLOC_TRIM_THRESHOLD_": (_TRIM_THRESHOLD, 1024 * 1024),
    "MALLOC_ARENA_MAX": (_ARENA_MAX, 2),
}
"""By the variable of the environment with which an operator chooses otherwise."""
_TUNABLES = "GLIBC_TUNABLES"


def give_memory_back() -> tuple[str, ...]:
    """To be called before threads start. What was set, by the names of its variables: nothing where the C library has no mallopt (musl
    has one that does nothing), and nothing that the environment sets already."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or _TUNABLES in os.environ:
        return ()
    return tuple(
        name
        for name, (parameter, value) in _CHOICES.items()
        if name not in os.environ and mallopt(parameter, value) == 1
    )
