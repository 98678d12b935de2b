"""The port between us and whatever speaks HTTP: ASGI 3, as little of it as we need.

ASGI and not RSGI, because a path must reach us before it is percent-decoded (docs/decisions/0007).
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from ...errors import InvalidRequest
from .errors import UnsupportedBody

# What ASGI hands around: dictionaries whose keys depend on their "type".
Event = dict[str, Any]
Scope = Event
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


_GRPC_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_GRPC_TIMEOUT = re.compile(r"(\d{1,8})([HMSmun])")

Headers = tuple[tuple[bytes, bytes], ...]

API_HEADERS: Headers = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"private, no-cache"),
)
"""Security headers of a face whose answers are data: nothing in them is to be rendered, framed, run or embedded elsewhere, and no cache
that callers share keeps them, nor does any give them out without asking."""

SECURE_API_HEADERS: Headers = (*API_HEADERS, (b"strict-transport-security", b"max-age=31536000"))
"""The same of a server behind TLS: a browser that has been there does not come back without it (RFC 6797)."""

_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json")
_LINES = re.compile(r"application/(?:(?:[\w.+-]+\+)?json|x-ndjson|ndjson|jsonl|jsonlines|x-jsonlines)")

# Lists of which each line has a part; RFC 9110 5.3 reads the lines as one list. Credentials are none, but two lines of them must
# not become one caller for this server and another for a proxy before it: joined, they are refused.
_LISTS = (
    "x-forwarded-for", "forwarded", "content-encoding", "transfer-encoding", "authorization", "x-api-key",
)  # fmt: skip
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]*)")
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})


_JSON_TYPE = (b"content-type", b"application/json")

Whole = tuple[Event, Event]
"""The start and the body of a whole answer."""


class ClientLeft(Exception):
    """The client is gone; there is nobody to tell anything."""


class Reply(NamedTuple):
    """A whole answer. `headers` come on top of the content type and the security headers of its face."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"


def headers(scope: Scope) -> dict[str, str]:
    """Header names in lower case; a name that comes twice counts with its last value, except for lists, and `host`, which
    then names nobody."""
    lines = scope["headers"]
    found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in lines}
    if len(found) != len(lines):
        for listed in _LISTS:
            if listed in found:
                wanted = listed.encode()
                found[listed] = ",".join(v.decode("latin-1") for name, v in lines if name.lower() == wanted)
        if sum(name.lower() == b"host" for name, _ in lines) > 1:
            found["host"] = ""
    return found


def path_of(scope: Scope) -> str:
    """The path as it came, not percent-decoded. Clients that encode nothing write it in UTF-8; raises InvalidRequest for
    anything else."""
    raw: bytes = scope["raw_path"]
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest("path", "is neither percent-encoded nor UTF-8") from error


def demand_host(scope: Scope, metadata: Mapping[str, str]) -> None:
    """Raises InvalidRequest for a request over HTTP/1.1 without a Host header, or with several (RFC 9112 3.2). Granian makes
    an empty one of none, `headers` of several."""
    if not metadata.get("host") and scope["http_version"] == "1.1":
        raise InvalidRequest("host", "is missing: a request over HTTP/1.1 must have one Host header")


def demand_readable(metadata: Mapping[str, str], *, lines: bool = False) -> None:
    """Raises UnsupportedBody for a body that is compressed, or in another character set than UTF-8: it would be taken for
    something else than what was sent. And for one that is called something else than JSON, or lines of it: a page of another site
    makes browsers send forms and plain text without asking (CORS protocol, "simple" requests), but no JSON."""
    content = metadata.get("content-encoding", "")
    if any(coding.strip().lower() not in ("", "identity") for coding in content.split(",")):
        raise UnsupportedBody(
            "content-encoding", content, "without one: it is neither compressed nor encrypted"
        )
    transfer = metadata.get("transfer-encoding", "chunked")
    if transfer.strip().lower() != "chunked":
        raise UnsupportedBody("transfer-encoding", transfer, "in chunks or with a content-length")
    kind = metadata.get("content-type", "").lower()
    if (found := _CHARSET.search(kind)) is not None and found[1] not in _CHARSETS:
        raise UnsupportedBody("content-type", kind, "in UTF-8")
    if kind and not (_LINES if lines else _JSON).fullmatch(kind.partition(";")[0].strip()):
        raise UnsupportedBody("content-type", kind, _called(lines))


