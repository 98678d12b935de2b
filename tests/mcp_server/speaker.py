"""Speaks MCP over HTTP, both eras of it, byte by byte: what the official client does not let one say can be said here."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping
from typing import Any

import httpx

MODERN, OLD = "2026-07-28", "2025-06-18"
ERAS = (MODERN, OLD)
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "speaker", "version": "1"},
}
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


class Failed(Exception):
    """A JSON-RPC error."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(f"{status} {error}")
        self.status, self.code, self.message, self.data = (
            status,
            error["code"],
            error["message"],
            error.get("data"),
        )


class Speaker:
    """A client of one server. `headers`: its credentials."""

    def __init__(self, url: str, era: str = MODERN, headers: Mapping[str, str] | None = None) -> None:
        self.url, self.era = url + "/mcp", era
        self._headers = dict(headers or {})
        self._ids = itertools.count(1)

    def envelope(self, method: str, params: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
        """Headers and params as the era wants them."""
        headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": self.era,
            **self._headers,
        }
        if self.era == OLD:
            return headers, dict(params)
        headers["mcp-method"] = method
        named = params.get(_NAMED.get(method, ""))
        if isinstance(named, str):
            plain = named.isascii() and named.isprintable()
            headers["mcp-name"] = (
                named if plain else f"=?base64?{base64.b64encode(named.encode()).decode()}?="
            )
        return headers, {**params, "_meta": META}

    def post(self, body: Any, headers: Mapping[str, str], **more: Any) -> httpx.Response:
        """One POST; `body` is bytes as they are, or JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.post(
            self.url, content=content, headers=dict(headers), trust_env=False, timeout=60, **more
        )

    def send(self, method: str, params: Mapping[str, Any], **headers: str) -> httpx.Response:
        """One request."""
        given, sent = self.envelope(method, params)
        body = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": sent}
        return self.post(body, {**given, **headers})

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a request. Raises Failed."""
        answer = self.send(method, params)
        body = answer.json()
        if "error" in body:
            raise Failed(answer.status_code, body["error"])
        result: dict[str, Any] = body["result"]
        return result

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What a tool answers. Raises ToolFailed for an error that the model is to see."""
        result = self.ask("tools/call", name=tool, arguments=arguments)
        told: dict[str, Any] = json.loads(result["content"][0]["text"])
        if result["isError"]:
            assert "structuredContent" not in result
            raise ToolFailed(told)
        assert told == result["structuredContent"]
        return told


class ToolFailed(Exception):
    """A tool error, as the model sees it."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__(json.dumps(told))
        self.told = told
        self.error = told["error"]
