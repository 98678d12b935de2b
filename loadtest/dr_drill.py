"""The drill of disaster recovery: registrations on a whole production, the database is destroyed, and restored from a base backup and
the archive of its log; then every write that was acknowledged before the recovery point is looked for.

    scripts/dr-drill [--versions 1000] [--archive-timeout 10] [--markdown loadtest/results/dr-drill.md]

Starts everything by itself: PostgreSQL with durable commits that archives its log, Redis, an object store, two servers. The base backup
is taken when half of the versions are there, beside the writers. When all are there, writers go on at a slow rate for as long as
--archive-timeout, which is when a machine loses most, and PostgreSQL is killed and its data directory removed.

RPO: the age, at the moment of the loss, of the oldest acknowledged write that did not come back. RTO: from that moment until both servers
have answered a read and taken a write. The run fails when a write is missing that was acknowledged before a restored one was sent,
when a content or a number is another than was acknowledged, when the audit log does not verify, or when RPO or RTO are above
their bars.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import rig
from dr_stack import THRESHOLD, Stack

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from tests.support.processes import end_run

RPO_BAR, RTO_BAR = 3600.0, 4 * 3600.0
WRITERS = 48
READERS = 32
VERSIONS_OF_A_SUBJECT = 10
LARGE_EVERY = 200
"""So many registrations have one content for the object store among them."""
SLOW_PAUSE = 2.0
"""Seconds between two writes of a slow writer."""
TELL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Written:
    """A registration that was acknowledged. sent, told: when it was sent and when its answer was there, by time.monotonic()."""

    subject: str
    ordinal: int
    version: str
    digest: str
    sent: float
    told: float


@dataclass(slots=True)
class Progress:
    """Says now and then how far something is."""

    what: str
    of: int
    done: int = 0
    began: float = 0.0
    said: float = 0.0

    def __post_init__(self) -> None:
        self.began = self.said = time.monotonic()

    def step(self) -> None:
        self.done += 1
        now = time.monotonic()
        if self.done <= self.of and now - self.said >= TELL_SECONDS:
            self.said = now
            rate = self.done / (now - self.began)
            print(f"{self.what}: {self.done:,} of {self.of:,}, {rate:,.0f} a second", flush=True)


def content(subject: int, ordinal: int) -> bytes:
    """A schema that is compatible with the one before it, each of its own."""
    properties: dict[str, Any] = {
        f"field_{n}": {"type": "string", "description": f"Field {n} of {subject}."}
        for n in range(3 + ordinal)
    }
    order = {"type": "object", "properties": properties, "additionalProperties": False}
    if (subject * VERSIONS_OF_A_SUBJECT + ordinal) % LARGE_EVERY == 0:
        order["description"] = "x" * (THRESHOLD + 1)
    return json.dumps(order).encode()


def missed(restored: Sequence[Written], lost: Sequence[Written]) -> list[Written]:
    """Those of the lost ones that must have come back. Whatever was acknowledged before a restored write was sent was committed
    before it, and is in the log before it."""
    point = max((value.sent for value in restored), default=0.0)
    return [value for value in lost if value.told < point]


class Drill:
    """What was acknowledged, by schema id, and what became of it."""

    def __init__(self, stack: Stack, versions: int) -> None:
        self.stack, self.versions = stack, versions
        self.written: dict[str, Written] = {}
        self._subjects = itertools.count()
        self._turn = itertools.count()
        self._loading = Progress("registered", versions)
        self._going = True
        self._half = asyncio.Event()
        self._all = asyncio.Event()

    async def load(self, archive_timeout: float) -> float:
        """Write until all is there and then slowly on; answers with the moment at which the database was destroyed."""
        writers = [asyncio.create_task(self._write(number)) for number in range(WRITERS)]
        await self._half.wait()
        with timed("base backup, beside the writers"):
            await self.stack.back_up()
        await self._all.wait()
        print(f"writing slowly for {archive_timeout:g} s ...", flush=True)
        await asyncio.sleep(archive_timeout)
        self._going = False
        lost_at = time.monotonic()
        await self.stack.destroy()
        await asyncio.gather(*writers)
        return lost_at

    async def _write(self, writer: int) -> None:
        """Subject after subject, until there is no database any more."""
        for subject in self._subjects:
            for ordinal in range(1, VERSIONS_OF_A_SUBJECT + 1):
                if self._all.is_set():
                    await asyncio.sleep(SLOW_PAUSE)
                try:
                    await self._register(subject, ordinal)
                except grpc.aio.AioRpcError as error:
                    if self._going:
                        raise SystemExit(f"a registration was refused: {error.details()}") from error
                    return

    async def _register(self, subject: int, ordinal: int) -> None:
        name, text, sent = f"drill.s{subject}", content(subject, ordinal), time.monotonic()
        request = pb.RegisterSchemaRequest(subject=name, schema_content=text, schema_type=pb.SCHEMA_TYPE_JSON)
        made = await self._stub().RegisterSchema(request, timeout=60)
        told = time.monotonic()
        digest = hashlib.sha256(text).hexdigest()
        self.written[made.schema_id] = Written(name, made.ordinal, made.version, digest, sent, told)
        self._loading.step()
        if len(self.written) == self.versions // 2:
            self._half.set()
        if len(self.written) == self.versions:
            self._all.set()

    def _stub(self) -> Any:
        return self.stack.stubs[next(self._turn) % len(self.stack.stubs)]

    async def answers(self) -> None:
        """Each server answers a read and takes a write."""
        kept = next(iter(self.written))
        for number, stub in enumerate(self.stack.stubs):
            await stub.GetSchema(pb.GetSchemaRequest(schema_id=kept), timeout=60)
            request = pb.RegisterSchemaRequest(
                subject=f"after.s{number}",
                schema_content=content(number, 1),
                schema_type=pb.SCHEMA_TYPE_JSON,
            )
            await stub.RegisterSchema(request, timeout=60)

    async def compare(self) -> tuple[int, list[Written]]:
        """Read every restored write through the servers; answers with their number and those that were lost. Exits when one is missing
        that must be there, or is another than was acknowledged."""
        connection = await asyncpg.connect(self.stack.dsn)
        try:
            there = {row["schema_id"] for row in await connection.fetch("SELECT schema_id FROM versions")}
        finally:
            await connection.close()
        restored = {key: value for key, value in self.written.items() if key in there}
        lost = [value for key, value in self.written.items() if key not in there]
        missing = missed(list(restored.values()), lost)
        if missing:
            raise SystemExit(f"{len(missing)} writes from before the recovery point are lost: {missing[:3]}")
        progress = Progress("compared", len(restored))
        wrong: list[str] = []
        todo = iter(restored.items())

        async def reader() -> None:
            for schema_id, value in todo:
                found = await self._stub().GetSchema(pb.GetSchemaRequest(schema_id=schema_id), timeout=60)
                schema = found.schema
                same = (schema.subject, schema.ordinal, schema.version) == (
                    value.subject,
                    value.ordinal,
                    value.version,
                )
                if not same or hashlib.sha256(schema.schema_content).hexdigest() != value.digest:
                    wrong.append(schema_id)
                progress.step()

        await asyncio.gather(*(reader() for _ in range(READERS)))
        if wrong:
            raise SystemExit(f"{len(wrong)} restored versions are not what was acknowledged: {wrong[:3]}")
        return len(restored), lost

    def verify_audit(self) -> None:
        """The audit log ends earlier than it did, and is sound. Exits when it is not."""
        variables = {f"SCHEMA_REGISTRY_{name}": value for name, value in self.stack.settings.items()}
        done = subprocess.run(
            [sys.executable, "-m", "llm_schema_registry_server", "audit", "verify"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"the audit log does not verify: {done.stderr[-2000:]}")


_TIMES: list[tuple[str, float]] = []


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Says that something begins and how long it took, and notes it for the report."""
    print(f"{what} ...", flush=True)
    began = time.monotonic()
    yield
    _TIMES.append((what, time.monotonic() - began))
    print(f"{what}: {_TIMES[-1][1]:.1f} s", flush=True)


