"""What the front of gRPC (transports/front/calls.py) is told: the bounds, and how a call is answered that passes them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import quote

from ...calls.call import request_id
from ...calls.failure import failure
from ...errors import LimitExceeded, RegistryError
from ...settings import GrpcSettings
from ..front.calls import CallBounds
from ..status import grpc_status
from .listener import engine_name

SETTING = "grpc.max_message_bytes"
_CROWDED_SECONDS = 1.0
# gRPC over HTTP/2, Status-Message: what stays as it is.
_PLAIN = "".join(chr(c) for c in range(0x20, 0x7F) if chr(c) != "%")


def call_bounds(settings: GrpcSettings) -> CallBounds:
    """The bounds that the settings name."""
    most = settings.max_message_bytes
    return CallBounds(
        message_bytes=most,
        streams=settings.streams_per_connection,
        too_large=lambda size: _fields(too_large(size, most)),
        crowded=lambda: _fields(_crowded()),
        in_order=engine_name(settings) == "grpcio",
    )


def too_large(size: int | None, limit: int) -> LimitExceeded:
    """Of a message of `size` bytes, None: of one that would be too large once it is unpacked."""
    what = (
        f"the message is {size} bytes long"
        if size is not None
        else "the message is larger once it is unpacked"
    )
    return LimitExceeded(f"{what}; the limit is {limit} (setting {SETTING})", size=size, limit=limit)


def _crowded() -> LimitExceeded:
    return LimitExceeded(
        "too many large compressed messages are being answered; send fewer at a time, or without compression",
        retry_seconds=_CROWDED_SECONDS,
    )


def _fields(error: RegistryError) -> list[tuple[str, str]]:
    """The trailers of an answer that is nothing else."""
    code, message, trailers = grpc_status(failure(error, request_id(_NOTHING)))
    return [
        ("grpc-status", str(code.value[0])),
        ("grpc-message", quote(message, safe=_PLAIN)),
        *(
            (name, b64encode(value).rstrip(b"=").decode() if isinstance(value, bytes) else value)
            for name, value in trailers
        ),
    ]


_NOTHING: Mapping[str, str] = {}
