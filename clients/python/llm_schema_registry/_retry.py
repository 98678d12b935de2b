"""When to try again, and after how long: exponential back-off with full jitter. Pure but for the clock and the dice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from ._arguments import MOST_SECONDS, described, integer, seconds
from .errors import (
    ConcurrentUpdate,
    DeadlineExceeded,
    ProtocolMismatch,
    RegistryError,
    SubscriberTooSlow,
    Unavailable,
)

SHORTEST_REST = 0.02
"""Seconds of a deadline that are not worth another try."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a client retries what was UNAVAILABLE, or came second to another writer. Times in seconds.

    It goes on until the deadline of the call. The wait before try n+1 is drawn evenly between 0 and
    `first * multiplier**(n-1)`, never above `longest`: full jitter, so that clients which failed together do not come
    back together.
    """

    attempts: int | None = None
    """The most tries in all; 1 never retries, None is as many as fit into the deadline. What was sent of a stream starts
    the count anew."""
    first: float = 0.1
    longest: float = 2.0
    multiplier: float = 2.0
    connect: float | None = None
    """Seconds of a call, or since the last item of a stream, after which no address that refuses connections is tried again;
    None is as long as the deadline allows."""

    def __post_init__(self) -> None:
        for name in ("first", "longest", "multiplier"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise TypeError(f"{name}: a number such as 0.5 is expected, not {described(value)}")
            if not 0 <= value <= MOST_SECONDS:
                raise ValueError(f"{name} is {described(value)}; it must be between 0 and {MOST_SECONDS:g}")
        if self.connect is not None:
            seconds(self.connect, "connect")
        if self.attempts is not None and integer(self.attempts, "attempts") < 1:
            raise ValueError(
                f"attempts is {self.attempts}; it must be at least 1, or None for no limit but the deadline"
            )
        if not 1 <= self.multiplier <= 1000:
            raise ValueError(f"multiplier is {self.multiplier}; it must be between 1 and 1000")

    def ceiling(self, failures: int) -> float:
        """The longest wait after this many failures in a row."""
        return min(self.longest, self.first * self.multiplier ** min(failures - 1, 64))


class Attempts:
    """The tries of one call: how much time is left, and whether another try is worth it.

    `timeout`: seconds from now, or from the last success of a stream, within which tries begin; None without end.
    """

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
        self._timeout = timeout
        self._end = None if timeout is None else clock() + timeout
        self._failures = 0
        self._unavailable: Unavailable | None = None
        self._since = clock()

    def remaining(self) -> float | None:
        """Seconds until the deadline; None without one."""
        return None if self._end is None else max(0.0, self._end - self._clock())

    def succeeded(self) -> None:
        """Something came: the next failure is the first again, and has the whole time again."""
        self._failures = 0
        self._unavailable = None
        self._since = self._clock()
        if self._timeout is not None:
            self._end = self._clock() + self._timeout

    def after(
        self,
        error: RegistryError,
        *,
        repeatable: bool = True,
        resumable: bool = False,
        elsewhere: bool = False,
    ) -> float | None:
        """Seconds to wait before the next try; None when there is to be none.

        Only UNAVAILABLE and CONCURRENT_UPDATE are tried again, only within the deadline, and a call that must not happen
        twice only when it did not happen: the server itself said so (it then named a reason), or the request never left.
        A stream that is `resumable` also goes on after SUBSCRIBER_TOO_SLOW. `elsewhere`: another address may answer at once.
        """
        if not (resumable and isinstance(error, SubscriberTooSlow)):
            if not isinstance(error, Unavailable | ConcurrentUpdate) or isinstance(error, ProtocolMismatch):
                return None
            if not (repeatable or error.reason or error.never_sent):
                return None
        if isinstance(error, Unavailable):
            self._unavailable = error
        most = self._policy.attempts
        if most is not None and self._failures + 1 >= most:
            return None
        delay = self.pause()
        if self._given_up(error, delay):
            return None
        remaining = self.remaining()
        if elsewhere and (remaining is None or remaining > SHORTEST_REST):
            return 0.0
        if remaining is None or delay < remaining:
            return delay
        return remaining / 2 if remaining > SHORTEST_REST else None  # what is left of the time is used, too

    def reason(self, error: RegistryError, *, repeatable: bool = True) -> RegistryError:
        """What to raise when there is no further try after `error`: when the deadline cut off a repetition, the failure that was
        repeated, for it says why. Not of a call that must not happen twice: its last try may have had its effect."""
        if repeatable and self._unavailable is not None and isinstance(error, DeadlineExceeded):
            return self._unavailable
        return error

    def _given_up(self, error: RegistryError, delay: float) -> bool:
        """Whether nothing accepts connections for so long that the policy gives up before the deadline."""
        connect = self._policy.connect
        if connect is None or not (isinstance(error, Unavailable) and error.never_sent):
            return False
        return self._clock() - self._since + delay >= connect

    def pause(self) -> float:
        """Seconds to wait after one more failure."""
        self._failures += 1
        return self._dice() * self._policy.ceiling(self._failures)
