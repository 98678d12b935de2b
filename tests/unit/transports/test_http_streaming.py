"""Answers that are pushed into a body: without a task while the reader takes them, in order, and never for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from llm_schema_registry_server.calls.call import Call
from llm_schema_registry_server.calls.operation import Operation
from llm_schema_registry_server.errors import SubscriberTooSlow
from llm_schema_registry_server.model.pushed import Pushed
from llm_schema_registry_server.rpc.protobuf.shared_answer import Answer, SharedAnswer
from llm_schema_registry_server.transports import unread as unread_module
from llm_schema_registry_server.transports.http import streaming
from llm_schema_registry_server.transports.http.stream_formats import Lines
from llm_schema_registry_server.transports.http.streaming import BrokenOff, write_stream
from llm_schema_registry_server.transports.unread import Unread

FOLLOW = Operation("/t/Follow", "Follow", "none", server_streaming=True)


def answer(text: str) -> SharedAnswer:
    return SharedAnswer(StringValue(value=text))


class Stream:
    """A response body, whose reader takes all as long as `open` is set, and the answers that its handler yields."""

    def __init__(self, stall_seconds: float = 60.0) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.body = b""
        self.answers: asyncio.Queue[Answer | None] = asyncio.Queue()
        self.call = Call(FOLLOW, {}, "127.0.0.1:1", "http", "1")
        self.unread = Unread(stall_seconds, per_caller=10**6, total=10**6)
        self.writing = asyncio.create_task(
            write_stream(self._each(), self.call, Lines(), self._send, unread=self.unread, security=())
        )

    async def _each(self) -> AsyncGenerator[Answer, None]:
        while (found := await self.answers.get()) is not None:
            yield found

    async def _send(self, event: dict[str, Any]) -> None:
        await self.open.wait()
        self.body += event.get("body", b"")

    def push(self, text: str) -> Pushed:
        assert self.call.push is not None
        return self.call.push(answer(text))

    async def begin(self) -> None:
        self.answers.put_nowait(answer("begun"))
        while b"begun" not in self.body:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await asyncio.sleep(0)

    def lines(self) -> list[str]:
        return [line.strip('"') for line in self.body.decode().split()]


async def test_a_push_is_written_at_once() -> None:
    stream = Stream()
    await asyncio.sleep(0)
    assert stream.push("early") is Pushed.UNFIT  # the head is the task's
    await stream.begin()
    for text in "abc":
        assert stream.push(text) is Pushed.SENT
    assert stream.lines() == ["begun", "a", "b", "c"]
    assert stream.push("x" * streaming._PART_BYTES) is Pushed.UNFIT  # in parts, by the task
    stream.answers.put_nowait(answer("d"))
    stream.answers.put_nowait(None)
    await stream.writing
    assert stream.lines() == ["begun", "a", "b", "c", "d"]
    assert stream.call.push is None


async def test_one_push_waits_for_the_reader_and_what_follows_waits_for_it() -> None:
    stream = Stream()
    await stream.begin()
    stream.open.clear()
    assert stream.push("a") is Pushed.SENT
    assert stream.push("b") is Pushed.NOT_YET
    await asyncio.sleep(0)
    assert stream.unread.held > 0
    stream.answers.put_nowait(answer("c"))
    stream.answers.put_nowait(None)
    await asyncio.sleep(0.01)
    assert stream.lines() == ["begun"]
    stream.open.set()
    await stream.writing
    assert (stream.lines(), stream.unread.held) == (["begun", "a", "c"], 0)


async def test_a_reader_that_does_not_take_what_was_pushed_is_cut() -> None:
    stream = Stream(stall_seconds=0.05)
    await stream.begin()
    stream.open.clear()
    assert stream.push("a") is Pushed.SENT
    with pytest.raises(BrokenOff) as cut:
        await stream.writing
    assert isinstance(cut.value.__cause__, SubscriberTooSlow)
    assert stream.unread.held == 0


async def test_a_client_that_leaves_ends_what_waits() -> None:
    stream = Stream()
    await stream.begin()
    stream.open.clear()
    assert stream.push("a") is Pushed.SENT
    await asyncio.sleep(0)
    stream.writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stream.writing
    assert stream.unread.held == 0


async def test_much_of_one_event_for_many_goes_out_in_moments() -> None:
    unread = Unread(1.0, per_caller=1, total=1)
    size = unread_module._MOMENT_BYTES // 2
    assert [unread.paced(size, now) for now in (1.0, 1.001, 1.002, 1.003, 1.0041)] == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert unread.paced(10 * size, 2.0)  # one that is larger than a moment bears goes out too
