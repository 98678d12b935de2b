"""HealthCheck: what the parts add up to, and what is said of a part that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from llm_schema_registry_server.errors import Unavailable
from llm_schema_registry_server.model.health import Component, ComponentStatus, HealthReport, HealthStatus
from llm_schema_registry_server.registry.health import Health, Probe, optional

NOW = datetime(2026, 5, 1, tzinfo=UTC)
UP, DEGRADED, DOWN = (
    Component(status) for status in (ComponentStatus.UP, ComponentStatus.DEGRADED, ComponentStatus.DOWN)
)


def tells(component: Component) -> Probe:
    async def probe() -> Component:
        return component

    return probe


async def report(seconds: float = 2.0, **probes: Probe) -> HealthReport:
    """Of a server that cannot do without `storage`, whose parts may take so long."""
    health = Health(probes, vital=frozenset({"storage"}), version="1.2.3", clock=lambda: NOW, seconds=seconds)
    return await health()


@pytest.mark.parametrize(
    ("storage", "redis", "status"),
    [
        (UP, UP, HealthStatus.HEALTHY),
        (UP, DEGRADED, HealthStatus.DEGRADED),
        (UP, DOWN, HealthStatus.DEGRADED),
        (DEGRADED, UP, HealthStatus.DEGRADED),
        (DOWN, UP, HealthStatus.UNHEALTHY),
        (DOWN, DOWN, HealthStatus.UNHEALTHY),
    ],
)
async def test_a_vital_part_that_is_down_makes_the_server_unhealthy_and_any_other_trouble_degraded(
    storage: Component, redis: Component, status: HealthStatus
) -> None:
    made = await report(storage=tells(storage), redis=tells(redis))

    assert made.status is status
    assert made.components == {"storage": storage, "redis": redis}
    assert (made.version, made.at) == ("1.2.3", NOW)


async def test_a_part_that_does_not_answer_is_down_and_the_others_are_told() -> None:
    async def hangs() -> Component:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    made = await report(0.0, storage=hangs, redis=tells(UP))

    assert made.components["storage"].status is ComponentStatus.DOWN
    assert "gave no answer within 0 s (setting health.probe_seconds)" in made.components["storage"].message
    assert made.components["redis"] == UP


async def test_a_part_that_fails_is_down_with_its_reason() -> None:
    async def fails() -> Component:
        raise Unavailable("the disk is away")

    made = await report(storage=fails)

    assert made.components == {"storage": Component(ComponentStatus.DOWN, "the disk is away")}


async def test_a_part_that_can_be_missed_is_never_down() -> None:
    async def works() -> Mapping[str, str]:
        return {"kind": "redis"}

    async def fails() -> Mapping[str, str]:
        raise Unavailable("Redis is away")

    assert await optional(works()) == Component(ComponentStatus.UP, details={"kind": "redis"})
    assert await optional(fails()) == Component(ComponentStatus.DEGRADED, "Redis is away")
