"""The series of the queues in which callers wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from prometheus_client.core import Metric

from . import families as f
from .cells import add_histogram


class Counts(Protocol):
    """What a queue counts: see queues/fair_queue.py, QueueStats."""

    @property
    def waits(self) -> Sequence[int]: ...
    @property
    def waited_seconds(self) -> float: ...
    @property
    def refused(self) -> Mapping[str, int]: ...
    @property
    def bounds(self) -> Sequence[float]: ...


class Queue(Protocol):
    """A queue as it is now."""

    @property
    def waiting(self) -> int: ...
    @property
    def held(self) -> int: ...
    @property
    def room(self) -> int: ...
    @property
    def stats(self) -> Counts: ...


def collect_queues(queues: Mapping[str, Queue]) -> Iterable[Metric]:
    """What the queues count by themselves. Labels are the names of queues and reasons, which callers do not choose."""
    waiting, held, room = f.QUEUE_WAITING.gauge(), f.QUEUE_HELD.gauge(), f.QUEUE_ROOM.gauge()
    waits, refused = f.QUEUE_WAIT.histogram(), f.QUEUE_REFUSED.counter()
    for name, queue in tuple(queues.items()):
        stats = queue.stats
        waiting.add_metric((name,), queue.waiting)
        held.add_metric((name,), queue.held)
        room.add_metric((name,), queue.room)
        add_histogram(waits, (name,), stats.bounds, tuple(stats.waits), stats.waited_seconds)
        for why, count in stats.refused.items():
            refused.add_metric((name, why), count)
    return waiting, held, room, waits, refused
