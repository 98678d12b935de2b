"""What comes on all connections of the front is handed on in turns of the event loop: the work of one turn is bounded, in units that are
counted here, and nobody's bytes wait behind those of somebody else."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, cast

import pytest
import uvloop

from llm_schema_registry_server.queues import turns as module
from llm_schema_registry_server.queues.turns import CallTurns
from llm_schema_registry_server.transports.front.behind import Engine
from llm_schema_registry_server.transports.front.calls import CallBounds, CallInspection
from llm_schema_registry_server.transports.front.connection import Client
from llm_schema_registry_server.transports.front.http2 import PREFACE
from llm_schema_registry_server.transports.front.incomplete import IncompleteCalls
from llm_schema_registry_server.transports.front.inspection import Inspection
from llm_schema_registry_server.transports.front.messages import UnpackedBytes
from llm_schema_registry_server.transports.front.requests import RequestInspection
from llm_schema_registry_server.transports.front.untaken import UntakenCalls

PING = b"\0\0\x08\x06\0\0\0\0\0" + bytes(8)
MANY = 200
MOST_UNITS = 256 + 140
"""Of a turn: its budget, and the dearest piece that may begin at its end."""


class Clock:
    """The turns learn nothing from the machine that this runs on."""

    def thread_time(self) -> float:
        return 0.0


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "time", Clock())


class Transport:
    """One end of a connection: what was written, and whether it is read."""

    def __init__(self) -> None:
        self.written = b""
        self.reading = True
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed

    def write_eof(self) -> None:
        self.closed = True

    def close(self) -> None:
        self.closed = True

    abort = close


class Counted(CallTurns):
    """Notes the units of each turn."""

    def __init__(self) -> None:
        super().__init__()
        self.of_turns = [0.0]

    def use(self, units: float) -> None:
        self.of_turns[-1] += units
        super().use(units)


class Ends:
    """A client and its engine."""

    def __init__(self, turns: CallTurns, address: str, inspection: Inspection) -> None:
        self.outer, self.inner = Transport(), Transport()
        self.client = Client(lambda _: None, lambda _: None, lambda *_: None, turns, clear=True)
        self.client.connection_made(cast(Any, self.outer))
        self.client.address, self.client.inspection = address, inspection
        self.engine = Engine(self.client, lambda: None)
        self.engine.connection_made(cast(Any, self.inner))
        self.client.join(self.engine)


def calls() -> CallInspection:
    bounds = CallBounds(1 << 20, 100, lambda _: (), lambda: ())
    return CallInspection(
        bounds, UnpackedBytes(1, 1), IncompleteCalls(100), "somebody", lambda _: True, ("x-a", "b")
    )


def requests() -> RequestInspection:
    return RequestInspection(IncompleteCalls(100), "somebody", lambda _: True)


async def turn(turns: Counted) -> None:
    """Lets the loop make one turn; what came of it is in `of_turns`."""
    turns.of_turns.append(0.0)
    await asyncio.sleep(0)


EMPTY_MESSAGES = b"\0\x40\0\0\0\0\0\0\1" + bytes(5 * 3276 + 4)
"""A frame of DATA that is as large as frames may be, with thousands of messages of nothing."""


@pytest.mark.parametrize("sent", [PING * 3_000, EMPTY_MESSAGES * 4], ids=["pings", "empty messages"])
@pytest.mark.parametrize("made", [calls, requests])
async def test_the_work_of_a_turn_is_bounded_however_many_connections_send_at_once(
    made: Any, sent: bytes
) -> None:
    turns = Counted()
    attackers = [Ends(turns, f"10.0.0.{n}", made()) for n in range(MANY)]
    for one in attackers:
        one.client.data_received(PREFACE + sent)
    for _ in range(10_000):
        if all(len(one.inner.written) >= len(PREFACE + sent) for one in attackers):
            break
        waiting = [one for one in attackers if len(one.inner.written) < len(PREFACE + sent)]
        assert not any(one.outer.reading for one in waiting), "who waits for a turn is not read"
        await turn(turns)

    assert [one.inner.written for one in attackers] == [PREFACE + sent] * MANY
    assert all(one.outer.reading for one in attackers)
    assert max(turns.of_turns) <= MOST_UNITS
    if sent.startswith(PING):
        assert len(turns.of_turns) > MANY * 3_000 / (MOST_UNITS * 32), (
            "the frames of all are counted together"
        )


async def test_what_the_engine_sends_is_handed_on_in_turns_too() -> None:
    turns = Counted()
    ends = [Ends(turns, f"10.0.0.{n}", calls()) for n in range(MANY)]
    for one in ends:
        one.engine.data_received(PING * 15_000)
        one.engine.eof_received()
    for _ in range(10_000):
        await turn(turns)
        if all(one.outer.closed for one in ends):
            break

    assert [one.outer.written for one in ends] == [PING * 15_000] * MANY, "also what came last"
    assert max(turns.of_turns) <= MOST_UNITS
    for one in ends:
        one.engine.connection_lost(None)


async def test_who_sent_little_does_not_wait_behind_who_sent_much() -> None:
    turns = Counted()
    greedy = [Ends(turns, f"10.0.0.{n}", calls()) for n in range(3)]
    for one in greedy:
        one.client.data_received(PREFACE + PING * 200_000)
    honest = Ends(turns, "10.0.1.1", calls())
    honest.client.data_received(PREFACE + PING)
    for _ in range(2):
        await turn(turns)

    assert honest.inner.written == PREFACE + PING
    assert all(len(one.inner.written) < len(PING) * 100_000 for one in greedy)


async def test_while_the_engine_is_slow_nothing_more_is_looked_at() -> None:
    turns = Counted()
    one = Ends(turns, "10.0.0.1", calls())
    one.engine.pause_writing()
    one.client.data_received(PREFACE + PING * 1000)
    for _ in range(5):
        await turn(turns)
    assert one.inner.written == b""
    assert not one.outer.reading

    one.engine.resume_writing()
    for _ in range(5):
        await turn(turns)
    assert one.inner.written == PREFACE + PING * 1000
    assert one.outer.reading


async def test_a_client_that_leaves_does_not_have_its_turn_any_more() -> None:
    turns = Counted()
    one = Ends(turns, "10.0.0.1", calls())
    one.client.data_received(PREFACE + PING * 200_000)
    seen = len(one.inner.written)
    one.client.connection_lost(None)
    for _ in range(100):
        await turn(turns)
    assert len(one.inner.written) == seen
    one.engine.connection_lost(None)


@pytest.mark.parametrize("first", ["client", "engine"])
async def test_a_connection_that_has_ended_leaves_no_circle(first: str) -> None:
    """Only the collector would free it, many at a time and in one piece."""
    turns = Counted()
    one = Ends(turns, "10.0.0.1", calls())
    one.client.data_received(PREFACE + PING)
    one.engine.data_received(PING)
    gone = [weakref.ref(one.client), weakref.ref(one.engine), weakref.ref(one.client.inspection)]
    ends: list[Any] = [one.client, one.engine] if first == "client" else [one.engine, one.client]
    gc.disable()
    try:
        for end in ends:
            end.connection_lost(None)
        del one, end, ends
        await turn(turns)
        assert [made() for made in gone] == [None, None, None]
    finally:
        gc.enable()


async def test_connections_that_end_together_are_ended_in_turns() -> None:
    turns = Counted()
    ends = [Ends(turns, "10.0.0.1", calls()) for _ in range(MANY * 5)]
    for one in ends:
        one.client.connection_lost(None)
    begun = sum(one.inner.closed for one in ends)
    assert 0 < begun < len(ends)
    for _ in range(1000):
        await turn(turns)
    assert all(one.inner.closed for one in ends)
    assert max(turns.of_turns) <= MOST_UNITS
    for one in ends:
        one.engine.connection_lost(None)


HEAD = b"\0\0\1\1\4\0\0"


def begun(count: int, first: int = 0) -> bytes:
    return b"".join(HEAD + (2 * n + 1).to_bytes(2, "big") + b"x" for n in range(first, first + count))


class InOrder:
    """An engine that takes up calls one after the other; `later` is what is to happen after some time."""

    def __init__(self, most: int) -> None:
        self.later = list[Callable[[], None]]()
        self.untaken = UntakenCalls(most, lambda _, work: self.later.append(work))
        self.turns = Counted()

    def client(self, caller: str) -> Ends:
        bounds = CallBounds(1 << 20, 100, lambda _: (), lambda: (), in_order=True)
        unpacked, incomplete = UnpackedBytes(1, 1), IncompleteCalls(10_000)
        inspection = CallInspection(
            bounds, unpacked, incomplete, caller, lambda _: True, ("x-a", "b"), self.untaken
        )
        return Ends(self.turns, caller, inspection)

    def heads(self, ends: Ends) -> int:
        return ends.inner.written.count(b"x-a")

    def time_passes(self) -> None:
        works, self.later = self.later, []
        for work in works:
            work()


async def test_an_engine_that_takes_up_calls_in_order_has_a_few_of_each_caller_before_it() -> None:
    engine = InOrder(most=16)
    greedy = [engine.client("10.0.0.1") for _ in range(3)]
    for one in greedy:
        one.client.data_received(PREFACE + begun(100))
    other = engine.client("10.0.0.2")
    other.client.data_received(PREFACE + begun(3))
    assert sum(map(engine.heads, greedy)) == 16
    assert not any(one.outer.reading for one in greedy)
    assert engine.heads(other) == 3, "others may begin theirs"
    assert other.outer.reading
    for _ in range(9):
        engine.untaken.take("10.0.0.1")
        await turn(engine.turns)
    assert sum(map(engine.heads, greedy)) == 17, "two callers have equal shares"
    for _ in range(3):
        engine.untaken.take("10.0.0.2")
    engine.untaken.take("10.0.0.1")
    for _ in range(5):
        await turn(engine.turns)
    assert sum(map(engine.heads, greedy)) == 17 + 9, "one has all of them"

    for count in range(27, 301):
        engine.untaken.take("10.0.0.1")
        for _ in range(3):
            await turn(engine.turns)
        assert sum(map(engine.heads, greedy)) == count, "one for one"
    assert all(one.outer.reading for one in greedy)
    assert [one.inner.written.count(b"x") for one in greedy] == [200] * 3


async def test_calls_that_an_engine_never_takes_up_hold_up_their_caller_for_a_moment_alone() -> None:
    """It refuses some by itself, and of a connection that is gone nobody tells whose they were."""
    engine = InOrder(most=16)
    one, two = engine.client("10.0.0.1"), engine.client("10.0.0.1")
    one.client.data_received(PREFACE + begun(40))
    two.client.data_received(PREFACE + begun(5))
    one.client.connection_lost(None)
    engine.time_passes()
    for _ in range(3):
        await turn(engine.turns)
    assert engine.heads(two) == 5

    for _ in range(20):
        engine.untaken.take("10.0.0.1")
    engine.time_passes()
    assert not engine.later
    assert engine.untaken.room("10.0.0.1")
    one.engine.connection_lost(None)


async def test_as_long_as_the_engine_takes_some_up_the_others_wait() -> None:
    engine = InOrder(most=4)
    one = engine.client("10.0.0.1")
    one.client.data_received(PREFACE + begun(40))
    for count in (5, 6):
        engine.untaken.take("10.0.0.1")
        engine.time_passes()
        await turn(engine.turns)
        assert engine.heads(one) == count
    engine.time_passes()
    assert engine.heads(one) == 10, "none was taken up: it has none"


class Counting(Client):
    """Counts what comes."""

    came = 0

    def data_received(self, data: bytes) -> None:
        self.came += len(data)
        super().data_received(data)


MIB = 1024 * 1024


def flooded(meet: Callable[[Client], Coroutine[Any, Any, object]]) -> int:
    """How many bytes of a client that sends as fast as it can are read while `meet` goes on. On uvloop, which reads megabytes in one
    turn of the loop unless it is told to stop."""

    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
    theirs.setblocking(False)
    with suppress(BlockingIOError):  # the system holds some megabytes
        while True:
            theirs.send(bytes(MIB))

    async def run() -> int:
        loop = asyncio.get_running_loop()
        _, client = await loop.connect_accepted_socket(
            lambda: Counting(lambda _: None, lambda _: None, lambda *_: None, CallTurns(), clear=True), ours
        )
        sending = asyncio.ensure_future(loop.sock_sendall(theirs, bytes(16 * MIB)))
        await meet(client)
        await asyncio.sleep(0.05)
        sending.cancel()
        await asyncio.wait({sending})
        client.abort()
        theirs.close()
        return client.came

    return uvloop.run(run())


def test_of_a_client_that_floods_little_is_read_before_there_is_an_engine() -> None:
    async def meet(client: Client) -> None:
        assert not await client.says(b"PRI * HTTP/2.0")

    assert flooded(meet) < MIB


def test_of_a_refused_client_that_goes_on_sending_little_is_read() -> None:
    async def meet(client: Client) -> None:
        client.refuse()
        await asyncio.sleep(0.05)

    assert flooded(meet) < MIB
