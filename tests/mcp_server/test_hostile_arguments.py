"""A hostile value in any one argument of any tool is answered or refused: never an internal error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from llm_schema_registry.mcp_server.tools import TOOLS
from tests.api.server import ServerProcess

from .speaker import Speaker

VALID: dict[str, dict[str, Any]] = {
    "search_schemas": {},
    "get_schema": {"subject": "hostile.base"},
    "list_versions": {"subject": "hostile.base"},
    "explain_schema": {"subject": "hostile.base"},
    "watch_changes": {"wait_seconds": 0, "subjects": ["hostile.none"]},
    "check_compatibility": {"subject": "hostile.base", "schema": {"type": "object"}},
    "validate_data": {"subject": "hostile.base", "data": {}},
    "judge_answer": {"subject": "hostile.base", "answer": "{"},
    "diff_schemas": {"subject": "hostile.base", "old_version": "1"},
    "compile_for_provider": {"provider": "openai-strict", "schema": {"type": "object"}},
    "register_draft": {"subject": "hostile.base", "schema": {"type": "object"}, "dry_run": True},
    "delete_schema": {"subject": "hostile.base"},
}
TEXTS = (
    "",
    "\x00",
    "a\nb",
    "\u202e\ufeff",
    "x" * 10_000,
    "../../etc/passwd",
    "%00%ff",
    "' OR 1=1 --",
    "😀" * 64,
)
OTHERS: tuple[Any, ...] = (None, -1, 2**63, 2**80, 0.5, True, [], {}, [[[]]], {"$ref": "#"}, {"": {"": None}})
UNTOLD = frozenset({"INTERNAL", ""})


@pytest.fixture(scope="module")
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    Speaker(server.http).call("register_draft", subject="hostile.base", schema={"type": "object"})
    with httpx.Client(trust_env=False, timeout=60) as made:
        yield made


@pytest.mark.parametrize("tool", [tool.name for tool in TOOLS])
def test_any_one_argument(tool: str, server: ServerProcess, client: httpx.Client) -> None:
    speaker = Speaker(server.http)
    properties = next(t for t in TOOLS if t.name == tool).input["properties"]
    answered = refused = 0
    for name in properties:
        waits = tool == "watch_changes" and name in ("wait_seconds", "limit")
        for value in (*TEXTS, *OTHERS) if not waits else (-1, True, "x", 2**80):
            arguments = {**VALID[tool], name: value}
            headers, params = speaker.envelope("tools/call", {"name": tool, "arguments": arguments})
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            answer = client.post(speaker.url, content=json.dumps(body).encode(), headers=headers)
            assert answer.status_code == 200, (arguments, answer.text)
            result = answer.json()["result"]
            told = json.loads(result["content"][0]["text"])
            if result["isError"]:
                assert told["error"] not in UNTOLD, (arguments, told)
                assert told["message"]
                refused += 1
            else:
                assert told == result["structuredContent"]
                answered += 1
    assert refused > len(properties)
    assert answered + refused > 4 * len(properties)
