"""Commands that let language models use the registry: MCP over standard input and output."""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from ..._async_client import AsyncSchemaRegistry
from ..._retry import RetryPolicy
from ...mcp_server import Confirmations, McpServer
from ...mcp_server.remote import RemoteRegistry
from ...mcp_server.stdio import StdioServer
from ..help import sub_group
from ..session import CONNECT_SECONDS, Session, session

mcp = sub_group("Let language models use the registry (Model Context Protocol).")


@mcp.command("serve")
def serve(
    context: typer.Context,
    wait: Annotated[
        int,
        typer.Option(
            "--wait", min=1, max=60, metavar="SECONDS", help="Longest wait of the tool watch_changes."
        ),
    ] = 20,
) -> None:
    """Serve MCP on the standard input and output, for a client that starts this command. It may what the token may.

    The tools find, read, check, compare and validate schemas and register drafts; deleting takes a confirmation. A registry serves
    MCP over HTTP too, at /mcp of its HTTP port. docs/llm/mcp.md has the configuration of the usual clients.

    Examples:

    \b
      schema-registry mcp serve
      schema-registry -S registry.example:9090 mcp serve
      claude mcp add registry -- schema-registry mcp serve
    """
    asyncio.run(_serve(session(context), wait))


async def _serve(s: Session, wait: int) -> None:
    retry = RetryPolicy(connect=None if s.patient else CONNECT_SECONDS)
    async with AsyncSchemaRegistry(
        s.server, token=s.token, tls=s.tls, timeout=s.timeout, retry=retry
    ) as client:
        server = McpServer(_version(), Confirmations(), wait_seconds=wait)
        registry = RemoteRegistry(client._transport)
        await StdioServer(server, registry, sys.stdin.buffer, sys.stdout.buffer).run()


def _version() -> str:
    try:
        return version("llm-schema-registry")
    except PackageNotFoundError:
        return "0"


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(mcp, name="mcp")
