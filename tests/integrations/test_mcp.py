"""An MCP server whose tools have the registry's schemas, asked by the official client."""

from __future__ import annotations

import json
from typing import Any

import mcp
import pytest

from llm_schema_registry import SchemaRegistry
from llm_schema_registry.integrations.mcp import McpTool, ToolContract, serve

from .kit import TICKET, VALUE, WRONG

RECEIPT = {
    "type": "object",
    "properties": {"id": {"type": "integer", "minimum": 1}},
    "required": ["id"],
    "additionalProperties": False,
}


@pytest.fixture
def tools(registry: SchemaRegistry, ticket: str) -> list[McpTool]:
    registry.register_schema("support.receipt", RECEIPT)

    def save(**arguments: Any) -> Any:
        """Save a ticket."""
        return {"id": arguments["priority"]}

    async def lose(**arguments: Any) -> Any:
        return {"id": 0}

    takes = ToolContract.load(registry, f"{ticket}@^1", name="save")
    gives = ToolContract.load(registry, "support.receipt")
    return [
        McpTool(takes, save, output=gives),
        McpTool(ToolContract.load(registry, ticket, name="lose"), lose, output=gives),
        McpTool(
            ToolContract.load(registry, ticket, name="echo"),
            lambda **arguments: arguments,
            description="Echo",
        ),
    ]


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_tools_have_the_schemas_of_the_registry(tools: list[McpTool], mode: str) -> None:
    async with mcp.Client(serve("tickets", tools), mode=mode) as client:
        listed = (await client.list_tools()).tools
        assert [t.name for t in listed] == ["save", "lose", "echo"]
        assert [t.description for t in listed] == ["What a customer wants", "What a customer wants", "Echo"]
        assert listed[0].input_schema == TICKET
        assert listed[0].output_schema == RECEIPT
        done = await client.call_tool("save", VALUE)
        assert (done.is_error, done.structured_content) == (False, {"id": 2})
        assert json.loads((await client.call_tool("echo", VALUE)).content[0].text) == VALUE


async def test_arguments_that_are_not_valid_are_an_error_of_the_tool(tools: list[McpTool]) -> None:
    async with mcp.Client(serve("tickets", tools)) as client:
        refused = await client.call_tool("save", WRONG)
        assert refused.is_error
        assert refused.content[0].text.startswith("/tags")
        missing = await client.call_tool("save", None)
        assert missing.is_error
        assert "is missing" in missing.content[0].text
        with pytest.raises(mcp.MCPError, match="there is no tool 'none'"):
            await client.call_tool("none", {})


async def test_an_answer_that_breaks_its_schema_is_told(tools: list[McpTool]) -> None:
    async with mcp.Client(serve("tickets", tools)) as client:
        broken = await client.call_tool("lose", VALUE)
        assert broken.is_error
        assert "its own output schema refuses: /id" in broken.content[0].text
