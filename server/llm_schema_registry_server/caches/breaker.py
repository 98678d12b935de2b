"""A circuit breaker: a service that keeps failing is left alone for a while, then tried with one call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class BreakerOpen(Exception):
    """The service has failed too often of late; it is not asked again yet."""


class Breaker:
    """Opens after `failures` failed calls in a row. After `pause` seconds one call, the probe, is let through: when it
    succeeds all calls are let through again, when it fails the pause begins anew.

    `on_change` is told when it opens (True) and closes (False). `clock` counts seconds. Belongs to one event loop.
    """

    def __init__(
        self,
        failures: int,
        pause: float,
        *,
        on_change: Callable[[bool], None] = lambda open: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit, self._pause, self._on_change, self._clock = failures, pause, on_change, clock
        self._failed = 0
        self._retry_at = 0.0
        self._probing = False

    @property
    def open(self) -> bool:
        """Whether calls are refused at the moment, but for a probe."""
        return self._failed >= self._limit

    def succeeded(self) -> None:
        """The service answered: the row of failures is over."""
        was_open, self._failed = self.open, 0
        if was_open:
            self._on_change(False)

    def failed(self) -> None:
        """The service did not answer, or answered that it cannot."""
        was_open, self._failed = self.open, self._failed + 1
        self._retry_at = self._clock() + self._pause
        if self.open and not was_open:
            self._on_change(True)

    @contextmanager
    def call(self, *failures: type[BaseException]) -> Iterator[None]:
        """Around one call. Exceptions of the types `failures` say that the service is in trouble; others say nothing.

        Raises BreakerOpen, before the block, when the call must not be made.
        """
        probe = self.open
        if probe:
            if self._probing or self._clock() < self._retry_at:
                raise BreakerOpen
            self._probing = True
        try:
            yield
        except failures:
            self.failed()
            raise
        else:
            self.succeeded()
        finally:
            if probe:
                self._probing = False
