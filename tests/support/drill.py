"""Writers and readers on a whole production while something breaks, and what must be true afterwards."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import grpc

from llm_schema_registry.v1 import schema_registry_pb2 as pb

from .faults import Fault
from .production import REFUSED, Instance, Production
from .waiting import until

WRITERS = 6
SUBJECTS = 3
HOT = 12
PAUSE = 0.01
"""Seconds that a caller waits after a refusal, as clients do, and between two reads."""
CALL_SECONDS = 5.0
_DEPRECATED = pb.SCHEMA_STATE_DEPRECATED


@dataclass(frozen=True, slots=True)
class Figures:
    """What callers noticed between the beginning of a fault and its end. Times in seconds; `recovered` counts from the
    end of the fault to health and a write on every instance."""

    fault: str
    lasted: float
    hot_reads: int
    hot_p50: float
    hot_p99: float
    hot_worst: float
    hot_refused: int
    writes: int
    refused: int
    recovered: float


@dataclass(slots=True)
class Told:
    """What callers were told: contents by schema id, ids that were deprecated, and how reads went."""

    contents: dict[str, bytes] = field(default_factory=dict)
    deprecated: set[str] = field(default_factory=set)
    refused: int = 0
    hot: list[float] = field(default_factory=list)
    hot_refused: int = 0
    wrong: list[str] = field(default_factory=list)


class Drill:
    """`async with`: the storm rages, and `during` lets faults begin and end. After it `audit` compares everything with
    everything."""

    def __init__(self, all_: Production) -> None:
        self.all = all_
        self.told = Told()
        self._hot: dict[str, bytes] = {}
        self._turn = itertools.count()
        self._going = True
        self._tasks: list[asyncio.Task[None]] = []
        self._random = random.Random(5)

    async def __aenter__(self) -> Drill:
        """Register what is going to be hot, read it on every instance, and let the storm begin."""
        for number in range(HOT):
            content = _content(f"hot {number}", 1000 if number % 2 else 50)
            made = await self._register(self.all.instances[0], f"hot-{number}", content)
            self._hot[made.schema_id] = content
            asked = pb.GetSchemaRequest(schema_id=made.schema_id)
            for instance in self.all.instances:
                # What is kept before an instance has heard of the registration is dropped when it does.
                await instance.call("GetSchema", asked, revision=made.revision)
        await self._warm()
        self._tasks = [
            *(asyncio.create_task(self._writes(n)) for n in range(WRITERS)),
            *(asyncio.create_task(self._reads_hot()) for _ in range(2)),
            asyncio.create_task(self._reads_any()),
        ]
        return self

    async def _warm(self) -> None:
        """Ask every instance for what is hot: one that was started anew has answered nothing yet."""
        for instance in self.all.instances:
            for schema_id in self._hot:
                await self._read(instance, schema_id)

    async def __aexit__(self, *exc: object) -> None:
        self._going = False
        await asyncio.gather(*self._tasks)

    async def during(self, name: str, fault: Fault, seconds: float) -> Figures:
        """Let a fault last for `seconds`, and until every living instance names the component; then until all is well."""
        told = self.told
        told.hot.clear()
        told.hot_refused = 0
        writes, refused = len(told.contents), told.refused
        began = time.monotonic()
        async with fault.block(self.all):
            await self._enough_hot_reads(40)
            for instance in self._living():
                await until(lambda instance=instance: _names(instance, fault.component))  # type: ignore[misc]
            await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
            ended, hot, hot_refused = time.monotonic(), sorted(told.hot), told.hot_refused
            wrote, were_refused = len(told.contents) - writes, told.refused - refused
        healed = time.monotonic()
        for instance in self.all.instances:
            await until(instance.healthy)
            await until(lambda instance=instance: self._writes_once(instance))  # type: ignore[misc]
        recovered = time.monotonic() - healed
        await self._warm()
        cuts = statistics.quantiles(hot, n=100)
        return Figures(
            name,
            lasted=ended - began,
            hot_reads=len(hot),
            hot_p50=cuts[49],
            hot_p99=cuts[98],
            hot_worst=hot[-1],
            hot_refused=hot_refused,
            writes=wrote,
            refused=were_refused,
            recovered=recovered,
        )

    async def audit(self) -> int:
        """Nothing acknowledged is lost, nothing is there twice, and every instance says of every version what the
        database says. Answers with the number of versions."""
        connection = await asyncpg.connect(self.all.dsn)
        try:
            rows = await connection.fetch(
                "SELECT schema_id, subject, ordinal, version, state, content_digest FROM versions ORDER BY subject, ordinal"
            )
            twice = await connection.fetch(
                "SELECT subject, content_digest FROM versions GROUP BY subject, content_digest HAVING count(*) > 1"
            )
        finally:
            await connection.close()
        assert self.told.wrong == []
        assert twice == []
        stored = {row["schema_id"]: row for row in rows}
        assert {**self.told.contents, **self._hot}.keys() <= stored.keys()
        for schema_id, content in self.told.contents.items():
            assert hashlib.sha256(content).hexdigest() == stored[schema_id]["content_digest"]
        assert {stored[schema_id]["state"] for schema_id in self.told.deprecated} <= {_DEPRECATED}
        for _, group in itertools.groupby(rows, key=lambda row: row["subject"]):
            ordinals = [row["ordinal"] for row in group]
            assert ordinals == list(range(1, len(ordinals) + 1))
        for instance in self.all.instances:
            left = list(rows)

            async def agree(instance: Instance = instance, left: list[Any] = left) -> bool:
                """What is cached may be behind for a moment, until the change log was followed, and a store may still recover from its fault."""
                seats = asyncio.Semaphore(16)

                async def one(row: Any) -> bool:
                    async with seats:
                        return await self._agrees(instance, row)

                agreed = await asyncio.gather(*map(one, left))
                left[:] = [row for row, same in zip(left, agreed, strict=True) if not same]
                return not left

            await until(agree)
        return len(rows)

    async def _agrees(self, instance: Instance, row: Any) -> bool:
        try:
            found = (await self._read(instance, row["schema_id"])).schema
        except REFUSED as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            return False
        assert hashlib.sha256(found.schema_content).hexdigest() == row["content_digest"]
        assert (found.subject, found.ordinal, found.version) == (
            row["subject"],
            row["ordinal"],
            row["version"],
        )
        return bool(found.state == row["state"])

    # -- callers

    def _living(self) -> Sequence[Instance]:
        return [i for i in self.all.instances if i.server is not None and i.server.process.poll() is None]

    def _next(self) -> Instance:
        """Round robin over all instances, also dead ones: callers do not know."""
        return self._instance(next(self._turn))

    def _instance(self, turn: int) -> Instance:
        return self.all.instances[turn % len(self.all.instances)]

    async def _register(self, instance: Instance, subject: str, content: bytes) -> Any:
        request = pb.RegisterSchemaRequest(
            subject=subject, schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON
        )
        return await instance.call("RegisterSchema", request, CALL_SECONDS)

    async def _read(self, instance: Instance, schema_id: str) -> Any:
        return await instance.call("GetSchema", pb.GetSchemaRequest(schema_id=schema_id), CALL_SECONDS)

    async def _insist(self, call: Callable[[Instance], Awaitable[Any]]) -> Any:
        """Try one instance after the other until one answers; None when the storm ends before."""
        while self._going:
            try:
                return await call(self._next())
            except REFUSED:
                self.told.refused += 1
                await asyncio.sleep(PAUSE)
        return None

    async def _writes(self, writer: int) -> None:
        subject = f"storm-{writer % SUBJECTS}"
        mine: list[str] = []
        for number in itertools.count():
            if not self._going:
                return
            content = _content(f"{writer} {number}", 1000 if number % 2 else 50)
            made = await self._insist(lambda i, c=content: self._register(i, subject, c))  # type: ignore[misc]
            if made is None:
                return
            self.told.contents[made.schema_id] = content
            mine.append(made.schema_id)
            if number % 8 == 7:
                await self._deprecate(mine[-4])

    async def _deprecate(self, schema_id: str) -> None:
        request = pb.UpdateSchemaMetadataRequest(schema_id=schema_id, state=_DEPRECATED)
        if await self._insist(lambda i: i.call("UpdateSchemaMetadata", request, CALL_SECONDS)):
            self.told.deprecated.add(schema_id)

    async def _writes_once(self, instance: Instance) -> bool:
        content = _content(f"after {self._random.random()}", 1000)
        try:
            made = await self._register(instance, "after", content)
        except REFUSED:
            return False
        self.told.contents[made.schema_id] = content
        return True

    async def _reads_hot(self) -> None:
        """What every instance has answered before, from whichever instance lives."""
        ids = list(self._hot)
        while self._going:
            schema_id = self._random.choice(ids)
            began = time.monotonic()
            first = next(self._turn)
            for more in range(len(self.all.instances)):
                try:
                    found = await self._read(self._instance(first + more), schema_id)
                except REFUSED:
                    continue
                self.told.hot.append(time.monotonic() - began)
                self._compare(schema_id, found, self._hot[schema_id])
                break
            else:
                self.told.hot_refused += 1
            await asyncio.sleep(PAUSE)

    async def _reads_any(self) -> None:
        """Refused or right, never wrong."""
        while self._going:
            await asyncio.sleep(PAUSE)
            if not self.told.contents:
                continue
            schema_id = self._random.choice(list(self.told.contents))
            with suppress(REFUSED):
                found = await self._read(self._next(), schema_id)
                self._compare(schema_id, found, self.told.contents[schema_id])

    def _compare(self, schema_id: str, found: Any, content: bytes) -> None:
        if found.schema.schema_content != content:
            self.told.wrong.append(schema_id)

    async def _enough_hot_reads(self, count: int) -> None:
        async def enough() -> bool:
            return len(self.told.hot) >= count

        await until(enough)


async def _names(instance: Instance, component: str) -> bool:
    return not component or component in await instance.trouble()


def _content(name: str, size: int) -> bytes:
    return json.dumps({"type": "string", "title": name, "description": "x" * size}).encode()


HEADER = (
    "| fault | lasted s | hot reads | p50 ms | p99 ms | worst ms | refused | writes | refused calls of writers | recovered s |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def line(f: Figures) -> str:
    """A row of a table under HEADER."""
    times = " | ".join(f"{1000 * t:.1f}" for t in (f.hot_p50, f.hot_p99, f.hot_worst))
    return (
        f"| {f.fault} | {f.lasted:.1f} | {f.hot_reads} | {times} | {f.hot_refused} | {f.writes} | {f.refused} "
        f"| {f.recovered:.1f} |"
    )
