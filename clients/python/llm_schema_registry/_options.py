"""How a client reaches the registry."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from pathlib import Path
from typing import Any

import grpc

from ._arguments import boolean, described, header_pairs, integer, seconds, text
from ._retry import RetryPolicy
from ._targets import parse_target

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

    def __post_init__(self) -> None:
        for name in ("root_certificates", "private_key", "certificate_chain"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, bytes):
                raise TypeError(
                    f"{name}: PEM as bytes is expected, such as Path('ca.pem').read_bytes(), not a {type(value).__name__}"
                )
        text(self.server_name, "server_name")
        if (self.private_key is None) != (self.certificate_chain is None):
            raise ValueError(
                "private_key and certificate_chain are given together: one is of no use without the other"
            )
        _pem("root_certificates", self.root_certificates, "CERTIFICATE-----")
        _pem("certificate_chain", self.certificate_chain, "CERTIFICATE-----")
        _pem("private_key", self.private_key, "PRIVATE KEY-----")

    @classmethod
    def from_files(
        cls,
        ca: str | PathLike[str] | None = None,
        certificate: str | PathLike[str] | None = None,
        key: str | PathLike[str] | None = None,
        *,
        server_name: str = "",
    ) -> Tls:
        """The same from files in PEM. Raises OSError, and ValueError for a file that holds something else."""
        ca_pem, chain, private = (
            None if file is None else Path(file).read_bytes() for file in (ca, certificate, key)
        )
        return cls(ca_pem, private, chain, server_name)


def _pem(name: str, content: bytes | None, kind: str) -> None:
    """Raises ValueError for content that is no PEM of this kind; it does not show any of it."""
    if content is not None and not (b"-----BEGIN " in content and kind.encode() in content):
        raise ValueError(f"{name}: is no PEM: it holds no line such as -----BEGIN {kind}")


@dataclass(frozen=True, slots=True)
class Options:
    """Everything a client is told. See `SchemaRegistry` for the meaning of each."""

    target: str
    addresses: tuple[str, ...]
    token: str | Callable[[], str] | None = field(repr=False)
    credentials: grpc.ChannelCredentials | None
    metadata: tuple[tuple[str, str], ...] = field(repr=False)
    timeout: float
    retry: RetryPolicy
    read_your_writes: bool
    channel_options: tuple[tuple[str, str | int], ...]
    certified: bool = False
    """Whether a client certificate is shown, as far as is known here."""

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
    metadata: Sequence[tuple[str, str]] | Mapping[str, str],
    timeout: float,
    retry: RetryPolicy,
    read_your_writes: bool,
    channel_options: Sequence[tuple[str, str | int]] | Mapping[str, str | int],
) -> Options:
    """The options of a client. Raises TypeError and ValueError, naming the argument, for what cannot be meant."""
    seconds(timeout)
    boolean(read_your_writes, "read_your_writes")
    if not isinstance(retry, RetryPolicy):
        raise TypeError(
            f"retry: a RetryPolicy such as RetryPolicy(attempts=3) is expected, not {described(retry)}"
        )
    if not (token is None or isinstance(token, str) or callable(token)):
        raise TypeError(
            f"token: a str, or a function that gives one, is expected, not a {type(token).__name__}"
        )
    if not (tls is None or isinstance(tls, bool | Tls | grpc.ChannelCredentials)):
        raise TypeError(f"tls: True, a Tls or grpc.ChannelCredentials are expected, not {described(tls)}")
    where = parse_target(target)
    tls = tls or where.tls
    if tls is True:
        tls = Tls()
    extra: list[tuple[str, str | int]] = []
    if where.balanced:
        extra.append(("grpc.lb_policy_name", "round_robin"))
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
        target=",".join(where.addresses),
        addresses=where.addresses,
        token=token,
        credentials=credentials,
        metadata=_headers(metadata),
        timeout=timeout,
        retry=retry,
        read_your_writes=read_your_writes,
        channel_options=(*_DEFAULTS, *extra, *_channel_options(channel_options)),
        certified=isinstance(tls, Tls) and tls.certificate_chain is not None,
    )


_HEADER = re.compile(r"[0-9a-z_.-]+")
"""Names of headers in gRPC: "PROTOCOL-HTTP2.md", Custom-Metadata."""


def _headers(metadata: Sequence[tuple[str, str]] | Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Headers that gRPC can send. The errors show no values: one of them may be a secret."""
    found: list[tuple[str, Any]] = []
    given: tuple[tuple[str, Any], ...] = header_pairs(metadata, "metadata")
    for name, value in given:
        key = name.lower()
        if not _HEADER.fullmatch(key):
            raise ValueError(
                f"metadata: {name!r} is no name of a header; use letters, digits, '-', '_' and '.'"
            )
        if key.endswith("-bin"):
            if not isinstance(value, bytes):
                raise TypeError(f"metadata[{name!r}]: bytes are expected, not a {type(value).__name__}")
        elif not isinstance(value, str):
            raise TypeError(f"metadata[{name!r}]: a str is expected, not a {type(value).__name__}")
        elif not (value.isascii() and value.isprintable()):
            raise ValueError(
                f"metadata[{name!r}]: only printable ASCII is sent; a name that ends with -bin takes bytes"
            )
        found.append((key, value))
    return tuple(found)


def _channel_options(
    given: Sequence[tuple[str, str | int]] | Mapping[str, str | int],
) -> tuple[tuple[str, str | int], ...]:
    pairs = header_pairs(given, "channel_options")
    for name, value in pairs:
        if not isinstance(value, str):
            integer(value, f"channel_options[{name!r}]")
    return pairs


def _release() -> str:
    try:
        return version("llm-schema-registry")
    except PackageNotFoundError:  # run from the source tree
        return "0"


_DEFAULTS: tuple[tuple[str, str | int], ...] = (
    ("grpc.max_receive_message_length", LARGEST_ANSWER),
    ("grpc.max_send_message_length", -1),
    (
        "grpc.initial_reconnect_backoff_ms",
        100,
    ),  # gRPC's own waits, which grow to two minutes, outlast a restart by far
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.min_reconnect_backoff_ms", 5000),  # how long one attempt to connect may take
    ("grpc.primary_user_agent", f"llm-schema-registry-python/{_release()}"),
)
