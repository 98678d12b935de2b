"""The page of series has a port of its own, and what asking for it costs is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from prometheus_client.registry import Collector

from llm_schema_registry_server.telemetry.metrics import Metrics
from llm_schema_registry_server.transports.listener import ListenError
from llm_schema_registry_server.transports.ops import PAGES_PER_SECOND, MetricsListener

PLAIN = {"accept-encoding": "identity"}
HEAD = b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n"


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., MetricsListener]]:
    made: list[MetricsListener] = []

    def make(metrics: Metrics | None = None, **bounds: float) -> MetricsListener:
        made.append(MetricsListener(metrics or Metrics(), "127.0.0.1", 0, **bounds))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for listener in made:
        await listener.drain(0)


async def test_metrics_are_served_until_the_listener_is_drained() -> None:
    metrics = Metrics()
    metrics.revision.set(7)
    listener = MetricsListener(metrics, "127.0.0.1", 0)
    await listener.start()
    url = f"http://127.0.0.1:{listener.port}/metrics"
    async with httpx.AsyncClient() as client:
        page = await client.get(url)
        chosen = await client.get(url, params={"name[]": "schema_registry_revision"})
        refused = await client.post(url)
    await listener.drain(0)

    assert "schema_registry_revision 7.0" in page.text
    assert page.headers["content-encoding"] == "gzip"
    assert "schema_registry_streams" not in chosen.text
    assert refused.status_code == 405
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(url)


async def test_a_port_that_is_taken_is_named() -> None:
    first = MetricsListener(Metrics(), "127.0.0.1", 0)
    await first.start()
    with pytest.raises(ListenError, match=str(first.port)):
        await MetricsListener(Metrics(), "127.0.0.1", first.port).start()
    await first.drain(0)


@pytest.mark.parametrize("sent", [b"", b"GET /metrics HTTP/1.1\r\nA: b\r\n", b"x\r\n\r\n", b"A" * 100_000])
async def test_a_request_that_does_not_end_or_is_none_is_cut(
    serve: Callable[..., MetricsListener], sent: bytes
) -> None:
    listener = serve(seconds=0.3)
    await listener.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(sent)

    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)  # the connection ends without an answer
    writer.transport.abort()


@pytest.mark.slow
async def test_over_the_bound_a_scrape_is_refused_and_those_that_read_nothing_end(
    serve: Callable[..., MetricsListener],
) -> None:
    metrics = Metrics()
    for number in range(200):  # a page of 20 MB, more than the buffers of a connection hold
        metrics.build_info.labels(f"{number:0100000}").set(1)
    listener = serve(metrics, connections=2, seconds=3.0)
    await listener.start()
    lazy = [await asyncio.open_connection("127.0.0.1", listener.port, limit=1) for _ in range(2)]
    for _, writer in lazy:
        writer.write(HEAD)
    url = f"http://127.0.0.1:{listener.port}/metrics"
    async with httpx.AsyncClient(timeout=30) as client:
        while (refused := await client.get(url, headers=PLAIN)).status_code == 200:  # until both are counted
            pass
        assert refused.status_code == 503
        assert "metrics.connections" in refused.text
        while (again := await client.get(url, headers=PLAIN)).status_code == 503:  # noqa: ASYNC110  # time ends the others
            await asyncio.sleep(0.05)
    assert again.status_code == 200
    for _, writer in lazy:
        writer.transport.abort()


async def test_who_asks_at_the_same_time_shares_a_page(serve: Callable[..., MetricsListener]) -> None:
    metrics, pages = Metrics(), 0

    class Counting(Collector):
        def collect(self) -> list[object]:  # type: ignore[override]
            nonlocal pages
            pages += 1
            return []

    metrics.registry.register(Counting())
    pages = 0
    listener = serve(metrics, connections=100)
    await listener.start()
    async with httpx.AsyncClient(timeout=30) as client:
        for _ in range(2):  # the second time, all wait for the next page
            got = await asyncio.gather(*(client.get(f"http://127.0.0.1:{listener.port}/") for _ in range(40)))
            assert {page.status_code for page in got} == {200}

    assert pages < 40
    assert PAGES_PER_SECOND == 10
