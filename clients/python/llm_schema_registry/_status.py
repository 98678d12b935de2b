"""From a failed call of either gRPC stack to an exception, with everything that google.rpc.Status carries."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from google.protobuf.message import DecodeError
from google.rpc import status_pb2

from . import _decode
from .errors import Code, RegistryError, Unavailable

DETAILS = "grpc-status-details-bin"
REQUEST_ID = "x-request-id"
BROKEN_WRITE = "Internal error from Core"
"""What grpc.aio reports, as INTERNAL, when a connection broke under a write before its real status came."""


def from_rpc(error: grpc.RpcError, timeout: float | None = None) -> RegistryError:
    """The exception for a failed call of either gRPC stack; `timeout` in seconds is what the caller had granted."""
    assert isinstance(error, grpc.Call | grpc.aio.AioRpcError)  # what both stacks raise
    headers = _headers(error.initial_metadata()) | _headers(error.trailing_metadata())
    details = headers.get(DETAILS, b"")
    status = status_pb2.Status()
    try:
        status.ParseFromString(details if isinstance(details, bytes) else details.encode())
    except DecodeError:
        status.Clear()  # details made by something else on the way; code and message still stand
    code = int(error.code().value[0])
    if error.details() == BROKEN_WRITE:
        return Unavailable("the connection broke while a request was being sent", reason="")
    if status.code != code:
        status = status_pb2.Status(code=code, message=error.details() or "")
        if code == Code.DEADLINE_EXCEEDED and timeout is not None:
            status.message = f"no answer within {timeout:g} s"
    request_id = headers.get(REQUEST_ID, "")
    return _decode.error(status, request_id=request_id if isinstance(request_id, str) else "")


def _headers(metadata: Iterable[tuple[str, str | bytes]] | None) -> dict[str, str | bytes]:
    return dict(metadata or ())
