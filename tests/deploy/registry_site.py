"""A registry as its operators have it, and a shell in which the commands of the runbooks run: settings in a file, API keys, Prometheus
with our rules, and, if asked for, PostgreSQL, Redis and an object store."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc as pb_grpc
from tests.api.server import ServerProcess
from tests.support.ports import HeldPort
from tests.support.postgres import Postgres, bin_directory, skip_where_missing
from tests.support.processes import run
from tests.support.prometheus import ROOT, Prometheus, prometheus, tool
from tests.support.redis import RedisServer
from tests.support.s3 import Bucket, S3Server

from . import quick_commands

KEY, SUBJECT = "ci", "orders"
"""The API key and the subject that the runbooks' variables name."""
ORDER = {"type": "object", "properties": {"id": {"type": "string"}}}
RULES = ROOT / "deploy" / "prometheus" / "rules"


def shortened(rules: str) -> str:
    """Rules with windows of some seconds instead of minutes and hours, so that what is true now is what they see."""
    rules = re.sub(r"\[5m\]", "[6s]", rules)
    rules = re.sub(r"\[\d+[mhd]\]", "[15s]", rules)
    rules = re.sub(r"^(\s+for:) \d+m$", r"\1 1s", rules, flags=re.MULTILINE)
    return re.sub(r"^(\s+interval:) .*$", r"\1 1s", rules, flags=re.MULTILINE)


