"""subscriptions/listen over HTTP: acknowledged first, told of what was asked for, bounded, ended by either side."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.server import ServerProcess

from .speaker import Speaker
from .test_tools import register

Name = Callable[[str], str]
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


class Listener:
    """One open stream; `messages` are its JSON-RPC messages as they come."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.messages = self._messages()

    def _messages(self) -> Iterator[dict[str, Any]]:
        for line in self.answer.iter_lines():
            if line.startswith("data: "):
                yield json.loads(line[6:])


@contextmanager
def listening(server: ServerProcess, wishes: dict[str, Any]) -> Iterator[Listener]:
    speaker = Speaker(server.http)
    headers, params = speaker.envelope("subscriptions/listen", {"notifications": wishes})
    body = {"jsonrpc": "2.0", "id": "l1", "method": "subscriptions/listen", "params": params}
    with (
        httpx.Client(trust_env=False, timeout=60) as client,
        client.stream("POST", speaker.url, json=body, headers=headers) as answer,
    ):
        yield Listener(answer)


def test_what_was_asked_for_is_told(server: ServerProcess, name: Name) -> None:
    register(server, name("a"), {"type": "string"})
    uri = f"schema-registry://subjects/{name('a')}"
    with listening(server, {"resourceSubscriptions": [uri], "toolsListChanged": True}) as heard:
        assert heard.answer.headers["content-type"] == "text/event-stream"
        first = next(heard.messages)
        assert first["method"] == "notifications/subscriptions/acknowledged"
        assert first["params"]["notifications"] == {"resourceSubscriptions": [uri]}
        assert first["params"]["_meta"][SUBSCRIPTION] == "l1"
        register(server, name("b"), {"type": "string"})
        register(server, name("a"), {"type": ["string", "null"]})
        told = next(heard.messages)
        assert told["method"] == "notifications/resources/updated"
        assert told["params"] == {"uri": uri, "_meta": {SUBSCRIPTION: "l1"}}


def test_lists_that_change_are_told(server: ServerProcess, name: Name) -> None:
    with listening(server, {"resourcesListChanged": True}) as heard:
        assert next(heard.messages)["params"]["notifications"] == {"resourcesListChanged": True}
        register(server, name("new"), {"type": "string"})
        assert next(heard.messages)["method"] == "notifications/resources/list_changed"


def test_streams_of_a_caller_are_bounded_and_end_with_the_server(tmp_path: Path) -> None:
    made = ServerProcess(tmp_path, LIMITS__STREAMS_PER_CALLER="2")
    try:
        with ExitStack() as stack:
            open_ = [stack.enter_context(listening(made, {"resourcesListChanged": True})) for _ in range(2)]
            for heard in open_:
                next(heard.messages)
            with listening(made, {"resourcesListChanged": True}) as refused:
                assert refused.answer.status_code == 429
                refused.answer.read()
                assert "limits.streams_per_caller" in refused.answer.json()["error"]["message"]
            # Tools that wait are streams to the registry, and count with them.
            answer = Speaker(made.http).ask("tools/call", name="watch_changes", arguments={"wait_seconds": 0})
            assert answer["isError"] is True
            assert "limits.streams_per_caller" in answer["content"][0]["text"]
            stopping = stack.enter_context(ThreadPoolExecutor(1)).submit(made.stop)
            for heard in open_:
                last = list(heard.messages)[-1]
                assert last["id"] == "l1"
                assert last["result"]["resultType"] == "complete"
                assert last["result"]["_meta"][SUBSCRIPTION] == "l1"
            assert stopping.result() == 0
    finally:
        made.stop()
    assert made.events("call_crashed") == []


def test_a_stream_that_nobody_reads_any_more_gives_its_place_back(tmp_path: Path) -> None:
    made = ServerProcess(tmp_path, LIMITS__STREAMS_PER_CALLER="1")
    try:
        for _ in range(5):
            for _ in range(300):
                with listening(made, {"resourcesListChanged": True}) as heard:
                    if heard.answer.status_code == 200:
                        next(heard.messages)
                        break
            else:
                pytest.fail("the place of a stream whose client has left stays taken")
    finally:
        assert made.stop() == 0


def test_a_tool_that_waits_ends_with_the_connection(tmp_path: Path) -> None:
    made = ServerProcess(tmp_path, LIMITS__STREAMS_PER_CALLER="1", MCP__WAIT_SECONDS="60")
    try:
        speaker = Speaker(made.http)
        headers, params = speaker.envelope(
            "tools/call", {"name": "watch_changes", "arguments": {"wait_seconds": 60}}
        )
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(
                speaker.url, json=body, headers=headers, trust_env=False, timeout=httpx.Timeout(30, read=1)
            )
        end = time.monotonic() + 45  # sooner than it would have ended by itself
        while speaker.ask("tools/call", name="watch_changes", arguments={"wait_seconds": 0})["isError"]:
            assert time.monotonic() < end, "it goes on for nobody"
    finally:
        assert made.stop() == 0
