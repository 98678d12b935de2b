"""The change feed of one instance: one task follows the log and keeps its newest part in memory, another one hands that to
subscribers, in slices: nobody else waits for thousands of them, and caches do not either."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..errors import RegistryError, RevisionCompacted, ShuttingDown
from ..model.change import Change, format_revision
from ..storage.store import Store
from ..storage.values import LogPage
from .catching_up import CatchingUp
from .fairness import Turns
from .gathering import Beats
from .subscriber_index import SubscriberIndex
from .subscribers import Subscriber

BATCH = 1000
MOST_WAITING = 10_000
"""Changes beside the ring that stay in memory until they are handed out to subscribers."""

# So many changes are taken from memory at a time to be handed out.
_HANDFUL = 100
POLL_SECONDS = 1.0
RETRY_SECONDS = 0.5


class ChangeFeed:
    """Reads the log in order, once, and hands each change to `on_change` before any subscriber sees it.

    `position` is how far this instance has read; `offered` is how far every live subscriber has been handed what it wants, or has it
    noted to be taken together with what follows (gathering.py).

    on_gap: called instead when changes were forgotten before this instance had read them, as may happen to one that
    was cut off for long, or cannot be decoded: anything may have changed.
    """

    def __init__(
        self,
        store: Store,
        *,
        ring: int,
        on_change: Callable[[Change], None],
        on_gap: Callable[[], None],
        on_trouble: Callable[[RegistryError], None],
    ) -> None:
        self._store, self._ring_size = store, ring
        self._on_change, self._on_gap, self._on_trouble = on_change, on_gap, on_trouble
        self._ring: list[Change] = []  # all from `_floor` to `_position`, about twice the ring's size
        self._floor = 0
        self._position = self._offered = 0
        self._closing = False
        self._trouble = ""
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._behind = CatchingUp()
        self._beats = Beats(self._behind)
        self._beat: asyncio.TimerHandle | None = None
        self._subscribers = SubscriberIndex(self._beats.note)
        self._news = asyncio.Event()
        # Who waits for a sequence: (sequence, number, future), the least first.
        self._reaching: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    @property
    def position(self) -> int:
        """The sequence of the newest change that this instance has seen."""
        return self._position

    @property
    def offered(self) -> int:
        """Everything up to this sequence has been handed to every live subscriber that wants it, or is noted for its next beat."""
        return self._offered

    @property
    def trouble(self) -> str:
        """Why the log cannot be read at the moment; "" while all is well."""
        for task in self._tasks:
            if task.done() and not self._closing:
                failure = None if task.cancelled() else task.exception()
                return f"nothing follows the log any more ({failure!r}); restart the server"
        return self._trouble

    @property
    def closing(self) -> bool:
        return self._closing

    @property
    def subscribers(self) -> int:
        return len(self._subscribers)

    def revision(self, sequence: int) -> str:
        return format_revision(self._store.registry_id, sequence)

    async def start(self) -> None:
        """Begin to follow the log from its end."""
        async with self._store.read() as tx:
            self._floor = self._position = self._offered = (await tx.change_bounds())[1]
        self._tasks = (
            asyncio.create_task(self._follow(), name="change feed"),
            asyncio.create_task(self._hand_out(), name="change feed: subscribers"),
        )

    def close(self) -> None:
        """End every wait: subscribers end with ShuttingDown and the place to resume from."""
        self._closing = True
        for _, _, waiting in self._reaching:
            if not waiting.done():
                waiting.set_exception(ShuttingDown())
        self._reaching.clear()
        self._news.set()

    async def stop(self) -> None:
        self.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._behind.stop()
        if self._beat is not None:
            self._beat.cancel()
        for subscriber in self._subscribers:
            subscriber.wake()

    @contextmanager
    def subscribe(self, subscriber: Subscriber) -> Iterator[None]:
        """Offers changes to a subscriber for the time of the block, once it is live."""
        self._subscribers.add(subscriber)
        try:
            yield
        finally:
            subscriber.live = False
            self._subscribers.remove(subscriber)

    def remembers(self, sequence: int) -> bool:
        """Whether what follows `sequence` is in memory, whatever the store has forgotten."""
        return sequence >= self._floor

    async def after(self, sequence: int) -> Sequence[Change]:
        """The next changes after `sequence` that this instance has seen, in order; empty when there is none up to the
        `position` of the moment of the call. Changes that cannot be decoded are left out.

        Raises RevisionCompacted when some of them are forgotten.
        """
        if sequence >= self._position:
            return ()
        if self.remembers(sequence):
            start = bisect_right(self._ring, sequence, key=lambda c: c.sequence)
            return self._ring[start : start + BATCH]
        seen = self._position
        while sequence < seen:
            page = await self._store.log_page(sequence, BATCH)
            if page.oldest > sequence:
                raise RevisionCompacted(self.revision(sequence), self.revision(page.oldest))
            if page.changes or not page.last:
                return [c for c in page.changes if c.sequence <= seen]
            sequence = page.last  # none of them can be decoded
        return ()

    async def reach(self, sequence: int) -> None:
        """Wait until this instance has seen the change `sequence`; the caller's deadline bounds it."""
        if self._position >= sequence:
            return
        if self._closing:
            raise ShuttingDown()
        waiting = asyncio.get_running_loop().create_future()
        heapq.heappush(self._reaching, (sequence, next(self._numbers), waiting))
        await waiting

    async def _follow(self) -> None:
        clock = asyncio.get_running_loop().time
        announced = False  # whether the store has said that there is something
        while True:
            try:
                page = await self._store.log_page(self._position, BATCH)
                self._trouble = ""
                if page.oldest > self._position:
                    self._skip(page.oldest)
                if page.last > self._position:
                    self._append(page)
                    announced = False
                    await asyncio.sleep(0)  # others' turn
                    if len(page.changes) + len(page.unreadable) >= BATCH:
                        continue  # there may be more already; of a shorter page the store tells what follows
                elif announced:  # and does not hand it out: no progress without a pause
                    await asyncio.sleep(RETRY_SECONDS)
                    announced = False
                    continue
                begun = clock()
                await self._store.wait_for_change(self._position, POLL_SECONDS)
                announced = clock() - begun < POLL_SECONDS / 2
            except RegistryError as error:
                if not self._trouble:
                    self._on_trouble(error)
                self._trouble = error.message
                await asyncio.sleep(RETRY_SECONDS)

    def _skip(self, sequence: int) -> None:
        """Go on after changes that nobody can read any more. Each subscriber will read the log from its own place, and so
        learn by itself whether it misses any."""
        self._ring.clear()
        self._floor = self._position = sequence
        self._on_gap()
        self._tell()

    def _append(self, page: LogPage) -> None:
        if page.unreadable:
            self._on_gap()
        for change in page.changes:
            self._on_change(change)
        self._ring.extend(page.changes)
        self._forget()
        self._position = page.last
        self._tell()

    def _forget(self) -> None:
        """Drop the oldest changes from memory, as far as they have been handed out; beyond MOST_WAITING in any case."""
        if len(self._ring) <= 2 * self._ring_size:
            return
        spare = len(self._ring) - self._ring_size
        handed_out = bisect_right(self._ring, self._offered, key=lambda c: c.sequence)
        count = min(spare, max(handed_out, len(self._ring) - 2 * self._ring_size - MOST_WAITING))
        if count > 0:
            self._floor = self._ring[count - 1].sequence
            del self._ring[:count]

    def _tell(self) -> None:
        while self._reaching and self._reaching[0][0] <= self._position:
            waiting = heapq.heappop(self._reaching)[2]
            if not waiting.done():
                waiting.set_result(None)
        self._news.set()

    async def _hand_out(self) -> None:
        """Hand changes to live subscribers, in order. One that becomes live meanwhile has read everything up to `position`
        by itself, and passes over what it has (Subscriber.place)."""
        turns = Turns()
        while True:
            await self._news.wait()
            self._news.clear()
            if self._closing:
                await self._wake_all(turns)
            while self._offered < self._position and not self._closing:
                if self._offered < self._floor:  # overtaken by what is forgotten here
                    await self._let_all_read(turns)
                    continue
                start = bisect_right(self._ring, self._offered, key=lambda c: c.sequence)
                handful, position = self._ring[start : start + _HANDFUL], self._position
                for change in handful:
                    await self._offer(change, turns)
                    self._offered = change.sequence
                    if self._beats.late():
                        await self._beats.serve(turns)
                if (
                    len(handful) < _HANDFUL
                ):  # what lies behind the last of them, if anything, cannot be decoded
                    self._offered = max(self._offered, position)
                self._forget()
                await self._beats.serve(turns)
                await turns.pause()
            if not self._closing:
                await self._beats.serve(turns)
            self._await_beat()

    def _await_beat(self) -> None:
        """Has the subscribers that take changes together served when the next beat is due."""
        if self._beat is not None:
            self._beat.cancel()
            self._beat = None
        seconds = self._beats.seconds()
        if seconds is not None and not self._closing:
            self._beat = asyncio.get_running_loop().call_later(seconds, self._news.set)

    async def _offer(self, change: Change, turns: Turns) -> None:
        if change.hidden:
            return
        async for subscribers in self._subscribers.wanting(change, turns):
            await self._behind.hand_out(subscribers, Subscriber.offer, change, turns)

    async def _let_all_read(self, turns: Turns) -> None:
        """Let every subscriber read the log from its own place."""
        offered, position = self._offered, self._position
        for subscriber in self._subscribers:
            if subscriber.live and subscriber.place < position:
                if not subscriber.pending:
                    subscriber.place = max(subscriber.place, subscriber.complete(offered))
                if subscriber.lag():
                    turns.woke()
            await turns.pause_if_due()
        for gathered in self._subscribers.gathered:
            self._beats.forget(gathered)
        self._offered = position

    async def _wake_all(self, turns: Turns) -> None:
        for subscriber in self._subscribers:
            if subscriber.wake():
                turns.woke()
            await turns.pause_if_due()