def body_length(scope: Scope, metadata: Mapping[str, str]) -> int | None:
    """How long the body is by its head, which the HTTP server holds it to; None when that is not said. Over HTTP/2 a body ends with a frame
    that may come later."""
    text = metadata.get("content-length", "")
    said = text.isascii() and text.isdigit() and len(text) < 20 and "transfer-encoding" not in metadata
    return int(text) if said and scope["http_version"].startswith("1") else None


def demand_type(metadata: Mapping[str, str], body: bytes, *, lines: bool = False) -> None:
    """Raises UnsupportedBody for a body that is not called anything: browsers send that without asking, too."""
    if body and not metadata.get("content-type"):
        raise UnsupportedBody("content-type", "", _called(lines))


def _called(lines: bool) -> str:
    return f"with content-type application/{'x-ndjson' if lines else 'json'}"


def connection(scope: Scope) -> str:
    """The other end of the connection: `10.0.0.7:4711`, "" when it is unknown."""
    client = scope.get("client")
    if not client:
        return ""
    host, port = client
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def deadline(metadata: Mapping[str, str]) -> float | None:
    """The caller's deadline as a point of time.monotonic(), from x-timeout-ms or grpc-timeout; None without one."""
    if text := metadata.get("x-timeout-ms"):
        if not (text.isascii() and text.isdigit() and 0 < len(text) < 10):
            raise InvalidRequest("x-timeout-ms", "must be a whole number of milliseconds")
        return time.monotonic() + int(text) / 1000
    if text := metadata.get("grpc-timeout"):
        found = _GRPC_TIMEOUT.fullmatch(text)
        if found is None:
            raise InvalidRequest("grpc-timeout", "must be digits and one of H, M, S, m, u, n")
        return time.monotonic() + int(found[1]) * _GRPC_UNITS[found[2]]
    return None


GONE = ("http.disconnect", "websocket.disconnect")
"""The events that tell that a client has left."""


async def until_disconnected(receive: Receive) -> None:
    """Returns when the client has left."""
    while (await receive())["type"] not in GONE:
        pass


async def send_reply(
    send: Send, reply: Reply, *, security: Headers = API_HEADERS, head_only: bool = False
) -> None:
    """The whole answer; without its body for HEAD."""
    body = reply.body
    lines = _lines(reply.status, reply.content_type, reply.headers, len(body), security)
    await send({"type": "http.response.start", "status": reply.status, "headers": lines})
    await send({"type": "http.response.body", "body": b"" if head_only else body})


def whole_answer(body: bytes, extra: tuple[tuple[str, str], ...], security: Headers) -> Whole:
    """An answer of JSON with status 200, to be sent as it is."""
    lines = [
        *security,
        *[(name.encode(), value.encode("latin-1", "replace")) for name, value in extra],
        _JSON_TYPE,
        (b"content-length", b"%d" % len(body)),
    ]
    return (
        {"type": "http.response.start", "status": 200, "headers": lines},
        {"type": "http.response.body", "body": body},
    )


async def send_head(
    send: Send,
    status: int,
    content_type: str,
    extra: tuple[tuple[str, str], ...] = (),
    *,
    length: int | None = None,
    security: Headers = API_HEADERS,
) -> None:
    """Status line and headers; a body of unknown `length` follows in pieces."""
    lines = _lines(status, content_type, extra, length, security)
    await send({"type": "http.response.start", "status": status, "headers": lines})


def _lines(
    status: int, content_type: str, extra: tuple[tuple[str, str], ...], length: int | None, security: Headers
) -> list[tuple[bytes, bytes]]:
    """The header lines of an answer. On the path of every answer: plain loops, nothing encoded twice."""
    lines = list(security)
    for name, value in extra:
        lines.append((name.encode(), value.encode("latin-1", "replace")))
    if status != 204 and status != 304:
        lines.append((b"content-type", content_type.encode()))
        if length is not None:
            lines.append((b"content-length", b"%d" % length))
    return lines
