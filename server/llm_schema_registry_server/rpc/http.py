"""What of the HTTP twin no binding in the protos can say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from llm_schema_registry.v1 import schema_registry_pb2 as pb

_SERVICE = "/schema_registry.v1.SchemaRegistry/"
_CHANGES = _SERVICE + "StreamSchemaChanges"
_OK, _CREATED, _UNAVAILABLE = 200, 201, 503

LIVE = frozenset({_CHANGES})
"""Streams that never end: server-sent events unless the caller asks otherwise."""

SOCKETS: Mapping[str, str] = {"/api/v1/schemas/subscribe": _CHANGES}
"""URL paths of WebSockets, and the method that each subscribes to."""

REQUIRED: Mapping[str, str] = {_SERVICE + "ValidateData": "data"}
"""A field that the body must have though it may be empty: in JSON its absence can be told, and is a mistake. (`{}` is not
the empty message of Protobuf, which is `"data": ""`.)"""


def _health(answer: pb.HealthCheckResponse) -> int:
    return _UNAVAILABLE if answer.status == pb.HealthCheckResponse.STATUS_UNHEALTHY else _OK


def _registered(answer: pb.RegisterSchemaResponse) -> int:
    return _CREATED if answer.created else _OK


STATUSES: Mapping[str, Callable[[Any], int]] = {
    _SERVICE + "HealthCheck": _health,
    _SERVICE + "RegisterSchema": _registered,
}
"""HTTP status of an answer that is well-formed and yet may be no 200. Any: each function knows its own answer."""
