"""How a client reaches the registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

import grpc

from ._retry import RetryPolicy

DEFAULT_TARGET = "localhost:9090"
DEFAULT_TIMEOUT = 30.0
DEFAULT_CACHE_BYTES = 64 * 1024 * 1024
LARGEST_ANSWER = 64 * 1024 * 1024
"""A page of a search may hold many schemas; gRPC's own limit is 4 MiB."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Encryption, in PEM: the authorities to trust (None: those of the system), and for mutual TLS our own key and
    certificate. `server_name` is the name that the server's certificate bears when it is not the target's.
    """

    root_certificates: bytes | None = None
    private_key: bytes | None = field(default=None, repr=False)
    certificate_chain: bytes | None = None
    server_name: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """Everything a client is told. See `SchemaRegistry` for the meaning of each."""

    target: str
    token: str | Callable[[], str] | None = field(repr=False)
    credentials: grpc.ChannelCredentials | None
    metadata: tuple[tuple[str, str], ...] = field(repr=False)
    timeout: float
    retry: RetryPolicy
    read_your_writes: bool
    channel_options: tuple[tuple[str, str | int], ...]

    def call_metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries. A callable token is asked anew for each call, so that it may be renewed."""
        if self.token is None:
            return self.metadata
        token = self.token() if callable(self.token) else self.token
        return (*self.metadata, ("authorization", f"Bearer {token}"))


def options(
    target: str,
    *,
    token: str | Callable[[], str] | None,
    tls: bool | Tls | grpc.ChannelCredentials | None,
    metadata: Sequence[tuple[str, str]],
    timeout: float,
    retry: RetryPolicy,
    read_your_writes: bool,
    channel_options: Sequence[tuple[str, str | int]],
) -> Options:
    """The options of a client. Raises ValueError for a target or a timeout that cannot be meant."""
    if timeout <= 0:
        raise ValueError(f"timeout is {timeout} s; it must be greater than 0")
    scheme, separator, rest = target.partition("://")
    if separator and scheme in ("http", "https", "grpc", "grpcs"):
        target = rest.rstrip("/")
        tls = tls or scheme in ("https", "grpcs")
    if not target:
        raise ValueError("target is empty; give host:port")
    if tls is True:
        tls = Tls()
    extra: list[tuple[str, str | int]] = []
    credentials = None
    if isinstance(tls, Tls):
        credentials = grpc.ssl_channel_credentials(
            tls.root_certificates, tls.private_key, tls.certificate_chain
        )
        if tls.server_name:
            extra.append(("grpc.ssl_target_name_override", tls.server_name))
    elif tls:
        credentials = tls
    return Options(
        target=target,
        token=token,
        credentials=credentials,
        metadata=tuple((key.lower(), value) for key, value in metadata),
        timeout=timeout,
        retry=retry,
        read_your_writes=read_your_writes,
        channel_options=(*_DEFAULTS, *extra, *channel_options),
    )


def _release() -> str:
    try:
        return version("llm-schema-registry")
    except PackageNotFoundError:  # run from the source tree
        return "0"


_DEFAULTS: tuple[tuple[str, str | int], ...] = (
    ("grpc.max_receive_message_length", LARGEST_ANSWER),
    ("grpc.max_send_message_length", -1),
    ("grpc.primary_user_agent", f"llm-schema-registry-python/{_release()}"),
)
