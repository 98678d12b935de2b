"""Three servers on one PostgreSQL, writers of every kind, and everything that can go wrong with the news of a change: a foreign
transaction that is held open, listeners that are cut off, a server that only polls, a server that is killed. Every subscriber
sees what the database has logged, each change once, in that order."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration

from llm_schema_registry.v1 import (
    config_pb2,
    config_pb2_grpc,
    lifecycle_pb2,
    lifecycle_pb2_grpc,
    schema_registry_pb2_grpc,
)
from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.model.change import format_revision
from tests.api.helpers import V1
from tests.api.server import ServerProcess
from tests.support.postgres import Postgres
from tests.support.waiting import until

WRITERS, SUBSCRIBERS, SUBJECTS = 20, 12, 4
Seen = tuple[str, int, str, int]
"""Revision, kind, subject and ordinal of a change."""

CUT_OFF = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND query LIKE 'SELECT coalesce((SELECT max(sequence)%'"
)
LOG = "SELECT sequence, event_type, coalesce(subject, ''), ordinal FROM changes ORDER BY sequence"


class Instance:
    """One of the servers, and its stubs; `again` replaces it after its death."""

    def __init__(self, home: Path, **settings: str) -> None:
        self._home, self._settings = home, settings
        self._channels: list[grpc.aio.Channel] = []
        self.process = ServerProcess(home, **settings)
        self._connect()

    def _connect(self) -> None:
        channel = grpc.aio.insecure_channel(self.process.grpc)
        self._channels.append(channel)
        self.schemas = schema_registry_pb2_grpc.SchemaRegistryStub(channel)
        self.lifecycle = lifecycle_pb2_grpc.LifecycleServiceStub(channel)
        self.config = config_pb2_grpc.ConfigServiceStub(channel)

    async def again(self) -> None:
        self.process = await asyncio.to_thread(ServerProcess, self._home, **self._settings)
        self._connect()

    async def stop(self) -> int:
        for channel in self._channels:
            await channel.close()
        return await asyncio.to_thread(self.process.stop)


@dataclass
class Storm:
    """What was written, and whether to go on."""

    wanted: int
    going: bool = True
    done: int = 0
    revisions: set[str] = field(default_factory=set)
    schema_ids: list[str] = field(default_factory=list)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self) -> None:
        self.done += 1
        self.moved.set()

    async def reach(self, share: float) -> None:
        """Return when this share of the wanted writes is acknowledged."""
        while self.done < self.wanted * share:
            self.moved.clear()
            await self.moved.wait()


async def write(storm: Storm, instances: list[Instance], worker: int, dice: random.Random) -> None:
    """Writes of every kind on shared subjects, on any server. What is refused or fails is not acknowledged, no more."""
    number = 0
    while storm.going:
        number += 1
        instance, subject = dice.choice(instances), f"s{dice.randrange(SUBJECTS)}"
        known = dice.choice(storm.schema_ids) if storm.schema_ids else ""
        try:
            match dice.randrange(8) if known else 0:
                case 0 | 1 | 2 | 3:
                    content = V1 + b" " * (number * WRITERS + worker)
                    request = pb.RegisterSchemaRequest(
                        subject=subject, schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON
                    )
                    made: Any = await instance.schemas.RegisterSchema(request, timeout=10)  # type: ignore[misc]
                    storm.revisions.add(made.revision)
                    storm.schema_ids.append(made.schema_id)
                case 4:
                    state = dice.choice([pb.SCHEMA_STATE_DEPRECATED, pb.SCHEMA_STATE_ACTIVE])
                    change = pb.UpdateSchemaMetadataRequest(schema_id=known, state=state)
                    await instance.schemas.UpdateSchemaMetadata(change, timeout=10)  # type: ignore[misc]
                case 5:
                    removal = pb.DeleteSchemaRequest(schema_id=known, soft_delete=True)
                    await instance.schemas.DeleteSchema(removal, timeout=10)  # type: ignore[misc]
                case 6:
                    back = lifecycle_pb2.UndeleteSchemaRequest(schema_id=known)
                    await instance.lifecycle.UndeleteSchema(back, timeout=10)  # type: ignore[misc]
                case _:
                    level = dice.choice([pb.COMPATIBILITY_LEVEL_NONE, pb.COMPATIBILITY_LEVEL_FULL])
                    config = config_pb2.Config(compatibility_level=level)
                    setting = config_pb2.SetConfigRequest(subject=subject, config=config)
                    await instance.config.SetConfig(setting, timeout=10)  # type: ignore[misc]
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.01)  # a server that is down refuses at once
            continue
        storm.count()


class Subscriber:
    """Reads some changes on one server, goes away, and goes on with another one where it ended."""

    def __init__(self, instances: list[Instance], dice: random.Random) -> None:
        self.seen: list[Seen] = []
        self._instances, self._dice = instances, dice
        self.task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        while True:
            request = pb.StreamRequest(
                from_revision=self.seen[-1][0] if self.seen else "earliest",
                heartbeat_interval=Duration(seconds=1),
            )
            call: Any = self._dice.choice(self._instances).schemas.StreamSchemaChanges(request)
            left = self._dice.randint(1, 60)
            try:
                async for event in call:
                    if not event.heartbeat:
                        self.seen.append((event.revision, event.event_type, event.subject, event.ordinal))
                    left -= 1
                    if left == 0:
                        break
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise  # a revision that is unknown, a subscriber that is too slow: must not happen
                await asyncio.sleep(0.01)
            finally:
                call.cancel()


async def has_seen(subscriber: Subscriber, count: int) -> bool:
    return len(subscriber.seen) >= count or subscriber.task.done()


@contextlib.asynccontextmanager
async def held_open(dsn: str) -> AsyncIterator[None]:
    """A transaction of somebody else that has written and does not end."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE IF NOT EXISTS foreign_notes (n int)")
    await connection.execute("BEGIN; INSERT INTO foreign_notes VALUES (1)")
    try:
        yield
    finally:
        await connection.execute("COMMIT")
        await connection.close()


