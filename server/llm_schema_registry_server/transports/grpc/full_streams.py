"""Waits until a full stream takes its next message.

The front holds one message of a stream and has no event for "there is room again". It offers two ways to wait: to ask again
(stream_try_send), or to block a thread until the message is taken (stream_send), which holds no lock of Python meanwhile. A thread is the
faster one by far where messages follow each other, but nothing ends its wait but the reader or the end of the connection, also when the call
has failed meanwhile: there are few, and who has some gets no more. All others are asked again, at first on each of the next turns of the loop.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from pygrpc_native import STREAM_CLOSED, STREAM_FULL, STREAM_SENT, NativeGrpcFront

_AWAITED, _THREADS_PER_CALLER = 8, 4
_THREADS = 64  # with those whose calls have failed
# The front's thread takes the message of a fast reader within some 20 us, which is about a turn of the loop, while a timer of the loop
# takes 1 ms and more: a full stream is tried again on each of the next turns, unless many are full, and then after these pauses,
# doubling: idle readers cost nothing.
_TURNS, _MOST_SPINNING = 16, 4
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.1


class FullStreams:
    """The messages that wait for room in a stream."""

    def __init__(self, front: NativeGrpcFront) -> None:
        self._front = front
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="grpc-full-stream")
        self._waiting: Counter[str] = Counter()  # threads of each caller
        self._awaited = 0
        self._spinning = 0

    async def send(self, call_id: int, message: bytes, caller: str, *, finite: bool) -> int:
        """Waits until the message is taken: STREAM_SENT, or STREAM_CLOSED when the client has left.

        When the wait is cancelled, the message of a `finite` stream may still go out before its end.
        """
        if (
            finite
            and self._awaited < _AWAITED
            and self._waiting[caller] < _THREADS_PER_CALLER
            and self._waiting.total() < _THREADS
        ):
            return await self._in_a_thread(call_id, message, caller)
        sent = await self._soon(call_id, message)
        pause = _FIRST_PAUSE
        while sent == STREAM_FULL:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            sent = self._front.stream_try_send(call_id, message)
        return sent

    def stop(self) -> None:
        """To be called once the front is closed, which ends every wait."""
        self._threads.shutdown(wait=False)

    async def _in_a_thread(self, call_id: int, message: bytes, caller: str) -> int:
        self._waiting[caller] += 1
        waiting = self._threads.submit(self._front.stream_send, call_id, message)
        waiting.add_done_callback(partial(self._ended, caller))
        self._awaited += 1
        try:
            return STREAM_SENT if await asyncio.wrap_future(waiting) else STREAM_CLOSED
        finally:
            self._awaited -= 1

    def _ended(self, caller: str, _: Future[bool]) -> None:
        """In the thread."""
        free: Callable[[], None] = partial(self._free, caller)
        try:
            self._loop.call_soon_threadsafe(free)
        except RuntimeError:  # the loop is closed
            return

    def _free(self, caller: str) -> None:
        self._waiting[caller] -= 1
        if not self._waiting[caller]:
            del self._waiting[caller]

    async def _soon(self, call_id: int, message: bytes) -> int:
        """Tries on each of the next turns of the loop, as long as few streams do."""
        sent = STREAM_FULL
        if self._spinning < _MOST_SPINNING:
            self._spinning += 1
            try:
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
                    sent = self._front.stream_try_send(call_id, message)
                    if sent != STREAM_FULL:
                        break
            finally:
                self._spinning -= 1
        return sent
