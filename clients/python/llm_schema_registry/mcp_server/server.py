"""The MCP server: one message in, one answer out. Holds no session: every request stands for itself."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import resources
from .arguments import BadArguments, demand
from .calls import INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, UNAUTHENTICATED, CallFailed, Registry
from .checking import report
from .confirmation import Confirmations
from .listening import Listening, listening
from .prompts import PROMPTS
from .tool import Context, Tool, cut, without_empty
from .tools import TOOLS
from .wire import (
    HANDSHAKE_REVISIONS,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MODERN_REVISIONS,
    NOT_ALLOWED,
    RESOURCE_NOT_FOUND,
    SERVER_KEY,
    Json,
    ProtocolError,
    Request,
    failure,
    id_of,
    read,
    result,
    status_of,
    write,
)

NAME, TITLE = "llm-schema-registry", "LLM Schema Registry"
INSTRUCTIONS = (
    "A registry of JSON, Avro and Protobuf schemas. search_schemas finds subjects, get_schema reads a schema or a part of it. Before you "
    "change one: check_compatibility; register_draft stores a draft that people activate. Each answer's summary is the verdict."
)
FOREVER_MS, MINUTE_MS = 3_600_000, 60_000
"""For how long lists of this server's own, and contents, may be cached."""
_MOST_TEXT = 2000
_FIELD = re.compile(r"\b(?:schema_content|new_schema)\b")
"""Fields of requests that the arguments of tools call `schema`."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered. message: None for a notification. status, headers: what HTTP says beside it."""

    message: Json | None
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


class McpServer:
    """version: of the server. wait_seconds: how long watch_changes may wait at most."""

    def __init__(
        self,
        version: str,
        confirmations: Confirmations,
        *,
        wait_seconds: float = 20.0,
        tools: tuple[Tool, ...] = TOOLS,
    ) -> None:
        self._about: Json = {"name": NAME, "title": TITLE, "version": version}
        self._confirmations, self._wait = confirmations, wait_seconds
        self._tools = {tool.name: tool for tool in tools}
        self._prompts = {prompt.name: prompt for prompt in PROMPTS}

    async def handle(
        self, message: object, registry: Registry, headers: Mapping[str, str] | None = None
    ) -> Reply | Listening:
        """The answer to one decoded message, or to the ProtocolError that stands for one that cannot be read; a Listening is a stream that the caller drives. headers: of HTTP, None elsewhere."""
        modern = False
        try:
            if isinstance(message, ProtocolError):
                raise message
            request = read(message, headers)
            modern = request.modern
            if request.notification:
                await registry.admit()
                return Reply(None, 202)
            if modern and request.method == "subscriptions/listen":
                return listening(request.id, request.params, self._about)
            value = await self._answered(request, registry)
            return Reply(result(request.id, self._modern(value) if modern else _as_before(value)))
        except ProtocolError as error:
            try:
                await registry.admit()
            except CallFailed as refused:
                return self.refused(id_of(message), refused)
            return Reply(failure(id_of(message), error), status_of(error, modern))
        except CallFailed as error:
            return self.refused(id_of(message), error, modern=modern)

    def refused(self, id_: Any, error: CallFailed, *, modern: bool = False) -> Reply:
        """A failure of the registry as a JSON-RPC error."""
        code, status = INTERNAL_ERROR, 0
        if error.code == UNAUTHENTICATED:
            code, status = NOT_ALLOWED, 401
        elif error.code == PERMISSION_DENIED:
            code, status = NOT_ALLOWED, 403
        elif error.retry_seconds is not None:
            status = 429
        elif error.code == NOT_FOUND:
            code = INVALID_PARAMS if modern else RESOURCE_NOT_FOUND
        elif error.code == INVALID_ARGUMENT:
            code = INVALID_PARAMS
        found = ProtocolError(code, error.message, _told(error), status=status)
        headers = error.headers
        if error.retry_seconds is not None:
            headers += (("retry-after", str(max(1, math.ceil(error.retry_seconds)))),)
        return Reply(failure(id_, found), status_of(found, modern), headers)

    async def _answered(self, request: Request, registry: Registry) -> Json:
        method, params = request.method, request.params
        if method == "tools/call":
            return await self._call(params, registry)
        if method == "resources/list":
            return {**await resources.listed(registry, _cursor(params)), **_cached(0)}
        if method == "resources/read":
            return {**await resources.read(registry, params.get("uri", "")), **_cached(MINUTE_MS)}
        found = self._own(request)
        await registry.admit()
        return found

    def _own(self, request: Request) -> Json:
        """Answers that need no registry."""
        method, params = request.method, request.params
        if method == "tools/list":
            _no_cursor(params)
            return {"tools": [t.listed() for t in self._tools.values()], **_cached(FOREVER_MS, "public")}
        if method == "prompts/list":
            _no_cursor(params)
            return {"prompts": [p.listed() for p in self._prompts.values()], **_cached(FOREVER_MS, "public")}
        if method == "resources/templates/list":
            _no_cursor(params)
            return {"resourceTemplates": list(resources.TEMPLATES), **_cached(FOREVER_MS, "public")}
        if method == "prompts/get":
            prompt = self._prompts.get(str(params.get("name", "")))
            if prompt is None:
                raise ProtocolError(
                    INVALID_PARAMS, f"there is no such prompt; there are {', '.join(self._prompts)}"
                )
            return prompt.filled(params.get("arguments", {}))
        if request.modern and method == "server/discover":
            return {
                "supportedVersions": [*MODERN_REVISIONS],
                "capabilities": {
                    "tools": {},
                    "prompts": {},
                    "resources": {"subscribe": True, "listChanged": True},
                },
                "instructions": INSTRUCTIONS,
                **_cached(FOREVER_MS, "public"),
            }
        if not request.modern and method == "initialize":
            return self._initialized(params)
        if not request.modern and method == "ping":
            return {}
        raise ProtocolError(METHOD_NOT_FOUND, f"there is no method {method}")

    def _initialized(self, params: Json) -> Json:
        wanted = params.get("protocolVersion")
        if not isinstance(wanted, str):
            raise ProtocolError(INVALID_PARAMS, "params.protocolVersion must be a text")
        return {
            "protocolVersion": wanted if wanted in HANDSHAKE_REVISIONS else HANDSHAKE_REVISIONS[-1],
            "capabilities": {"tools": {}, "prompts": {}, "resources": {}},
            "serverInfo": self._about,
            "instructions": INSTRUCTIONS,
        }

    async def _call(self, params: Json, registry: Registry) -> Json:
        name = params.get("name")
        tool = self._tools.get(name) if isinstance(name, str) else None
        if tool is None:
            raise ProtocolError(INVALID_PARAMS, f"there is no such tool; there are {', '.join(self._tools)}")
        context = Context(registry, self._confirmations, self._wait)
        try:
            arguments = demand(tool.input, params.get("arguments", {}))
        except BadArguments as error:
            await registry.admit()
            return _bad(tool, error)
        try:
            told = await tool.run(context, arguments)
        except BadArguments as error:
            return _bad(tool, error)
        except CallFailed as error:
            if error.code == UNAUTHENTICATED:
                raise
            return _failed(_told(error))
        return {
            "content": [{"type": "text", "text": write(told)}],
            "structuredContent": told,
            "isError": False,
        }

    def _modern(self, value: Json) -> Json:
        return {"resultType": "complete", "_meta": {SERVER_KEY: self._about}, **value}


