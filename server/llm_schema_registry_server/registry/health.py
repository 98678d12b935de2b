"""HealthCheck: the components of the server and their overall status."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from ..errors import RegistryError
from ..model.health import Component, ComponentStatus, HealthReport, HealthStatus
from ..telemetry import logs

_LOG = logs.get("health")

Probe = Callable[[], Awaitable[Component]]


class Health:
    """Asks every component. A `vital` one that is down makes the server UNHEALTHY; another one only DEGRADED.

    seconds: how long a component may take to answer before it counts as down.
    """

    def __init__(
        self,
        probes: Mapping[str, Probe],
        *,
        vital: frozenset[str],
        version: str,
        clock: Callable[[], datetime],
        seconds: float = 2.0,
    ) -> None:
        self._probes, self._vital, self._version, self._clock = probes, vital, version, clock
        self._seconds = seconds
        self.newest: HealthReport | None = None
        """The last report that was made."""

    async def __call__(self) -> HealthReport:
        components = dict(
            zip(
                self._probes,
                await asyncio.gather(*(self._ask(p) for p in self._probes.values())),
                strict=True,
            )
        )
        self._log_changes(components)
        self.newest = HealthReport(self._sum(components), components, self._version, self._clock())
        return self.newest

    async def _ask(self, probe: Probe) -> Component:
        try:
            async with asyncio.timeout(self._seconds):
                return await probe()
        except TimeoutError:
            return Component(
                ComponentStatus.DOWN,
                f"gave no answer within {self._seconds:g} s (setting health.probe_seconds)",
            )
        except RegistryError as error:
            return Component(ComponentStatus.DOWN, error.message, inside=error.inside)

    def _log_changes(self, components: Mapping[str, Component]) -> None:
        """A line for each component that is not as it was: whoever asks for health is not told where things are."""
        before = self.newest.components if self.newest is not None else {}
        for name, now in components.items():
            was = before[name].status if name in before else ComponentStatus.UP
            if now.status is not was:
                log = _LOG.info if now.status is ComponentStatus.UP else _LOG.warning
                log("component", name=name, status=now.status.name, why=now.message, inside=now.inside)

    def _sum(self, components: Mapping[str, Component]) -> HealthStatus:
        down = {n for n, c in components.items() if c.status is ComponentStatus.DOWN}
        if down & self._vital:
            return HealthStatus.UNHEALTHY
        if down or any(c.status is ComponentStatus.DEGRADED for c in components.values()):
            return HealthStatus.DEGRADED
        return HealthStatus.HEALTHY


async def optional(probe: Awaitable[Mapping[str, str]]) -> Component:
    """A component that the server can work without: never DOWN."""
    try:
        return Component(ComponentStatus.UP, details=await probe)
    except RegistryError as error:
        return Component(ComponentStatus.DEGRADED, error.message, inside=error.inside)
