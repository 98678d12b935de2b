"""`make bench`: every micro-benchmark runs, two commits are compared, and what one of them lacks is told."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loadtest import ROOT

assert ROOT  # puts loadtest/ on the path
import bench  # noqa: E402
from micro.child import everything  # noqa: E402

pytestmark = pytest.mark.slow
GROUPS = {"parse", "canonicalize", "compare", "validate", "store", "cache", "codec"}


@pytest.fixture(scope="module")
def side() -> Iterator[bench.Side]:
    made = bench.Side(ROOT)
    yield made
    made.stop()


def test_there_are_fifty_benchmarks_and_more_of_every_group() -> None:
    groups = Counter(made.group for made in everything().values())

    assert set(groups) == GROUPS
    assert groups.total() >= 50
    assert min(groups.values()) >= 5


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_every_benchmark_does_its_work(side: bench.Side, group: str) -> None:
    for name, made in everything().items():
        if made.group == group:
            assert side.ask(name) is None, name
            assert side.ask([name, 2]) >= 0


def test_what_a_tree_lacks_is_told_and_the_rest_is_measured(side: bench.Side, tmp_path: Path) -> None:
    (tmp_path / "engines" / "llm_schema_engines").mkdir(parents=True)
    (tmp_path / "engines" / "llm_schema_engines" / "__init__.py").touch()
    poor = bench.Side(tmp_path)
    try:
        what = bench.Compared("codec", "a subject's name, read")
        assert not bench.set_up([poor, side], ["old", "new"], what)
    finally:
        poor.stop()

    assert what.absent.startswith("not in old: ModuleNotFoundError")


def test_two_commits_are_compared(tmp_path: Path) -> None:
    command = [sys.executable, "loadtest/bench.py", "--before", "HEAD", "--rounds", "2", "--processes", "1"]
    command += ["--only", "codec: a sub", "--markdown", str(tmp_path / "bench.md")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "bench.md").read_text()
    assert "| codec | a subject's name, read |" in page
    assert "| codec | 1 |" in page


def test_a_name_that_no_benchmark_has_is_refused() -> None:
    command = [sys.executable, "loadtest/bench.py", "--only", "nothing like it"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "no benchmark has 'nothing like it' in its name" in done.stderr


def test_a_difference_is_told_only_when_both_quartiles_agree() -> None:
    steady = bench.Compared("codec", "x", [1.2, 1.21, 1.22, 1.2], [1.0, 1.0, 1.0, 1.0])
    noisy = bench.Compared("codec", "x", [1.2, 0.8, 1.3, 0.7], [1.0, 1.0, 1.0, 1.0])

    assert bench.row(steady, 3).endswith("| faster |")
    assert bench.row(steady, 30).endswith("|  |")
    assert bench.row(noisy, 3).endswith("|  |")
