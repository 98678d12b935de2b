"""What loadtest/hostile.py and loadtest/soak.py see of a server from outside: memory, descriptors, threads, files, its log."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psutil

_SAMPLE_SECONDS = 0.1
POOL_THREADS = min(32, (os.cpu_count() or 1) + 4)
"""Of the pool behind asyncio.to_thread: it fills when it is used, and does not shrink."""
MIB = 2**20


class Footprint(NamedTuple):
    """own, children: resident MiB of the server's process and of its workers. files: below its directory for temporary files."""

    own: float
    children: float
    descriptors: int
    threads: int
    files: int

    @property
    def memory(self) -> float:
        return self.own + self.children


def footprint(process: psutil.Process, temporary: Path) -> Footprint:
    """As it is now."""
    children = 0.0
    for child in process.children(recursive=True):
        with suppress(psutil.Error):
            children += child.memory_info().rss / MIB
    return Footprint(
        process.memory_info().rss / MIB,
        children,
        process.num_fds(),
        process.num_threads(),
        sum(1 for _ in temporary.rglob("*")),
    )


class Peak:
    """The largest memory of a server (`own`), of its workers (`children`) and of both together while the block runs, looked at ten times a
    second."""

    def __init__(self, process: psutil.Process, temporary: Path) -> None:
        self._process, self._temporary = process, temporary
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.own = self.children = self.memory = 0.0

    def _look(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            with suppress(psutil.Error):
                now = footprint(self._process, self._temporary)
                self.own, self.children = max(self.own, now.own), max(self.children, now.children)
                self.memory = max(self.memory, now.memory)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


@dataclass
class Log:
    """Reads the log of a server on from where it was read last."""

    file: Path
    _at: int = field(default=0)

    def skip(self) -> None:
        """Leaves out what is there."""
        self._at = self.file.stat().st_size

    def read(self) -> list[dict[str, object]]:
        """The new lines."""
        with self.file.open("rb") as opened:
            opened.seek(self._at)
            text = opened.read()
        whole = text.rpartition(b"\n")[0]
        self._at += len(whole) + bool(whole)
        found = []
        for line in whole.splitlines():
            with suppress(ValueError):
                found.append(json.loads(line))
        return found


class Stall(NamedTuple):
    """seconds: by the clock; processor: of them, of the loop's thread at most; code: where the loop stood."""

    seconds: float
    processor: float
    code: str


def stalls(lines: Sequence[dict[str, object]]) -> list[Stall]:
    """The stretches of the event loop that a log tells of."""
    return [
        Stall(float(str(e["seconds"])), float(str(e["processor_seconds"])), str(e["code"]))
        for e in lines
        if e.get("event") == "event_loop_stalled"
    ]


def crashes(lines: Sequence[dict[str, object]]) -> list[str]:
    """Faults of the server that its log tells of."""
    return [str(e.get("exception", e))[-300:] for e in lines if e.get("event") == "call_crashed"]


async def settled(
    process: psutil.Process,
    temporary: Path,
    least: Footprint,
    seconds: float,
    *,
    descriptors: int,
    threads: int,
) -> Footprint:
    """The footprint once it has at most so many more descriptors and threads than `least`, or after so many seconds."""
    now = footprint(process, temporary)
    for _ in range(int(seconds / 0.5)):
        if now.descriptors - least.descriptors <= descriptors and now.threads - least.threads <= threads:
            break
        await asyncio.sleep(0.5)
        now = footprint(process, temporary)
    return now
