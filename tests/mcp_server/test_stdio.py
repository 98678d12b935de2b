"""`schema-registry mcp serve`: what comes over its standard input, byte by byte, and when it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from llm_schema_registry.mcp_server.stdio import MOST_LINE, MOST_STREAMS
from tests.api.server import ServerProcess

from .speaker import META

ROOT = Path(__file__).parents[2]
PROGRAM = "from llm_schema_registry.cli import main; main()"


class Program:
    """The command, with its input and output at hand."""

    def __init__(self, target: str) -> None:
        path = os.pathsep.join(str(ROOT / part) for part in ("engines", "clients/python"))
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "-S", target, "mcp", "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": path, "PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent"},
        )

    def close(self) -> None:
        """Ends it, and what it was reached by."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        self.process.wait()

    def write(self, message: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(message if isinstance(message, bytes) else json.dumps(message).encode())
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def ask(self, id_: Any, method: str, **params: Any) -> dict[str, Any]:
        self.write({"jsonrpc": "2.0", "id": id_, "method": method, "params": params})
        return self.read()


@pytest.fixture
def program(server: ServerProcess) -> Iterator[Program]:
    made = Program(server.grpc)
    yield made
    made.close()


def test_what_cannot_be_read_is_answered_and_the_rest_goes_on(program: Program) -> None:
    for line in (
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":NaN}}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"\\ud800"}}',
        b'"' + b"x" * (MOST_LINE + 100_000) + b'"',
    ):
        program.write(line)
        assert program.read()["error"]["code"] == -32700, line[:40]
    program.write(b"")
    program.write(b"   ")
    program.write({"jsonrpc": "2.0", "method": "notifications/initialized"})
    for message in ([], 1, {}, {"jsonrpc": "2.0", "id": True, "method": "ping"}):
        program.write(message)
        assert program.read()["error"]["code"] == -32600
    assert program.ask("p", "ping") == {"jsonrpc": "2.0", "id": "p", "result": {}}
    assert program.ask(2, "tools/list", _meta=META)["result"]["resultType"] == "complete"


def test_both_eras_are_spoken_over_one_pipe(program: Program) -> None:
    began = program.ask(
        1,
        "initialize",
        protocolVersion="2025-03-26",
        capabilities={},
        clientInfo={"name": "t", "version": "1"},
    )
    assert began["result"]["protocolVersion"] == "2025-03-26"
    found = program.ask(1, "server/discover", _meta=META)
    assert found["result"]["supportedVersions"] == ["2026-07-28"]
    lacking = {k: v for k, v in META.items() if "Capabilities" not in k}
    assert program.ask(1, "server/discover", _meta=lacking)["error"]["code"] == -32602
    unknown = {**META, "io.modelcontextprotocol/protocolVersion": "2031-01-01"}
    assert program.ask(1, "server/discover", _meta=unknown)["error"]["code"] == -32022


def test_a_request_can_be_cancelled_and_others_do_not_wait_for_it(program: Program) -> None:
    program.write(
        {"jsonrpc": "2.0", "id": 7, "method": "tools/call",
         "params": {"name": "watch_changes", "arguments": {"wait_seconds": 60, "subjects": ["nobody.*"]}}}
    )  # fmt: skip
    assert program.ask("7", "ping")["id"] == "7"
    program.write({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}})
    for odd in (None, [], {"requestId": None}, {"requestId": {}}, {"requestId": "none"}):
        program.write({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": odd})
    assert program.process.stdin is not None
    program.process.stdin.close()  # it does not wait for what was cancelled
    assert program.process.wait(timeout=50) == 0
    assert program.process.stdout is not None
    assert program.process.stdout.read() == b""


def test_streams_are_bounded_and_end_with_the_input(program: Program) -> None:
    for number in range(MOST_STREAMS):
        told = program.ask(
            number, "subscriptions/listen", _meta=META, notifications={"resourcesListChanged": True}
        )
        assert told["method"] == "notifications/subscriptions/acknowledged"
    refused = program.ask(
        "more", "subscriptions/listen", _meta=META, notifications={"resourcesListChanged": True}
    )
    assert (refused["id"], refused["error"]["code"]) == ("more", -32600)
    program.write({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 0}})
    assert program.process.stdin is not None
    program.process.stdin.close()
    assert program.process.wait(timeout=50) == 0


def test_a_registry_that_is_away_is_a_tool_error() -> None:
    away = Program("127.0.0.1:1")
    try:
        answer = away.ask(1, "tools/call", name="search_schemas", arguments={})
        assert answer["result"]["isError"] is True
        assert json.loads(answer["result"]["content"][0]["text"])["error"] in (
            "UNAVAILABLE",
            "DEADLINE_EXCEEDED",
        )
    finally:
        away.close()
