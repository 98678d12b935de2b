"""scripts/dr-drill: a small one runs, and what it must find it finds."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.postgres import skip_where_missing

ROOT = Path(__file__).parents[2]


@pytest.fixture
def drill(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(ROOT / "loadtest"))
    return runpy.run_path(str(ROOT / "loadtest" / "dr_drill.py"))


def test_a_write_is_missed_that_was_acknowledged_before_a_restored_one_was_sent(
    drill: dict[str, Any],
) -> None:
    def written(sent: float, told: float) -> Any:
        return drill["Written"]("s", 1, "1.0.0", "digest", sent, told)

    restored = [written(1, 2), written(5, 6)]
    early, beside, late = written(3, 4), written(4.5, 5.5), written(7, 8)

    assert drill["missed"](restored, [early, beside, late]) == [early]
    assert drill["missed"]([], [early]) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_small_drill_loses_nothing_from_before_the_recovery_point() -> None:
    skip_where_missing()
    done = subprocess.run(
        [ROOT / "scripts" / "dr-drill", "--versions", "200", "--archive-timeout", "2"],
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert re.search(r"^\* \*\*RPO \d+\.\d s\*\* ", done.stdout, re.MULTILINE)
    assert re.search(r"^\* \*\*RTO \d+\.\d s\*\* ", done.stdout, re.MULTILINE)
    kept = re.search(r"^\* ([\d,]+) acknowledged writes came back", done.stdout, re.MULTILINE)
    assert kept is not None
    assert int(kept[1].replace(",", "")) >= 100  # those of the base backup, at least
