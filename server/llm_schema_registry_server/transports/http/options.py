"""What the HTTP twin needs to know beside the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...calls.peer import NO_PROXIES, TrustedProxies
from ...telemetry.http_requests import HttpRequests
from ..unread import Unread
from .asgi import API_HEADERS, Headers
from .json_in import MOST_ITEMS
from .json_text import MOST_ESCAPES, MOST_VALUES
from .sockets import Redeem, no_tickets


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """What the application needs to know beside the pipeline.

    `live` are the paths of methods whose streams never end: they go out as server-sent events unless the caller asks
    for lines. `sockets` maps a URL path to the method that a WebSocket there subscribes to. `statuses` give an HTTP
    status for an answer that is well-formed and yet no 200. `socket_bytes` may arrive over a WebSocket as its request; `max_items` may a list or map of a request have.
    `security` are the headers that every answer carries. `required` names, by the path of a method, a field that its body must
    have though the proto takes it as empty. `origins` are those of pages that may ask besides the server's own, `hosts` the names that the server has
    besides localhost; None: any. `redeem`: see Sockets. `version` is the server's, for those who ask what there is.
    `requests` is where each request is noted.
    """

    max_body_bytes: int
    max_batch_bytes: int
    unread: Unread
    socket_bytes: int = 64 * 1024
    max_values: int = MOST_VALUES
    max_escapes: int = MOST_ESCAPES
    max_items: int = MOST_ITEMS
    live: frozenset[str] = frozenset()
    sockets: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, Callable[[Any], int]] = field(default_factory=dict)
    proxies: TrustedProxies = NO_PROXIES
    security: Headers = API_HEADERS
    origins: frozenset[str] = frozenset()
    hosts: frozenset[str] | None = None
    redeem: Redeem = no_tickets
    required: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    requests: HttpRequests = field(default_factory=HttpRequests)
