"""No mutant of a good schema crashes the compiler or the engine, and what is accepted has stable canonical text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def run(seed: int, count: int) -> None:
    child = subprocess.run(
        [sys.executable, "-m", "tests.formats.protobuf.mutants", str(seed), str(count)],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'server'}", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    last = child.stdout.splitlines()[-1:]
    assert child.returncode == 0, (last, child.stderr[-3000:])
    assert int(last[0].removeprefix("accepted ")) > count // 100


def test_mutants_are_refused_or_understood() -> None:
    run(seed=1, count=1500)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(2, 8))
def test_many_mutants_are_refused_or_understood(seed: int) -> None:
    run(seed, count=20_000)
