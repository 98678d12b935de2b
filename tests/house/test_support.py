"""What the tests stand on: ports that are held, things that a run starts once, thresholds that fail."""

from __future__ import annotations

import ast
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from llm_schema_registry_server import __version__
from tests.api.server import ServerProcess
from tests.support.forking import forks
from tests.support.ports import HeldPort
from tests.support.preloaded import MADE_ANEW
from tests.support.processes import Shared, run

ROOT = Path(__file__).parents[2]


def test_a_held_port_is_for_a_server_that_is_told_its_number_again_and_again() -> None:
    held = HeldPort()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", held.number))
    for _ in range(2):
        with (
            socket.create_server(("127.0.0.1", held.number)) as server,
            socket.create_connection(("127.0.0.1", held.number)),
        ):
            server.accept()[0].close()
    number = held.number
    del held
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the connections above linger
        other.bind(("127.0.0.1", number))


def test_what_all_workers_share_is_started_once() -> None:
    started: list[str] = []

    def start() -> Shared:
        started.append("one")
        return {"number": len(started)}

    name = f"test-{uuid4()}"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: run().once(name, start), range(8)))

    assert found == [{"number": 1}] * 8
    assert started == ["one"]


def test_a_start_that_fails_is_tried_again_by_the_next_who_asks() -> None:
    name = f"test-{uuid4()}"
    with pytest.raises(ZeroDivisionError):
        run().once(name, lambda: {"number": 1 // 0})

    assert run().once(name, lambda: {"number": 2}) == {"number": 2}


def checked(tmp_path: Path, registry: int, *packages: str) -> subprocess.CompletedProcess[str]:
    """The check of thresholds, on a report in which the registry reaches some of 100 statements and branches."""

    def file(covered: int) -> dict[str, dict[str, int]]:
        half = covered // 2
        return {
            "summary": {
                "covered_lines": covered - half,
                "covered_branches": half,
                "num_statements": 60,
                "num_branches": 40,
            }
        }

    files = {f"server/llm_schema_registry_server/{name}/x.py": file(100) for name in packages}
    files["server/llm_schema_registry_server/registry/deep/y.py"] = file(registry)
    (tmp_path / "report.json").write_text(json.dumps({"files": files}))
    script = [sys.executable, str(ROOT / "scripts" / "coverage_thresholds.py"), str(tmp_path / "report.json")]
    return subprocess.run(script, capture_output=True, text=True, check=False)


def test_coverage_at_the_thresholds_passes(tmp_path: Path) -> None:
    done = checked(tmp_path, 95, "calls", "auth")

    assert done.returncode == 0
    assert "95.0 %  llm_schema_registry_server/registry" in done.stdout


def test_coverage_below_a_threshold_or_not_measured_fails(tmp_path: Path) -> None:
    low = checked(tmp_path, 94, "calls", "auth")
    assert (low.returncode, "registry  below 95 %" in low.stdout) == (1, True)
    absent = checked(tmp_path, 100, "calls")
    assert (absent.returncode, "auth  has a threshold" in absent.stdout) == (1, True)


PER_PROCESS = {
    "urandom",
    "token_bytes",
    "token_hex",
    "token_urlsafe",
    "uuid1",
    "uuid4",
    "getpid",
    "monotonic",
    "time_ns",
}
PACKAGES = (
    "server/llm_schema_registry_server",
    "clients/python/llm_schema_registry",
    "engines/llm_schema_engines",
)


def made_by_an_import(module: ast.Module) -> Iterator[str]:
    """Names at the top of a module whose values differ from one process to another."""
    for statement in module.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            called = {
                node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                for node in ast.walk(statement.value)
                if isinstance(node, ast.Call)
            }
            if called & PER_PROCESS:
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_a_forked_server_makes_anew_what_an_import_has_made() -> None:
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            name = path.relative_to((ROOT / package).parent).with_suffix("").as_posix().replace("/", ".")
            found |= {(name, value) for value in made_by_an_import(ast.parse(path.read_text()))}
    assert found == set(MADE_ANEW)


def test_a_forked_server_is_a_process_of_its_own_and_ends_as_one(tmp_path: Path) -> None:
    def ask(*arguments: str) -> tuple[int, str]:
        with (tmp_path / "said").open("w+") as said:
            environment = {"PATH": os.environ["PATH"], "SCHEMA_REGISTRY_GRPC__PORT": "4711"}
            forked = forks().start(arguments, environment, tmp_path, said.fileno(), said.fileno())
            status = forked.wait()
            assert forked.poll() == status
            said.seek(0)
            return status, said.read()

    assert ask("--version") == (0, f"schema-registry-server {__version__}\n")
    status, settings = ask("check-settings")
    assert (status, "4711" in settings) == (0, True), "with the environment that it was given"
    assert ask("serve", "--nonsense")[0] == 2
    first, second = (ServerProcess(tmp_path / name) for name in ("first", "second"))
    assert os.getsid(first.process.pid) == first.process.pid
    ids = [
        httpx.get(f"{server.http}/api/v1/schemas/none").headers["x-request-id"] for server in (first, second)
    ]
    assert ids[0].partition("-")[0] != ids[1].partition("-")[0]
    first.kill()
    assert first.process.poll() == -signal.SIGKILL
    assert second.stop() == 0
