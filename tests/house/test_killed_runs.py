"""A run of tests that is killed leaves no server and no directory behind, whatever kills it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support.processes import PLACE, PREFIX, YOUNG_SECONDS, remove_stale

HELD_OPEN = Path(__file__).with_name("held_open.py")


def wait_for(path: Path, started: subprocess.Popen[bytes]) -> None:
    while not path.exists():
        assert started.poll() is None, "the run has ended by itself"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("number", "options", "held"),
    [(signal.SIGTERM, ["-n", "0", "-k", "0"], ["0"]), (signal.SIGKILL, ["-n", "2"], ["0", "1"])],
    ids=["SIGTERM, one process", "SIGKILL, two workers"],
)
def test_a_run_that_is_killed_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals, options: list[str], held: list[str]
) -> None:
    os.mkfifo(tmp_path / "end")
    alien = (PLACE, "PYTEST_XDIST_WORKER", "PYTEST_XDIST_TESTRUNUID", "PYTEST_CURRENT_TEST")
    environment = {name: value for name, value in os.environ.items() if name not in alien}
    pytest_ = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        f"--basetemp={tmp_path / 'temporary'}",
    ]
    with (tmp_path / "output").open("wb") as output:
        started = subprocess.Popen(
            [*pytest_, *options, str(HELD_OPEN)],
            env={**environment, "HELD_OPEN": str(tmp_path)},
            stdout=output,
            stderr=output,
        )
    try:
        for name in held:
            wait_for(tmp_path / f"{name}.json", started)
        told = [json.loads((tmp_path / f"{name}.json").read_text()) for name in held]
        everything = {pid for each in told for pid in each["processes"]}
        processes = [psutil.Process(pid) for pid in everything]
        processes += [p for p in psutil.Process(started.pid).children(recursive=True) if p not in processes]
        place = Path(told[0]["place"])
        names = " ".join(" ".join(process.cmdline()) for process in processes)
        for program in ("bin/postgres", "redis-server", "pgbouncer", "moto.server", "serve", "keeper.py"):
            assert program in names
        assert place.is_dir()
    finally:
        started.send_signal(number)
        started.wait()

    psutil.wait_procs(processes)  # returns when the last one is gone
    assert not place.exists()


def test_what_is_left_when_the_keeper_dies_too_is_removed_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old, young = tmp_path / f"{PREFIX}old", tmp_path / f"{PREFIX}young"
    for place in (old, young):
        (place / "postgres").mkdir(parents=True)
    long_ago = time.time() - 2 * YOUNG_SECONDS
    os.utime(old, (long_ago, long_ago))
    with subprocess.Popen(["sleep", "3600"], cwd=old / "postgres") as server:
        remove_stale()
        assert server.wait() == -signal.SIGKILL

    assert not old.exists()
    assert young.exists()
