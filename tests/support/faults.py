"""The faults that production has, each as a block: inside it something is broken, after it nothing is."""

from __future__ import annotations

import asyncio
import errno
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from .production import Production
from .s3 import Fault as S3Fault

Block = Callable[[Production], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """`component`: what the health report names during it; "" when there is nothing to be seen."""

    block: Block
    component: str = ""


@asynccontextmanager
async def instance_killed(all_: Production) -> AsyncIterator[None]:
    victim = all_.instances[-1]
    victim.kill()
    yield
    await victim.begin()


@asynccontextmanager
async def database_killed(all_: Production) -> AsyncIterator[None]:
    await asyncio.to_thread(all_.database.stop, signal.SIGKILL)
    yield
    all_.database.start()


@asynccontextmanager
async def database_paused(all_: Production) -> AsyncIterator[None]:
    all_.database.signal_all(signal.SIGSTOP)
    try:
        yield
    finally:
        all_.database.signal_all(signal.SIGCONT)


@asynccontextmanager
async def no_connections(all_: Production) -> AsyncIterator[None]:
    """Somebody else has every connection, also those that the instances had."""
    taken: list[asyncpg.Connection] = [await asyncpg.connect(all_.dsn)]
    going = True

    async def hog() -> None:
        while going:
            try:
                taken.append(await asyncpg.connect(all_.dsn))
            except (asyncpg.TooManyConnectionsError, OSError):
                await taken[0].execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'schema-registry'"
                )

    hogging = asyncio.create_task(hog())
    try:
        yield
    finally:
        going = False
        await hogging
        for connection in taken:
            await connection.close()


def disk_full(ballast: Path) -> Block:
    """The file system of PostgreSQL's data, on which `ballast` is a file, has no room."""

    @asynccontextmanager
    async def block(all_: Production) -> AsyncIterator[None]:
        await asyncio.to_thread(_fill, ballast)
        yield
        await asyncio.to_thread(ballast.unlink)
        if not all_.database.runs:  # out of room for its log it gives up; an operator starts it again
            all_.database.stop()
            all_.database.start()

    return block


def _fill(ballast: Path) -> None:
    piece = b"x" * 65536
    with ballast.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(piece)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    return
                raise


@asynccontextmanager
async def redis_killed(all_: Production) -> AsyncIterator[None]:
    all_.redis.kill()
    yield
    await all_.redis.start()


@asynccontextmanager
async def redis_slow(all_: Production) -> AsyncIterator[None]:
    all_.slow_redis.delay = 1.0
    yield
    all_.slow_redis.delay = 0.0


@asynccontextmanager
async def redis_flushed(all_: Production) -> AsyncIterator[None]:
    with all_.redis.client() as client:
        client.flushall()
        yield


@asynccontextmanager
async def redis_garbage(all_: Production) -> AsyncIterator[None]:
    """Other bytes, and other types, under the keys that are there."""
    with all_.redis.client() as client:
        for number, name in enumerate(client.scan_iter()):
            if number % 3:
                client.set(name, b"LSR\x01" + b"garbage" * 9)
            else:
                client.delete(name)
                client.lpush(name, b"garbage")
        yield


def object_store(fault: S3Fault) -> Block:
    @asynccontextmanager
    async def block(all_: Production) -> AsyncIterator[None]:
        all_.faulty_s3.fault = fault
        with all_.redis.client() as client:
            client.flushall()  # else it would answer for the object store
        yield
        all_.faulty_s3.fault = S3Fault.NONE

    return block


FAULTS: Mapping[str, Fault] = {
    "instance killed (kill -9)": Fault(instance_killed),
    "PostgreSQL killed and restarted": Fault(database_killed, "storage"),
    "PostgreSQL paused (SIGSTOP)": Fault(database_paused, "storage"),
    "PostgreSQL out of connections": Fault(no_connections, "storage"),
    "Redis killed": Fault(redis_killed, "redis"),
    "Redis slow (1 s)": Fault(redis_slow, "redis"),
    "Redis flushed": Fault(redis_flushed),
    "Redis full of garbage under our keys": Fault(redis_garbage),
    "S3 away": Fault(object_store(S3Fault.AWAY), "blobs"),
    "S3 silent": Fault(object_store(S3Fault.SILENT), "blobs"),
    "S3 slow (0.3 s)": Fault(object_store(S3Fault.SLOW)),
    "S3 answers 500": Fault(object_store(S3Fault.ERROR), "blobs"),
    "S3 answers wrong bytes": Fault(object_store(S3Fault.WRONG)),
}
"""By the name in reports. A full disk needs a file system of its own: see `disk_full`."""
