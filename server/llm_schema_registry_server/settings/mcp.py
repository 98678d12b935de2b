"""Settings of the MCP server on the HTTP port."""

from __future__ import annotations

from pydantic import Field

from .section import Section


class McpSettings(Section):
    enabled: bool = True
    """Whether `/mcp` of the HTTP port speaks the Model Context Protocol: the same calls under the same credentials, for language
    models. `auth.ticket_secret`, where it is set, also makes confirmations of one replica good for the others."""
    max_body_bytes: int = Field(4 * 1024 * 1024, ge=1024)
    """Largest message of a client; at most `http.max_body_bytes` counts."""
    max_values: int = Field(40_000, ge=1000)
    """Most JSON values in one message, at most `http.max_values`: what tools take as JSON is written again in one step. A larger schema, or
    larger data, is taken as text, which counts as one."""
    wait_seconds: int = Field(20, ge=1, le=60)
    """Longest time that the tool watch_changes waits for a change. Proxies cut answers that are silent for 30 s or more."""
