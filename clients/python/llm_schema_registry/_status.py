"""From a failed call of either gRPC stack to an exception, with everything that google.rpc.Status carries."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from google.protobuf.message import DecodeError
from google.rpc import status_pb2

from . import _decode
from ._targets import DEFAULT_PORT
from .errors import Code, HandshakeFailed, ProtocolMismatch, RegistryError, Unavailable, Unimplemented

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

SPEAKS_TLS = "this port speaks TLS"
"""How the registry begins its answer to a call without TLS on a port that speaks nothing else."""
NOT_TRUSTED = {
    "self signed certificate": "its authority is none of those that are trusted here",
    "self-signed certificate": "its authority is none of those that are trusted here",
    "unable to get local issuer": "its authority is none of those that are trusted here",
    "unable to get issuer": "its authority is none of those that are trusted here",
    "has expired": "it has expired",
    "not yet valid": "it is not valid yet",
    "Hostname Verification Check failed": "it is for another name",
}
"""What gRPC's message holds when the server's certificate is refused: why, in our words."""
NOT_VERIFIED = ("CERTIFICATE_VERIFY_FAILED", "Hostname Verification Check failed")
CERTIFICATE_NOT_TAKEN = ("TSI_DATA_CORRUPTED",)
"""What gRPC's message holds when the server ends a handshake of TLS 1.3 that was done for us: it has looked at our certificate."""
UNUSABLE_FILES = "Failed to create security handshaker"
"""What gRPC's message holds when it cannot read the certificates or the key that it was given."""


def from_rpc(
    error: grpc.RpcError,
    timeout: float | None = None,
    *,
    path: str = "",
    address: str = "",
    certified: bool = False,
) -> RegistryError:
    """The exception for a failed call of either gRPC stack.

    `timeout` in seconds is what the caller had granted; `path` and `address` name the call and the server. certified: we show a
    certificate.
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
        found = _of_the_connection(code, error.details() or "", path, address, certified)
        if found is not None:
            return found
        status = status_pb2.Status(code=code, message=error.details() or "")
        if code == Code.DEADLINE_EXCEEDED.number and timeout is not None:
            status.message = f"no answer within {timeout:g} s"
    request_id = headers.get(REQUEST_ID, "")
    return _decode.error(status, request_id=request_id if isinstance(request_id, str) else "")


def _of_the_handshake(message: str, where: str, certified: bool) -> RegistryError | None:
    """The failure of a connection that TLS could not be agreed on for."""
    if message.startswith(SPEAKS_TLS):
        return ProtocolMismatch(f"{where} speaks TLS: write https://{where}, or give tls=...")
    if any(words in message for words in NOT_VERIFIED):
        why = next(
            (ours for theirs, ours in NOT_TRUSTED.items() if theirs in message), "it cannot be verified"
        )
        return HandshakeFailed(f"the certificate of {where} is refused: {why} ({message})")
    if any(words in message for words in CERTIFICATE_NOT_TAKEN):
        why = (
            "refuses our client certificate: it is of an authority that the server does not trust, expired, revoked, or not for clients"
            if certified
            else "asks for a client certificate, and none was given"
        )
        return HandshakeFailed(f"{where} {why} ({message})")
    if UNUSABLE_FILES in message:
        return HandshakeFailed(
            f"no TLS with {where}: the certificates or the key given for it cannot be used; they are PEM, and the key belongs to "
            f"the certificate ({message})"
        )
    return None


def _of_the_connection(
    code: int, message: str, path: str, address: str, certified: bool
) -> RegistryError | None:
    """The failure of a call that no handler of a registry answered, in words that say what to do."""
    where = address or "the server"
    if (failed := _of_the_handshake(message, where, certified)) is not None:
        return failed
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
