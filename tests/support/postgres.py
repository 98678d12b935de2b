"""Real PostgreSQL servers for the tests: one for the whole run, in which each test has a new database, and throw-away ones for
the tests that stop and kill them. None is made by initdb and by migrations but the first: the others are copies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import uuid
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar

import asyncpg
import psutil
import pytest

from llm_schema_registry_server.storage.postgres import PostgresOptions, PostgresStore

from .ports import HeldPort
from .processes import Shared, run
from .waiting import until

T = TypeVar("T")

SETTINGS = {
    "fsync": "off",  # what the tests kill is the process, not the machine
    "autovacuum": "off",  # its transactions would hold back the change log at random moments
    "max_connections": "300",  # several workers share a server, and several stores of each a database
    "shared_buffers": "64MB",
    "log_min_messages": "fatal",
    "listen_addresses": "127.0.0.1",
    "timezone": "America/St_Johns",  # a store that depends on the zone shows it here
}

PATIENT = PostgresOptions(connect_seconds=60, lock_seconds=60)
"""For tests that are not about these limits: a busy machine fails none of them."""
MIGRATED = "registry_migrated"
"""The database with all tables and no rows that the databases of tests are copies of."""
WAITERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
"""How many connections of a database wait for a lock."""


def bin_directory() -> Path | None:
    """Where initdb and postgres are, or None when PostgreSQL is not installed."""
    found = shutil.which("initdb")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    return next((p for p in reversed(candidates) if (p / "postgres").exists()), None)


class Postgres:
    """A server of its own; `start` it, `stop` it, kill it, start it again.

    home: where its files are. made: there is, or will be, a data directory in it that somebody else has made.
    """

    def __init__(self, home: Path | None = None, *, made: bool = False, **settings: str) -> None:
        self._settings = {**SETTINGS, **settings}
        self._port: HeldPort | int = HeldPort()
        self._set_up(home or run().directory("postgres"))
        if self._user is not None:
            os.chown(self._home, self._user.pw_uid, self._user.pw_gid)
        if not made:
            self.run("cp", "-r", _template()["data"], str(self.data))

    def _set_up(self, home: Path) -> None:
        binaries = bin_directory()
        assert binaries is not None, "PostgreSQL is not installed: run scripts/system-packages postgresql"
        self._binaries = binaries
        self._home = home
        self._user = unprivileged()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases: list[str] = []

    @classmethod
    def running(cls, home: Path, port: int) -> Self:
        """A server that another process has started: it gives databases, and is not stopped here."""
        server = cls.__new__(cls)
        server._port = port
        server._set_up(home)
        return server

    @property
    def home(self) -> Path:
        """A directory in which the server may write."""
        return self._home

    @property
    def port(self) -> int:
        return int(str(self._port))

    @property
    def data(self) -> Path:
        return self._home / "data"

    def dsn(self, database: str = "postgres") -> str:
        return f"postgresql://registry@127.0.0.1:{self.port}/{database}"

    def start(self, *, shared: bool = False) -> None:
        """shared: it goes on when this process ends, until the whole run does."""
        options = [f"-c{name}={value}" for name, value in self._settings.items()]
        self._process = run().spawn(
            [
                *self._command("postgres"),
                "-D",
                str(self.data),
                "-p",
                str(self.port),
                "-k",
                str(self._home),
                *options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._home,
            shared=shared,
        )

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: a fast shutdown. SIGQUIT: at once, without a checkpoint. SIGKILL: all processes, as a crash."""
        if self._process is None:
            return
        children = psutil.Process(self._process.pid).children(recursive=True) if self.runs else []
        if how is signal.SIGKILL:
            self.signal_all(how)
        else:
            self._process.send_signal(how)
        self._process.wait(timeout=60)
        psutil.wait_procs(children, timeout=60)  # while one lives, the server cannot be started again
        self._process = None

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def cpu_seconds(self) -> float:
        """Processor time that the server and its processes have used, those that have ended too."""
        assert self._process is not None, "start it first"
        server = psutil.Process(self._process.pid)
        return sum(sum(process.cpu_times()[:4]) for process in (server, *server.children(recursive=True)))

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to the server and each of its children (they are not in its process group)."""
        assert self._process is not None
        server = psutil.Process(self._process.pid)
        for process in (server, *server.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill(self) -> None:
        """End all processes as a power cut would."""
        self.stop(signal.SIGKILL)

    def remove(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._home, ignore_errors=True)

    async def ready(self) -> None:
        """Return when it accepts connections."""
        async with asyncio.timeout(60):
            while True:
                try:
                    connection = await asyncpg.connect(self.dsn())
                except (OSError, asyncpg.PostgresError):
                    await asyncio.sleep(0.02)
                    continue
                await connection.close()
                return

    async def writable(self) -> None:
        """Return when a recovery has ended."""
        await self.ready()
        connection = await asyncpg.connect(self.dsn())

        async def recovered() -> bool:
            return not await connection.fetchval("SELECT pg_is_in_recovery()")

        await until(recovered)
        await connection.close()

    async def create_database(self, template: str = "template1") -> str:
        """A new database, without any table unless the template has some; answers with its DSN."""
        name = f"t{uuid.uuid4().hex}"
        await self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        self._databases.append(name)
        return self.dsn(name)

    async def empty_database(self) -> str:
        """The DSN of a new database whose tables are there and empty. Its registry id is that of all the others."""
        await self.ready()
        return await self.create_database(MIGRATED + _template()["strategy"])

    async def drop_database(self, dsn: str) -> None:
        self._databases.remove(dsn.rpartition("/")[2])
        await self.execute(f"DROP DATABASE {dsn.rpartition('/')[2]} WITH (FORCE)")

    async def drop_databases(self) -> None:
        """All that were created by this object and are still there."""
        for name in list(self._databases):
            await self.drop_database(self.dsn(name))

    async def execute(self, sql: str, dsn: str | None = None) -> None:
        connection = await asyncpg.connect(dsn or self.dsn())
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    def run(self, command: str, *arguments: str) -> None:
        """Run a command to its end, as the user who runs the server and with PostgreSQL's own commands at hand."""
        subprocess.run(
            [*self._command(command), *arguments],
            check=True,
            capture_output=True,
            cwd=self._home,
            env={**os.environ, "PATH": f"{self._binaries}:{os.environ['PATH']}"},
            timeout=120,
        )

    def _command(self, name: str) -> list[str]:
        """A command of PostgreSQL, or another one, as the user who shall run it."""
        program = self._binaries / name
        command = [str(program)] if program.exists() else [name]
        if self._user is None:
            return command
        # Not Popen's `user`: that forks, and a fork may hang in a process where gRPC is at work.
        ids = [f"--reuid={self._user.pw_uid}", f"--regid={self._user.pw_gid}", "--clear-groups"]
        return ["setpriv", *ids, "--", *command]


