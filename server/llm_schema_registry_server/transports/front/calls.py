"""Stands between clients and an engine of gRPC, and lets through what the engine can bear.

Of what a client sends it reads the heads of frames and the prefixes of messages; header blocks stay as they are (HPACK needs a state that
only their readers have), but for one field that is added to the end of each. A message that is too large, packed or unpacked, is answered
here: the engine hears that the call was reset, and nothing of the message. docs/decisions/0037-a-front-for-every-engine.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .frames import (
    ANSWERED_COST,
    COSTS,
    EMPTY_DATA_COST,
    UPDATE_COST,
    UPDATES_AT_ONCE,
    UPDATES_PER_DATA,
)
from .http2 import (
    CANCEL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEAD,
    HEAD_BYTES,
    HEADERS,
    LEAST_FRAME_BYTES,
    NO_ERROR,
    PADDED,
    PREFACE,
    REFUSED_STREAM,
    RST_STREAM,
    STREAM_BITS,
    WINDOW_UPDATE,
    fields,
    frame,
    number,
)
from .incomplete import INCOMPLETE_COST, Incomplete, IncompleteCalls
from .inspection import (
    FRAMES_AT_ONCE,
    FRAMES_PER_UNIT,
    UNITS_AT_ONCE,
    UNPACKED_PER_UNIT,
    Abuse,
    Inspection,
    worthless_frames,
)
from .messages import MOST_AT_ONCE, PREFIX_BYTES, Messages, TooLarge, UnpackedBytes
from .untaken import UntakenCalls

_BYTES_PER_COST = 1 << 20
"""What may come out of compressed messages at the cost of one call that is reset."""
_REFUSAL_COST = 1.0
"""Of a message that is answered here: an answer is larger than what it takes to ask for it, and may be left unread."""
_BOMB_COST = 50.0
"""Of a message that becomes too large once it is unpacked: nobody sends one by mistake again and again."""
_REFUSED = number(REFUSED_STREAM)
_REFUSED_COST = 1.0
"""Of a call that the engine refuses, since more are open on the connection than the client was told that it may have."""
_LEFT_COST = 0.25
"""Of a call that is not answered yet when its connection ends: an engine has begun it. Programs that end leave some."""
_COST_AT_ONCE = 16.0
"""What may be spent before it is asked whether there is room for it."""
_BLOCK_BYTES = 32 * 1024
"""Of the headers of a call, as they are sent. The engines allow 16 KiB, and grpcio makes an object of each field before it says so."""
_MOST_WINDOW = 0x7FFF_FFFF

_PASS, _CHECK, _DROP, _BLANK = range(4)
"""What happens to the payload of a frame: it goes on; it goes on and is looked at; it does not; zeros go on instead of it."""

Fields = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class CallBounds:
    """message_bytes: of a message, packed and unpacked. streams: that a client may have messages on at a time.
    too_large, crowded: fields of the answer to a call whose message is too large (of `size` bytes; None: when it is unpacked), or for
    which there is no room since so many compressed messages are there."""

    message_bytes: int
    streams: int
    too_large: Callable[[int | None], Fields]
    crowded: Callable[[], Fields]
    in_order: bool = False
    """Whether the engine takes up calls in the order in which they come, whoever they are from (see UntakenCalls)."""


class CallInspection(Inspection):
    """Of one connection of `caller`. `spend` notes what a caller does that is not needed, in calls that it resets, and whether there was
    room for it. `field`: name and value that are added to the headers of every call. `untaken`: see UntakenCalls, where there is need of it."""

    def __init__(
        self,
        bounds: CallBounds,
        unpacked: UnpackedBytes,
        incomplete: IncompleteCalls,
        caller: str,
        spend: Callable[[float], bool],
        field: tuple[str, str],
        untaken: UntakenCalls | None = None,
    ) -> None:
        self._untaken = untaken
        self._bounds, self._unpacked, self._caller, self._spend = bounds, unpacked, caller, spend
        self._incomplete = Incomplete(incomplete, caller)
        self._block = 0  # bytes of the block of headers that has come last
        self._newest = 0  # stream that the client has begun
        self._field = fields((field,))
        self.unfinished = False
        # Of what the client sends.
        self._begun = False
        self._rest = b""
        self._left = 0  # bytes of the payload that we are in
        self._mode = _PASS
        self._after = b""  # goes to the engine once the payload is over
        self._stream = 0
        self._flags = 0
        self._padding = -1  # of the payload that we are in; -1: not known yet
        self._messages: dict[int, Messages] = {}
        self._refused: set[int] = set()
        self._held: dict[int, int] = {}
        self._updates = UPDATES_AT_ONCE
        # Of what the engine sends.
        self._out_begun = False
        self._out_rest = b""
        self._out_left = 0
        self._out_block = False  # in a header block, where no other frame may stand
        self._headed: set[int] = set()
        self._unanswered: set[int] = set()
        self._due = b""
        self._debt = 0.0  # for what the engine has ended since the client was last heard

    def incoming(self, data: bytes) -> bytes:
        """What goes to the engine. Raises Abuse."""
        self.unfinished, self.held, untaken = False, False, self._untaken
        if self._rest:
            data, self._rest = self._rest + data, b""
        at = 0
        if not self._begun:
            if data[: len(PREFACE)] != PREFACE[: len(data)]:
                raise Abuse("another protocol")
            if len(data) < len(PREFACE):
                self._rest = data
                return b""
            self._begun, at = True, len(PREFACE)
        out: list[bytes] = []
        mark, size, cost, self._debt = 0, len(data), self._debt, 0.0
        most, field = self._bounds.message_bytes + PREFIX_BYTES, self._field
        incomplete, frames, most_units = self._incomplete.streams, 0, self.units + UNITS_AT_ONCE
        while at < size:
            if cost > _COST_AT_ONCE:
                self._pay(cost)
                cost = 0.0
            if self._left:
                if self._mode == _CHECK:  # a frame may have thousands of empty messages
                    if self.units > most_units:
                        self.unfinished = True
                        break
                    self.units += 1 / FRAMES_PER_UNIT
                at, mark = self._payload(data, at, mark, out, -1)
                continue
            if at + HEAD_BYTES > size:
                break
            if frames == FRAMES_AT_ONCE:
                self.unfinished = True
                break
            frames += 1
            high, low, kind, flags, stream = HEAD.unpack_from(data, at)
            if untaken is not None and kind == HEADERS and not untaken.room(self._caller):
                self.unfinished = self.held = True
                break
            length = high << 8 | low
            end = at + HEAD_BYTES + length
            if kind == DATA:
                stream &= STREAM_BITS
                if (
                    PREFIX_BYTES <= length <= most
                    and end <= size
                    and not flags & PADDED
                    and not data[at + 9]
                    and int.from_bytes(data[at + 10 : at + 14], "big") == length - PREFIX_BYTES
                    and stream not in self._messages
                    and stream not in self._refused
                ):  # one message, whole and in the clear: nearly always
                    if stream in incomplete:
                        self._incomplete.ends(stream)
                    at = end
                    continue
                if not length and not flags & END_STREAM:
                    cost += EMPTY_DATA_COST
                self._data(stream, flags, length)
                if not length:
                    if self._mode == _DROP:
                        out.append(data[mark:at])
                        mark = end
                    self._over()
                    at = end
                    continue
                if self._mode == _DROP:
                    out.append(data[mark:at])
                    at = mark = at + HEAD_BYTES
                    continue
                if at + HEAD_BYTES == size:  # its payload comes later
                    at = size
                    break
                at, mark = self._payload(data, at + HEAD_BYTES, mark, out, at)
                continue
            if kind in (HEADERS, CONTINUATION):
                self._block = length if kind == HEADERS else self._block + length
                if self._block > _BLOCK_BYTES:
                    raise Abuse(f"a block of headers is longer than {_BLOCK_BYTES} bytes")
                if flags & END_HEADERS:
                    if end <= size and not flags & PADDED and length + len(field) <= LEAST_FRAME_BYTES:
                        out += (
                            data[mark:at],
                            (length + len(field)).to_bytes(3, "big"),
                            data[at + 3 : end],
                            field,
                        )
                        mark = end
                    else:  # in a frame of its own
                        out += (
                            data[mark : at + 4],
                            bytes((flags & ~END_HEADERS,)),
                            data[at + 5 : at + HEAD_BYTES],
                        )
                        mark = at + HEAD_BYTES
                        self._after = frame(CONTINUATION, END_HEADERS, stream & STREAM_BITS, field)
                if kind == CONTINUATION:
                    cost += COSTS[CONTINUATION]
                elif (stream := stream & STREAM_BITS) > self._newest:
                    self._newest = stream
                    if untaken is not None:
                        untaken.give(self._caller)
                    if flags & END_STREAM:
                        cost += INCOMPLETE_COST
                    else:
                        self._incomplete.begins(stream)
                        self._unanswered.add(stream)
            elif kind == WINDOW_UPDATE:
                if self._updates > 0:
                    self._updates -= 1
                else:
                    cost += UPDATE_COST
            elif kind == RST_STREAM:
                cost += self._gone(stream & STREAM_BITS)
            elif (price := COSTS.get(kind)) is not None:
                cost += price
            at += HEAD_BYTES
            self._mode, self._left = _PASS, length
            if not length:
                if self._after:
                    out.append(data[mark:at])
                    mark = at
                    out.append(self._after)
                    self._after = b""
            elif end <= size and not self._after:
                at, self._left = end, 0
        self._pay(cost)
        self.units += frames / FRAMES_PER_UNIT
        self._rest = data[at:]
        last = data[mark:at]
        return b"".join((*out, last)) if out else last

    def outgoing(self, data: bytes) -> bytes:
        """The same bytes, and between two frames what the front has to say."""
        if self._out_rest:
            data, self._out_rest = self._out_rest + data, b""
        size, at, boundary, frames = len(data), self._out_left, -1, 0
        while at <= size:
            frames += 1
            if not self._out_block:
                boundary = at
            if at + HEAD_BYTES > size:
                break
            high, low, kind, flags, stream = HEAD.unpack_from(data, at)
            if kind in (HEADERS, RST_STREAM) or (kind == DATA and flags & END_STREAM):
                stream &= STREAM_BITS
                self._unanswered.discard(stream)
                if kind == HEADERS:
                    self._out_block = not flags & END_HEADERS
                if kind != RST_STREAM and not flags & END_STREAM:
                    self._headed.add(stream)
                else:
                    self._headed.discard(stream)
                    if self._held:
                        self._release(stream)
                    if stream in self._incomplete.streams:
                        self._incomplete.ends(stream)
                        self._debt += INCOMPLETE_COST
                    elif kind == RST_STREAM and data[at + HEAD_BYTES : at + HEAD_BYTES + 4] == _REFUSED:
                        self._debt += _REFUSED_COST
            elif kind == CONTINUATION:
                self._out_block = not flags & END_HEADERS
            if kind == DATA:
                self._updates = min(self._updates + UPDATES_PER_DATA, UPDATES_AT_ONCE)
            at += HEAD_BYTES + (high << 8 | low)
        self.units += frames / FRAMES_PER_UNIT
        if at <= size:
            data, self._out_rest, self._out_left = data[:at], data[at:], 0
        else:
            self._out_left = at - size
        # The first frame of a server is its SETTINGS (RFC 9113 3.4).
        if self._due and boundary >= (0 if self._out_begun else 1):
            due, self._due = self._due, b""
            data = data[:boundary] + due + data[boundary:]
        self._out_begun = self._out_begun or bool(data)
        return data

    def when_room(self, go_on: Callable[[], None]) -> None:
        """See Inspection."""
        if self._untaken is not None:
            self._untaken.wait(self._caller, go_on)

    def answers(self) -> bytes:
        """What is to be said, if it may be said here."""
        if not self._due or self._out_left or self._out_rest or self._out_block or not self._out_begun:
            return b""
        due, self._due = self._due, b""
        return due

    def leaving(self) -> None:
        """The client should begin its next calls on another connection; those that it has begun are answered (RFC 9113 6.8)."""
        self._due += frame(GOAWAY, 0, 0, number(STREAM_BITS) + number(NO_ERROR))

    def close(self) -> None:
        """The connection is gone, and what its messages took. Calls whose message never came count as if they were reset, and others that
        were not answered yet for a part of that."""
        for stream in tuple(self._held):
            self._release(stream)
        left = len(self._unanswered - self._incomplete.streams)
        cost = self._debt + left * _LEFT_COST + self._incomplete.close() * INCOMPLETE_COST
        self._unanswered.clear()
        self._debt = 0.0
        if cost:
            self._spend(cost)

    def _pay(self, cost: float) -> None:
        if cost and not self._spend(cost):
            raise worthless_frames()

    def _data(self, stream: int, flags: int, length: int) -> None:
        """A frame of DATA begins."""
        self._stream, self._flags, self._left = stream, flags, length
        self._padding = -1 if flags & PADDED else 0
        if stream in self._refused:
            self._pay(EMPTY_DATA_COST)  # a client that knows of the refusal sends no more
            self._mode = _DROP
            self._credit(length)
            return
        self._mode = _CHECK
        if length and stream not in self._messages:
            if len(self._messages) >= self._bounds.streams:
                raise Abuse("messages on more streams than it may have", "grpc.streams_per_connection")
            self._messages[stream] = Messages(self._bounds.message_bytes)

    def _payload(self, data: bytes, at: int, mark: int, out: list[bytes], began: int) -> tuple[int, int]:
        """Goes on with the payload that we are in, of a frame whose head is at `began`, or was handed on earlier (-1). Where we are then,
        and from where on `data` has not been handed on."""
        here = min(self._left, len(data) - at)
        if self._mode == _DROP:
            mark = at + here
        elif self._mode == _BLANK:
            out += (data[mark:at], bytes(here))
            mark = at + here
        elif self._mode == _CHECK and self._padding < 0:  # its length stands before (RFC 9113 6.1)
            self._padding, here = data[at], 1
            if self._padding >= self._left:
                raise Abuse("more padding than payload")
        elif self._mode == _CHECK:
            here = min(here, self._left - self._padding, self._messages[self._stream].step)
            if not here:  # what is left is padding
                self._mode = _PASS
                return at, mark
            refusal = self._look(self._messages[self._stream], data[at : at + here])
            if refusal is not None:
                return at, self._refuse(refusal, data, at, mark, out, began)
        at += here
        self._left -= here
        if not self._left:
            if self._after:
                out += (data[mark:at], self._after)
                mark = at
            self._over()
        return at, mark

    def _look(self, messages: Messages, piece: bytes) -> Fields | None:
        """Looks at the next piece of a stream; the answer to its call when it is to be refused. Raises Abuse."""
        try:
            came = messages.feed(piece)
        except TooLarge as error:
            if error.size is None:
                self.units += MOST_AT_ONCE / UNPACKED_PER_UNIT
                self._pay(_BOMB_COST)
            return self._bounds.too_large(error.size)
        if messages.whole and self._stream in self._incomplete.streams:
            self._incomplete.ends(self._stream)
        if came:
            self.units += came / UNPACKED_PER_UNIT
            self._pay(came / _BYTES_PER_COST)
        more = messages.largest_unpacked - self._held.get(self._stream, 0)
        if more > 0:
            if not self._unpacked.take(self._caller, more):
                return self._bounds.crowded()
            self._held[self._stream] = messages.largest_unpacked
        return None

    def _over(self) -> None:
        """A frame has ended."""
        self._after = b""
        if self._mode != _PASS or self._padding:
            messages = self._messages.get(self._stream)
            if messages is not None and (self._flags & END_STREAM or messages.between):
                del self._messages[self._stream]
            if self._flags & END_STREAM:
                self._refused.discard(self._stream)
                if self._stream in self._incomplete.streams:
                    self._incomplete.ends(self._stream)
                    self._unanswered.discard(self._stream)
                    self._pay(INCOMPLETE_COST)
        self._mode, self._padding = _PASS, 0

    def _release(self, stream: int) -> None:
        if held := self._held.pop(stream, 0):
            self._unpacked.release(self._caller, held)

    def _gone(self, stream: int) -> float:
        """The client has reset a call. What that costs: less when its answer had begun, since so every client leaves a stream."""
        cost = ANSWERED_COST if stream in self._headed else COSTS[RST_STREAM]
        self._messages.pop(stream, None)
        self._refused.discard(stream)
        self._headed.discard(stream)
        self._unanswered.discard(stream)
        self._release(stream)
        if stream in self._incomplete.streams:
            self._incomplete.ends(stream)
        return cost

    def _refuse(self, answer: Fields, data: bytes, at: int, mark: int, out: list[bytes], began: int) -> int:
        """Answers the call whose payload we are in, and has the engine forget it. From where on `data` has not been handed on."""
        self._pay(_REFUSAL_COST)
        stream = self._stream
        reset = frame(RST_STREAM, 0, stream, number(CANCEL))
        if began >= 0:
            out += (data[mark:began], reset)
            mark = at
            self._mode = _DROP
            self._credit(self._left + at - began - HEAD_BYTES)
        else:
            self._mode, self._after = _BLANK, reset
        if len(self._refused) >= self._bounds.streams:
            raise Abuse("it sends messages that are too large", "grpc.max_message_bytes")
        self._messages.pop(stream, None)
        self._refused.add(stream)
        self._unanswered.discard(stream)
        self._release(stream)
        if stream in self._incomplete.streams:
            self._incomplete.ends(stream)
        headed = stream in self._headed
        self._headed.discard(stream)
        head = () if headed else ((":status", "200"), ("content-type", "application/grpc"))
        block = fields((*head, *answer))
        self._due += frame(HEADERS, END_STREAM | END_HEADERS, stream, block)
        self._due += frame(RST_STREAM, 0, stream, number(NO_ERROR))
        return mark

    def _credit(self, size: int) -> None:
        """What the engine never sees does not count against what the client may send on the connection (RFC 9113 5.2)."""
        if size:
            self._due += frame(WINDOW_UPDATE, 0, 0, number(min(size, _MOST_WINDOW)))
