"""A listener with a front on its port, and the listener of an engine behind, on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine, Mapping
from datetime import timedelta

from ...telemetry import logs
from ..listener import LET_GO_SECONDS, Listener, ListenError
from .apart import Apart
from .context import Stamp, TlsFiles, TlsFilesError, Trust, now
from .ends import Ends
from .front import Front, FrontBounds

_LOG = logs.get("transports.front")
_WARN_BEFORE = timedelta(days=14)
_WARN_SECONDS = 24 * 3600.0

INNER_HOST = "127.0.0.1"
"""Where the engines behind listen."""


class FrontListener:
    """Owns `host:port`; `engine` listens on INNER_HOST and asks `ends` who its callers are. `protocol`: see Front. `files`: of TLS, None
    where it is not spoken; they are looked at every `reload_seconds`; what cannot be used is logged, and what was read before stays in force. apart: the front has a thread of its own,
    as an engine may have that is to answer when the loop is busy. shared: other processes listen on the port, too."""

    def __init__(
        self,
        engine: Listener,
        host: str,
        port: int,
        *,
        files: TlsFiles | None,
        ends: Ends,
        bounds: FrontBounds,
        reload_seconds: float,
        protocol: str = "",
        apart: bool = False,
        shared: bool = False,
    ) -> None:
        self._engine, self._host, self._port, self._shared = engine, host, port, shared
        self._files, self._ends, self._bounds = files, ends, bounds
        self._seconds, self._protocol = reload_seconds, protocol
        self._front: Front | None = None
        self._apart: Apart | None = Apart(f"tls {engine.name}") if apart else None
        self._trust: Trust | None = None
        self._look = asyncio.Event()
        self._following: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """What it speaks, in TLS or not."""
        return self._engine.name

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS."""
        return self._files is not None

    @property
    def port(self) -> int:
        """The bound port; what was asked for before the start."""
        return self._port

    @property
    def handshakes(self) -> Mapping[str, int]:
        """How handshakes have ended: `ok`, or why they failed."""
        return self._front.handshakes if self._front is not None else {}

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return self._front.open if self._front is not None else 0

    @property
    def expires(self) -> float:
        """When the server's certificate expires, in seconds since 1970; 0 before the start."""
        return self._trust.expires.timestamp() if self._trust is not None else 0.0

    async def start(self) -> None:
        """Binds and serves. Raises ListenError, also for files that cannot be used."""
        stamp = await self._read(self._files) if self._files is not None else None
        self._front = Front(self.name, self._trust, self._ends, self._bounds, protocol=self._protocol)
        listening = _bound(self.name, self._host, self._port, shared=self._shared)
        try:
            await self._engine.start()
        except BaseException:
            listening.close()
            raise
        try:
            self._port = listening.getsockname()[1]
            if self._apart is not None:
                self._apart.start()
            await self._where_it_runs(self._front.start(listening, (INNER_HOST, self._engine.port)))
        except BaseException:
            listening.close()
            await self._engine.drain(0)
            raise
        if self._files is not None and stamp is not None:
            self._following = asyncio.create_task(
                self._follow(self._files, stamp), name=f"tls files of {self.name}"
            )

    async def _read(self, files: TlsFiles) -> Stamp:
        """Reads the files for the first time. Raises ListenError."""
        stamp = files.stamp()
        try:
            self._trust = await asyncio.to_thread(files.read)
        except TlsFilesError as error:
            raise ListenError(f"{self.name} cannot speak TLS: {error}") from error
        if files.exposed:
            _LOG.warning(
                "tls_key_exposed", listener=self.name, why="everyone on this machine may read tls.key_file"
            )
        return stamp

    def reload(self) -> None:
        """Reads the files now, whether they seem to have changed or not."""
        self._look.set()

    async def drain(self, seconds: float) -> None:
        """Takes no new connections, lets calls in flight finish for at most `seconds`, cuts the rest, and closes. Where others share the
        port, clients are asked before to go on with them."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait({self._following})
        if self._front is not None:
            await self._where_it_runs(self._front.stop_listening())
            if self._shared:
                await self._where_it_runs(self._front.let_go(LET_GO_SECONDS))
        await self._engine.drain(seconds)
        if self._front is not None:
            await self._where_it_runs(self._front.stop())
        if self._apart is not None:
            await self._apart.stop()

    async def _where_it_runs(self, work: Coroutine[None, None, None]) -> None:
        await (work if self._apart is None else self._apart.run(work))

    async def _follow(self, files: TlsFiles, stamp: Stamp) -> None:
        fault, warned = "", -_WARN_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            if loop.time() - warned >= _WARN_SECONDS and self._warn():
                warned = loop.time()
            told = await self._told_to_look()
            # Before they are read: what changes meanwhile is read the next time.
            newest = await asyncio.to_thread(files.stamp)
            if newest == stamp and not fault and not told:
                continue
            try:
                trust = await asyncio.to_thread(files.read)
            except TlsFilesError as error:
                if fault != str(error):
                    _LOG.error(
                        "tls_files_not_read",
                        listener=self.name,
                        why=str(error),
                        consequence="the old ones stay",
                    )
                fault = str(error)
                continue
            stamp, fault, warned = newest, "", -_WARN_SECONDS
            self._trust = trust
            assert self._front is not None
            await self._where_it_runs(self._front.replace(trust))
            _LOG.info("tls_files_read", listener=self.name, expires=trust.expires.isoformat())

    async def _told_to_look(self) -> bool:
        """Waits until it is time; whether somebody has asked for it."""
        try:
            async with asyncio.timeout(self._seconds):
                await self._look.wait()
        except TimeoutError:
            return False
        self._look.clear()
        return True

    def _warn(self) -> bool:
        """Says what is about to expire; whether anything is."""
        assert self._trust is not None
        soon = {
            "certificate": self._trust.expires,
            **({"revocation list": self._trust.lists_expire} if self._trust.lists_expire else {}),
        }
        found = False
        for what, when in soon.items():
            left = when - now()
            # Lists are renewed every few days or hours: of them only what has happened is told.
            if left < (_WARN_BEFORE if what == "certificate" else timedelta()):
                found = True
                _LOG.warning("tls_expires", listener=self.name, what=what, when=when.isoformat())
        return found


def _bound(name: str, host: str, port: int, *, shared: bool) -> socket.socket:
    """A socket that has the port. Raises ListenError."""
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.setblocking(False)
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise ListenError(f"{name} cannot listen on {host}:{port}: {error}") from error
    return made
