"""`make profile`: a server under load is looked at, and its time is divided among its layers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.loadtest import ROOT

assert ROOT  # puts loadtest/ on the path
import profiles  # noqa: E402

PTRACE = Path("/proc/sys/kernel/yama/ptrace_scope")


def may_trace() -> bool:
    return os.geteuid() == 0 or not PTRACE.exists() or PTRACE.read_text().strip() == "0"


@pytest.mark.slow
@pytest.mark.skipif(
    not may_trace(), reason="this user may not look into processes (kernel.yama.ptrace_scope)"
)
def test_a_registration_is_divided_among_the_layers(tmp_path: Path) -> None:
    command = [sys.executable, "loadtest/profiles.py", "--only", "registration, HTTP", "--seconds", "1"]
    command += ["--markdown", str(tmp_path / "profiles.md")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    page = (tmp_path / "profiles.md").read_text()
    assert "| registration | HTTP |" in page
    assert "| storage and audit |" in page
    ElementTree.fromstring((tmp_path / "profiles" / "registration-http.svg").read_text())


def test_what_threads_use_is_divided_as_their_samples_are() -> None:
    samples = {
        (1, ("f (a.py:1)",)): 3,
        (1, ("g (a.py:2)",)): 1,
        (2, ("h (b.py:1)",)): 2,
        (3, (profiles.OUTSIDE,)): 98,
    }

    found = profiles.spent(samples, {1: 8.0, 2: 1.0}, main=1)

    assert found == {
        (profiles.LOOP, "f (a.py:1)"): 6000,
        (profiles.LOOP, "g (a.py:2)"): 2000,
        (profiles.THREADS, "h (b.py:1)"): 1000,
    }


def test_samples_beyond_what_a_thread_had_of_the_processor_are_those_where_it_waits() -> None:
    waiting, working = (1, ("Runner.run (asyncio/runners.py:118)",)), (1, ("f (a.py:1)",))

    assert profiles.without_waits({waiting: 90, working: 10}, {1: 30.0}) == {waiting: 20, working: 10}
    assert profiles.without_waits({waiting: 90, working: 10}, {1: 5.0}) == {waiting: 0, working: 10}
    assert profiles.without_waits({waiting: 90, working: 10}, {1: 200.0}) == {waiting: 90, working: 10}


def test_an_operation_that_there_is_not_is_refused() -> None:
    command = [sys.executable, "loadtest/profiles.py", "--only", "nothing"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "no operation has 'nothing' in its name" in done.stderr
