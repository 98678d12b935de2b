"""grpc.health.v1 fed from the server's own health: "" is the whole, beside it every component and every service.

A component that is DEGRADED serves; a service serves unless the whole is UNHEALTHY.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from ...model.health import ComponentStatus, HealthReport, HealthStatus
from ...telemetry import logs

HealthSource = Callable[[], Awaitable[HealthReport]]

WHOLE = ""
SERVICE_NAME: str = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
_LOG = logs.get("transports.grpc.health")
_Serving = health_pb2.HealthCheckResponse


class HealthService:
    """Asks `source` every `seconds` and passes on what it says; NOT_SERVING when it cannot say anything within `patience`."""

    def __init__(
        self, source: HealthSource, services: tuple[str, ...], seconds: float = 2.0, patience: float = 3.0
    ) -> None:
        self._source = source
        self._services = services
        self._seconds, self._patience = seconds, patience
        self._servicer = health_aio.HealthServicer()
        self._task: asyncio.Task[None] | None = None

    def add_to(self, server: aio.Server) -> None:
        """Registers the health service."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    def follow(self) -> None:
        """Keeps asking from now on."""
        self._task = asyncio.create_task(self._follow(), name="grpc-health")

    async def refresh(self) -> None:
        """Asks once."""
        try:
            async with asyncio.timeout(self._patience):
                statuses = _statuses(await self._source(), self._services)
        except Exception:
            _LOG.exception("health_unknown")
            statuses = dict.fromkeys((WHOLE, *self._services), _Serving.NOT_SERVING)
        for name, status in statuses.items():
            await self._servicer.set(name, status)

    async def leave(self) -> None:
        """NOT_SERVING for ever: load balancers take the server out while its calls finish."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._servicer.enter_graceful_shutdown()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await self.refresh()


def _statuses(report: HealthReport, services: tuple[str, ...]) -> Mapping[str, int]:
    whole = _Serving.NOT_SERVING if report.status is HealthStatus.UNHEALTHY else _Serving.SERVING
    return {
        **dict.fromkeys((WHOLE, *services), whole),
        **{
            name: _Serving.NOT_SERVING if part.status is ComponentStatus.DOWN else _Serving.SERVING
            for name, part in report.components.items()
        },
    }
