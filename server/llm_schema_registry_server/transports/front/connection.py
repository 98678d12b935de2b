"""One connection: TLS with the client on one side, or none, the same bytes in the clear with the engine on the other.

Handshakes are computed in threads, since each takes up to some milliseconds; what comes after, on the loop.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress

from .inspection import NONE, Abuse, Inspection

HANDSHAKE_RECORD = 22
"""The first byte of every connection that speaks TLS (RFC 8446 5.1)."""

_READ_BYTES = 256 * 1024
_HANDSHAKE_BYTES = 256 * 1024
"""Far more than a client sends in a handshake; certificates are most of it."""
_GOODBYE_SECONDS = 5.0
"""How long a client may take to read what was left for it when the engine has closed."""
_REFUSAL_SECONDS = 1.0
"""The same for a client that was refused."""


_ENGINE_SECONDS = 5.0
"""How long an engine may take to close when its client has left."""
_KNOWN_SECONDS = 0.5
"""How long it is known after that whose the connection was."""


class NotTls(Exception):
    """The client does not speak TLS."""


class Left(Exception):
    """The client has closed the connection."""


class Client(asyncio.Protocol):
    """The client's side: `handshake` unless it speaks in the `clear`, and then `join` with the engine's side. `abused` is told why a
    connection is cut."""

    def __init__(
        self,
        begun: Callable[[Client], None],
        ended: Callable[[Client], None],
        abused: Callable[[Client, Abuse], None],
        *,
        clear: bool = False,
    ) -> None:
        self._begun, self._ended, self._abused = begun, ended, abused
        self._clear = clear
        self.address = ""
        """Of the client, `10.0.0.7`, or the network of it that counts as one caller; set by the front."""
        self.connection = ""
        """Its end of the connection: `10.0.0.7:4711`; set by the front."""
        self.inspection: Inspection = NONE
        """What looks at the bytes. Set by the front, before `join`."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._engine: Engine | None = None
        self._first = -1
        self._arrived = 0
        self._refused = False
        self._stepping = False
        self._held_back: list[bytes] = []
        self._waiting: asyncio.Future[None] | None = None
        self._lost = False
        self._engine_is_slow = False
        self._inspecting = False
        self._cutting: asyncio.TimerHandle | None = None
        self._slowed: asyncio.TimerHandle | None = None

    # What asyncio tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # uvloop's is no subclass
        self.transport.pause_reading()
        self._begun(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of TLS, or in the clear."""
        if self._refused:
            return
        if self._clear:
            if self._engine is None:  # one piece may come although reading is paused
                self._held_back.append(data)
            else:
                self._hand_on(data)
            return
        if self._stepping:
            self._held_back.append(data)
        else:
            self._incoming.write(data)
        if self._engine is not None:
            self._deliver()
            return
        self._arrived += len(data)
        if self._first < 0:
            self._first = data[0]
        self._wake()

    def eof_received(self) -> bool:
        """The client sends no more; it is closed, since HTTP and gRPC have no use for half a connection."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._lost = True
        for timer in (self._cutting, self._slowed):
            if timer is not None:
                timer.cancel()
        self._wake()
        self._ended(self)
        self.inspection.close()
        if self._engine is not None:
            self._engine.close()

    def pause_writing(self) -> None:
        """The client reads too slowly: the engine is not read either."""
        if self._engine is not None:
            self._engine.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        if self._engine is not None:
            self._engine.resume_reading()

    # What the front asks for.

    async def handshake(self, context: ssl.SSLContext, threads: Executor) -> ssl.SSLObject:
        """Raises NotTls, Left, and ssl.SSLError."""
        loop = asyncio.get_running_loop()
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        await self.more()
        if self._first != HANDSHAKE_RECORD:
            raise NotTls
        while True:
            # The buffers belong to the thread meanwhile.
            self._stepping = True
            step = loop.run_in_executor(threads, _step, tls)
            try:
                done = await asyncio.shield(step)
            except asyncio.CancelledError:
                self.abort()
                raise
            finally:
                if step.done():
                    self._stepping = False
                    self._incoming.write(b"".join(self._held_back))
                    self._held_back.clear()
                    self._flush()
            if self._lost:
                raise Left
            if done:
                self._tls = tls
                return tls
            if self._arrived > _HANDSHAKE_BYTES:
                raise ssl.SSLError("the handshake is too long")
            await self.more()

    def join(self, engine: Engine) -> None:
        """From now on everything goes to the engine, and what it sends to the client."""
        self._engine = engine
        held, self._held_back = b"".join(self._held_back), []
        if held and not self._hand_on(held):
            return
        self._deliver()
        if self._lost:
            self.inspection.close()  # the one before was told of it
            engine.close()
        else:
            self._read_on()

    def send(self, data: bytes) -> None:
        """Bytes of the engine."""
        self._send(self.inspection.outgoing(data))

    def _send(self, data: bytes) -> None:
        if self._lost or self._closing or not data:
            return
        if self._clear:
            self.transport.write(data)
            return
        if self._tls is None:
            return
        try:
            self._tls.write(data)
        except ssl.SSLError:
            self.abort()
            return
        self._flush()

    def let_go(self) -> None:
        """Asks the client to go on elsewhere."""
        self.inspection.leaving()
        self._send(self.inspection.answers())

    async def more(self) -> None:
        """Waits until something has arrived that nobody has seen. Raises Left."""
        if self._lost:
            raise Left
        if self._incoming.pending:
            return
        self._waiting = asyncio.get_running_loop().create_future()
        self.transport.resume_reading()
        await self._waiting
        if self._lost:
            raise Left
        self.transport.pause_reading()

    def take(self) -> bytes:
        """What a client has sent that speaks no TLS."""
        return self._incoming.read()

    def write(self, data: bytes) -> None:
        """In the clear, to a client that speaks no TLS."""
        if not self._lost:
            self.transport.write(data)

    def close(self) -> None:
        """Says goodbye and closes once everything is sent."""
        if self._lost or self._closing:
            return
        if self._tls is not None:
            with suppress(ssl.SSLError):  # the client's own goodbye has not come yet, and is not waited for
                self._tls.unwrap()
            self._flush()
        self._cutting = asyncio.get_running_loop().call_later(_GOODBYE_SECONDS, self.abort)
        self.transport.close()

    def refuse(self) -> None:
        """Closes so that the client reads why: what it still sends is read and dropped, since a connection that is closed unread is
        reset, and takes what was sent along (RFC 9112 9.6)."""
        if self._lost or self._closing:
            return
        self._refused = True
        self._cutting = asyncio.get_running_loop().call_later(_REFUSAL_SECONDS, self.abort)
        self.transport.write_eof()
        self.transport.resume_reading()

    def abort(self) -> None:
        """Closes at once."""
        if not self._lost:
            self.transport.abort()

    def pause_reading(self) -> None:
        """The engine is slower than the client."""
        self._engine_is_slow = True
        if not self._lost and not self._closing:
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """It has caught up."""
        self._engine_is_slow = False
        self._read_on()

    def slow(self, seconds: float) -> None:
        """Reads nothing for so long, unless it is slowed already."""
        if self._slowed is None and not self._lost and not self._closing:
            self._slowed = asyncio.get_running_loop().call_later(seconds, self._no_longer_slowed)
            self.transport.pause_reading()

    def _no_longer_slowed(self) -> None:
        self._slowed = None
        self._read_on()

    def _read_on(self) -> None:
        if not (
            self._lost
            or self._closing
            or self._engine_is_slow
            or self._inspecting
            or self._slowed is not None
        ):
            self.transport.resume_reading()

    @property
    def _closing(self) -> bool:
        return self.transport.is_closing()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _deliver(self) -> None:
        """Hands what has arrived in TLS to the engine."""
        if self._tls is None or self._engine is None:
            return
        try:
            while not self._inspecting and (data := self._tls.read(_READ_BYTES)):
                if not self._hand_on(data):
                    return
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:  # also the client's goodbye
            self._flush()
            self.close()
            return
        else:  # the client's goodbye
            if not self._inspecting:
                self.close()
            return
        self._flush()

    def _hand_on(self, data: bytes) -> bool:
        """Hands on to the engine what may go there; False when the connection is cut."""
        if self._engine is None:
            raise AssertionError("nothing is read before there is an engine")
        try:
            allowed = self.inspection.incoming(data)
        except Abuse as abuse:
            self._abused(self, abuse)
            self.abort()
            return False
        if allowed:
            self._engine.send(allowed)
        self._send(self.inspection.answers())
        if self.inspection.unfinished and not self._lost:
            self._inspecting = True
            self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._inspect_on)
        return True

    def _inspect_on(self) -> None:
        """Goes on where `_hand_on` has left off to let others have their turn."""
        self._inspecting = False
        if self._lost or self._closing or not self._hand_on(b"") or self._inspecting:
            return
        self._deliver()
        self._read_on()

    def _flush(self) -> None:
        if self._outgoing.pending and not self._lost:
            self.transport.write(self._outgoing.read())