async def _step(what: str, act: Callable[[], Awaitable[object]]) -> None:
    with timed(what):
        await act()


async def drill(versions: int, archive_timeout: int, home: Path) -> list[str]:
    """The lines of the report."""
    async with Stack(home, archive_timeout) as stack:
        played = Drill(stack, versions)
        began = time.monotonic()
        lost_at = await played.load(archive_timeout)
        print(f"the database is destroyed; {len(played.written):,} writes were acknowledged", flush=True)
        loaded = lost_at - began
        await _step("servers stopped", stack.stop_servers)
        await _step("database restored, log replayed", stack.restore)
        await _step("servers started", stack.serve)
        await _step("first reads and writes", played.answers)
        rto = time.monotonic() - lost_at
        with timed("every restored version read and compared"):
            restored, lost = await played.compare()
        with timed("audit log verified"):
            await asyncio.to_thread(played.verify_audit)
    rpo = lost_at - min((value.told for value in lost), default=lost_at)
    if rpo > RPO_BAR or rto > RTO_BAR:
        raise SystemExit(f"RPO {rpo:.1f} s or RTO {rto:.1f} s is above its bar")
    return _report(versions, archive_timeout, loaded, restored, len(lost), rpo, rto)


def _report(
    versions: int, timeout: int, loaded: float, restored: int, lost: int, rpo: float, rto: float
) -> list[str]:
    return [
        f"{versions:,} versions were registered, then writers went on slowly; {loaded:.0f} s in all. `archive_timeout` is {timeout} s.",
        "",
        f"* **RPO {rpo:.1f} s** (bar {RPO_BAR:.0f}): {lost} acknowledged writes, none older than this, were in the segment of the log "
        "that had not been archived.",
        f"* **RTO {rto:.1f} s** (bar {RTO_BAR:.0f}): until both servers had answered a read and taken a write.",
        f"* {restored:,} acknowledged writes came back, each with its id, number and content; none from before the recovery point is missing.",
        "",
        "| step | seconds |",
        "|---|---|",
        *(f"| {what} | {seconds:.1f} |" for what, seconds in _TIMES),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--versions", type=int, default=1000, help="so many are registered (default 1000)")
    parser.add_argument(
        "--archive-timeout", type=int, default=10, help="seconds; what a machine loses at most (default 10)"
    )
    options = parser.parse_args(arguments)
    if options.versions < 2 or options.archive_timeout < 1:
        parser.error("at least 2 versions and a second are needed")
    load = os.getloadavg()[0]
    try:
        with tempfile.TemporaryDirectory() as home:
            lines = asyncio.run(drill(options.versions, options.archive_timeout, Path(home)))
    finally:
        end_run()
    head = rig.head("Disaster recovery", load)
    head[2] = head[2].replace("python loadtest/dr_drill.py", "scripts/dr-drill")
    rig.publish([*head, *lines], options.markdown)


if __name__ == "__main__":
    main()
