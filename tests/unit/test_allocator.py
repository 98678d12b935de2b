"""Memory of large buffers goes back to the system once they are freed."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from llm_schema_registry_server.allocator import give_memory_back

# Many buffers of 1 MiB between small ones that stay, after a larger one was freed: what a burst of large messages leaves.
_BURST = """
import psutil
from llm_schema_registry_server.allocator import give_memory_back

print(*give_memory_back())
own = psutil.Process()
before = own.memory_info().rss
first = bytearray(4 << 20)
del first
large, small = [], []
for _ in range(100):
    large.append(bytearray(b"x" * (1 << 20)))
    small.append(bytearray(b"x" * 65536))
del large
print((own.memory_info().rss - before) >> 20)
"""


def burst(**environment: str) -> tuple[str, int]:
    """What was set, and by how many MiB the process is larger afterwards."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    out = subprocess.run(
        [sys.executable, "-c", _BURST],
        env={**plain, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return out[0], int(out[1])


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt")
def test_a_burst_of_large_buffers_leaves_nothing() -> None:
    names, left = burst()

    assert set(names.split()) == {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_ARENA_MAX"}
    assert left < 20


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"MALLOC_ARENA_MAX": "4"}, {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"}),
        ({"GLIBC_TUNABLES": "glibc.malloc.arena_max=4"}, set()),
    ],
)
@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt")
def test_what_the_environment_says_stays(environment: dict[str, str], named: set[str]) -> None:
    names, _ = burst(**environment)

    assert set(names.split()) == named


def test_without_mallopt_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())

    assert give_memory_back() == ()
