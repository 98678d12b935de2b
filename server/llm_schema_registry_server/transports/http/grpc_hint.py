"""What a gRPC client hears that has taken the HTTP port: which port speaks gRPC. Any client shows it, in any language."""

from __future__ import annotations

from collections.abc import Callable

from .asgi import API_HEADERS, Receive, Scope, Send

_UNIMPLEMENTED = b"12"
"""google.rpc.Code: no client calls again after it."""


class GrpcHint:
    """An application for the paths of gRPC services on the HTTP port. grpc_port: asked when it is known.

    Calls of gRPC get a response that consists of trailers only (gRPC over HTTP/2, "Responses"); others plain text.
    """

    def __init__(self, grpc_port: Callable[[], int]) -> None:
        self._grpc_port = grpc_port

    def leave(self) -> None:
        """The hint stays the same while the server goes."""

    def close(self) -> None:
        """Nothing is held."""

    async def http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request without reading its body."""
        text = f"this is the HTTP port; gRPC is served on port {self._grpc_port()} of this server"
        content_type = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
        if content_type.startswith(b"application/grpc"):
            headers = [
                (b"content-type", b"application/grpc"),
                (b"grpc-status", _UNIMPLEMENTED),
                (b"grpc-message", text.encode("ascii")),
            ]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        body = f"{text}\n".encode()
        headers = [
            *API_HEADERS,
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": body})
