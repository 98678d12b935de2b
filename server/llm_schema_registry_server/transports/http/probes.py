"""/health/live, /health/ready, /health/startup: what an orchestrator asks. No RPC, no authentication, no limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import orjson

from ...model.health import HealthReport, HealthStatus
from ...telemetry import logs
from .asgi import Reply

_LOG = logs.get("transports.http")
_SECONDS = 2.0
HealthSource = Callable[[], Awaitable[HealthReport]]


class Probes:
    """live: the loop answers. startup: it has been healthy once. ready: it is healthy and not going away."""

    def __init__(self, source: HealthSource) -> None:
        self._source = source
        self._was_ready = False
        self.leaving = False

    async def answer(self, path: str) -> Reply | None:
        """The answer to a probe; None when the path is none."""
        match path:
            case "/health/live":
                return _reply(200, "ALIVE")
            case "/health/ready" if self.leaving:
                return _reply(503, "SHUTTING_DOWN")
            case "/health/ready":
                return await self._ready()
            case "/health/startup" if self._was_ready:
                return _reply(200, "STARTED")
            case "/health/startup":
                return await self._ready()
        return None

    async def _ready(self) -> Reply:
        try:
            async with asyncio.timeout(_SECONDS):
                report = await self._source()
        except Exception:
            _LOG.exception("health_unknown")
            return _reply(503, "UNKNOWN")
        ready = report.status is not HealthStatus.UNHEALTHY
        self._was_ready |= ready
        parts = {name: part.status.name for name, part in report.components.items()}
        why = {name: part.message for name, part in report.components.items() if part.message}
        return _reply(200 if ready else 503, report.status.name, parts, {} if ready else why)


def _reply(
    status: int, name: str, components: dict[str, str] | None = None, why: dict[str, str] | None = None
) -> Reply:
    parts = {"components": components, "why": why}
    return Reply(status, orjson.dumps({"status": name, **{k: v for k, v in parts.items() if v}}))
