"""The report of `make load`, and its options."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.loadtest import ROOT

assert ROOT  # puts loadtest/ on the path
import load  # noqa: E402
from loads import report  # noqa: E402
from loads.records import Record  # noqa: E402
from loads.report import Measured  # noqa: E402


@pytest.mark.slow
def test_the_report_has_tables_and_pictures(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "loadtest/load.py",
        "--scenarios",
        "reads",
        "--wires",
        "http",
        "--runs",
        "2",
        "--seconds",
        "1",
    ]
    command += ["--warm-up", "0.2", "--schemas", "10", "--stores", "sqlite", "--results", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    page = (tmp_path / "load.md").read_text()
    assert "none was wrong" in page
    assert "| http |" in page
    for name in ("latency", "throughput", "memory"):
        assert f"load/reads-{name}.svg" in page
        assert (tmp_path / "load" / f"reads-{name}.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scenarios", "raeds"], "'raeds' is not a list of: reads, storm"),
        (["--runs", "0"], "--runs is 0; it must be above 0"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        load.options(arguments)

    assert said in capsys.readouterr().err


def test_a_variable_that_makes_no_sense_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOAD_SHAPE", "square")
    with pytest.raises(SystemExit):
        load.options([])

    assert "LOAD_SHAPE is 'square'; use one of sustained, ramp, spike, soak" in capsys.readouterr().err


def measured(**cells: object) -> Measured:
    return Measured("reads", "about", "grpc", [Record(seconds=10.0, **cells)])  # type: ignore[arg-type]


def test_calls_without_an_answer_fail_a_run_when_they_are_many() -> None:
    calls = {"GetSchema": [(0.0, 0.001)] * 980}

    assert report.unanswered([measured(calls=calls, errors={"GetSchema: UNAVAILABLE": 5})], 1.0) == []
    assert report.unanswered([measured(calls=calls, errors={"GetSchema: UNAVAILABLE": 20})], 1.0) == [
        "reads over grpc: 20 of 1,000 calls got no answer"
    ]
    assert report.unanswered([measured()], 1.0)


def test_memory_that_grows_after_the_first_third_fails_a_soak() -> None:
    early, late = [(0.0, 100.0), (4.0, 300.0), (10.0, 310.0)], [(0.0, 100.0), (4.0, 110.0), (10.0, 310.0)]

    assert report.grown([measured(memory=early)], 100) == []
    assert report.grown([measured(memory=late)], 100) == [
        "reads over grpc: memory grew by 200 MiB after the first third"
    ]


def test_what_several_generators_saw_is_one_record() -> None:
    one = Record(
        seconds=10.0,
        calls={"GetSchema": [(0.0, 0.1)]},
        wrong=["x"],
        wrong_count=1,
        processor={"generator": 1.0, "server": 2.0},
    )
    other = Record(
        seconds=10.1,
        calls={"GetSchema": [(0.0, 0.2)]},
        not_sent=3,
        processor={"generator": 2.0, "server": 2.0},
    )

    whole = report.merged([one, other])

    assert whole.done == 2
    assert whole.processor == {"generator": 3.0, "server": 2.0}
    assert (whole.wrong_count, whole.not_sent, whole.seconds) == (1, 3, 10.1)
