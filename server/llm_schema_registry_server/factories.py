"""Makes what the settings choose: the store, the object store, the shared cache, the limits of the engines."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING

from llm_schema_engines.formats.avro.limits import AvroLimits
from llm_schema_engines.formats.catalogue import EngineLimits
from llm_schema_engines.formats.json_schema.limits import JsonSchemaLimits
from llm_schema_engines.formats.protobuf.limits import ProtobufLimits

from .auth.authenticator import TokenAuthenticator
from .auth.key_source import KeySource, file_reader, url_reader
from .auth.permissions import PERMISSIONS, Roles
from .auth.signing_keys import secret_key
from .auth.tokens import TokenRules, TokenVerifier
from .caches.breaker import OnChange
from .calls.guards.authenticate import Authenticator, OpenAuthenticator
from .calls.peer import TrustedProxies
from .errors import Unavailable
from .model.timestamps import Clock, wall_clock
from .queues.fair_queue import QueueLimits, Queues
from .registry.limits import RequestLimits
from .settings import (
    AuthSettings,
    BlobsSettings,
    JwtSettings,
    LimitsSettings,
    PostgresSettings,
    ProxiesSettings,
    QueuesSettings,
    RedisSettings,
    Settings,
    StorageSettings,
)
from .storage.blobs.blobs import Blobs as BlobStore
from .storage.blobs.inline import InlineBlobs
from .storage.memory.store import MemoryStore
from .storage.portable import PortableStore
from .storage.sqlite.store import SqliteStore
from .telemetry import logs

if TYPE_CHECKING:
    from .caches.redis import (
        RedisTier,
    )  # imported at run time only when configured: part of an optional extra

_LOG = logs.get("factories")


def make_authenticator(settings: AuthSettings) -> Authenticator:
    """Who callers are, as the settings say. Raises Unavailable for roles, keys or addresses that cannot be used."""
    if not settings.on:
        return OpenAuthenticator(PERMISSIONS)
    try:
        roles = Roles(settings.roles)
        named = {*settings.anonymous_roles, *settings.jwt.default_roles, *settings.jwt.role_names.values()}
        if unknown := named - roles.names:
            raise ValueError(
                f"no role is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(roles.names))}"
            )
        source = _key_source(settings.jwt)
    except ValueError as error:
        raise Unavailable(f"auth: {error}") from error
    jwt = settings.jwt
    rules = TokenRules(
        issuer=jwt.issuer,
        audience=frozenset(jwt.audience),
        leeway_seconds=jwt.leeway_seconds,
        roles_claim=jwt.roles_claim,
        permissions_claim=jwt.permissions_claim,
        role_names=jwt.role_names,
        default_roles=frozenset(jwt.default_roles),
    )
    return TokenAuthenticator(
        source,
        TokenVerifier(rules, roles),
        roles,
        anonymous_roles=frozenset(settings.anonymous_roles),
        cache_seconds=jwt.cache_seconds,
    )


def _key_source(settings: JwtSettings) -> KeySource:
    """Raises ValueError."""
    if settings.secret is not None:
        key_set = secret_key(settings.secret.get_secret_value())

        async def read() -> bytes:
            return key_set

        return KeySource("auth.jwt.secret", read, settings.refresh_seconds, demanded=True)
    if settings.keys_file is not None:
        return KeySource(
            f"auth.jwt.keys_file {settings.keys_file}",
            file_reader(settings.keys_file),
            settings.refresh_seconds,
            demanded=True,
        )
    return KeySource(settings.keys_url, url_reader(settings.keys_url), settings.refresh_seconds)


def make_queues(settings: QueuesSettings) -> Queues:
    """The queues of a server, none yet."""
    return Queues(QueueLimits(settings.waiting, settings.waiting_per_caller, settings.wait_seconds))


def make_store(
    settings: StorageSettings, queues: Queues | None = None, clock: Clock = wall_clock
) -> PortableStore:
    """The storage back end that the settings choose; reads wait in one of `queues`. clock: dates leases and cursors, but for PostgreSQL,
    which has one of its own for all servers."""
    if settings.kind == "memory":
        return MemoryStore(clock)
    if settings.kind == "postgres":
        return _make_postgres(settings.postgres, queues)
    return SqliteStore(
        settings.path,
        synchronous=settings.synchronous,
        lock_seconds=settings.lock_seconds,
        readers=settings.readers,
        list_readers=settings.list_readers,
        queues=queues,
        clock=clock,
    )


def _make_postgres(settings: PostgresSettings, queues: Queues | None) -> PortableStore:
    try:
        from .storage.postgres import PostgresOptions, PostgresStore
    except ModuleNotFoundError as error:
        raise _extra_missing("storage.kind postgres", "postgres") from error
    options = {f.name: getattr(settings, f.name) for f in fields(PostgresOptions)}
    return PostgresStore(
        settings.dsn.get_secret_value(),
        PostgresOptions(**options),
        settings.replica_dsn.get_secret_value(),
        queues,
    )


def make_blobs(settings: BlobsSettings) -> BlobStore:
    """The object store that the settings choose. Raises Unavailable when its package is not installed."""
    if settings.kind == "inline":
        return InlineBlobs()
    try:
        from .storage.blobs.s3 import S3Blobs  # slow to import, and part of an optional extra
    except ModuleNotFoundError as error:
        raise _extra_missing("blobs.kind s3", "s3") from error
    return S3Blobs(
        settings.s3,
        breaker_log(
            "s3", "contents that only it has cannot be read, large ones not be registered; it is tried again"
        ),
    )


def make_redis(settings: RedisSettings) -> RedisTier | None:
    """The shared cache, when there is one. Raises Unavailable when its package is not installed, or
    its URL is none."""
    if settings.url is None:
        return None
    try:
        from .caches.redis import RedisTier
    except ModuleNotFoundError as error:
        raise _extra_missing("caches.redis", "redis") from error
    try:
        return RedisTier(
            settings,
            breaker_log("redis", "calls go on without it, slower; it is tried again every few seconds"),
        )
    except ValueError:  # its text may hold a piece of the password
        raise Unavailable(
            "caches.redis.url is not a URL; in user and password percent-encode what has a meaning in URLs"
        ) from None


def _extra_missing(setting: str, extra: str) -> Unavailable:
    return Unavailable(f"{setting} needs more packages; install llm-schema-registry[{extra}]")


def breaker_log(tier: str, consequence: str, clock: Callable[[], float] = time.monotonic) -> OnChange:
    """Logs when the service behind a tier is lost, and when it has recovered: a line each, however many calls notice."""
    lost_at = 0.0

    def log(failure: BaseException | None) -> None:
        nonlocal lost_at
        if failure is None:
            _LOG.info(f"{tier}_recovered", away_seconds=round(clock() - lost_at, 1))
        else:
            lost_at = clock()
            _LOG.warning(
                f"{tier}_lost", error=str(failure) or type(failure).__name__, consequence=consequence
            )

    return log


def request_limits(settings: LimitsSettings) -> RequestLimits:
    """What a request may hold at most."""
    return RequestLimits(
        schema_bytes=settings.schema_bytes,
        data_bytes=settings.data_bytes,
        references=settings.references,
        tags=settings.tags,
        metadata_bytes=settings.metadata_bytes,
        page=settings.page,
        page_bytes=settings.page_bytes,
        search_terms=settings.search_terms,
        search_text=settings.search_text,
        description_length=settings.description_length,
        tag_length=settings.tag_length,
    )


def trusted_proxies(settings: ProxiesSettings) -> TrustedProxies:
    """Who is believed about the addresses of callers."""
    return TrustedProxies(settings.trusted, settings.header)


def engine_limits(settings: Settings) -> EngineLimits:
    """The limits of the engines, all from the settings."""
    schema, data = settings.limits.schema_bytes, settings.limits.data_bytes
    return EngineLimits(
        json_schema=JsonSchemaLimits(
            schema_bytes=schema, data_bytes=data, **settings.json_schema.model_dump()
        ),
        avro=AvroLimits(schema_bytes=schema, **settings.avro.model_dump()),
        protobuf=ProtobufLimits(
            source=settings.protobuf.file_bytes,
            total=settings.protobuf.total_bytes,
            references=settings.limits.references,
            statements=settings.protobuf.statements,
            names=settings.protobuf.name_bytes,
            payload=data,
            brackets=settings.protobuf.schema_depth,
            identifier=settings.protobuf.name_length,
            issues=settings.protobuf.issues,
            payload_depth=settings.protobuf.data_depth,
            pools=settings.protobuf.compiled_bytes,
        ),
    )
