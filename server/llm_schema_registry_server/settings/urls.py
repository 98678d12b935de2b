"""Checks of the URLs in the settings. What is wrong is said without the URL: it may hold a password."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic import BaseModel, SecretStr

_ENCODE = "in user and password percent-encode what has a meaning in URLs (%3A for `:`, %40 for `@`, %2F for `/`, %5B for `[`)"
POSTGRES_SCHEMES = ("postgresql", "postgres")
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
REDIS_SCHEMES = ("redis", "rediss", "unix")
REDIS_OPTIONS = frozenset(
    {"db", "protocol", "username", "password", "health_check_interval", "socket_keepalive"}
)
REDIS_TLS_OPTIONS = frozenset(
    {"ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"}
)


def split(text: str, schemes: Collection[str]) -> SplitResult:
    """The parts of a URL. Raises ValueError when it is none or has another scheme, without quoting it."""
    if text.partition("://")[0] not in schemes:
        raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    try:
        parts = urlsplit(text)
        hosts = parts.netloc.rpartition("@")[2]
        readable = parts.scheme == "unix" or all(_has_a_port(host) for host in hosts.split(","))
        parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query), errors="strict")
    except ValueError:
        readable = False
    if not readable or parts.fragment or "@" in parts.netloc.rpartition("@")[0]:
        raise ValueError(f"is not a URL; {_ENCODE}")
    return parts


def check_postgres(dsn: str) -> None:
    """Raises ValueError for what asyncpg would refuse when it connects."""
    options = dict(parse_qsl(split(dsn, POSTGRES_SCHEMES).query, keep_blank_values=True))
    mode = options.get("sslmode")
    if mode is not None and mode not in SSL_MODES:
        raise ValueError(f"its sslmode must be one of {', '.join(SSL_MODES)}")


def check_redis(url: str) -> None:
    """Raises ValueError for what the Redis client would refuse, some of it only when it connects."""
    parts = split(url, REDIS_SCHEMES)
    known = REDIS_OPTIONS | (REDIS_TLS_OPTIONS if parts.scheme == "rediss" else frozenset())
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            raise ValueError(f"has an unknown option {name[:40]!r}; there are {', '.join(sorted(known))}")
        if name in ("db", "protocol", "health_check_interval") and not (value.isascii() and value.isdigit()):
            raise ValueError(f"its option {name} must be a whole number")
    database = parts.path.strip("/")
    if parts.scheme != "unix" and database and not (database.isascii() and database.isdigit()):
        raise ValueError(
            "must end with the number of a database, such as redis://host:6379/0, or without any"
        )


def check_http(url: str) -> None:
    """Raises ValueError for what is no address of an HTTP service."""
    if not split(url, ("http", "https")).hostname:
        raise ValueError("names no host")


def check_https(url: str) -> None:
    """Raises ValueError for an address that is neither https nor on loopback."""
    parts = split(url, ("http", "https"))
    if not parts.hostname or not (parts.scheme == "https" or on_loopback(parts.hostname)):
        raise ValueError("must begin with https:// (http:// is taken for loopback only)")


def on_loopback(host: str) -> bool:
    """Whether a listener that binds `host` is reached from this machine only."""
    try:
        return host == "localhost" or host.startswith("unix:") or ip_address(host.strip("[]")).is_loopback
    except ValueError:  # a name: it may mean anything tomorrow
        return False


def secrets_of(settings: BaseModel) -> Iterator[str]:
    """Every secret in a tree of settings; of URLs also the password alone."""
    for name in type(settings).model_fields:
        value: Any = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from secrets_of(value)
        elif isinstance(value, Mapping):
            for each in value.values():
                if isinstance(each, BaseModel):
                    yield from secrets_of(each)
        elif isinstance(value, SecretStr) and value.get_secret_value():
            text = value.get_secret_value()
            yield text
            if "://" in text:
                credentials = text.partition("://")[2].rpartition("@")[0]
                yield credentials.partition(":")[2]


def _has_a_port(host: str) -> bool:
    """Whether `host`, `host:port` or `[address]:port` has a port that can be one, or none."""
    port = host.rpartition("]")[2].rpartition(":")[2] if ":" in host.rpartition("]")[2] else ""
    return not port or (port.isascii() and port.isdigit() and int(port) < 65536)
