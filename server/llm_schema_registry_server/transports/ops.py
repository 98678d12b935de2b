"""The metrics listener: /metrics, on a port and in a thread of its own, so that a busy loop can still be seen.

Whoever reaches the port can ask, so that what asking costs is bounded: connections at a time, seconds of each from the first
byte of the request to the last of the answer, bytes of the request, and pages in a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from http.client import responses
from threading import Thread
from typing import Any, NamedTuple

from prometheus_client import make_wsgi_app

from ..siblings.siblings import Siblings
from ..telemetry.metrics import Metrics
from .listener import ListenError

MOST_HEAD_BYTES = 16 * 1024
PAGES_PER_SECOND = 10
"""More scrapes wait for the next page, each for one that was made after it asked."""

_BACKLOG = 128
_REFUSED_SECONDS = 1.0


class _Answer(NamedTuple):
    status: str
    headers: Iterable[tuple[str, str]]
    body: bytes


class MetricsListener:
    """Serves the page of series to at most `connections` at a time, each for at most `seconds`. siblings: with whom it shares the port, and
    whose series are on the page, too."""

    name = "metrics"

    def __init__(
        self,
        metrics: Metrics,
        host: str,
        port: int,
        *,
        connections: int = 16,
        seconds: float = 10.0,
        siblings: Siblings | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._most, self._seconds = connections, seconds
        self._registry, self._siblings = metrics.registry, siblings
        self._app: Callable[..., Iterable[bytes]] = make_wsgi_app(metrics.registry)
        # A page of all asks all of them.
        self._pause = (siblings.wanted if siblings is not None else 1) / PAGES_PER_SECOND
        self._open = 0
        self._answers: dict[tuple[str, ...], asyncio.Task[_Answer]] = {}
        self._made_at = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None

    @property
    def port(self) -> int:
        """The bound port; what was asked for before the start."""
        return self._port

    async def start(self) -> None:
        """Binds and serves. Raises ListenError."""
        loop = asyncio.new_event_loop()
        self._loop, self._thread = loop, Thread(target=loop.run_forever, name="metrics", daemon=True)
        self._thread.start()
        try:
            self._server = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._listen(), loop))
        except OSError as error:
            await self._end(loop)
            raise ListenError(f"metrics cannot listen on {self._host}:{self._port}: {error}") from error
        self._port = self._server.sockets[0].getsockname()[1]

    async def drain(self, seconds: float) -> None:
        """Closes."""
        loop, self._loop = self._loop, None
        if loop is not None:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._close(), loop))
            await self._end(loop)

    async def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon_threadsafe(loop.stop)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        loop.close()

    # What follows runs in the thread.

    async def _listen(self) -> asyncio.Server:
        if self._siblings is not None:
            await self._siblings.serve_page(self._registry)
        return await asyncio.start_server(
            self._serve,
            self._host,
            self._port,
            limit=MOST_HEAD_BYTES,
            backlog=_BACKLOG,
            reuse_port=self._siblings is not None,
        )

    async def _close(self) -> None:
        self._server.close()
        if self._siblings is not None:
            self._siblings.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others)
        await asyncio.sleep(0)  # connections that were cut are closed in the next turn

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one request, one answer. What the other end does wrong ends it, and is nobody else's business."""
        self._open += 1
        writer.transport.set_write_buffer_limits(0)  # drain() returns when the system has taken everything
        try:
            full = self._open > self._most
            async with asyncio.timeout(_REFUSED_SECONDS if full else self._seconds):
                if full:
                    _write(writer, _refusal(f"{self._most} scrapes are running (metrics.connections)"))
                    writer.write_eof()
                    await reader.read(MOST_HEAD_BYTES)  # one that is closed unread takes the answer with it
                else:
                    head = await reader.readuntil(b"\r\n\r\n")
                    _write(writer, await self._answer(_environment(head)))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError, EOFError, asyncio.LimitOverrunError, ValueError):
            return
        finally:
            self._open -= 1
            writer.transport.abort()  # nothing is left to abort when all has been sent

    async def _answer(self, environment: Mapping[str, str]) -> _Answer:
        """Who asks the same while a page is due shares it."""
        key = tuple(environment.values())
        task = self._answers.get(key)
        if task is None:
            task = self._answers[key] = asyncio.ensure_future(self._make(key, environment))
        return await asyncio.shield(task)

    async def _make(self, key: tuple[str, ...], environment: Mapping[str, str]) -> _Answer:
        await asyncio.sleep(max(0.0, self._made_at + self._pause - time.monotonic()))
        del self._answers[key]  # what is asked from now on may want to see what happens from now on
        self._made_at = time.monotonic()
        app = self._app
        if self._siblings is not None:
            app = make_wsgi_app(await self._siblings.gathered())
        begun: list[Any] = []
        body = b"".join(app(environment, lambda *head: begun.extend(head)))
        return _Answer(begun[0], begun[1], body)


def _environment(head: bytes) -> Mapping[str, str]:
    """A request as the page's WSGI application reads it. Raises ValueError."""
    request, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = request.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (s.partition(":") for s in lines)}
    path, _, query = target.partition("?")
    return {
        "REQUEST_METHOD": "GET" if method == "HEAD" else method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_ACCEPT": headers.get("accept", ""),
        "HTTP_ACCEPT_ENCODING": headers.get("accept-encoding", ""),
    }


def _refusal(why: str) -> _Answer:
    status = f"503 {responses[503]}"
    return _Answer(status, (("Content-Type", "text/plain"), ("Retry-After", "1")), f"{why}\n".encode())


def _write(writer: asyncio.StreamWriter, answer: _Answer) -> None:
    lines = [
        f"HTTP/1.1 {answer.status}",
        *(f"{name}: {value}" for name, value in answer.headers),
        f"Content-Length: {len(answer.body)}",
        "Connection: close",
    ]
    writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + answer.body)
