"""mcp: an MCP server whose tools have the registry's schemas. What a model sends is validated before the tool sees it, and what the tool
answers before the model sees it.

    place = McpTool(ToolContract.load(registry, "orders.place@^1"), place_order)
    server = serve("orders", [place])                     # an mcp.server.Server

The registry itself as an MCP server is another thing: docs/llm/mcp.md.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable
from typing import Any

from .contract import Contract
from .errors import AnswerRefused, needs

try:
    from mcp import types
    from mcp.server import Server
    from mcp.shared.exceptions import MCPError
except ModuleNotFoundError as error:
    raise needs("mcp", "mcp", error) from error


class ToolContract(Contract):
    """The input or the output of an MCP tool: the schema as it stands, since MCP takes all of JSON Schema 2020-12."""

    PROFILE = "mcp-2026-07-28"
    RESPONSE = "tool"


class McpTool:
    """A tool: the contract of its arguments, the function that is called with them by keyword, and the contract of what that returns."""

    def __init__(
        self,
        contract: ToolContract,
        function: Callable[..., Any],
        *,
        output: ToolContract | None = None,
        description: str = "",
    ) -> None:
        """function: may be a coroutine function. output: of what it returns; without one that goes out as text. description: for the
        model; the schema's or the function's own when empty."""
        self.contract = contract
        self.output = output
        self._function = function
        self._description = description or contract.envelope.get("description") or inspect.getdoc(function)

    @property
    def definition(self) -> types.Tool:
        """The tool as `tools/list` shows it."""
        return types.Tool(
            name=self.contract.name,
            description=self._description,
            input_schema=self.contract.json_schema,
            output_schema=None if self.output is None else self.output.json_schema,
        )

    async def call(self, arguments: Any) -> types.CallToolResult:
        """The result of a call. Arguments that are not valid are an error of the tool, which the model sees, not one of the protocol."""
        try:
            decoded = await self.contract.decode_async({} if arguments is None else arguments)
        except AnswerRefused as refused:
            return _result(refused.text, is_error=True)
        answer = self._function(**decoded)
        if inspect.isawaitable(answer):
            answer = await answer
        if self.output is None:
            return _result(answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False))
        try:
            value = await self.output.decode_async(json.dumps(answer, ensure_ascii=False))
        except AnswerRefused as refused:
            told = (
                f"the tool {self.contract.name!r} answered what its own output schema refuses: {refused.text}"
            )
            return _result(told, is_error=True)
        return _result(json.dumps(value, ensure_ascii=False), structured=value)


def serve(name: str, tools: Iterable[McpTool], **options: Any) -> Server[Any]:
    """A server with these tools, in this order. options: of `mcp.server.Server`."""
    known = {tool.contract.name: tool for tool in tools}

    async def list_tools(context: Any, parameters: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[tool.definition for tool in known.values()])

    async def call_tool(context: Any, parameters: types.CallToolRequestParams) -> types.CallToolResult:
        tool = known.get(parameters.name)
        if tool is None:
            raise MCPError(code=types.INVALID_PARAMS, message=f"there is no tool {parameters.name[:80]!r}")
        return await tool.call(parameters.arguments)

    return Server(name, on_list_tools=list_tools, on_call_tool=call_tool, **options)


def _result(text: str, *, structured: Any = None, is_error: bool = False) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], structured_content=structured, is_error=is_error
    )
