"""Children do not outlive their server, however it dies."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

pytestmark = pytest.mark.slow  # each test starts processes of its own

SERVER = """
import asyncio
from llm_schema_engines.formats.engine import SchemaSource
from llm_schema_registry_server.model.schema import SchemaType
from llm_schema_registry_server.settings import WorkersSettings
from llm_schema_registry_server.workers.processes import ProcessWorkers
from llm_schema_registry_server.workers.tasks import Parse

async def main():
    bounds = WorkersSettings(processes=2, parse_seconds=600, memory_bytes=1 << 29)
    workers = ProcessWorkers(bounds, "tests.unit.workers.fakes:make", SchemaType.JSON)
    await workers.start()
    calls = [asyncio.create_task(workers.run(Parse(SchemaType.JSON, SchemaSource(b"spin")))) for _ in range(1)]
    while workers.facts()["busy"] == "0":
        await asyncio.sleep(0.01)
    print("up", flush=True)
    await asyncio.gather(*calls)

asyncio.run(main())
"""


@pytest.mark.parametrize("signal", [9, 15])
def test_no_child_is_left_when_the_server_is_killed(signal: int) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(os.path.abspath(p) for p in sys.path if p),
    }
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, env=environment) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"up\n"
        children = psutil.Process(server.pid).children(recursive=True)
        server.send_signal(signal)

    assert len(children) == 4, "workers and their template"
    assert psutil.wait_procs(children, timeout=10)[1] == []
