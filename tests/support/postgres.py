"""A real PostgreSQL for the tests: a throw-away cluster on a free port, one database per test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from llm_schema_registry_server.storage.postgres import PostgresStore

from .waiting import until

SETTINGS = {
    "fsync": "off",  # what the tests kill is the process, not the machine
    "autovacuum": "off",  # its transactions would hold back the change log at random moments
    "max_connections": "100",
    "shared_buffers": "64MB",
    "log_min_messages": "fatal",
    "listen_addresses": "127.0.0.1",
    "timezone": "America/St_Johns",  # a store that depends on the zone shows it here
}

EMPTY = (
    "TRUNCATE subjects, global_ids, context_ids, contents, versions, version_references, search, vocabulary, transitions, configs, changes, "
    "usage, statistics, leases, cursors RESTART IDENTITY; UPDATE meta SET value = '0' WHERE key <> 'registry_id'"
)


def bin_directory() -> Path | None:
    """Where initdb and postgres are, or None when PostgreSQL is not installed."""
    found = shutil.which("initdb")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    return next((p for p in reversed(candidates) if (p / "postgres").exists()), None)


class Postgres:
    """A cluster of its own; `start` it, `stop` it, kill it, start it again.

    home: where its files are; with `made`, there is a data directory in it already.
    """

    def __init__(self, home: Path | None = None, *, made: bool = False, **settings: str) -> None:
        binaries = bin_directory()
        assert binaries is not None, "PostgreSQL is not installed: run scripts/system-packages postgresql"
        self._binaries = binaries
        self._settings = {**SETTINGS, **settings}
        self._home = home or Path(tempfile.mkdtemp(prefix="registry-pg-"))
        self._user = unprivileged()
        self._process: subprocess.Popen[bytes] | None = None
        self._shared: str | None = None
        self.port = free_port()
        if self._user is not None:
            os.chown(self._home, self._user.pw_uid, self._user.pw_gid)
        if made:
            return
        self.run(
            "initdb",
            "-D",
            str(self.data),
            "-U",
            "registry",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
            "--wal-segsize=1",
        )

    @property
    def home(self) -> Path:
        """A directory in which the server may write."""
        return self._home

    @property
    def data(self) -> Path:
        return self._home / "data"

    def dsn(self, database: str = "postgres") -> str:
        return f"postgresql://registry@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = [f"-c{name}={value}" for name, value in self._settings.items()]
        self._process = subprocess.Popen(
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

    async def create_database(self) -> str:
        """A new database; answers with its DSN."""
        name = f"t{uuid.uuid4().hex}"
        await self.execute(f"CREATE DATABASE {name}")
        return self.dsn(name)

    async def empty_database(self) -> str:
        """The DSN of a database whose tables are there and empty; the same one each time, for it takes long to make."""
        if self._shared is None:
            await self.ready()
            self._shared = await self.create_database()
            store = PostgresStore(self._shared)
            await store.open()
            await store.close()
        else:
            await self.execute(EMPTY, self._shared)
        return self._shared

    async def drop_database(self, dsn: str) -> None:
        await self.execute(f"DROP DATABASE {dsn.rpartition('/')[2]} WITH (FORCE)")

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


def free_port() -> int:
    """A port that no outgoing connection can take while the server is down: below the system's range for those."""
    while True:
        port = random.randint(15_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


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
