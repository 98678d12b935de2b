"""Calls that arrive while others of their kind are running are executed together, as one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from llm_schema_engines.model.fast_init import fast_init

from ...telemetry import context, logs, names, tracing
from ...telemetry.budget import LogBudget
from ...telemetry.context import CallContext
from ...telemetry.tracing import Span
from ..waking import in_turns

Request = TypeVar("Request")
Answer = TypeVar("Answer")

SLOW_SECONDS = 1.0
"""A batch that takes longer is logged."""
LINES_PER_SECOND = 5
FEW = 8
"""While so many requests are under way, those that come wait for each other: what two batches cost more than one is then more than
what waiting for the first of them to end costs."""

_LOG = logs.get("storage.postgres")


@fast_init
@dataclass(frozen=True, slots=True)
class _Pending(Generic[Request, Answer]):
    request: Request
    answer: asyncio.Future[Answer]
    key: Hashable
    context: CallContext
    span: Span | None


class Batcher(Generic[Request, Answer]):
    """Executes requests in batches, at most `lanes` of them at a time and `most` requests in each.

    run: the answers to a batch, in its order.
    common: an error of this type from `run` is the answer to every request of the batch. After another error each request is
    run by itself, so that none fails because of another.
    conflict_key: two requests with the same key are never in one batch; without it, all may be.
    No request waits for a batch to fill: a batch is what has arrived while those before it were running. Another lane is used while
    fewer than FEW requests are under way, or when a whole batch waits. A request that is cancelled before its batch begins is left
    out; later, it is executed all the same.

    name: what a batch is called in the log. Log lines of a batch carry the request ids of all calls in it.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Request]], Awaitable[Sequence[Answer]]],
        *,
        lanes: int,
        most: int,
        common: type[Exception],
        name: str,
        conflict_key: Callable[[Request], Hashable] | None = None,
    ) -> None:
        self._run, self._common, self._conflict_key = run, common, conflict_key
        self._lanes, self._most, self._name = lanes, most, name
        self._budget = LogBudget(LINES_PER_SECOND)
        self._waiting: list[_Pending[Request, Answer]] = []
        self._running: set[asyncio.Task[None] | None] = set()
        self._gathering: set[asyncio.Task[None] | None] = set()
        """The lanes of those that have not taken their first batch yet."""
        self._under_way = 0

    async def __call__(self, request: Request) -> Answer:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        key = self._conflict_key(request) if self._conflict_key else future
        self._waiting.append(_Pending(request, future, key, context.current(), tracing.current()))
        if len(self._running) < self._lanes and self._needs_lane():
            lane = asyncio.create_task(self._work())
            self._running.add(lane)
            self._gathering.add(lane)
            lane.add_done_callback(self._running.discard)
            lane.add_done_callback(self._gathering.discard)
        return await future

    def _needs_lane(self) -> bool:
        """Whether what waits shall go on beside what is under way."""
        left = len(self._waiting) - len(self._gathering) * self._most
        return left > 0 and (self._under_way < FEW or left >= self._most)

    async def _work(self) -> None:
        try:
            await asyncio.sleep(0)  # let the requests that are about to be made join the batch
            self._gathering.discard(asyncio.current_task())
            while batch := self._take():
                await self._answer(batch)
        finally:  # not in the done callback: a request made before that would wait for a lane that has ended
            self._running.discard(asyncio.current_task())

    def _take(self) -> list[_Pending[Request, Answer]]:
        batch: list[_Pending[Request, Answer]] = []
        left: list[_Pending[Request, Answer]] = []
        keys: set[Hashable] = set()
        for pending in self._waiting:
            if pending.answer.done():  # cancelled
                continue
            fits = len(batch) < self._most and pending.key not in keys
            (batch if fits else left).append(pending)
            if fits:
                keys.add(pending.key)
        self._waiting = left
        return batch

    async def _answer(self, batch: Sequence[_Pending[Request, Answer]]) -> None:
        # The task of a lane was started by the first of many callers: nothing of that one's may stay in it.
        context.bind(context.shared(pending.context for pending in batch))
        spans = [pending.span for pending in batch]
        try:
            with tracing.together(self._name, spans, {names.DB_OPERATION_BATCH_SIZE: len(batch)}):
                answers = await self._timed(batch)
        except asyncio.CancelledError:
            for pending in batch:
                pending.answer.cancel()
            raise
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, self._common):
                for pending in batch:
                    await self._answer([pending])
                return
            for pending in batch:
                if not pending.answer.done():
                    pending.answer.set_exception(error)
        else:
            in_turns([partial(_tell, p.answer, a) for p, a in zip(batch, answers, strict=True)])

    async def _timed(self, batch: Sequence[_Pending[Request, Answer]]) -> Sequence[Answer]:
        clock = asyncio.get_running_loop().time
        begun = clock()
        self._under_way += len(batch)
        try:
            return await self._run([pending.request for pending in batch])
        finally:
            self._under_way -= len(batch)
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


def _tell(waiting: asyncio.Future[Answer], answer: Answer) -> None:
    if not waiting.done():  # else cancelled
        waiting.set_result(answer)