async def cut_off_listeners(storm: Storm, database: Postgres, dsn: str) -> None:
    """Again and again, so that notifications are lost at any moment."""
    while storm.going:
        await database.execute(CUT_OFF, dsn)
        before = storm.done
        while storm.going and storm.done < before + storm.wanted / 20:
            storm.moved.clear()
            await storm.moved.wait()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("wanted", [200, pytest.param(5000, marks=pytest.mark.deep)])
async def test_every_subscriber_sees_every_change_once_in_one_order(
    postgres: Postgres, tmp_path: Path, wanted: int
) -> None:
    dsn = await postgres.create_database()
    on_it = {"STORAGE__KIND": "postgres", "STORAGE__POSTGRES__DSN": dsn, "CHANGES__RING": "100"}
    polling = {"STORAGE__POSTGRES__TRANSACTION_POOLER": "true"}
    instances = [Instance(tmp_path / "0", **on_it)]
    instances += [Instance(tmp_path / "1", **on_it), Instance(tmp_path / "2", **on_it, **polling)]
    try:
        storm = Storm(wanted)
        subscribers = [Subscriber(instances, random.Random(n)) for n in range(SUBSCRIBERS)]
        writers = [
            asyncio.create_task(write(storm, instances, n, random.Random(100 + n))) for n in range(WRITERS)
        ]
        cutting = asyncio.create_task(cut_off_listeners(storm, postgres, dsn))
        await storm.reach(0.1)
        async with held_open(dsn):
            await storm.reach(0.4)
        instances[0].process.kill()
        await storm.reach(0.6)
        await instances[0].again()
        async with held_open(dsn):
            await storm.reach(1)
            storm.going = False
            await asyncio.gather(*writers, cutting)

        reading = await asyncpg.connect(dsn)
        registry = await reading.fetchval("SELECT value FROM meta WHERE key = 'registry_id'")
        rows = await reading.fetch(LOG)
        await reading.close()
        logged = [(format_revision(registry, row[0]), *row[1:]) for row in rows]
        for subscriber in subscribers:
            await until(partial(has_seen, subscriber, len(logged)))
            subscriber.task.cancel()
        ends = await asyncio.gather(*(s.task for s in subscribers), return_exceptions=True)

        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends
        assert [s.seen == logged for s in subscribers] == [True] * SUBSCRIBERS
        assert storm.revisions <= {revision for revision, *_ in logged}
        assert {kind for _, kind, _, _ in logged} >= {1, 3, 4, 15, 16}
        for subject in {name for _, kind, name, _ in logged if kind == 1}:
            ordinals = [o for _, kind, name, o in logged if (kind, name) == (1, subject)]
            assert ordinals == list(range(1, len(ordinals) + 1))
        assert [i.process.events("call_crashed") for i in instances] == [[], [], []]
        assert [await i.stop() for i in instances] == [0, 0, 0]
    finally:
        for instance in instances:
            if instance.process.process.poll() is None:
                instance.process.kill()
