"""What calls cost as a registry grows: the same questions at several sizes, to a server of an earlier commit and to this tree.

    python loadtest/growth.py main [--sizes 1000,10000,100000] [--storage sqlite,postgres] [--seconds 1] [--rounds 3]
        [--only TEXT] [--markdown loadtest/results/growth.md]

The earlier commit fills each storage, partly through its store and partly through its server: as many subjects as the size says,
every fifth with three versions (search.py), one with 1,000 versions of 0.6 KB, one with 300 versions of 5.6 KB, and fifty chains
of 10 schemas of which each uses the one before. Then each tree serves a copy of it, and both are asked in turns. A figure is the median of
the rounds: the processor time of a call (server, workers and database) with one caller, or the 95th percentile of the time that
callers waited. A ratio is before by after: above 1 the tree is the better one. Searches go through all questions of a kind again and
again, so that most of their answers are kept ones; "no kept answers" asks for each to be computed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path
from typing import Any

TREE = Path(os.environ.get("GROWTH_TREE") or Path(__file__).resolve().parents[1])
sys.path.insert(0, str(TREE / "loadtest"))  # filling runs with the modules of the earlier commit

import asyncpg  # noqa: E402
import rig  # noqa: E402
import search  # noqa: E402
from google.protobuf.duration_pb2 import Duration  # noqa: E402

from llm_schema_registry.v1 import config_pb2, config_pb2_grpc  # noqa: E402
from llm_schema_registry.v1 import schema_registry_pb2 as pb  # noqa: E402
from llm_schema_registry_server.storage.postgres import PostgresStore  # noqa: E402
from llm_schema_registry_server.storage.sqlite import SqliteStore  # noqa: E402

MANY, LARGE, CHAIN = 1000, 300, 500
CALLERS, SUBSCRIBERS = 8, 1000
_numbers = count(10**6)


@dataclass(frozen=True)
class Storage:
    """A storage of some size: the settings of a server on it. used: processor seconds of its database so far."""

    settings: Mapping[str, str]
    used: Callable[[], float] = lambda: 0.0


@dataclass(frozen=True)
class Running:
    """A server of one tree on its copy."""

    server: rig.Server
    storage: Storage

    def cpu(self) -> float:
        """Processor seconds so far of the server, its workers and its database."""
        return sum(self.server.cpu()) + self.storage.used()


# -- what is asked


@dataclass(frozen=True)
class Question:
    """ask(stub, n): the n-th call. callers: how many ask at a time, when it is their wait that counts; 0: the processor time of one
    caller. calls: at most so many in a round (0: as many as fit). subscribers: so many are told of each change meanwhile."""

    name: str
    ask: Callable[[Any, int], Awaitable[Any]]
    callers: int = 0
    calls: int = 0
    subscribers: int = 0


def small(number: int, fields: int = 7) -> bytes:
    """A JSON Schema of about 0.6 KB; with more fields, a later one."""
    return described(number, fields, "What the field says.")


def large(number: int, fields: int = 41) -> bytes:
    """One of about 5.6 KB."""
    return described(
        number, fields, "What the field says, in a sentence as people write them in a schema of theirs."
    )


def described(number: int, fields: int, prose: str) -> bytes:
    """Each of its own: `number` is the greatest length of its last field."""
    names = [f"field_{n}" for n in range(fields)]
    properties: dict[str, Any] = {name: {"type": "string", "description": prose} for name in names}
    properties["size"] = {"type": "string", "maxLength": 1000 + number, "description": prose}
    return json.dumps({"type": "object", "properties": properties, "required": ["field_0"]}).encode()


def _registers(subject: str, make: Callable[[int], bytes]) -> Callable[[Any, int], Awaitable[Any]]:
    async def ask(stub: Any, _: int) -> None:
        await stub.RegisterSchema(
            pb.RegisterSchemaRequest(
                subject=subject, schema_content=make(next(_numbers)), schema_type=pb.SCHEMA_TYPE_JSON
            )
        )

    return ask


def _lists_schemas(offset: int) -> Callable[[Any, int], Awaitable[Any]]:
    async def ask(stub: Any, _: int) -> None:
        async for _item in stub.ListSchemas(pb.ListSchemasRequest(limit=50, offset=offset)):
            pass

    return ask


_ANEW = (("cache-control", "no-cache"),)


def _searches(
    asked: Sequence[pb.SearchSchemasRequest], *, anew: bool = False
) -> Callable[[Any, int], Awaitable[Any]]:
    return lambda stub, n: stub.SearchSchemas(asked[n % len(asked)], metadata=_ANEW if anew else ())


def _one(method: str, request: Any) -> Callable[[Any, int], Awaitable[Any]]:
    return lambda stub, _: getattr(stub, method)(request)


def _fresh(ask: Callable[[Any, int], Awaitable[Any]]) -> Callable[[Any, int], Awaitable[Any]]:
    """Each time after the registration of a new subject."""

    async def both(stub: Any, n: int) -> None:
        await _registers(f"fresh.s{next(_numbers)}", small)(stub, n)
        await ask(stub, n)

    return both


def questions(size: int, root: str) -> Iterator[Question]:
    """root: the id of the schema at the end of the chain that the others use."""
    first = _one("ListSubjects", pb.ListSubjectsRequest(limit=50))
    yield Question("ListSubjects, first page", first)
    yield Question("RegisterSchema of a new subject, then ListSubjects", _fresh(first))
    yield Question(
        "ListSubjects, first page of a prefix",
        _one("ListSubjects", pb.ListSubjectsRequest(limit=50, prefix="b")),
    )
    yield Question(
        "ListSubjects, offset in the middle",
        _one("ListSubjects", pb.ListSubjectsRequest(limit=50, offset=size // 2)),
    )
    yield Question("ListSchemas, 50", _lists_schemas(0))
    yield Question("ListSchemas, 50, offset in the middle", _lists_schemas(size // 2))
    yield Question(
        "ListVersions, 50 of 1,000", _one("ListVersions", pb.ListVersionsRequest(subject="many", limit=50))
    )
    yield Question(
        "ListVersions, 1,000 of 1,000",
        _one("ListVersions", pb.ListVersionsRequest(subject="many", limit=1000)),
    )
    yield Question(
        "GetDependents, transitive, 499",
        _one("GetDependents", pb.GetDependentsRequest(schema_id=root, transitive=True)),
    )
    yield Question(
        "RegisterSchema, new subject", lambda stub, n: _registers(f"new.s{next(_numbers)}", small)(stub, n)
    )
    for subscribers in (1, SUBSCRIBERS):
        yield Question(
            f"RegisterSchema, new subject, {subscribers:,} subscribers of everything",
            lambda stub, n: _registers(f"told.s{next(_numbers)}", small)(stub, n),
            calls=30,
            subscribers=subscribers,
        )
    yield Question(
        "RegisterSchema, subject of 1,000 versions, BACKWARD", _registers("plain", small), calls=100
    )
    yield Question(
        "RegisterSchema, 1,000 versions of 0.6 KB, BACKWARD_TRANSITIVE", _registers("many", small), calls=20
    )
    yield Question(
        "RegisterSchema, 300 versions of 5.6 KB, BACKWARD_TRANSITIVE", _registers("large", large), calls=8
    )
    for kind in search.kinds(size):
        if not kind.follows:
            yield Question(f"SearchSchemas, {kind.name}", _searches(kind.asked))
            yield Question(f"SearchSchemas, {kind.name}: wait of one, p95", _searches(kind.asked), callers=1)
            yield Question(
                f"SearchSchemas, {kind.name}: wait of eight, p95", _searches(kind.asked), callers=CALLERS
            )
            anew = _searches(kind.asked, anew=True)
            yield Question(f"SearchSchemas, {kind.name}, no kept answers", anew)
            yield Question(f"SearchSchemas, {kind.name}, no kept answers: wait of one, p95", anew, callers=1)
            yield Question(
                f"SearchSchemas, {kind.name}, no kept answers: wait of eight, p95", anew, callers=CALLERS
            )


async def figure(running: Running, question: Question, seconds: float) -> float:
    """Seconds: of the processor for a call, or that callers waited (p95)."""
    async with (
        rig.channel(running.server.port) as channel,
        told(running.server.port, question.subscribers) as all_told,
    ):
        stub = rig.stub(channel)
        numbers, waits = count(), list[float]()
        await question.ask(stub, next(numbers))
        end = time.perf_counter() + seconds

        async def caller() -> None:
            while time.perf_counter() < end and not (question.calls and len(waits) >= question.calls):
                began = time.perf_counter()
                await question.ask(stub, next(numbers))
                waits.append(time.perf_counter() - began)

        used = running.cpu()
        await asyncio.gather(*(caller() for _ in range(max(1, question.callers))))
        await all_told(next(numbers))
        if question.callers:
            return rig.percentile(waits, 0.95)
        return (running.cpu() - used) / len(waits)


@asynccontextmanager
async def told(port: int, subscribers: int) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """So many streams of all changes; what it gives waits until each stream has had so many."""
    arrived, live = 0, 0
    news = asyncio.Event()

    async def follow(channel: Any) -> None:
        nonlocal arrived, live
        request = pb.StreamRequest(heartbeat_interval=Duration(seconds=600))
        async for event in rig.stub(channel).StreamSchemaChanges(request):
            live, arrived = (live + 1, arrived) if event.heartbeat else (live, arrived + 1)
            news.set()

    async def until(ready: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not ready():
                news.clear()
                await news.wait()

    async def all_told(changes: int) -> None:
        await until(lambda: arrived >= subscribers * changes)

    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(rig.channel(port)) for _ in range(min(20, subscribers))]
        tasks = [asyncio.create_task(follow(channels[n % len(channels)])) for n in range(subscribers)]
        await until(lambda: live >= subscribers)
        yield all_told
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# -- filling


async def fill_store(target: Mapping[str, str], subjects: int) -> None:
    """The subjects, through the store of the tree that runs."""
    if "STORAGE__PATH" in target:
        await search.fill(SqliteStore(Path(target["STORAGE__PATH"]), synchronous="normal"), subjects)
        return
    store = PostgresStore(target["STORAGE__POSTGRES__DSN"])
    await store.open()

    async def add(entry: Any) -> None:
        before = (await store.subject_snapshot(entry.version.subject, (), "")).precondition
        assert await store.append(before, entry) is not None

    entries = search.entries(subjects)
    waiting: dict[str, list[Any]] = {}
    for entry in entries:
        waiting.setdefault(str(entry.version.subject), []).append(entry)

    async def add_all(chains: Iterator[list[Any]]) -> None:
        for chain in chains:
            for entry in chain:
                await add(entry)

    chains = iter(waiting.values())
    await asyncio.gather(*(add_all(chains) for _ in range(128)))
    await store.close()
    connection = await asyncpg.connect(target["STORAGE__POSTGRES__DSN"])
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def fill_server(port: int) -> str:
    """The histories and the chain, through a server. The id of the schema that the whole chain rests on."""
    async with rig.channel(port) as channel:
        stub = rig.stub(channel)
        for subject, make, versions in (
            ("many", small, MANY),
            ("plain", small, MANY),
            ("large", large, LARGE),
        ):
            for number in range(versions):
                await _registers_one(stub, subject, make(number))
            if subject != "plain":
                await config_pb2_grpc.ConfigServiceStub(channel).SetConfig(
                    config_pb2.SetConfigRequest(
                        subject=subject,
                        config=config_pb2.Config(
                            compatibility_level=pb.COMPATIBILITY_LEVEL_BACKWARD_TRANSITIVE
                        ),
                    )
                )
        root = await _registers_one(stub, "chain.0", small(0))
        for number in range(1, CHAIN):
            used = f"chain.{max(0, number - 50)}"
            content = json.dumps({"title": str(number), "properties": {"inner": {"$ref": used}}}).encode()
            uses = [pb.SchemaReference(name=used, subject=used, version="1.0.0")]
            await _registers_one(stub, f"chain.{number}", content, uses)
        return root


async def _registers_one(stub: Any, subject: str, content: bytes, uses: Sequence[Any] = ()) -> str:
    done = await stub.RegisterSchema(
        pb.RegisterSchemaRequest(
            subject=subject, schema_content=content, schema_type=pb.SCHEMA_TYPE_JSON, references=uses
        )
    )
    return str(done.schema_id)


def filled(tree: Path, settings: Mapping[str, str], size: int) -> str:
    """Fills a storage with the modules and the server of a tree; the id that `fill_server` gives."""
    if not Path(settings.get("STORAGE__PATH", "/nothing")).exists():  # else the subjects are there
        command = [sys.executable, __file__, "--fill", json.dumps(dict(settings)), "--sizes", str(size)]
        subprocess.run(command, env={**os.environ, "GROWTH_TREE": str(tree)}, check=True)
    with rig.server(None, python_path(tree), **settings) as server:
        return asyncio.run(fill_server(server.port))


def python_path(tree: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": os.pathsep.join(str(tree / part) for part in ("engines", "server", "clients/python"))
    }


@contextmanager
def copies(
    storage: str, tree: Path, size: int, home: Path, cluster: Any, options: argparse.Namespace
) -> Iterator[tuple[Storage, Storage, str]]:
    """Two copies of what the tree has filled."""
    if storage == "sqlite":
        files = [home / f"{name}-{size}.db" for name in ("before", "after")]
        if options.filled:
            shutil.copy(options.filled, files[0])
        root = filled(tree, {"STORAGE__PATH": str(files[0])}, size)
        shutil.copy(files[0], files[1])
        yield Storage({"STORAGE__PATH": str(files[0])}), Storage({"STORAGE__PATH": str(files[1])}), root
    else:
        dsn = asyncio.run(cluster.create_database())
        root = filled(tree, rig.on(dsn), size)
        copy = asyncio.run(_copied(cluster.dsn(), dsn))
        used = cluster.cpu_seconds
        yield Storage(rig.on(dsn), used), Storage(rig.on(copy), used), root


async def _copied(admin: str, dsn: str) -> str:
    base, _, name = dsn.rpartition("/")
    connection = await asyncpg.connect(admin)
    await connection.execute(f'CREATE DATABASE "{name}_copy" TEMPLATE "{name}"')
    await connection.close()
    return f"{base}/{name}_copy"


# -- the page


def table(storage: str, tree: Path, options: argparse.Namespace, home: Path, cluster: Any) -> Iterator[str]:
    sizes = [int(size) for size in options.sizes.split(",")]
    cells: dict[str, list[str]] = {}
    for size in sizes:
        with ExitStack() as stack:
            before, after, root = stack.enter_context(copies(storage, tree, size, home, cluster, options))
            sides = [
                Running(stack.enter_context(rig.server(None, extra, **found.settings)), found)
                for found, extra in ((before, python_path(tree)), (after, {}))
            ]
            for question in questions(size, root):
                if not re.search(options.only, question.name):
                    continue
                figures: tuple[list[float], list[float]] = ([], [])
                for _, order in zip(range(options.rounds), cycle([(0, 1), (1, 0)])):
                    for side in order:
                        figures[side].append(asyncio.run(figure(sides[side], question, options.seconds)))
                was, now = map(statistics.median, figures)
                cell = f"{was * 1000:.2f} | {now * 1000:.2f} | {was / now:.2f}"
                cells.setdefault(question.name, []).append(cell)
                print(f"{storage} {size:,} {question.name}: {cell}", flush=True)
    head = " | ".join(f"{size:,}: before, ms | after, ms | ratio" for size in sizes)
    yield from ("", f"## {storage}", "", f"| | {head} |", "|---|" + "---|---|---|" * len(sizes))
    for name, found in cells.items():
        yield f"| {name} | {' | '.join(found)} |"


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("before", nargs="?", default="main", help="a commit")
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--storage", default="sqlite,postgres")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="a regular expression: only questions whose name fits it")
    parser.add_argument(
        "--filled", type=Path, help="an SQLite file that `--fill` has filled with so many subjects"
    )
    parser.add_argument("--fill", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill:
        asyncio.run(fill_store(json.loads(options.fill), int(options.sizes)))
        return
    from two_commits import checked_out

    lines = rig.head("Growth", os.getloadavg()[0])
    with ExitStack() as stack:
        tree = stack.enter_context(checked_out(options.before))
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        wanted = options.storage.split(",")
        cluster = stack.enter_context(rig.postgres_cluster()) if "postgres" in wanted else None
        lines += [f"Before: {tree.name}. Processor time for a call, or wait (p95), in milliseconds.", ""]
        for storage in wanted:
            lines += table(storage, tree.folder, options, home, cluster)
    rig.publish(lines, options.markdown)


if __name__ == "__main__":
    main()
