"""When to try again, and after how long: exponential backoff with full jitter. Pure but for the clock and the dice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from .errors import ConcurrentUpdate, RegistryError, SubscriberTooSlow, Unavailable


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a client retries what was UNAVAILABLE, or came second to another writer. Times in seconds.

    The wait before try n+1 is drawn evenly between 0 and `first * multiplier**(n-1)`, never above `longest`: full
    jitter, so that clients which failed together do not come back together.
    """

    attempts: int = 5
    """Tries in all; 1 never retries. What was sent of a stream starts the count anew."""
    first: float = 0.1
    longest: float = 5.0
    multiplier: float = 2.0

    def ceiling(self, failures: int) -> float:
        """The longest wait after this many failures in a row."""
        return min(self.longest, self.first * self.multiplier ** min(failures - 1, 64))


class Attempts:
    """The tries of one call: how much time is left, and whether another try is worth it."""

    def __init__(
        self,
        policy: RetryPolicy,
        timeout: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._dice = dice
        self._end = None if timeout is None else clock() + timeout
        self._failures = 0

    def remaining(self) -> float | None:
        """Seconds until the deadline of the whole call; None without one."""
        return None if self._end is None else max(0.0, self._end - self._clock())

    def succeeded(self) -> None:
        """Something came: the next failure is the first again."""
        self._failures = 0

    def after(
        self, error: RegistryError, *, repeatable: bool = True, resumable: bool = False
    ) -> float | None:
        """Seconds to wait before the next try; None when there is to be none.

        Only UNAVAILABLE and CONCURRENT_UPDATE are tried again, only within the deadline, and a call that must not happen
        twice only when the server itself answered (it then named a reason), not when the connection broke on the way.
        A stream that is `resumable` also goes on after SUBSCRIBER_TOO_SLOW.
        """
        passing = isinstance(error, Unavailable | ConcurrentUpdate)
        if not (passing and (repeatable or error.reason)) and not (
            resumable and isinstance(error, SubscriberTooSlow)
        ):
            return None
        if self._failures + 1 >= self._policy.attempts:
            return None
        delay = self.pause()
        remaining = self.remaining()
        return delay if remaining is None or delay < remaining else None

    def pause(self) -> float:
        """Seconds to wait after one more failure."""
        self._failures += 1
        return self._dice() * self._policy.ceiling(self._failures)
