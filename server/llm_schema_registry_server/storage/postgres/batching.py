"""Calls that come while others of their kind are under way go on together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ...telemetry import context, logs
from ...telemetry.budget import LogBudget
from ...telemetry.context import CallContext

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")

SLOW_SECONDS = 1.0
"""A batch that takes longer is logged."""
LINES_PER_SECOND = 5

_LOG = logs.get("storage.postgres")


@dataclass(frozen=True, slots=True)
class _Asked(Generic[Ask, Answer]):
    ask: Ask
    answer: asyncio.Future[Answer]
    key: Hashable
    context: CallContext


class Batcher(Generic[Ask, Answer]):
    """Runs what it is asked in batches, `lanes` of them at a time, each of `most` at most.

    run: the answers to a batch, in its order.
    common: what concerns all of a batch when `run` raises it. After another error each is run alone: nobody suffers from
    what somebody else asked.
    apart: two of whom it says the same are never in one batch; without it, all may be.
    Nobody waits for company: a batch is what has come while the ones before it were under way. Who is cancelled before its
    batch begins is left out; later, it is carried out all the same.

    name: what a batch is called in the log. Log lines of a batch carry the request ids of all calls in it.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Ask]], Awaitable[Sequence[Answer]]],
        *,
        lanes: int,
        most: int,
        common: type[Exception],
        name: str,
        apart: Callable[[Ask], Hashable] | None = None,
    ) -> None:
        self._run, self._common, self._apart = run, common, apart
        self._lanes, self._most, self._name = lanes, most, name
        self._budget = LogBudget(LINES_PER_SECOND)
        self._waiting: list[_Asked[Ask, Answer]] = []
        self._running: set[asyncio.Task[None] | None] = set()

    async def __call__(self, ask: Ask) -> Answer:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(
            _Asked(ask, future, self._apart(ask) if self._apart else future, context.current())
        )
        if len(self._running) < self._lanes:
            lane = asyncio.create_task(self._work())
            self._running.add(lane)
            lane.add_done_callback(self._running.discard)
        return await future

    async def _work(self) -> None:
        try:
            await asyncio.sleep(0)  # those who are about to ask, too
            while batch := self._take():
                await self._answer(batch)
        finally:  # not when the task is told to be done: who asks before that would wait for a lane that has ended
            self._running.discard(asyncio.current_task())

    def _take(self) -> list[_Asked[Ask, Answer]]:
        batch: list[_Asked[Ask, Answer]] = []
        left: list[_Asked[Ask, Answer]] = []
        keys: set[Hashable] = set()
        for asked in self._waiting:
            if asked.answer.done():  # cancelled
                continue
            room = len(batch) < self._most and asked.key not in keys
            (batch if room else left).append(asked)
            if room:
                keys.add(asked.key)
        self._waiting = left
        return batch

    async def _answer(self, batch: Sequence[_Asked[Ask, Answer]]) -> None:
        context.bind(context.shared(asked.context for asked in batch))
        try:
            answers = await self._timed(batch)
        except asyncio.CancelledError:
            for asked in batch:
                asked.answer.cancel()
            raise
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, self._common):
                for asked in batch:
                    await self._answer([asked])
                return
            for asked in batch:
                if not asked.answer.done():
                    asked.answer.set_exception(error)
        else:
            for asked, answer in zip(batch, answers, strict=True):
                if not asked.answer.done():
                    asked.answer.set_result(answer)

    async def _timed(self, batch: Sequence[_Asked[Ask, Answer]]) -> Sequence[Answer]:
        clock = asyncio.get_running_loop().time
        begun = clock()
        try:
            return await self._run([asked.ask for asked in batch])
        finally:
            seconds = clock() - begun
            if seconds > SLOW_SECONDS and (left_out := self._budget.take(self._name)) is not None:
                more = {"left_out_before": left_out} if left_out else {}
                _LOG.warning(
                    "slow_statement",
                    statement=self._name,
                    calls=len(batch),
                    seconds=round(seconds, 3),
                    **more,
                )