class Engine(asyncio.Protocol):
    """The engine's side, on loopback. `closing` is called before the connection to the engine is closed."""

    def __init__(self, client: Client, closing: Callable[[], None]) -> None:
        self._client = client
        self._before_closing = closing
        self._lost = False
        self._cutting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The engine has taken the connection."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Bytes for the client."""
        self._client.send(data)

    def eof_received(self) -> bool:
        """The engine has closed. Our end stays open for a moment, so that its port is nobody else's while the engine may still ask
        whose the last call is."""
        self._cut_in(_KNOWN_SECONDS)
        self._client.close()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._lost = True
        if self._cutting is not None:
            self._cutting.cancel()
        self._before_closing()
        self._client.close()

    def pause_writing(self) -> None:
        """The engine reads too slowly: the client is not read either."""
        self._client.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self._client.resume_reading()

    def send(self, data: bytes) -> None:
        """Bytes of the client."""
        if not self._lost and not self.transport.is_closing():
            self.transport.write(data)

    def close(self) -> None:
        """Tells the engine that the client has left, and waits until it has closed: what the client has sent last is still known to be
        its own."""
        if self._lost or self.transport.is_closing() or self._cutting is not None:
            return
        self._cut_in(_ENGINE_SECONDS)
        self.transport.write_eof()
        self.transport.resume_reading()

    def _cut_in(self, seconds: float) -> None:
        if self._cutting is not None:
            self._cutting.cancel()
        self._cutting = asyncio.get_running_loop().call_later(seconds, self._cut)

    def _cut(self) -> None:
        if not self._lost and not self.transport.is_closing():
            self._before_closing()
            self.transport.abort()

    def pause_reading(self) -> None:
        """The client is slower than the engine."""
        if not self._lost and not self.transport.is_closing() and self._cutting is None:
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """It has caught up."""
        if not self._lost and not self.transport.is_closing():
            self.transport.resume_reading()


def _step(tls: ssl.SSLObject) -> bool:
    """Goes as far as it can; whether the handshake is done. Raises ssl.SSLError."""
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
