"""Tells the caches of this instance what changed: at once for its own writes, through the change log for others'."""

from __future__ import annotations

from collections.abc import Callable

from ..model.subject import Subject

Listener = Callable[[Subject | None], None]


class Coherence:
    """Listeners that drop what they have cached of a subject; None means every subject."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def changed(self, subject: Subject | None) -> None:
        """Called after a commit and before its caller learns of it: no later read of this instance is stale."""
        for listener in self._listeners:
            listener(subject)
