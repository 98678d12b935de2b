"""A circuit breaker: a service that keeps failing is not called for a while, then tried with one call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

OnChange = Callable[[BaseException | None], None]


class BreakerOpen(Exception):
    """The service has failed repeatedly; it is not called again yet."""


class Breaker:
    """Opens after `failures` failed calls in a row. After `pause` seconds one call, the probe, is let through: when it
    succeeds all calls are let through again, when it fails the pause begins anew.

    on_change: called once when it opens, with the last failure, and once when it closes, with None. clock: counts seconds.
    Belongs to one event loop.
    """

    def __init__(
        self,
        failures: int,
        pause: float,
        *,
        on_change: OnChange = lambda failure: None,
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
        """The service answered: failures are counted from 0 again."""
        was_open, self._failed = self.open, 0
        if was_open:
            self._on_change(None)

    def failed(self, failure: BaseException) -> None:
        """The service did not answer, or answered that it cannot."""
        was_open, self._failed = self.open, self._failed + 1
        self._retry_at = self._clock() + self._pause
        if self.open and not was_open:
            self._on_change(failure)

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
        except failures as failure:
            self.failed(failure)
            raise
        else:
            self.succeeded()
        finally:
            if probe:
                self._probing = False
