"""Bodies are bounded in size and in what all of them hold together."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from llm_schema_registry.v1 import schema_registry_pb2 as pb
from llm_schema_registry_server.errors import InvalidRequest, LimitExceeded
from llm_schema_registry_server.transports.http.asgi import ClientLeft, Receive
from llm_schema_registry_server.transports.http.bodies import Bodies, lines
from llm_schema_registry_server.transports.http.errors import RequestTooLarge
from llm_schema_registry_server.transports.http.json_in import request_message
from llm_schema_registry_server.transports.http.routes import Routes
from tests.unit.transports.toy import METHODS

REGISTER = Routes(METHODS).match("POST", "/api/v1/schemas")[0]


@pytest.fixture
async def bodies() -> AsyncIterator[Bodies]:
    made = Bodies(most_bytes=100)
    yield made
    made.close()


def arriving(*chunks: bytes, left: bool = False) -> Receive:
    """A body that comes in pieces; its client may leave before the end."""
    events: list[dict[str, Any]] = [{"type": "http.request", "body": c, "more_body": True} for c in chunks]
    events.append({"type": "http.disconnect"} if left else {"type": "http.request", "body": b""})

    async def receive() -> dict[str, Any]:
        return events.pop(0)

    return receive


async def test_a_body_comes_whole_and_is_let_go_after_use(bodies: Bodies) -> None:
    async with bodies.read(arriving(b"ab", b"", b"cd"), 4, "s") as body:
        assert (body, bodies.held) == (b"abcd", 4)

    assert bodies.held == 0


@pytest.mark.parametrize(
    ("chunks", "left", "error"),
    [((b"abc", b"de"), False, RequestTooLarge), ((b"abc",), True, ClientLeft)],
)
async def test_a_body_that_fails_is_let_go_too(
    bodies: Bodies, chunks: tuple[bytes, ...], left: bool, error: type[Exception]
) -> None:
    with pytest.raises(error):
        async with bodies.read(arriving(*chunks, left=left), 4, "s"):
            raise AssertionError("it was read")

    assert bodies.held == 0


async def test_all_bodies_together_are_bounded(bodies: Bodies) -> None:
    async with bodies.read(arriving(bytes(60)), 100, "s"):
        with pytest.raises(LimitExceeded):
            async with bodies.read(arriving(bytes(60)), 100, "s"):
                raise AssertionError("it was read")
        async with bodies.read(arriving(bytes(40)), 100, "s"):
            assert bodies.held == 100


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