def _bad(tool: Tool, error: BadArguments) -> Json:
    """Arguments that do not fit, as a result that the model sees (SEP-1303)."""
    fields = [
        {"field": pointer.removeprefix("/"), "problem": cut(why, _MOST_TEXT)} for pointer, why in error.errors
    ]
    return _failed(
        {
            "error": "INVALID_ARGUMENTS",
            "message": cut(f"{tool.name} did nothing: {error}", _MOST_TEXT),
            "fields": fields,
            "way_out": "correct these arguments and call again",
        }
    )


def _failed(told: Json) -> Json:
    """No structuredContent: what failed does not fit the outputSchema, and clients would refuse it for that."""
    return {"content": [{"type": "text", "text": write(told)}], "isError": True}


_WAYS_OUT = {
    PERMISSION_DENIED: "ask somebody who may, or ask for the permission; do not try again as you are",
    NOT_FOUND: "look for the right name with search_schemas or list_versions",
    INVALID_ARGUMENT: "correct the arguments and call again",
    "RESOURCE_EXHAUSTED": "wait, or ask for less",
    "UNAVAILABLE": "wait a little and call again",
    "ABORTED": "call again",
    "DEADLINE_EXCEEDED": "ask for less, or call again",
}


def _told(error: CallFailed) -> Json:
    """A failure of the registry, with the way out of it."""
    way_out = _WAYS_OUT.get(error.code, "")
    if error.retry_seconds is not None:
        way_out = f"call again in {error.retry_seconds:.3g} s"
    if error.reason == "INCOMPATIBLE_SCHEMA":
        way_out = "read the violations and their witnesses; change the schema so that it accepts what they show, and check again"
    return without_empty(
        {
            "error": error.reason or error.code,
            "message": cut(_FIELD.sub("schema", error.message), _MOST_TEXT),
            "fields": [
                {"field": cut(_FIELD.sub("schema", f), 300), "problem": cut(why, 500)}
                for f, why in error.fields[:20]
            ],
            "report": _report(error.report),
            "way_out": way_out,
            "request_id": error.request_id,
        }
    )


def _report(found: Any) -> Json:
    """What came with a failure: a report of compatibility, or issues of a schema."""
    if found is None:
        return {}
    if hasattr(found, "violations"):
        return report(found)
    issues = [
        without_empty(
            {
                "rule": i.rule,
                "pointer": cut(i.pointer, 300),
                "line": i.line or None,
                "message": cut(i.message, 500),
            }
        )
        for i in found.issues[:20]
    ]
    return {"issues": issues}


def _as_before(value: Json) -> Json:
    """A result without what 2026-07-28 has brought."""
    return {name: v for name, v in value.items() if name not in ("ttlMs", "cacheScope")}


def _cached(ttl_ms: int, scope: str = "private") -> Json:
    """How long an answer may be kept, and by whom."""
    return {"ttlMs": ttl_ms, "cacheScope": scope}


def _cursor(params: Json) -> str:
    cursor = params.get("cursor", "")
    if not isinstance(cursor, str) or len(cursor) > resources.MOST_CURSOR:
        raise ProtocolError(INVALID_PARAMS, "cursor must be the nextCursor of the page before")
    return cursor


def _no_cursor(params: Json) -> None:
    """Raises ProtocolError for a page that is none: all fits on one."""
    if params.get("cursor"):
        raise ProtocolError(INVALID_PARAMS, "there is no such page; leave the cursor out")
