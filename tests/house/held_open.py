"""Servers of every kind, held until the run is killed. test_killed_runs.py runs this in a pytest of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psutil
import pytest

from tests.api.server import ServerProcess
from tests.support.pgbouncer import PgBouncer
from tests.support.postgres import Postgres, own_server
from tests.support.processes import run
from tests.support.redis import RedisServer
from tests.support.s3 import S3Server


@pytest.mark.timeout(0)
@pytest.mark.parametrize("number", [0, 1])
async def test_servers_are_held_open(postgres: Postgres, tmp_path: Path, number: int) -> None:
    with own_server() as own:
        await own.ready()
        pooler, redis, s3 = PgBouncer(postgres), RedisServer(tmp_path), S3Server(tmp_path)
        for server in (pooler, redis, s3):
            await server.start()
        ServerProcess(tmp_path / "registry")
        redis.freeze()  # it hears no signal but SIGKILL and SIGCONT
        processes = [process.pid for process in psutil.Process().children(recursive=True)]
        told = Path(os.environ["HELD_OPEN"]) / f"{number}.json"
        told.with_suffix(".part").write_text(json.dumps({"place": str(run().place), "processes": processes}))
        told.with_suffix(".part").rename(told)
        os.read(
            os.open(os.environ["HELD_OPEN"] + "/end", os.O_RDONLY), 1
        )  # a pipe that nobody opens for writing