class Site:
    """`with`: everything runs. `settings`: of the server, by their path (`rate_limits.mode`), for its file.

    complete: with PostgreSQL, Redis and an object store; else SQLite in `data`, which is below `disk` when that is given.
    quick: the rules have short windows.
    """

    def __init__(
        self, home: Path, *, complete: bool, quick: bool = True, disk: Path | None = None, **settings: Any
    ) -> None:
        self.home = home
        self.data = (disk or home) / "data"
        self._complete, self._quick = complete, quick
        self._ports = {part: HeldPort() for part in ("grpc", "http", "metrics")}
        self._settings: dict[str, Any] = {
            "auth.api_keys.enabled": True,
            "auth.lockout_seconds": 0,
            "rate_limits.mode": "off",
            "audit.key_file": str(home / "audit.key"),
            **{f"{part}.port": port.number for part, port in self._ports.items()},
            **settings,
        }
        self._stack = ExitStack()
        self._failures: list[BaseException] = []
        self.ask: Prometheus | None = None
        self.server: ServerProcess
        self.database: Postgres
        self.redis: RedisServer
        self.s3: S3Server

    def __enter__(self) -> Site:
        missing = [program for program in ("curl", "jq") if shutil.which(program) is None]
        if missing:
            pytest.skip(f"run scripts/system-packages {' '.join(missing)}")
        with ExitStack() as stack:
            for place in (self.data, self.home / "bin", self.home / "backups", self.home / "prometheus"):
                place.mkdir(parents=True)
            if self._complete:
                self._begin_parts(stack)
            else:
                self._settings |= {"storage.path": str(self.data / "registry.db")}
            self._write_files()
            self._begin_commands(stack)
            self.serve()
            stack.callback(lambda: self.server.stop())  # whichever it is then
            self.token = json.loads(self._made_key("admin", "admin"))["secret"]
            self.key = json.loads(self._made_key(KEY, "developer"))["secret"]
            self._register()
            rules = self._rules(stack)
            self.ask = stack.enter_context(
                prometheus(self.home / "prometheus", f"127.0.0.1:{self._ports['metrics']}", rules)
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _begin_parts(self, stack: ExitStack) -> None:
        skip_where_missing()
        self.database = Postgres(max_connections="50", wal_level="replica")
        stack.callback(self.database.remove)
        self.redis, self.s3 = RedisServer(self.home), S3Server(self.home)
        stack.callback(self.redis.kill)
        stack.callback(self.s3.stop)
        self.database.start()
        dsn = asyncio.run(self._ready())
        self._settings |= {
            "storage.kind": "postgres",
            "storage.postgres.dsn": dsn,
            "storage.postgres.pool_max": 3,
            "storage.postgres.connect_seconds": 2,
            "storage.postgres.lock_seconds": 60,
            "storage.postgres.statement_seconds": 60,
            "caches.redis.url": self.redis.url,
            "caches.redis.breaker_seconds": 0.3,
            "blobs.kind": "s3",
            "blobs.threshold": 200,
            "blobs.memory_bytes": 0,
            "blobs.s3.bucket": "schemas",
            "blobs.s3.endpoint": self.s3.endpoint,
            "blobs.s3.region": "us-east-1",
            "blobs.s3.path_style": True,
            "blobs.s3.access_key": "test",
            "blobs.s3.secret_key": "test",
            "blobs.s3.breaker_seconds": 0.3,
        }

    async def _ready(self) -> str:
        await asyncio.gather(self.database.ready(), self.redis.start(), self.s3.start())
        async with Bucket(self.s3.endpoint, "schemas"):
            return await self.database.create_database()

    def _write_files(self) -> None:
        self.config = self.home / "registry.toml"
        self._write_settings(self.config, self._settings)
        # For a move from one storage to another.
        other = {k: v for k, v in self._settings.items() if not k.startswith(("storage.", "blobs."))}
        self._write_settings(
            self.home / "new.toml", {**other, "storage.path": str(self.home / "new" / "registry.db")}
        )
        (self.home / "order.json").write_text(json.dumps({**ORDER, "additionalProperties": True}))
        (self.home / "scripts").symlink_to(ROOT / "scripts")
        (self.home / "bin" / "promtool").symlink_to(tool("promtool"))

    @staticmethod
    def _write_settings(file: Path, settings: dict[str, Any]) -> None:
        # What JSON writes of these values is TOML, too.
        file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))

    def _begin_commands(self, stack: ExitStack) -> None:
        place = self.home / "commands"
        path = os.pathsep.join(str(ROOT / part) for part in ("engines", "server", "clients/python"))
        process = run().spawn(
            [sys.executable, str(Path(quick_commands.__file__)), str(place)],
            env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": path},
            cwd=self.home,
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        quick_commands.install(self.home / "bin", place)
        self.until(place.exists)

    def _rules(self, stack: ExitStack) -> Path:
        folder = self.home / "rules"
        folder.mkdir()
        for file in RULES.glob("*.yaml"):
            text = file.read_text()
            (folder / file.name).write_text(shortened(text) if self._quick else text)
        return folder / "*.yaml"

    def serve(self) -> None:
        """Start the server; again, when it has ended."""
        self.server = ServerProcess(
            self.home / "server",
            {"SCHEMA_REGISTRY_CONFIG": str(self.config)},
            **{f"{part.upper()}__PORT": str(port) for part, port in self._ports.items()},
            STORAGE__PATH=str(self.data / "registry.db"),
        )

    def _made_key(self, name: str, role: str) -> str:
        return self.run(f"schema-registry-server create-key --name {name} --role '{role}'", token="")

    def _register(self) -> None:
        """Two versions of the subject; the second one is compatible because a description is all that it adds."""
        for content in (ORDER, {**ORDER, "description": "x" * 300}):
            self.stub.RegisterSchema(
                pb.RegisterSchemaRequest(
                    subject=SUBJECT,
                    schema_content=json.dumps(content).encode(),
                    schema_type=pb.SCHEMA_TYPE_JSON,
                ),
                metadata=self.as_admin,
                timeout=60,
            )

    @property
    def stub(self) -> Any:
        """The calls over a connection of its own."""
        channel = grpc.insecure_channel(
            self.server.grpc,
            [("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 100)],
        )
        return pb_grpc.SchemaRegistryStub(channel)

    @property
    def as_admin(self) -> tuple[tuple[str, str], ...]:
        """Metadata of a call."""
        return (("authorization", f"Bearer {self.token}"),)

    @property
    def as_key(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.key}"),)

    # -- the shell of an operator

    def run(self, commands: str, *, token: str | None = None) -> str:
        """Run commands as a runbook has them; answers with their output. The first one that fails, fails the test."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.home,
            env=self._environment(self.token if token is None else token),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
        return done.stdout

    def _environment(self, token: str) -> dict[str, str]:
        binaries = [str(self.home / "bin"), *([str(bin_directory())] if self._complete else [])]
        parts = {
            "DATABASE": self._settings.get("storage.postgres.dsn", ""),
            "REDIS": self._settings.get("caches.redis.url", ""),
        }
        promised = {
            "REGISTRY": self.server.http,
            "METRICS": self.server.metrics,
            "SCHEMA_REGISTRY_SERVER": self.server.grpc,
            "SCHEMA_REGISTRY_TOKEN": token,
            "SCHEMA_REGISTRY_CONFIG": str(self.config),
            "NEW_CONFIG": str(self.home / "new.toml"),
            "DATA": str(self.data),
            "LOG": str(self.server.log),
            "BACKUPS": str(self.home / "backups"),
            "SUBJECT": SUBJECT,
            "KEY": KEY,
            "SCHEMA": "order.json",
            **{name: value for name, value in parts.items() if value},
        }
        if self.ask is not None:
            promised["PROMETHEUS"] = self.ask.url
        return {
            "PATH": os.pathsep.join([*binaries, os.environ.get("PATH", "")]),
            "HOME": str(self.home),
            "no_proxy": "*",
            **promised,
        }

    @contextmanager
    def session(self, sql: str) -> Iterator[Callable[[], None]]:
        """Somebody's session with the database; begun, and the SQL done, when what this yields is called, and ended at the end."""
        with ExitStack() as stack:

            def begin() -> None:
                psql = stack.enter_context(
                    subprocess.Popen(
                        ["psql", "-qAt", self._settings["storage.postgres.dsn"]],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.DEVNULL,
                        text=True,
                    )
                )
                assert psql.stdin is not None
                assert psql.stdout is not None
                psql.stdin.write(f"{sql} SELECT 'done';\n")
                psql.stdin.flush()
                assert psql.stdout.readline() == "done\n"

            yield begin

    def start_redis(self) -> None:
        """Again, after it was killed."""
        asyncio.run(self.redis.start())

    # -- what is seen from outside

    def firing(self) -> set[str]:
        """The alerts that fire now."""
        assert self.ask is not None
        found = self.ask('ALERTS{alertstate="firing"}')
        return {labels["alertname"] for labels, _ in found}

    def until(self, condition: Callable[[], bool]) -> None:
        """Return once it holds; the time-out of the test ends one that never does, a failure of the load at once."""
        while not condition():
            assert self._failures == [], self._failures
            time.sleep(0.2)

    @contextmanager
    def load(self, *actions: Callable[[], object], pause: float = 0.05) -> Iterator[Counter[str]]:
        """Each action again and again in a thread of its own; yields how often calls ended with which code."""
        codes: Counter[str] = Counter()
        ending = threading.Event()
        self._failures.clear()  # those of an earlier test were its own

        def again(action: Callable[[], object]) -> None:
            while not ending.wait(pause):
                try:
                    action()
                except grpc.RpcError as error:
                    codes[error.code().name] += 1  # what callers notice is what this is about
                except BaseException as error:
                    self._failures.append(error)
                    return
                else:
                    codes["OK"] += 1

        threads = [threading.Thread(target=again, args=(action,)) for action in actions]
        for thread in threads:
            thread.start()
        try:
            yield codes
        finally:
            ending.set()
            for thread in threads:
                thread.join()
        assert self._failures == [], self._failures
