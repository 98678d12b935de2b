"""Subscribers of what a run writes: each must be told every change, once and in the order of the subject's versions."""

from __future__ import annotations

import time
from collections.abc import Mapping

import gevent
from gevent.event import Event
from loads.records import DELIVERY, Recorder
from wires import Refused, Wire

READY_SECONDS = 60.0
LATE_SECONDS = 20.0
"""After the last write a subscriber may be behind for so long."""


class Watchers:
    """`count` subscribers of one pattern. Writers tell `writing` before a write, and `written` after its answer."""

    def __init__(self, wire: Wire, pattern: str, count: int, recorder: Recorder) -> None:
        self._wire, self._pattern, self._recorder = wire, pattern, recorder
        self._began: dict[tuple[str, int], float] = {}
        self._last: dict[str, int] = {}
        self._seen: list[dict[str, int]] = [{} for _ in range(count)]
        self._live = [Event() for _ in range(count)]
        self._over = False
        self._greenlets: list[gevent.Greenlet] = []

    def start(self) -> None:
        """Returns when each subscriber is known to be live."""
        self._greenlets = [gevent.spawn(self._follow, number) for number in range(len(self._seen))]
        for live in self._live:
            if not live.wait(READY_SECONDS):
                self._recorder.wrong(DELIVERY, f"a subscriber heard nothing in {READY_SECONDS:g} s")
                return

    def writing(self, subject: str, ordinal: int) -> None:
        self._began[subject, ordinal] = time.perf_counter()

    def written(self, subject: str, ordinal: int) -> None:
        self._last[subject] = ordinal

    def finish(self) -> None:
        """Waits until everybody was told everything, and notes what nobody was told."""
        end = time.perf_counter() + LATE_SECONDS
        while time.perf_counter() < end and any(self._missing(seen) for seen in self._seen):
            gevent.sleep(0.05)
        self._over = True
        for seen in self._seen:
            if missing := self._missing(seen):
                subject, ordinal = next(iter(missing.items()))
                self._recorder.wrong(
                    DELIVERY,
                    f"a subscriber was not told of {len(missing)} subjects, {subject} up to version {ordinal} among them",
                )
        gevent.killall(self._greenlets)

    def _missing(self, seen: Mapping[str, int]) -> Mapping[str, int]:
        return {subject: last for subject, last in self._last.items() if seen.get(subject, 0) < last}

    def _follow(self, number: int) -> None:
        seen = self._seen[number]
        try:
            for told in self._wire.changes(self._pattern):
                at = time.perf_counter()
                self._live[number].set()
                if not told.subject:
                    continue
                before = seen.get(told.subject, 0)
                if told.ordinal != before + 1:
                    self._recorder.wrong(
                        DELIVERY, f"version {told.ordinal} of {told.subject} came after version {before}"
                    )
                seen[told.subject] = told.ordinal
                if (began := self._began.get((told.subject, told.ordinal))) is not None:
                    self._recorder.took(DELIVERY, began, at)
        except Refused as error:
            if not self._over:
                self._recorder.wrong(DELIVERY, f"the stream of a subscriber ended: {error.code}")
