"""One connection: TLS with the client on one side, or none, the same bytes in the clear with the engine on the other.

Handshakes are computed in threads, since each takes up to some milliseconds; what comes after, on the loop.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import TYPE_CHECKING

from ...queues.turns import CallTurns, WaitingCall
from .inspection import NONE, Abuse, Inspection

if TYPE_CHECKING:
    from .behind import Engine

HANDSHAKE_RECORD = 22
"""The first byte of every connection that speaks TLS (RFC 8446 5.1)."""

_READ_BYTES = 256 * 1024
_HANDSHAKE_BYTES = 256 * 1024
"""Far more than a client sends in a handshake; certificates are most of it."""
_GOODBYE_SECONDS = 5.0
"""How long a client may take to read what was left for it when the engine has closed."""
_REFUSAL_SECONDS = 1.0
"""The same for a client that was refused."""
_REFUSAL_BYTES = 256 * 1024
"""So much of what it still sends is read and dropped."""
_PIECE_UNITS, _BYTES_PER_UNIT = 0.25, 64 * 1024
"""What it takes to hand on a piece, and so many bytes of it, in units of a turn of the loop."""
_END_UNITS = 4
"""What it takes to end a connection."""


class NotTls(Exception):
    """The client does not speak TLS."""


class Left(Exception):
    """The client has closed the connection."""


class Client(asyncio.Protocol):
    """The client's side: `handshake` unless it speaks in the `clear`, and then `join` with the engine's side. `abused` is told why a
    connection is cut. What comes is handed on in `turns`, with what comes on all other connections, by address; until it is, nothing more is
    read: so what one turn of the loop takes is bounded, however many connections there are."""

    def __init__(
        self,
        begun: Callable[[Client], None],
        ended: Callable[[Client], None],
        abused: Callable[[Client, Abuse], None],
        turns: CallTurns,
        *,
        clear: bool = False,
    ) -> None:
        self._begun, self._ended, self._abused = begun, ended, abused
        self.turns, self._clear = turns, clear
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
        self._dropped = 0
        self._stepping = False
        self._held_back = deque[bytes]()
        self._waiting: asyncio.Future[None] | None = None
        self._lost = False
        self._engine_is_slow = False
        self._turn: WaitingCall | None = None
        self._held = False
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
            self._dropped += len(data)
            if self._dropped > _REFUSAL_BYTES:
                self.abort()
            return
        if self._clear or self._stepping:
            self._held_back.append(data)
        else:
            self._incoming.write(data)
        if self._engine is not None:
            self._come()
            return
        self.transport.pause_reading()  # at once: of a client that floods megabytes would come before the next turn of the loop
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
        if self._turn is not None:
            self._turn.leave()
            self._turn = None
        self._held_back.clear()
        self._wake()
        if self.turns.free:
            self._end()
        else:  # many connections may end together
            self.turns.wait(self.address, self._end)

    def _end(self) -> None:
        self.turns.use(_END_UNITS)
        self._ended(self)
        self._part()

    def _part(self) -> None:
        """Has nothing more to do with the engine, and refers to nothing that refers to it: only the collector would free both."""
        (inspection, self.inspection), (engine, self._engine) = (self.inspection, NONE), (self._engine, None)
        inspection.close()
        if engine is not None:
            engine.close()

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
        if self._lost:
            self._part()
        else:
            self._come()
            self._read_on()

    def send(self, data: bytes) -> None:
        """Bytes of the engine."""
        self._send(self.inspection.outgoing(data))
        self._use(len(data))

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
        await self._something()

    async def says(self, first: bytes) -> bool:
        """Whether what comes first in the clear is this. Raises Left."""
        while (said := b"".join(self._held_back)[: len(first)]) == first[: len(said)]:
            if len(said) == len(first):
                return True
            await self._something()
        return False

    async def _something(self) -> None:
        """Waits until something has arrived. Raises Left."""
        if not self._lost:
            self._waiting = asyncio.get_running_loop().create_future()
            self.transport.resume_reading()
            await self._waiting
        if self._lost:
            raise Left

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
        if not self._lost and not self._closing and self._engine is not None:
            self._come()
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
            or self._turn is not None
            or self._held
            or self._slowed is not None
        ):
            self.transport.resume_reading()

    @property
    def _closing(self) -> bool:
        return self.transport.is_closing()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _come(self) -> None:
        """Something has come that is to be handed on, now or when it is this connection's turn."""
        if self._turn is None and not self._held:
            if self.turns.free:
                self._hand_on_all()
            else:
                self._await_turn()

    def _await_turn(self) -> None:
        if not self._lost and not self._closing:
            self.transport.pause_reading()
            self._turn = self.turns.wait(self.address, self._have_turn)

    def _have_turn(self) -> None:
        self._turn = None
        if not self._lost and not self._closing:
            self._hand_on_all()
            self._read_on()

    def _hand_on_all(self) -> None:
        """Hands on what has come, piece by piece, as long as nobody else should have their turn."""
        while not self._engine_is_slow and (data := self._next()) is not None:
            if not self._hand_on(data):
                return
            if self.inspection.held:
                self._await_room()
                return
            if not self.turns.free and self._has_more:
                self._await_turn()
                return

    def _await_room(self) -> None:
        self._held = True
        if not self._lost and not self._closing:
            self.transport.pause_reading()
            self.inspection.when_room(self._have_room)

    def _have_room(self) -> None:
        self._held = False
        if not self._lost and not self._closing:
            self._come()
            self._read_on()

    @property
    def _has_more(self) -> bool:
        if self.inspection.unfinished or self._tls is None:
            return self.inspection.unfinished or bool(self._held_back)
        return self._incoming.pending + self._tls.pending() > 0

    def _next(self) -> bytes | None:
        """The next piece of what has come, None when there is nothing now. What was not looked at as a whole goes on with nothing."""
        if self.inspection.unfinished:
            return b""
        if self._tls is None:
            return self._held_back.popleft() if self._held_back else None
        try:
            if data := self._tls.read(_READ_BYTES):
                return data
        except ssl.SSLWantReadError:
            self._flush()
            return None
        except ssl.SSLError:  # also the client's goodbye
            self._flush()
        self.close()
        return None

    def _hand_on(self, data: bytes) -> bool:
        """Hands on to the engine what may go there; False when the connection is cut."""
        if self._engine is None:
            raise AssertionError("nothing is read before there is an engine")
        inspection = self.inspection
        try:
            allowed = inspection.incoming(data)
        except Abuse as abuse:
            self._abused(self, abuse)
            self.abort()
            return False
        finally:
            self._use(len(data))
        if allowed:
            self._engine.send(allowed)
        self._send(inspection.answers())
        return True

    def _use(self, size: int) -> None:
        """Counts what it took to look at so many bytes and to hand them on."""
        inspection = self.inspection
        self.turns.use(_PIECE_UNITS + size / _BYTES_PER_UNIT + inspection.units)
        inspection.units = 0.0

    def _flush(self) -> None:
        if self._outgoing.pending and not self._lost:
            self.transport.write(self._outgoing.read())


def _step(tls: ssl.SSLObject) -> bool:
    """Goes as far as it can; whether the handshake is done. Raises ssl.SSLError."""
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
