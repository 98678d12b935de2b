"""The HTTP listener: Granian, embedded in our loop, behind an ASGI application."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable
from typing import Protocol

from granian.constants import Interfaces
from granian.http import HTTP1Settings, HTTP2Settings
from granian.server.embed import Server

from ...calls.peer import NO_PROXIES, TrustedProxies
from ..connection_guard import ConnectionGuard
from ..listener import LET_GO_SECONDS, ListenError
from ..tcp import listening, stop_listening
from .arrivals import spawner
from .asgi import Receive, Scope, Send, Whole

# Requests and connections that Granian hands us at the same time; our own limits answer long before.
_MOST_CONCURRENT = 20_000
_BACKLOG = 1024
_HEADER_BYTES = 64 * 1024
_STOP_SECONDS = 5.0


class DrainingApp(Protocol):
    """An ASGI application that can be asked to finish."""

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]: ...

    def at_once(self, scope: Scope) -> Whole | None: ...

    def in_full(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]: ...

    async def let_go(self, seconds: float) -> None: ...

    async def drain(self, seconds: float) -> None: ...


class HttpListener:
    """Owns the HTTP port: HTTP/1.1, HTTP/2 without TLS, WebSocket. per_address: see ConnectionGuard, from which trusted `proxies`
    are exempt. shared: other processes listen on the port, too; port 0 is none then."""

    name = "http"

    def __init__(
        self,
        app: DrainingApp,
        host: str,
        port: int,
        *,
        per_address: int = 0,
        proxies: TrustedProxies = NO_PROXIES,
        shared: bool = False,
    ) -> None:
        self._app, self._shared = app, shared
        self._host = host
        self._port = port
        self._server: Server | None = None
        self._per_address, self._proxies = per_address, proxies

    @property
    def port(self) -> int:
        """The bound port; what was asked for before the start."""
        return self._port

    async def start(self) -> None:
        """Binds and serves. Raises ListenError."""
        held = _claim(self._host, self._port, shared=self._shared)
        with held:
            self._port = held.getsockname()[1]
            spawn = spawner(self._app.at_once)
            self._server = Server(
                self._app if spawn is None else self._app.in_full,
                self._host,
                self._port,
                interface=Interfaces.ASGINL,
                backlog=_BACKLOG,
                backpressure=_MOST_CONCURRENT,
                http1_settings=HTTP1Settings(max_buffer_size=_HEADER_BYTES),
                http2_settings=HTTP2Settings(max_headers_size=_HEADER_BYTES, max_concurrent_streams=4096),
                log_enabled=False,
            )
            self._task = asyncio.create_task(self._server.serve(spawn), name="http")
            if self._shared:
                await _until_listening(self._host, self._port, self._task)
            else:
                await _until_open(self._host, self._port, self._task)
        self._guard = ConnectionGuard(self._port, self._per_address, self._proxies.trusts)
        self._guard.start()

    async def drain(self, seconds: float) -> None:
        """Refuses new requests, waits for those in flight, cuts what is left, closes. Where others share the port,
        clients are sent to them before."""
        if self._shared:
            await asyncio.to_thread(stop_listening, self._port)
            await self._app.let_go(LET_GO_SECONDS)
        await self._app.drain(seconds)
        if self._server is not None:
            await self._guard.stop()
            self._server.stop()  # type: ignore[no-untyped-call]  # granian's own
            await asyncio.wait({self._task}, timeout=_STOP_SECONDS)
            self._task.cancel()
            await asyncio.wait({self._task})


def _claim(host: str, port: int, *, shared: bool) -> socket.socket:
    """A socket that holds the port until Granian has it. Raises ListenError when someone else does.

    Granian binds with SO_REUSEPORT, so that a second server would silently share the port: where it is not to be shared, ask without it
    first.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        if not shared:
            with socket.socket(family, socket.SOCK_STREAM) as asking:
                asking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                asking.bind((host, port))
                port = asking.getsockname()[1]
        held = socket.socket(family, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((host, port))
    except OSError as error:
        raise ListenError(f"HTTP cannot listen on {host}:{port}: {error}") from error
    return held


async def _until_listening(host: str, port: int, serving: asyncio.Task[None]) -> None:
    """Waits until this process listens, as a connection would not tell. Raises ListenError when the server ends instead."""
    while not listening(port):
        if serving.done():
            raise ListenError(f"HTTP cannot listen on {host}:{port}") from serving.exception()
        await asyncio.sleep(0.01)


async def _until_open(host: str, port: int, serving: asyncio.Task[None]) -> None:
    """Waits until a connection succeeds. Raises ListenError when the server ends instead."""
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    while True:
        if serving.done():
            raise ListenError(f"HTTP cannot listen on {host}:{port}") from serving.exception()
        try:
            _, writer = await asyncio.open_connection(target, port)
        except OSError:
            await asyncio.sleep(0.01)
            continue
        writer.close()
        await writer.wait_closed()
        return
