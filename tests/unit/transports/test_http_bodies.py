"""Bodies are bounded in size and in what all of them hold together."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.errors import InvalidRequest, LimitExceeded
from llm_schema_registry_server.queues.fair_queue import FairQueue, QueueLimits, Queues
from llm_schema_registry_server.transports.http.asgi import Receive, body_length
from llm_schema_registry_server.transports.http.bodies import Bodies, lines
from llm_schema_registry_server.transports.http.errors import RequestTooLarge
from llm_schema_registry_server.transports.http.json_in import request_message
from llm_schema_registry_server.transports.http.routes import Routes
from tests.unit.transports.toy import METHODS

REGISTER = Routes(METHODS).match("POST", "/api/v1/schemas")[0]


@pytest.fixture
async def bodies() -> AsyncIterator[Bodies]:
    made = Bodies(memory(100, 100, 100), Queues())
    yield made
    made.close()


def memory(*room: int, per_caller: int | None = None) -> FairQueue:
    limits = QueueLimits(wait_seconds=0.1)
    return FairQueue("test", room, limits, what="bodies wait", setting="s", per_caller_units=per_caller)


def arriving(*chunks: bytes, left: bool = False) -> Receive:
    """A body that comes in pieces; its client may leave before the end."""
    events: list[dict[str, Any]] = [{"type": "http.request", "body": c, "more_body": True} for c in chunks]
    events.append({"type": "http.disconnect"} if left else {"type": "http.request", "body": b""})

    async def receive() -> dict[str, Any]:
        return events.pop(0)

    return receive


async def test_a_body_comes_whole_and_is_let_go_after_use(bodies: Bodies) -> None:
    async with bodies.read(arriving(b"ab", b"", b"cd"), 4, "s", "a") as body:
        assert (body, bodies.held) == (b"abcd", 4)

    assert bodies.held == 0


@pytest.mark.parametrize("length", [None, 200_000])
async def test_a_body_in_small_pieces_takes_its_room_in_few_steps(
    monkeypatch: pytest.MonkeyPatch, length: int | None
) -> None:
    """Each step is given back when the body is let go, all in one piece."""
    room = memory(1 << 20, 1 << 20, 1 << 20)
    steps, take_now = list[int](), room.take_now

    def counted(caller: Any, cost: Any, units: int) -> Any:
        steps.append(units)
        return take_now(caller, cost, units)

    monkeypatch.setattr(room, "take_now", counted)
    many = Bodies(room, Queues())
    async with many.read(arriving(*[b"x" * 10] * 20_000), 300_000, "s", "a", length) as body:
        assert len(body) == 200_000
        assert len(steps) <= 20
        assert 200_000 <= sum(steps) == many.held <= (length or 200_000 * 9 // 8 + 16_384)
    assert many.held == 0
    many.close()


@pytest.mark.parametrize("chunks", [(), (b"abcd",), (b"ab", b"cd")])
async def test_a_body_that_is_as_long_as_its_head_says_is_whole(
    bodies: Bodies, chunks: tuple[bytes, ...]
) -> None:
    async with bodies.read(arriving(*chunks, left=True), 4, "s", "a", sum(map(len, chunks))) as body:
        assert body == b"".join(chunks)

    with pytest.raises(InvalidRequest):
        async with bodies.read(arriving(b"abc", left=True), 4, "s", "a", 4):
            raise AssertionError("it is not whole")


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ({"content-length": "12"}, 12),
        ({"content-length": "0"}, 0),
        ({}, None),
        ({"content-length": "+1"}, None),
        ({"content-length": "\u0663"}, None),
        ({"content-length": "9" * 5000}, None),
        ({"content-length": "12", "transfer-encoding": "chunked"}, None),
    ],
)
def test_the_length_of_a_body_is_taken_from_a_head_that_says_it(
    headers: dict[str, str], length: int | None
) -> None:
    for version in ("1", "1.1"):
        assert body_length({"http_version": version}, headers) == length
    assert body_length({"http_version": "2"}, headers) is None


@pytest.mark.parametrize(
    ("chunks", "left", "error"),
    [((b"abc", b"de"), False, RequestTooLarge), ((b"abc",), True, InvalidRequest)],
)
async def test_a_body_that_fails_is_let_go_too(
    bodies: Bodies, chunks: tuple[bytes, ...], left: bool, error: type[Exception]
) -> None:
    with pytest.raises(error):
        async with bodies.read(arriving(*chunks, left=left), 4, "s", "a"):
            raise AssertionError("it was read")

    assert bodies.held == 0


async def test_all_bodies_together_are_bounded(bodies: Bodies) -> None:
    async with bodies.read(arriving(bytes(60)), 100, "s", "a"):
        with pytest.raises(LimitExceeded, match="bodies wait") as caught:
            async with bodies.read(arriving(bytes(60)), 100, "s", "b"):
                raise AssertionError("it was read")
        async with bodies.read(arriving(bytes(40)), 100, "s", "b"):
            assert bodies.held == 100

    assert caught.value.retry_seconds is not None
    assert bodies.held == 0


async def test_a_body_for_which_there_is_no_room_waits_and_is_not_received_meanwhile(bodies: Bodies) -> None:
    received = 0

    async def receive() -> dict[str, Any]:
        nonlocal received
        received += 1
        return {"type": "http.request", "body": bytes(30), "more_body": received < 2}

    async def second() -> int:
        async with bodies.read(receive, 100, "s", "b") as body:
            return len(body)

    async with bodies.read(arriving(bytes(80)), 100, "s", "a"):
        waiting = asyncio.ensure_future(second())
        for _ in range(5):
            await asyncio.sleep(0)
        assert (received, waiting.done()) == (1, False)

    assert await waiting == 60


async def test_huge_bodies_and_those_of_one_caller_leave_room_for_the_others() -> None:
    mebibyte = 1 << 20
    bodies = Bodies(memory(64 * mebibyte, 48 * mebibyte, 32 * mebibyte, per_caller=24 * mebibyte), Queues())

    def huge() -> Receive:
        return arriving(*[bytes(mebibyte)] * 40)

    async def try_huge(caller: str) -> None:
        async with bodies.read(huge(), 64 * mebibyte, "s", caller):
            raise AssertionError("it was read")

    attempts = [asyncio.ensure_future(try_huge(caller)) for caller in ("a", "a", "b", "c", "d")]
    await asyncio.sleep(0.01)
    assert bodies.held <= (48 + 5) * mebibyte  # the first of each body counts as small
    async with bodies.read(arriving(bytes(mebibyte)), 64 * mebibyte, "s", "honest") as body:
        assert len(body) == mebibyte
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {LimitExceeded}
    assert bodies.held == 0
    bodies.close()


async def test_a_large_body_becomes_the_same_message(bodies: Bodies) -> None:
    text = json.dumps({"subject": "s", "schema": "x" * 100_000}).encode()
    message = await bodies.message(len(text), request_message, REGISTER, {}, "", text)

    assert isinstance(message, pb.RegisterSchemaRequest)
    assert len(message.schema_content) == 100_000


async def test_lines_are_numbered_and_empty_ones_left_out() -> None:
    assert [line async for line in lines(b"\n a\n\n\nb")] == [(2, b" a\n"), (5, b"b")]


@pytest.mark.parametrize("field", ["tags", "metadata"])
def test_a_list_or_map_of_absurd_length_is_refused_before_it_is_converted(field: str) -> None:
    value: Any = ["t"] * 10_001 if field == "tags" else {str(i): "" for i in range(10_001)}

    with pytest.raises(InvalidRequest, match="10001 items"):
        request_message(REGISTER, {}, "", json.dumps({field: value}).encode())
