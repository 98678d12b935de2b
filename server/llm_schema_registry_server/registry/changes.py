"""The change feed of one instance: one task follows the log for all subscribers, keeps its newest part in memory, hands it to subscribers."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from ..errors import RegistryError, RevisionCompacted, ShuttingDown
from ..model.change import Change, format_revision
from ..storage.store import Store
from ..storage.values import LogPage
from .subscribers import ChangeFilter, Subscriber, SubscriberIndex

BATCH = 1000
POLL_SECONDS = 1.0
RETRY_SECONDS = 0.5


class ChangeFeed:
    """Reads the log in order, once, and hands each change to `on_change` before any subscriber sees it.

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
        self._ring: list[Change] = []  # all from `_floor` to `_position`, at most twice the ring's size
        self._floor = 0
        self._position = 0
        self._closing = False
        self._trouble = ""
        self._task: asyncio.Task[None] | None = None
        self._subscribers = SubscriberIndex()

    @property
    def position(self) -> int:
        """The sequence of the newest change that this instance has seen."""
        return self._position

    @property
    def trouble(self) -> str:
        """Why the log cannot be read at the moment; "" while all is well."""
        if self._task is not None and self._task.done() and not self._closing:
            failure = None if self._task.cancelled() else self._task.exception()
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
            self._floor = self._position = (await tx.change_bounds())[1]
        self._task = asyncio.create_task(self._follow(), name="change feed")

    def close(self) -> None:
        """End every wait: subscribers end with ShuttingDown and the place to resume from."""
        self._closing = True
        for subscriber in self._subscribers:
            subscriber.wake()

    async def stop(self) -> None:
        self.close()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    @contextmanager
    def subscribe(self, interest: ChangeFilter) -> Iterator[Subscriber]:
        """A subscriber for the time of the block."""
        subscriber = Subscriber(interest)
        self._subscribers.add(subscriber)
        try:
            yield subscriber
        finally:
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
        with self.subscribe(ChangeFilter(frozenset(), frozenset(), frozenset())) as subscriber:
            while self._position < sequence:
                if self._closing:
                    raise ShuttingDown()
                subscriber.live = True  # it wants no changes, only to be woken by them
                subscriber.pending.clear()
                await subscriber.wait(None)

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
                    self._deliver(page)
                    announced = False
                    await asyncio.sleep(0)  # others' turn
                    continue
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
        """Go on after changes that nobody can read any more. Each subscriber reads the log from its own place, and so
        learns by itself whether it misses any."""
        for subscriber in self._subscribers:
            if subscriber.live and not subscriber.pending:
                subscriber.place = self._position
            subscriber.lag()
        self._ring.clear()
        self._floor = self._position = sequence
        self._on_gap()

    def _deliver(self, page: LogPage) -> None:
        # No await in here: a subscriber sees the ring, the position and its pending changes move as one.
        changes = page.changes
        if page.unreadable:
            self._on_gap()
        for change in changes:
            self._on_change(change)
        self._ring.extend(changes)
        if len(self._ring) > 2 * self._ring_size:
            self._floor = self._ring[-self._ring_size - 1].sequence
            del self._ring[: -self._ring_size]
        self._position = page.last
        for change in changes:
            self._subscribers.offer(change)
        if page.unreadable:  # whoever waits for the position only has nothing else to be woken by
            for subscriber in self._subscribers:
                subscriber.wake()
