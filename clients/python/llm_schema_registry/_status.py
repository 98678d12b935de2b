"""From a failed call of either gRPC stack to an exception, with everything that google.rpc.Status carries."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from google.protobuf.message import DecodeError
from google.rpc import status_pb2

from . import _decode
from ._targets import DEFAULT_PORT
from .errors import Code, ProtocolMismatch, RegistryError, Unavailable, Unimplemented

DETAILS = "grpc-status-details-bin"
REQUEST_ID = "x-request-id"
BROKEN_WRITE = "Internal error from Core"
"""What grpc.aio reports, as INTERNAL, when a connection broke under a write before its real status came."""
NEVER_SENT = ("failed to connect to all addresses", "DNS resolution failed", "Name resolution failure")
"""How gRPC's message begins when there was no connection on which the request could have been sent."""
HTTP_PORT = "this is the HTTP port"
"""How the registry's own HTTP port begins its answer to a gRPC call; the rest names the port that speaks gRPC."""
SPEAKS_HTTP = ("http2 header with status", "Failed parsing HTTP/2", "Trying to connect an http1.x server")
"""What gRPC's message holds when the peer answers in plain HTTP."""
UNKNOWN_METHOD = ("method not found", "unknown service", "unknown method")
"""What servers say, in lower case, to a call that none of their services has."""
STOPPED = "CANCELLED"
"""What grpcio's server says to calls that it ends by stopping; nobody else says just that."""
SPEAKS_NO_TLS = "WRONG_VERSION_NUMBER"
"""What gRPC's message holds when a TLS handshake is answered in plain text."""


def from_rpc(
    error: grpc.RpcError, timeout: float | None = None, *, path: str = "", address: str = ""
) -> RegistryError:
    """The exception for a failed call of either gRPC stack.

    `timeout` in seconds is what the caller had granted; `path` and `address` name the call and the server.
    """
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
        found = _of_the_connection(code, error.details() or "", path, address)
        if found is not None:
            return found
        status = status_pb2.Status(code=code, message=error.details() or "")
        if code == Code.DEADLINE_EXCEEDED.number and timeout is not None:
            status.message = f"no answer within {timeout:g} s"
    request_id = headers.get(REQUEST_ID, "")
    return _decode.error(status, request_id=request_id if isinstance(request_id, str) else "")


def _of_the_connection(code: int, message: str, path: str, address: str) -> RegistryError | None:
    """The failure of a call that no handler of a registry answered, in words that say what to do."""
    where = address or "the server"
    if message.startswith(HTTP_PORT):
        return ProtocolMismatch(f"{where} answers, but does not speak gRPC: {message}")
    if any(words in message for words in SPEAKS_HTTP):
        return ProtocolMismatch(
            f"{where} answers, but does not speak gRPC: it may be the server's HTTP or metrics port. gRPC is served on "
            f"port {DEFAULT_PORT} unless grpc.port was set ({message})"
        )
    if SPEAKS_NO_TLS in message:
        return ProtocolMismatch(
            f"{where} answers, but not in TLS: connect without it (http:// or no scheme, no tls=...), or enable TLS on "
            f"the server ({message})"
        )
    if code == Code.UNIMPLEMENTED.number and any(words in message.lower() for words in UNKNOWN_METHOD):
        call = path.rpartition(".")[2] or "this call"
        return Unimplemented(
            f"{where} does not know {call}: it is older than this client, or no LLM Schema Registry ({message})",
            reason="",
        )
    if code == Code.CANCELLED.number and message == STOPPED:
        return Unavailable("the server stopped while the call was under way", reason="")
    if code == Code.UNAVAILABLE.number:
        failure = Unavailable(message, reason="")
        failure.never_sent = message.startswith(NEVER_SENT)
        return failure
    return None


def _headers(metadata: Iterable[tuple[str, str | bytes]] | None) -> dict[str, str | bytes]:
    return dict(metadata or ())
