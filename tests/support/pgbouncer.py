"""A real PgBouncer in transaction mode before a PostgreSQL of the tests, in a throw-away directory on a free port."""

from __future__ import annotations

import os
import shutil
import subprocess

from .ports import HeldPort
from .postgres import Postgres, unprivileged
from .processes import run
from .waiting import listening, until


def binary() -> str | None:
    """The program, or None when the package is not installed."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


class PgBouncer:
    """`start` it, `stop` it. Few connections to the server, so that clients get one after another of them.

    ignores: start-up parameters that it takes from a client and drops, as many installations have it.
    """

    def __init__(self, postgres: Postgres, *, ignores: str = "") -> None:
        program = binary()
        assert program is not None, "PgBouncer is not installed: run scripts/system-packages pgbouncer"
        self._held = HeldPort()
        self.port = self._held.number
        self._home = run().directory("pgbouncer")
        (self._home / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={postgres.port} user=registry\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            "auth_type = any\npool_mode = transaction\ndefault_pool_size = 4\nmax_client_conn = 200\n"
            f"server_round_robin = 1\nignore_startup_parameters = {ignores}\n"
        )
        self._command = [program, str(self._home / "pgbouncer.ini")]
        user = unprivileged()  # it refuses root, as PostgreSQL does
        if user is not None:
            os.chown(self._home, user.pw_uid, user.pw_gid)
            ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            self._command = ["setpriv", *ids, "--", *self._command]
        self._process: subprocess.Popen[bytes] | None = None

    def dsn(self, behind: str) -> str:
        """The way through the pooler to the database of a DSN."""
        return f"postgresql://registry@127.0.0.1:{self.port}/{behind.rpartition('/')[2]}"

    async def start(self) -> None:
        self._process = self._spawn()
        await until(lambda: listening(self.port))

    def _spawn(self) -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        return run().spawn(self._command, stdout=quiet, stderr=quiet, cwd=self._home)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)
