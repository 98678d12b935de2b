"""JSON-RPC 2.0 messages as MCP uses them, and what tells the two eras of MCP apart.

Revisions up to 2025-11-25 begin with `initialize`. From 2026-07-28 each request says for itself which revision it speaks, in
`params._meta` and, over HTTP, in headers that must agree with the body.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
"""A JSON object."""
Id = str | int | float | None
"""Of a request; None where it could not be read."""

HANDSHAKE_REVISIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN_REVISIONS = ("2026-07-28",)

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND = -32700, -32600, -32601
INVALID_PARAMS, INTERNAL_ERROR = -32602, -32603
HEADER_MISMATCH, UNSUPPORTED_REVISION = -32020, -32022
RESOURCE_NOT_FOUND = -32002
"""Of the handshake era; 2026-07-28 has retired it for INVALID_PARAMS."""
NOT_ALLOWED = -32001
"""The registry refuses: credentials are missing, or not enough. MCP has no code for it; HTTP says 401 or 403 beside it."""

_STATUS = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    UNSUPPORTED_REVISION: 400,
    METHOD_NOT_FOUND: 404,
}

_META = "io.modelcontextprotocol/"
REVISION_KEY, CAPABILITIES_KEY = _META + "protocolVersion", _META + "clientCapabilities"
SERVER_KEY, SUBSCRIPTION_KEY = _META + "serverInfo", _META + "subscriptionId"

REVISION_HEADER, METHOD_HEADER, NAME_HEADER = "mcp-protocol-version", "mcp-method", "mcp-name"
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_BASE64 = re.compile(r"=\?base64\?([A-Za-z0-9+/]*={0,2})\?=")

MOST_METHOD, MOST_ID = 100, 200
"""Characters of the name of a method, and of the id of a request."""


class ProtocolError(Exception):
    """A JSON-RPC error. `status`: of the HTTP answer; 0: what the code says."""

    def __init__(self, code: int, message: str, data: Any = None, *, status: int = 0) -> None:
        super().__init__(message)
        self.code, self.message, self.data, self.status = code, message, data, status


@dataclass(frozen=True, slots=True)
class Request:
    """One message of a client. `id` None and `notification`: nothing is answered. `modern`: it speaks 2026-07-28 or later."""

    id: Id
    method: str
    params: Json
    notification: bool
    modern: bool


def read(message: object, headers: Mapping[str, str] | None) -> Request:
    """The request in a decoded message. headers: of HTTP, None on a wire that has none. Raises ProtocolError."""
    if isinstance(message, list):
        raise ProtocolError(
            INVALID_REQUEST,
            "batches are not taken (MCP dropped them in 2025-06-18); send one message at a time",
        )
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise ProtocolError(INVALID_REQUEST, 'a message is an object with "jsonrpc": "2.0"')
    method = message.get("method")
    if method is None and ("result" in message or "error" in message):
        raise ProtocolError(INVALID_REQUEST, "this server asks nothing, and so takes no answers")
    if not isinstance(method, str) or not 0 < len(method) <= MOST_METHOD:
        raise ProtocolError(INVALID_REQUEST, f"method must be a text of 1 to {MOST_METHOD} characters")
    if "id" in message and not is_id(message["id"]):
        raise ProtocolError(
            INVALID_REQUEST,
            f"id must be an integer of at most 64 bits or a text of at most {MOST_ID} characters",
        )
    params = message.get("params", {})
    if not isinstance(params, dict):
        raise ProtocolError(INVALID_PARAMS, "params must be an object")
    modern = _is_modern(params, headers)
    found = Request(message.get("id"), method, params, "id" not in message, modern)
    if modern and not found.notification:
        _demand_envelope(found, headers)
    return found


def is_id(value: object) -> bool:
    """Whether a value may be the id of a request."""
    if isinstance(value, str):
        return len(value) <= MOST_ID
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def id_of(message: object) -> Id:
    """The id of a message that may be none."""
    found = message.get("id") if isinstance(message, dict) else None
    return found if is_id(found) else None


def _is_modern(params: Json, headers: Mapping[str, str] | None) -> bool:
    """Whether a message is of the era without a handshake. Over HTTP the header decides; a revision that nobody knows is refused."""
    meta = params.get("_meta")
    inside = meta.get(REVISION_KEY) if isinstance(meta, dict) else None
    if headers is None:
        return inside is not None
    said = headers.get(REVISION_HEADER)
    if said is None:
        return inside is not None
    if said in HANDSHAKE_REVISIONS:
        if inside is not None and inside != said:
            raise ProtocolError(
                HEADER_MISMATCH, f"the header {REVISION_HEADER} says {said}, params._meta another revision"
            )
        return False
    if said not in MODERN_REVISIONS:
        raise _unsupported(said)
    return True


def _demand_envelope(request: Request, headers: Mapping[str, str] | None) -> None:
    """Raises ProtocolError for a request of 2026-07-28 that does not say what each must say."""
    meta = request.params.get("_meta")
    missing = [
        key for key in (REVISION_KEY, CAPABILITIES_KEY) if not (isinstance(meta, dict) and key in meta)
    ]
    if missing or not isinstance(meta, dict):
        raise ProtocolError(INVALID_PARAMS, f"params._meta must have {' and '.join(missing)}", status=400)
    revision = meta[REVISION_KEY]
    if not isinstance(revision, str):
        raise ProtocolError(INVALID_PARAMS, f"params._meta: {REVISION_KEY} must be a text", status=400)
    if headers is not None:
        _demand_header(headers, REVISION_HEADER, revision)
        _demand_header(headers, METHOD_HEADER, request.method)
        named = _NAMED_BY.get(request.method)
        if named is not None and isinstance(request.params.get(named), str):
            _demand_header(headers, NAME_HEADER, request.params[named])
    if revision not in MODERN_REVISIONS:
        raise _unsupported(revision)


def _demand_header(headers: Mapping[str, str], name: str, value: str) -> None:
    if _decoded(headers.get(name)) != value:
        raise ProtocolError(
            HEADER_MISMATCH, f"the header {name} is missing or says something else than the body"
        )


def _decoded(value: str | None) -> str | None:
    """The value of a header; what is no plain text comes as `=?base64?...?=`."""
    found = _BASE64.fullmatch(value) if value is not None else None
    if found is None:
        return value
    try:
        return base64.b64decode(found[1], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _unsupported(revision: str) -> ProtocolError:
    return ProtocolError(
        UNSUPPORTED_REVISION,
        "Unsupported protocol version",
        {"supported": list(MODERN_REVISIONS), "requested": revision[:MOST_METHOD]},
    )


def result(id: Id, value: Json) -> Json:
    """The answer to a request."""
    return {"jsonrpc": "2.0", "id": id, "result": value}


def failure(id: Id, error: ProtocolError) -> Json:
    """The answer that tells of an error."""
    told: Json = {"code": error.code, "message": error.message}
    if error.data is not None:
        told["data"] = error.data
    return {"jsonrpc": "2.0", "id": id, "error": told}


def status_of(error: ProtocolError, modern: bool) -> int:
    """The HTTP status of an error: clients of the handshake era take the errors of methods with 200 only."""
    if error.status:
        return error.status
    if not modern and error.code in (METHOD_NOT_FOUND, INVALID_PARAMS):
        return 200
    return _STATUS.get(error.code, 200)


def write(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
