"""What streams have handed to their readers and these have not taken: bounded in time and memory, for each caller and in all."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from types import TracebackType

from ..calls.call import Call
from ..errors import SubscriberTooSlow

PER_CALLER_SETTING, TOTAL_SETTING = "limits.unread_bytes_per_caller", "limits.unread_bytes"

_MOMENT_SECONDS, _MOMENT_BYTES = 0.004, 1_048_576
"""Of messages that are pushed to all subscribers so much goes out at a time."""


class Unread:
    """The messages on their way to slow readers.

    One waits at most `stall_seconds`. Callers (by address) may leave `per_caller` bytes unread, all of them together `total`:
    over that, the stream of the caller (who holds most) that has waited longest is ended. A message alone never is.
    """

    def __init__(self, stall_seconds: float, *, per_caller: int, total: int) -> None:
        self.stall_seconds, self.per_caller, self.total = stall_seconds, per_caller, total
        self.held = 0
        """Bytes that wait now."""
        self.ended = 0
        """Streams that were ended for the bytes that they held."""
        self._callers: dict[str, _Caller] = {}
        self._moment, self._pushed = 0.0, 0

    def paced(self, size: int, now: float) -> bool:
        """Whether `size` bytes more may be pushed in this moment, which is noted: what a wire holds of one event for thousands, whoever
        asks next would wait for. `now` is a point of time.monotonic()."""
        if now >= self._moment + _MOMENT_SECONDS:
            self._moment, self._pushed = now, 0
        elif self._pushed + size > _MOMENT_BYTES:
            return False
        self._pushed += size
        return True

    def sending(self, call: Call, size: int) -> _Sending:
        """A block in which `size` bytes are handed over. It raises SubscriberTooSlow when they are not taken."""
        return _Sending(self, call, size)

    def _hold(self, sending: _Sending) -> None:
        caller = self._callers.setdefault(sending.caller, _Caller())
        caller.sending[sending] = None
        caller.held += sending.size
        self.held += sending.size
        while caller.held > self.per_caller and len(caller.sending) > 1:
            self._end(next(iter(caller.sending)), self.per_caller, PER_CALLER_SETTING)
        while self.held > self.total and self.held > sending.size:
            greatest = max(self._callers.values(), key=lambda c: c.held)
            self._end(next(iter(greatest.sending)), self.total, TOTAL_SETTING)

    def _release(self, sending: _Sending) -> None:
        caller = self._callers.get(sending.caller)
        if caller is None or sending not in caller.sending:
            return
        del caller.sending[sending]
        caller.held -= sending.size
        self.held -= sending.size
        if not caller.sending:
            del self._callers[sending.caller]

    def _end(self, sending: _Sending, limit: int, setting: str) -> None:
        self.ended += 1
        self._release(sending)
        sending.end(f"{limit} bytes are unread, which is the limit (setting {setting})")


class _Caller:
    __slots__ = ("held", "sending")

    def __init__(self) -> None:
        self.held = 0
        self.sending: OrderedDict[_Sending, None] = OrderedDict()


class _Sending:
    """The block of one message."""

    __slots__ = ("_call", "_timeout", "_unread", "_why", "caller", "size")

    def __init__(self, unread: Unread, call: Call, size: int) -> None:
        self._unread, self._call, self.size = unread, call, size
        peer = call.peer
        self.caller = peer.address or peer.connection
        self._why = ""

    def end(self, why: str) -> None:
        """Ends the block at once."""
        self._why = why
        self._timeout.reschedule(asyncio.get_running_loop().time())

    async def __aenter__(self) -> None:
        self._timeout = asyncio.timeout(self._unread.stall_seconds)
        await self._timeout.__aenter__()
        self._unread._hold(self)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unread._release(self)
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as expired:
            seconds, revision = self._unread.stall_seconds, self._call.resume_revision
            raise SubscriberTooSlow(seconds, revision, self._why) from expired
