"""`make load`: every scenario makes its calls on a real server, on every wire, and all answers are right."""

from __future__ import annotations

from pathlib import Path

import load
import pytest
from loads.plan import CLOSED, OPEN
from loads.records import DELIVERY
from loads.scenarios import SCENARIOS

from tests.loadtest.generators import Target, run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name != load.CEILING])
def test_a_scenario_makes_its_calls_on_every_wire_and_all_answers_are_right(
    target: Target, tmp_path: Path, scenario: str
) -> None:
    plans = [target.plan(tmp_path, scenario, wire, loop) for wire, loop in (("grpc", CLOSED), ("http", OPEN))]

    for code, record, out in run(plans).values():
        assert (code, record.wrong, record.errors) == (0, [], {}), out
        made = {name for name in record.calls if name != DELIVERY}
        assert made <= set(SCENARIOS[scenario].weights)
        assert record.done > 0
        assert record.seconds >= 2
        assert {"generator", "server", "workers"} <= set(record.processor)
        if SCENARIOS[scenario].watchers:
            assert bool(record.calls.get(DELIVERY)) or "RegisterSchema" not in made
        if scenario == "reads":
            assert record.hits > 0
