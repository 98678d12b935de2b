"""Comparisons by the engines, of one pair or of one schema with a whole history. Results are cached by their pair."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from llm_schema_engines.formats.engine import Engines, SchemaSource
from llm_schema_engines.model.compatibility import (
    CompareOptions,
    Comparison,
    Direction,
    Verdict,
    WriterModel,
)
from llm_schema_engines.model.schema import SchemaType

from ..caches.budget import Budget
from ..caches.cache import CacheStats, LowerTier
from ..caches.memory import MemoryCache
from ..caches.tiered import TieredCache
from ..workers.task import Workers
from ..workers.tasks import Compare, CompareBatch
from .fairness import SHORT_SLICE_SECONDS, Turns
from .shared_results import lower

FEW = 4
"""Up to so many pairs are asked for one by one: small ones need no worker process."""
BATCH_PAIRS = 64
"""Most pairs that one trip to a worker process carries."""
BATCH_BYTES = 96 * 1024
"""Bytes of schemas after which a batch is full: packing them takes the event loop a fraction of a millisecond."""
_LOOK = 32
"""Steps of a loop between two looks at the clock."""

COMPATIBLE = Comparison(Verdict.YES)


class Keyed(Protocol):
    """What a comparison needs of a schema. Equal keys mean equal meaning."""

    @property
    def schema_type(self) -> SchemaType: ...
    @property
    def source(self) -> SchemaSource: ...
    @property
    def key(self) -> str: ...


S = TypeVar("S", bound=Keyed)


class Comparisons:
    """Asks the engines through the workers. lanes: batches of one call that are under way at a time."""

    def __init__(
        self,
        engines: Engines,
        workers: Workers,
        *,
        cache_bytes: int | Budget,
        lanes: int = 2,
        shared: LowerTier | None = None,
    ) -> None:
        self._engines, self._workers, self._lanes = engines, workers, lanes
        for engine in engines.values():
            _ = engine.version  # found out once, which takes some time: not while calls wait
        self._cache: TieredCache[str, Comparison] = TieredCache(
            MemoryCache[str, Comparison](cache_bytes, _size),
            lower(shared, "comparison", Comparison),
            lasting=lambda comparison: comparison.lasting,
            name="comparisons",
        )

    def stats(self) -> CacheStats:
        return self._cache.stats()

    async def of(self, reader: Keyed, writer: Keyed, options: CompareOptions) -> Comparison:
        """May `reader` read everything that `writer` writes?"""
        task = Compare(reader.schema_type, reader.source, writer.source, options)
        return await self._cache.get(
            f"{self._rules(reader.schema_type, options)}|{reader.key}|{writer.key}",
            lambda: self._workers.run(task),
            lambda: self._workers.run_now(task),
        )

    async def with_all(
        self,
        schema: Keyed,
        others: Sequence[Keyed],
        direction: Direction,
        options: CompareOptions,
        meanings: Sequence[str] = (),
    ) -> Sequence[Comparison]:
        """The comparison of a schema with each of the others, as `of` finds it. BACKWARD: `schema` is the reader.

        Many are compared in batches, in all worker processes that are free. meanings: the validation fingerprints of the others;
        of those with the same one only the first is compared, when that proves all of them compatible.
        """
        asked = _Asked(schema, direction, options, self._rules(schema.schema_type, options))
        if len(others) == 1 and others[0].key != schema.key:
            return [await self.of(*asked.pair(others[0]), options)]
        turns = Turns(SHORT_SLICE_SECONDS)
        groups: dict[str, list[Keyed]] = {}
        seen: set[str] = set()
        share = bool(meanings) and shares_proofs(schema.schema_type, options)
        for number, other in enumerate(others):
            if number % _LOOK == 0:
                await turns.pause_if_due()
            if other.key in seen:
                continue
            seen.add(other.key)
            known = COMPATIBLE if other.key == schema.key else self._cache.peek(asked.key(other))
            if known is not None:
                asked.found[other.key] = known
            else:
                groups.setdefault(meanings[number] if share else other.key, []).append(other)
        await self._find(asked, [group[0] for group in groups.values()])
        rest: list[Keyed] = []
        for first, *same in groups.values():
            if same and asked.found[first.key] == COMPATIBLE:
                asked.found.update((other.key, COMPATIBLE) for other in same)
            else:
                rest += same
        await self._find(asked, rest)
        return [asked.found[other.key] for other in others]

    async def _find(self, asked: _Asked, missing: Sequence[Keyed]) -> None:
        if len(missing) <= FEW:
            await self._one_by_one(asked, missing)
            return
        waiting = deque(_Batch(part) for part in _parts(missing, asked.schema.source.size))
        lanes = min(self._lanes, len(waiting))
        await _together([lambda: self._work_through(asked, waiting)] * lanes)

    async def _one_by_one(self, asked: _Asked, missing: Sequence[Keyed]) -> None:
        turns = Turns(SHORT_SLICE_SECONDS)
        for other in missing:
            asked.found[other.key] = await self.of(*asked.pair(other), asked.options)
            await turns.pause_if_due()

    async def _work_through(self, asked: _Asked, waiting: deque[_Batch[Keyed]]) -> None:
        """One lane: a batch after the other. What a batch leaves is put back, in smaller ones."""
        while waiting:
            batch = waiting.popleft()
            left = await self._compare(asked, batch)
            done = len(batch.others) - len(left)
            if left:
                step = max(FEW, 2 * done)
                parts = [left[n : n + step] for n in range(0, len(left), step)]
                waiting.extendleft(_Batch(part, quick=False) for part in reversed(parts))

    async def _compare(self, asked: _Asked, batch: _Batch[Keyed]) -> Sequence[Keyed]:
        """Compares as much of a batch as one trip finds out; what is left of it."""
        proves = not (batch.quick and self._cache.shares)  # what others have proved is looked for before
        sources = tuple([other.source for other in batch.others])
        task = CompareBatch(
            asked.schema.schema_type, asked.schema.source, sources, asked.direction, asked.options, batch.quick, proves
        )  # fmt: skip
        answer = (await self._workers.run(task)).found
        if len(answer) != len(sources):
            await self._one_by_one(asked, batch.others)
            return ()
        made: dict[str, Comparison] = {}
        left: list[Keyed] = []
        for other, found in zip(batch.others, answer, strict=True):
            if found is None:
                left.append(other)
                continue
            asked.found[other.key] = made[asked.key(other)] = COMPATIBLE if found == COMPATIBLE else found
        if proves:
            await self._cache.share(made)
        else:
            for key, comparison in made.items():  # found again sooner than read from the shared tier
                self._cache.put(key, comparison)
        if left and not proves:
            return await self._not_shared(asked, left)
        return left

    async def _not_shared(self, asked: _Asked, others: Sequence[Keyed]) -> Sequence[Keyed]:
        """Takes what the shared tier has; the rest."""
        keys = {asked.key(other): other for other in others}
        for key, comparison in (await self._cache.shared(list(keys))).items():
            asked.found[keys.pop(key).key] = comparison
        return list(keys.values())

    def _rules(self, schema_type: SchemaType, options: CompareOptions) -> str:
        return f"{schema_type.name}|{self._engines[schema_type].version}|{options.key}"


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question about many, and what is found so far, by the keys of the others. rules: what the verdicts rest on."""

    schema: Keyed
    direction: Direction
    options: CompareOptions
    rules: str
    found: dict[str, Comparison] = field(default_factory=dict)

    def pair(self, other: Keyed) -> tuple[Keyed, Keyed]:
        """Reader and writer."""
        return (self.schema, other) if self.direction is Direction.BACKWARD else (other, self.schema)

    def key(self, other: Keyed) -> str:
        """What the result of the pair is cached under."""
        if self.direction is Direction.BACKWARD:
            return f"{self.rules}|{self.schema.key}|{other.key}"
        return f"{self.rules}|{other.key}|{self.schema.key}"