def unprivileged() -> pwd.struct_passwd | None:
    """Who shall run the server: PostgreSQL refuses root. None: we ourselves."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def skip_where_missing() -> None:
    """Skip the test where PostgreSQL is not installed; `make test` installs it."""
    if bin_directory() is None:
        pytest.skip("PostgreSQL is not installed: run scripts/system-packages postgresql")


@contextlib.contextmanager
def own_server() -> Iterator[Postgres]:
    """A server that has been started, for whoever may do to it what he likes."""
    skip_where_missing()
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()


def shared_server() -> Postgres:
    """The one server of the whole run; started by the first test of any worker that asks for it."""
    skip_where_missing()
    found = run().once("postgres", _start_shared)
    return Postgres.running(Path(found["home"]), found["port"])


def _start_shared() -> Shared:
    server = Postgres(run().directory("postgres", shared=True))
    server.start(shared=True)
    _wait_for(server.ready())
    _KEPT.append(server)
    return {"home": str(server.home), "port": server.port}


_KEPT: list[Postgres] = []
"""The shared server, if this process has started it: its port is held as long as that."""


def _template() -> Shared:
    """A data directory with the migrated database in it, made by initdb once for the whole run."""
    return run().once("postgres-template", _make_template)


def _make_template() -> Shared:
    server = Postgres(run().directory("postgres-template", shared=True), made=True)
    encoding = ["-E", "UTF8", "--locale=C"]
    server.run(
        "initdb", "-D", str(server.data), "-U", "registry", "-A", "trust", *encoding, "-N", "--wal-segsize=1"
    )
    server.start()

    async def migrate() -> int:
        await server.ready()
        await server.execute(f"CREATE DATABASE {MIGRATED}")
        store = PostgresStore(server.dsn(MIGRATED))
        await store.open()
        await store.close()
        connection = await asyncpg.connect(server.dsn())
        version = int(await connection.fetchval("SHOW server_version_num"))
        await connection.close()
        return version

    version = _wait_for(migrate())
    server.stop()
    # Of the two ways this one is faster for so few rows; before 15 there was no other.
    return {"data": str(server.data), "strategy": " STRATEGY FILE_COPY" if version >= 150_000 else ""}


def _wait_for(coroutine: Coroutine[Any, Any, T]) -> T:
    """In a thread, because this one may have a loop that runs."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()
