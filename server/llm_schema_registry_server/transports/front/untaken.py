"""Counts calls that an engine was given and has not taken up, where it takes them up one after the other, whoever they are from.

grpcio does: between 0.2 and 0.5 ms each. Ten thousand of them, whether their messages ever come or not, would be before everybody's next call.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

_SECONDS = 0.25
"""After so long, a caller of whom the engine has taken up none has none there: it refused them, or their connection is gone."""

_LEAST = 3

Later = Callable[[float, Callable[[], None]], object]


class UntakenCalls:
    """Those of all connections: some `most`, of which callers have equal shares, three calls at least; who has more to give waits. later:
    calls a function after some seconds."""

    def __init__(self, most: int, later: Later) -> None:
        self._most, self._later = most, later
        self._given: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()  # of callers who are looked after
        self._waiting: dict[str, deque[Callable[[], None]]] = {}

    def room(self, caller: str) -> bool:
        """Whether one more of a caller may be given."""
        return self._given.get(caller, 0) < self._share

    def give(self, caller: str) -> None:
        """The engine is given one."""
        self._given[caller] += 1

    def take(self, caller: str) -> None:
        """The engine has taken one up."""
        if caller in self._taken:
            self._taken[caller] += 1
        left = self._given[caller] - 1
        if left > 0:
            self._given[caller] = left
        else:
            del self._given[caller]
        if caller in self._waiting:
            self._go_on(caller)

    def wait(self, caller: str, go_on: Callable[[], None]) -> None:
        """Calls `go_on` once there may be room."""
        waiting = self._waiting.get(caller)
        if waiting is None:
            waiting = self._waiting[caller] = deque()
            if caller not in self._taken:
                self._look_after(caller)
        waiting.append(go_on)

    @property
    def _share(self) -> int:
        return max(_LEAST, self._most // max(1, len(self._given)))

    def _look_after(self, caller: str) -> None:
        self._taken[caller] = 0
        self._later(_SECONDS, lambda: self._look(caller))

    def _look(self, caller: str) -> None:
        taken = self._taken.pop(caller)
        if caller not in self._waiting:
            return
        if not taken:
            self._given.pop(caller, None)
        self._go_on(caller)
        if caller in self._waiting:
            self._look_after(caller)

    def _go_on(self, caller: str) -> None:
        waiting = self._waiting[caller]
        for _ in range(min(len(waiting), self._share - self._given.get(caller, 0))):
            waiting.popleft()()
        if not waiting and self._waiting.get(caller) is waiting:
            del self._waiting[caller]
