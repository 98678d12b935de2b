"""Takes the connections of one listener, speaks TLS with them where it is wanted, and hands on to the engine behind what it can bear.

What a client can cost before it is known is bounded: connections of one address, handshakes at a time, seconds and bytes of each.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from ...calls.guards.queueing import address_key
from ...calls.peer import Fronted
from ...queues.turns import CallTurns
from ...telemetry import logs
from ...telemetry.budget import LogBudget
from ..reset_budget import ResetBudget
from .behind import Engine
from .calls import CallBounds, CallInspection
from .connection import Client, Left, NotTls
from .context import Serial, Trust, serial_of
from .ends import Ends, StandIns
from .http2 import PREFACE
from .incomplete import IncompleteCalls
from .inspection import NONE, Abuse, Inspection
from .messages import UnpackedBytes
from .plain import tell
from .refusals import reason_of
from .refused import Refusals
from .requests import RequestInspection
from .untaken import UntakenCalls

_LOG = logs.get("transports.front")
_THREADS = 2
_BACKLOG = 1024
_ENGINE_BUFFER = 128 * 1024
"""Bytes that the system holds of what the engine has sent and a slow client has not taken."""
_LINES_PER_SECOND = 5
_NEW = "new connections"
"""Whose turn it is when new connections are taken."""
_CONNECTION_UNITS = 50
"""What it takes to take one and to connect it with the engine, in units of a turn of the loop."""
_ACCEPT_AGAIN_SECONDS = 1.0
"""After so long new connections are taken again when there was no file descriptor for one."""
_UNTAKEN = 48
"""Calls that an engine may have before it that it takes up in order: as many as keep it busy."""
_JUNK_COST = 5.0
"""Of a connection that says something else than HTTP/2, in calls that are reset."""
_UNPACKED_PER_CALLER, _UNPACKED = 4, 16
"""How many of the largest messages may be there in a compressed form at a time."""
_LAST_SECONDS = 2.0
"""How long clients may take to read what the engine has sent last, when the server stops."""


@dataclass(frozen=True, slots=True)
class FrontBounds:
    """per_address: connections of one address, but for `exempt` ones. resets_per_second: calls that one address may reset over HTTP/2, but
    for exempt ones (see ResetBudget and FrameMeter). incomplete_calls: that one address may have (see IncompleteCalls). refusals_per_second: calls of one
    address that are refused since it asks too much (see Refusals). handshakes: at a time.
    handshake_seconds: of each. calls: where the engine speaks gRPC."""

    per_address: int
    resets_per_second: int
    incomplete_calls: int
    refusals_per_second: int
    calls: CallBounds | None
    handshakes: int
    handshake_seconds: float
    exempt: Callable[[str], bool]


class Front:
    """`trust` says who is let in, and may be replaced at any time; None: there is no TLS. `protocol`: that a client must have chosen in the
    handshake (ALPN, RFC 7301), "" for any. `listener` is its name in logs and metrics."""

    def __init__(
        self, listener: str, trust: Trust | None, ends: Ends, bounds: FrontBounds, *, protocol: str = ""
    ) -> None:
        self._listener, self._trust, self._ends, self._bounds = listener, trust, ends, bounds
        self._protocol = protocol
        most = bounds.calls.message_bytes if bounds.calls is not None else 0
        self._unpacked = UnpackedBytes(_UNPACKED_PER_CALLER * most, _UNPACKED * most)
        self._turns = CallTurns()
        self._refusals = Refusals(bounds.refusals_per_second)
        self._incomplete = IncompleteCalls(bounds.incomplete_calls)
        self._untaken: UntakenCalls | None = None
        if bounds.calls is not None and bounds.calls.in_order:
            self._untaken = UntakenCalls(
                _UNTAKEN, lambda s, work: asyncio.get_running_loop().call_later(s, work)
            )
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"tls-{listener}")
        self._stand_ins = StandIns()
        self._addresses: Counter[str] = Counter()
        self._shaking: Counter[str] = Counter()
        self._shaking_now = 0
        self._clients: dict[Client, Serial | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._budget = LogBudget(_LINES_PER_SECOND)
        self._frames = ResetBudget(bounds.resets_per_second)
        self._listening: socket.socket | None = None
        self._nobody = asyncio.Event()
        self._nobody.set()
        self.handshakes: Counter[str] = Counter()
        """How handshakes ended: `ok`, or why they failed."""

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return len(self._clients)

    async def start(self, listening: socket.socket, engine: tuple[str, int]) -> None:
        """Takes connections from `listening`, for an engine at an address of loopback."""
        self._engine_address = engine
        listening.listen(_BACKLOG)
        self._listening = listening
        self._listen()

    async def stop_listening(self) -> None:
        """Takes no new connections."""
        listening, self._listening = self._listening, None
        if listening is not None:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()

    def _listen(self) -> None:
        if self._listening is not None:
            asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        """Takes the connections that have come, as many as the turn bears: the others wait in the system."""
        while (listening := self._listening) is not None:
            try:
                made, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                _LOG.warning("connections_wait", listener=self._listener, error=str(error))
                asyncio.get_running_loop().remove_reader(listening)
                asyncio.get_running_loop().call_later(_ACCEPT_AGAIN_SECONDS, self._listen)
                return
            self._turns.use(_CONNECTION_UNITS)
            self._spawn(self._take(made))
            if not self._turns.free:
                asyncio.get_running_loop().remove_reader(listening)
                self._turns.wait(_NEW, self._accept_on)
                return

    def _accept_on(self) -> None:
        self._listen()
        self._accept()

    async def _take(self, made: socket.socket) -> None:
        """From the moment that a client has connected until its bytes go to the engine."""
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            _, client = await asyncio.get_running_loop().connect_accepted_socket(self._client, made)
        except OSError:  # it has left already
            made.close()
            return
        if client not in self._clients or not self._welcome(client):
            return
        try:
            if self._trust is None:
                await self._meet(client)
            else:
                await self._serve(client, client.address, self._trust)
        except asyncio.CancelledError:
            client.abort()
            raise

    def _client(self) -> Client:
        return Client(self._begun, self._ended, self._abused, self._turns, clear=self._trust is None)

    async def let_go(self, seconds: float) -> None:
        """Asks all clients to go on elsewhere, and serves them until they have, or so many seconds are over."""
        for client in tuple(self._clients):
            client.let_go()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._nobody.wait()

    async def stop(self) -> None:
        """Closes every connection. The engine has closed its ends: what it has sent last is still to be handed on."""
        await self.stop_listening()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await self._nobody.wait()
        for client in tuple(self._clients):
            client.abort()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def replace(self, trust: Trust) -> None:
        """From now on connections are taken on these terms. Those whose certificate was revoked are cut; and when the clients'
        authorities are others, all that have shown one: their clients come again."""
        if self._trust is None:
            raise AssertionError("a front without TLS has no terms")
        others = trust.authorities != self._trust.authorities
        self._trust = trust
        cut = [
            client
            for client, serial in self._clients.items()
            if serial is not None and (others or serial in trust.revoked)
        ]
        for client in cut:
            client.abort()
        if cut:
            _LOG.warning(
                "tls_connections_cut",
                listener=self._listener,
                connections=len(cut),
                why="the clients' authorities are others" if others else "their certificates were revoked",
            )

    def _begun(self, client: Client) -> None:
        name = client.transport.get_extra_info("peername")
        if not name:  # it has left already
            client.abort()
            return
        host, port = name[0].partition("%")[0], name[1]
        self._clients[client] = None
        self._nobody.clear()
        client.connection = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        client.address = address = address_key(host)
        self._addresses[address] += 1

    def _welcome(self, client: Client) -> bool:
        """Whether a client is let in; refuses it if not."""
        address, exempt = client.address, self._bounds.exempt(client.connection)
        if not exempt and self._addresses[address] > self._bounds.per_address:
            self._refuse(client, "too many connections")
            return False
        if not exempt and self._frames.barred(address):
            self._refuse(client, "reset too much")
            return False
        if self._trust is None:
            return True
        most = self._bounds.handshakes
        if self._shaking_now >= most or (not exempt and self._shaking[address] >= most // 4):
            self._refuse(client, "too many handshakes")
            return False
        self._shaking[address] += 1
        self._shaking_now += 1
        return True

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=f"a connection to {self._listener}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _ended(self, client: Client) -> None:
        if client not in self._clients:
            return
        del self._clients[client]
        if not self._clients:
            self._nobody.set()
        self._addresses[client.address] -= 1
        if not self._addresses[client.address]:
            del self._addresses[client.address]

    async def _meet(self, client: Client) -> None:
        """Goes on with a client in the clear once it has said that it speaks HTTP/2: until then the engine need not know of it."""
        try:
            async with asyncio.timeout(self._bounds.handshake_seconds):
                if not await client.says(PREFACE):
                    if not self._bounds.exempt(client.connection):
                        self._frames.spend(client.address, _JUNK_COST)
                    self._abused(client, Abuse("another protocol"))
                    client.abort()
                    return
        except Left:
            return
        except TimeoutError:
            self._refuse(client, "too slow")
            return
        await self._join(client, client.address, b"")

    async def _serve(self, client: Client, address: str, trust: Trust) -> None:
        """From the first byte of a client of TLS until its bytes go to the engine."""
        try:
            async with asyncio.timeout(self._bounds.handshake_seconds):
                tls = await client.handshake(trust.context, self._threads)
        except Left:
            self.handshakes["left"] += 1
            return
        except NotTls:
            await tell(client, http=not self._protocol)
            self._refuse(client, "no TLS", gently=True)
            return
        except TimeoutError:
            self._refuse(client, "too slow")
            return
        except ssl.SSLError as error:
            self._refuse(client, reason_of(error), gently=True)
            return
        finally:
            self._shaking_now -= 1
            self._shaking[address] -= 1
            if not self._shaking[address]:
                del self._shaking[address]
        if self._protocol and tls.selected_alpn_protocol() != self._protocol:
            self._refuse(client, "another protocol", gently=True)
            return
        certificate = tls.getpeercert(binary_form=True) or b""
        self._clients[client] = serial_of(certificate) if certificate else None
        if certificate and trust is not self._trust:  # it may be revoked now
            self._refuse(client, "terms have changed", gently=True)
            return
        self.handshakes["ok"] += 1
        await self._join(client, address, certificate, http2=tls.selected_alpn_protocol() == "h2")

    def _inspection(self, client: Client, named: str, *, http2: bool) -> Inspection:
        """What looks at the bytes of a connection, which the engine knows as `named`."""
        exempt = self._bounds.exempt(client.connection)

        def spend(cost: float) -> bool:
            return exempt or self._frames.spend(client.address, cost)

        caller = client.connection if exempt else client.address
        if self._bounds.calls is not None:
            field = (self._ends.field, named)
            return CallInspection(
                self._bounds.calls, self._unpacked, self._incomplete, caller, spend, field, self._untaken
            )
        return RequestInspection(self._incomplete, caller, spend) if http2 and not exempt else NONE

    def _abused(self, client: Client, abuse: Abuse) -> None:
        """Tells why a connection is cut."""
        if (left_out := self._budget.take(abuse.why)) is not None:
            _LOG.warning(
                "connections_cut",
                why=abuse.why,
                peer=client.connection,
                **({"setting": abuse.setting} if abuse.setting else {}),
                **({"left_out_before": left_out} if left_out else {}),
            )

    async def _join(self, client: Client, address: str, certificate: bytes, *, http2: bool = True) -> None:
        named, exempt = "", self._bounds.exempt(client.connection)
        if not exempt and (pause := self._refusals.pause(address)):
            await asyncio.sleep(pause)

        def refused() -> None:
            if not exempt and (pause := self._refusals.note(address)):
                client.slow(pause)

        def closing() -> None:
            self._ends.remove(named)

        try:
            _, engine = await asyncio.get_running_loop().create_connection(
                lambda: Engine(client, closing), sock=await self._connected(address)
            )
        except OSError as error:
            _LOG.warning("engine_away", listener=self._listener, error=str(error))
            client.close()
            return
        host, port = engine.transport.get_extra_info("sockname")[:2]
        named = f"{host}:{port}"
        untaken, caller = self._untaken, client.connection if exempt else address
        taken = partial(untaken.take, caller) if untaken is not None else None
        self._ends.add(named, Fronted(client.connection, certificate, refused, taken=taken))
        client.inspection = self._inspection(client, named, http2=http2)
        client.join(engine)

    async def _connected(self, address: str) -> socket.socket:
        """A connection to the engine from the address that stands for a client's."""
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ENGINE_BUFFER)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(OSError):  # elsewhere than on Linux there is 127.0.0.1 only
                made.bind((self._stand_ins.of(address), 0))
            await asyncio.get_running_loop().sock_connect(made, self._engine_address)
        except BaseException:
            made.close()
            raise
        return made

    def _refuse(self, client: Client, why: str, *, gently: bool = False) -> None:
        """Closes a connection; `gently`: so that what was sent (an alert) arrives. Why is one of a few words."""
        self.handshakes[why] += 1
        if gently:
            client.refuse()
        else:
            client.abort()
        if (left_out := self._budget.take(why)) is not None:
            _LOG.info(
                "tls_refused",
                listener=self._listener,
                peer=client.connection,
                why=why,
                **({"left_out_before": left_out} if left_out else {}),
            )
