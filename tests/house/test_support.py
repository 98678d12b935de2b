"""What the tests stand on: ports that are held, things that a run starts once, thresholds that fail."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.ports import HeldPort
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
