"""The registry as an MCP server: the protocol, tools, resources and prompts, over any way to call the registry.

The server mounts it on its HTTP port, `schema-registry mcp serve` on its standard input and output. No I/O of its own.
"""

from .calls import CallFailed, Registry
from .confirmation import Confirmations
from .listening import Listening
from .server import McpServer, Reply

__all__ = ["CallFailed", "Confirmations", "Listening", "McpServer", "Registry", "Reply"]