@dataclass(frozen=True, slots=True)
class _Batch(Generic[S]):
    """quick: whether quick proofs are to be tried."""

    others: Sequence[S]
    quick: bool = True


def _parts(schemas: Sequence[S], of_each: int) -> Iterator[Sequence[S]]:
    """Parts of at most BATCH_PAIRS and about BATCH_BYTES; each is sent with a schema of `of_each` bytes."""
    part, size, most = list[S](), 0, max(BATCH_BYTES, of_each)
    for schema in schemas:
        if part and (len(part) == BATCH_PAIRS or size + schema.source.size > most):
            yield part
            part, size = [], 0
        part.append(schema)
        size += schema.source.size
    if part:
        yield part


def shares_proofs(schema_type: SchemaType, options: CompareOptions) -> bool:
    """Whether a proof about one schema is one about all that have its validation fingerprint: where a comparison is about which
    data is valid, and nothing else."""
    return (
        schema_type is SchemaType.JSON
        and options.writer_model is WriterModel.OPEN
        and not options.apply_defaults
    )


async def _together(works: Sequence[Callable[[], Coroutine[Any, Any, None]]]) -> None:
    """All at the same time. Raises the first error; the others are cancelled then, and have ended."""
    tasks = [asyncio.ensure_future(work()) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _size(comparison: Comparison) -> int:
    return 200 + sum(
        900
        + len(v.message)
        + len(v.old_value)
        + len(v.new_value)
        + (2 * len(v.witness.data) if v.witness else 0)
        for v in comparison.violations
    )
