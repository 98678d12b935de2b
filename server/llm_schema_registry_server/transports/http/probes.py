"""/health/live, /health/ready, /health/startup: what an orchestrator asks. No call, no authentication, no limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import orjson

from ...model.health import HealthReport, HealthStatus
from ...telemetry import logs
from .asgi import Receive, Reply, Scope, Send, send_reply

_LOG = logs.get("transports.http")
HealthSource = Callable[[], Awaitable[HealthReport]]


class Probes:
    """live: the loop answers. startup: it has been healthy once. ready: it is healthy and not going away.

    seconds: how long the source may take. A face of the dispatcher: `live`, `ready` and `startup` are mounted one by one, and answer every verb.
    """

    def __init__(self, source: HealthSource, seconds: float = 3.0) -> None:
        self._source, self._seconds = source, seconds
        self._was_ready = False
        self._leaving = False

    async def live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 as long as anything is answered."""
        await _send(scope, send, _reply(200, "ALIVE"))

    async def ready(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 while the server should get traffic."""
        await _send(scope, send, _reply(503, "SHUTTING_DOWN") if self._leaving else await self._ready())

    async def startup(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 once the server has been ready, and from then on."""
        await _send(scope, send, _reply(200, "STARTED") if self._was_ready else await self._ready())

    def leave(self) -> None:
        """Not ready from now on."""
        self._leaving = True

    def close(self) -> None:
        """Nothing is held."""

    async def _ready(self) -> Reply:
        try:
            async with asyncio.timeout(self._seconds):
                report = await self._source()
        except Exception:
            _LOG.exception("health_unknown")
            return _reply(503, "UNKNOWN")
        ready = report.status is not HealthStatus.UNHEALTHY
        self._was_ready |= ready
        parts = {name: part.status.name for name, part in report.components.items()}
        why = {name: part.message for name, part in report.components.items() if part.message}
        return _reply(200 if ready else 503, report.status.name, parts, {} if ready else why)


async def _send(scope: Scope, send: Send, reply: Reply) -> None:
    await send_reply(send, reply, head_only=scope["method"] == "HEAD")


def _reply(
    status: int, name: str, components: dict[str, str] | None = None, why: dict[str, str] | None = None
) -> Reply:
    parts = {"components": components, "why": why}
    return Reply(status, orjson.dumps({"status": name, **{k: v for k, v in parts.items() if v}}))
