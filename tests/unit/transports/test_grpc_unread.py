"""What a client of the native engine does not read is bounded per connection, and costs nobody else anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping

import pytest
from grpc import aio

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry.v1 import schema_registry_pb2_grpc
from llm_schema_registry_server.calls.peer import NO_PROXIES
from llm_schema_registry_server.errors import LimitExceeded
from llm_schema_registry_server.settings import GrpcSettings
from llm_schema_registry_server.transports.grpc import unread
from llm_schema_registry_server.transports.grpc.listener import GrpcListener
from llm_schema_registry_server.transports.grpc.native import NativeEngine
from llm_schema_registry_server.transports.grpc.unread import UnreadAnswers
from tests.support.raw_http2 import RawHttp2

from .toy import GET_SCHEMA, ToyHealth, ToyRegistry, rpcs
from .toy import unread as never_full

LIMIT = 2 << 20
HALF = pb.GetSchemaRequest(schema_id="half a megabyte")


class Wire:
    """What TCP would say: bytes that the other end has taken."""

    def __init__(self) -> None:
        self.taken = {"p": 5000}
        self.looks = 0

    def look(self) -> Mapping[str, int]:
        self.looks += 1
        return dict(self.taken)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(unread, "_WAIT_SECONDS", 0.2)
    monkeypatch.setattr(unread, "_LOOK_SECONDS", 0.001)
    return


async def test_what_is_read_makes_room_and_what_is_not_is_refused() -> None:
    wire = Wire()
    answers = UnreadAnswers(100_000, wire.look, per_address=1_000_000_000)
    assert answers.give("p", 80_000)
    assert not answers.give("p", 80_000)
    assert answers.give("q", 80_000)

    waiting = asyncio.ensure_future(answers.room("p", 80_000))
    await asyncio.sleep(0)
    wire.taken["p"] += 80_000
    await waiting
    with pytest.raises(LimitExceeded, match=r"grpc\.unread_bytes"):
        await answers.room("p", 90_000)
    await answers.stop()


async def test_one_answer_is_always_sent_and_what_was_read_before_is_no_credit_for_ever() -> None:
    wire = Wire()
    wire.taken["p"] = 10**9
    answers = UnreadAnswers(100_000, wire.look, per_address=1_000_000_000)
    assert answers.give("p", 10_000_000)
    await answers.room("p", 90_000)  # the first look takes what was read before for the first answer
    with pytest.raises(LimitExceeded):
        await answers.room("p", 90_000)

    assert answers.of("p") <= 100_000
    await answers.stop()


async def test_connections_that_are_gone_are_forgotten() -> None:
    wire = Wire()
    answers = UnreadAnswers(1000, wire.look, per_address=1_000_000_000)
    for n in range(50):
        answers.give(f"gone {n}", 900)
    assert len(answers) == 50
    assert not answers.give("gone 0", 900)
    await asyncio.sleep(0.05)

    assert len(answers) == 0
    await answers.stop()


async def test_few_answers_are_never_looked_after() -> None:
    wire = Wire()
    answers = UnreadAnswers(100_000, wire.look, per_address=1_000_000_000)
    for n in range(100):
        assert answers.give(str(n), 20_000)
    await asyncio.sleep(0.02)

    assert wire.looks == 0


@pytest.fixture
async def served() -> AsyncIterator[GrpcListener]:
    settings = GrpcSettings(
        host="127.0.0.1", port=0, engine="native", max_message_bytes=1 << 20, unread_bytes=LIMIT
    )
    listener = GrpcListener(
        settings, rpcs(ToyRegistry()), ToyHealth(), unread=never_full(30), proxies=NO_PROXIES
    )
    await listener.start()
    yield listener
    await listener.drain(0)


async def test_a_client_that_never_reads_gets_no_more_than_the_limit_and_others_everything(
    served: GrpcListener,
) -> None:
    engine = served._engine
    assert isinstance(engine, NativeEngine)
    with RawHttp2(served.port) as hostile:
        for _ in range(40):
            hostile.call(GET_SCHEMA, HALF.SerializeToString())
        async with aio.insecure_channel(f"127.0.0.1:{served.port}") as channel:
            stub = schema_registry_pb2_grpc.SchemaRegistryStub(channel)
            for _ in range(20):  # 10 MB, all of them read
                answer = await stub.GetSchema(HALF)
                assert len(answer.schema.schema_content) == 500_000
        while engine._tasks:  # noqa: ASYNC110  # the tasks of another client
            await asyncio.sleep(0.01)

        assert LIMIT - 500_000 < engine._unread_answers.of(hostile.peer) <= LIMIT


async def test_connections_of_one_address_share_a_bound() -> None:
    wire = Wire()
    answers = UnreadAnswers(100_000, wire.look, per_address=150_000)
    assert answers.give("ipv4:10.0.0.7:1", 80_000)
    assert answers.give("ipv4:10.0.0.7:2", 60_000)
    assert not answers.give("ipv4:10.0.0.7:2", 30_000)
    assert answers.give("ipv4:10.0.0.7:3", 30_000)  # nothing of it is unread: it is not held up by the others
    assert not answers.give("ipv4:10.0.0.7:4", 140_000), "but all together have twice the bound"
    assert answers.give("ipv4:10.0.0.8:1", 80_000)
    wire.taken = {"ipv4:10.0.0.7:1": 80_000, "ipv4:10.0.0.7:2": 0, "ipv4:10.0.0.7:3": 0, "ipv4:10.0.0.8:1": 0}
    await answers.room("ipv4:10.0.0.7:2", 30_000)
    await answers.stop()


async def test_who_is_over_the_bound_of_an_address_learns_its_setting() -> None:
    answers = UnreadAnswers(100_000, Wire().look, per_address=100_000)
    for n in range(4):
        answers.give(f"ipv4:10.0.0.7:{n}", 40_000)
    with pytest.raises(LimitExceeded, match=r"limits\.unread_bytes_per_caller"):
        await answers.room("ipv4:10.0.0.7:0", 120_000)
    await answers.stop()


async def test_all_share_a_bound_in_which_an_answer_counts_with_its_copies() -> None:
    wire = Wire()
    answers = UnreadAnswers(400_000, wire.look, per_address=400_000, total=600_000, copies=4)
    peers = [f"ipv4:10.0.0.{n}:1" for n in range(4)]
    assert [answers.give(peer, 40_000) for peer in peers[:3]] == [True] * 3
    assert answers.of(peers[0]) == 160_000
    assert answers.give(peers[3], 40_000), "an address with nothing unread is not held up"
    assert not answers.give("ipv4:10.0.0.0:2", 1000), "another connection of one that has is"
    assert not answers.give(peers[3], 1000)
    wire.taken = dict.fromkeys(peers, 0)
    waiting = asyncio.create_task(answers.room(peers[3], 1000))
    wire.taken = {**wire.taken, peers[0]: 40_000}
    await waiting
    assert answers.of(peers[0]) == 0
    await answers.stop()
