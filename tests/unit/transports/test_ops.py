"""The page of series has a port of its own."""

from __future__ import annotations

import httpx
import pytest

from llm_schema_registry_server.telemetry.metrics import Metrics
from llm_schema_registry_server.transports.listener import ListenError
from llm_schema_registry_server.transports.ops import MetricsListener


async def test_metrics_are_served_until_the_listener_is_drained() -> None:
    metrics = Metrics()
    metrics.revision.set(7)
    listener = MetricsListener(metrics, "127.0.0.1", 0)
    await listener.start()
    url = f"http://127.0.0.1:{listener.port}/metrics"
    async with httpx.AsyncClient() as client:
        page = await client.get(url)
    await listener.drain(0)

    assert "schema_registry_revision 7.0" in page.text
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(url)


async def test_a_port_that_is_taken_is_named() -> None:
    first = MetricsListener(Metrics(), "127.0.0.1", 0)
    await first.start()
    with pytest.raises(ListenError, match=str(first.port)):
        await MetricsListener(Metrics(), "127.0.0.1", first.port).start()
    await first.drain(0)
