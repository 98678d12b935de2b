"""The watch of the event loop: what makes everybody wait is counted and named."""

from __future__ import annotations

import asyncio
import time

import pytest

from llm_schema_registry_server.telemetry.loop_watch import LATE_BUCKETS, LoopWatch, Stretch
from llm_schema_registry_server.telemetry.metrics import Metrics

STALL = 0.02


def held_up(seconds: float) -> None:
    """Computes for so long."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


async def watched(
    *, work: bool = False, sleep: bool = False, stall: float = STALL
) -> tuple[LoopWatch, list[Stretch]]:
    seen: list[Stretch] = []
    watch = LoopWatch(stall, seen.append)
    watch.start()
    await asyncio.sleep(0.05)
    seen.clear()
    if work:
        held_up(0.3)
    if sleep:
        time.sleep(0.3)  # noqa: ASYNC251  # this is what must be seen
    await asyncio.sleep(0.05)
    await watch.stop()
    return watch, seen


async def test_code_that_holds_up_the_loop_is_named_with_its_processor_time() -> None:
    watch, seen = await watched(work=True)

    longest = max(seen, key=lambda stretch: stretch.seconds)
    assert "test_loop_watch.py" in longest.code
    assert "held_up" in longest.code
    assert 0 < longest.processor_seconds <= longest.seconds
    assert sum(watch.late.counts[LATE_BUCKETS.index(0.1) :]) >= 1
    assert watch.late.seconds >= longest.seconds


async def test_waiting_takes_no_processor_time() -> None:
    _, seen = await watched(sleep=True)

    longest = max(seen, key=lambda stretch: stretch.seconds)
    assert longest.seconds >= 0.2
    assert longest.processor_seconds < longest.seconds / 2


async def test_without_a_bound_waits_are_counted_and_nothing_is_told() -> None:
    watch, seen = await watched(work=True, stall=0)

    assert seen == []
    assert sum(watch.late.counts[LATE_BUCKETS.index(0.1) :]) >= 1


async def test_the_waits_are_on_the_page_of_metrics() -> None:
    watch, _ = await watched(work=True)
    metrics = Metrics()
    metrics.read_loop(watch.late, watch.busy)

    page = metrics.page().decode()
    for by, waits in (("clock", watch.late), ("processor", watch.busy)):
        assert f'schema_registry_loop_late_seconds_count{{by="{by}"}} {float(sum(waits.counts))}' in page
        assert f'schema_registry_loop_late_seconds_bucket{{by="{by}",le="0.02"}}' in page


@pytest.mark.parametrize("stall", [0, STALL])
async def test_a_watch_that_was_never_started_stops(stall: float) -> None:
    await LoopWatch(stall, lambda _: None).stop()
