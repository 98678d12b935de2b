"""The official client (PyPI `mcp`) against a real server, over streamable HTTP and over stdio, in each era that it speaks."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.api.server import ServerProcess

from .test_tools import ORDER, register

mcp = pytest.importorskip("mcp", reason="the package mcp of the dev extra is not installed")

ROOT = Path(__file__).parents[2]
PROGRAM = "from llm_schema_registry.cli import main; main()"
Name = Callable[[str], str]


WAYS = [("http", "legacy"), ("http", "auto"), ("http", "2026-07-28"), ("stdio", "legacy"), ("stdio", "auto")]
"""`legacy` begins with initialize, `auto` asks first whether 2026-07-28 is spoken, the last one knows."""


@pytest.fixture(params=WAYS, ids="-".join)
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Transport and era."""
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def mode(way: tuple[str, str]) -> str:
    return way[1]


@pytest.fixture
def target(way: tuple[str, str], server: ServerProcess) -> Any:
    """What the client is made with."""
    return aimed(way[0], server)


def aimed(transport: str, server: ServerProcess) -> Any:
    if transport == "http":
        return server.http + "/mcp"
    path = os.pathsep.join(str(ROOT / part) for part in ("engines", "clients/python"))
    return mcp.StdioServerParameters(
        command=sys.executable,
        args=["-c", PROGRAM, "-S", server.grpc, "mcp", "serve"],
        env={"PYTHONPATH": path, "PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent"},
    )


@asynccontextmanager
async def connected(target: Any, mode: str) -> AsyncIterator[Any]:
    async with mcp.Client(target, mode=mode, read_timeout_seconds=60) as client:
        yield client


async def called(client: Any, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool answers. The client checks it against the outputSchema."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content[0].text
    assert json.loads(result.content[0].text) == result.structured_content
    found: dict[str, Any] = result.structured_content
    return found


async def test_the_usual_job(server: ServerProcess, target: Any, mode: str, name: Name) -> None:
    subject = name("order")
    register(server, subject, ORDER)
    async with connected(target, mode) as client:
        assert len((await client.list_tools()).tools) <= 12
        found = await called(client, "search_schemas", subject_pattern=subject)
        assert [s["subject"] for s in found["schemas"]] == [subject]
        assert (await called(client, "get_schema", subject=subject, pointer="/title"))["schema"] == "Order"
        stricter = {**ORDER, "required": ["id", "total"]}
        checked = await called(client, "check_compatibility", subject=subject, schema=stricter)
        assert checked["verdict"] == "NO"
        assert checked["violations"][0]["witness"]
        draft = await called(client, "register_draft", subject=subject, schema={**ORDER, "title": "Purchase"})
        assert draft["state"] == "DRAFT"
        judged = await called(client, "judge_answer", subject=subject, answer='{"id": 1', partial=True)
        assert judged["status"] == "DEAD"
        assert not (await called(client, "validate_data", subject=subject, data={}))["valid"]
        told = await called(
            client, "watch_changes", subjects=[subject], from_revision="earliest", wait_seconds=0
        )
        assert [e["type"] for e in told["events"]] == ["SCHEMA_REGISTERED", "SCHEMA_CREATED"]
        doomed = {"subject": subject, "version": draft["version"]}
        first = await called(client, "delete_schema", **doomed)
        done = await called(client, "delete_schema", **doomed, confirmation=first["confirmation"])
        assert done["deleted"] is True


async def test_errors_reach_the_model(target: Any, mode: str, name: Name) -> None:
    async with connected(target, mode) as client:
        for arguments, error in (
            ({"subject": name("none")}, "SUBJECT_NOT_FOUND"),
            ({"subject": name("none"), "limit": "many"}, "INVALID_ARGUMENTS"),
        ):
            result = await client.call_tool("list_versions", arguments)
            assert result.is_error
            told = json.loads(result.content[0].text)
            assert told["error"] == error
            assert told["way_out"]
        draft = await client.call_tool("register_draft", {"subject": name("x"), "schema": {"type": "objec"}})
        assert json.loads(draft.content[0].text)["report"]["issues"][0]["pointer"] == "/type"


async def test_resources_and_prompts(server: ServerProcess, target: Any, mode: str, name: Name) -> None:
    subject = name("a/ü")
    register(server, subject, ORDER)
    async with connected(target, mode) as client:
        assert len((await client.list_resource_templates()).resource_templates) == 2
        uris, cursor = {}, None
        while True:
            page = await client.list_resources(cursor=cursor)
            uris |= {r.name: str(r.uri) for r in page.resources}
            cursor = page.next_cursor
            if cursor is None:
                break
        versions = json.loads((await client.read_resource(uris[subject])).contents[0].text)["versions"]
        assert json.loads((await client.read_resource(versions[0]["uri"])).contents[0].text) == ORDER
        with pytest.raises(mcp.MCPError, match="not found"):
            await client.read_resource(uris[subject] + "none/versions/1")
        for prompt in (await client.list_prompts()).prompts:
            filled = await client.get_prompt(prompt.name, {a.name: "some words" for a in prompt.arguments})
            assert "some words" in filled.messages[0].content.text


@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_changes_are_heard(server: ServerProcess, transport: str, name: Name) -> None:
    subject = name("heard")
    register(server, subject, ORDER)
    uri = f"schema-registry://subjects/{subject}"
    target = aimed(transport, server)
    async with connected(target, "auto") as client, client.listen(resource_subscriptions=[uri]) as events:
        register(server, subject, {**ORDER, "title": "Purchase"})
        async for event in events:
            assert event.uri == uri
            break
