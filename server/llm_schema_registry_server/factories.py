"""Makes what the settings choose: the store, the object store, the shared cache, the limits of the engines."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING

from llm_schema_engines.formats.avro.limits import AvroLimits
from llm_schema_engines.formats.catalogue import EngineLimits
from llm_schema_engines.formats.json_schema.limits import JsonSchemaLimits
from llm_schema_engines.formats.protobuf.limits import ProtobufLimits

from .auth.access import Access
from .auth.authenticator import CacheSeconds, CredentialAuthenticator
from .auth.certificates import CertificateNames, CertificatePrincipals
from .auth.granting import CreationRule, GrantBook
from .auth.key_ring import KeyRing
from .auth.key_source import KeySource, file_reader, url_reader
from .auth.passwords import PasswordCheck, UserBook, UsersError, checked_user
from .auth.permissions import PERMISSIONS, Roles
from .auth.provider import Introspection, Provider
from .auth.signing_keys import secret_key
from .auth.token_check import TokenCheck
from .auth.tokens import TokenRules, TokenVerifier
from .caches.breaker import OnChange
from .calls.guards.authenticate import Authenticator, OpenAuthenticator
from .calls.guards.rate_limits import Kind, RateLimits, RateRules
from .errors import Unavailable
from .model.grant import Grant
from .model.principal import Principal
from .model.scope import Scope
from .model.timestamps import Clock, wall_clock
from .queues.fair_queue import QueueLimits, Queues
from .queues.rates import Rate
from .registry.conformance import ConformanceLimits
from .registry.drops import DropRules
from .registry.limits import RequestLimits
from .settings import (
    AuthSettings,
    BlobsSettings,
    ConformanceSettings,
    EncryptionSettings,
    JwtSettings,
    LimitsSettings,
    PasswordSettings,
    PostgresSettings,
    QueuesSettings,
    RedisSettings,
    Settings,
    StorageSettings,
    TracingSettings,
)
from .storage.blobs.blobs import Blobs as BlobStore
from .storage.blobs.inline import InlineBlobs
from .storage.encryption.envelope import Envelope
from .storage.encryption.keys import KeyProvider, LocalKeys, read_keys
from .storage.memory.store import MemoryStore
from .storage.portable import PortableStore
from .storage.sqlite.store import POLL_SECONDS, SqliteStore
from .storage.store import Store
from .telemetry import logs
from .telemetry.work import Operations

if TYPE_CHECKING:
    from .caches.redis import (
        RedisTier,
    )  # imported at run time only when configured: part of an optional extra
    from .telemetry.otel import OtelBackend

_LOG = logs.get("factories")
_SHARED_POLL_SECONDS = 0.02
"""How long what another serving process has written to the file of SQLite may be news; a look is one short read."""


def make_certificates(settings: Settings, roles: Roles) -> CertificatePrincipals | None:
    """Whom client certificates name; None where no listener asks for any. Raises Unavailable for roles that cannot be used."""
    if not settings.tls.identifies:
        return None
    told = settings.auth.certificates
    try:
        return CertificatePrincipals(
            CertificateNames(told.identity),
            roles,
            told.roles,
            default_roles=told.default_roles,
        )
    except ValueError as error:
        raise Unavailable(f"auth.certificates: {error}") from error


def make_ticket_secret(settings: AuthSettings) -> bytes | None:
    """What tickets are sealed with; None: something that this process alone knows."""
    return settings.ticket_secret.get_secret_value().encode() if settings.ticket_secret else None


def make_roles(settings: AuthSettings) -> Roles:
    """All roles of a server. Raises Unavailable for some that cannot be used."""
    try:
        return Roles(settings.roles)
    except ValueError as error:
        raise Unavailable(f"auth: {error}") from error


def make_authenticator(
    asked: Settings,
    roles: Roles,
    access: Access,
    store: Store,
    queues: Queues,
    user_changed: Callable[[str], None],
) -> Authenticator:
    """Who callers are, as the settings say. access: what may end their credentials. user_changed: called with the name of each user whose
    password or roles are others in a file that was read anew. Raises Unavailable for roles, keys, users or
    addresses that cannot be used."""
    settings = asked.auth
    if not asked.asks_who:
        return OpenAuthenticator(PERMISSIONS)
    named = {*settings.anonymous_roles, *settings.jwt.default_roles, *settings.jwt.role_names.values()}
    if unknown := named - roles.names:
        raise Unavailable(
            f"auth: no role is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(roles.names))}"
        )
    anonymous = Principal("anonymous", roles.permissions(settings.anonymous_roles), anonymous=True)
    return CredentialAuthenticator(
        anonymous,
        access.standings,
        tokens=_token_check(settings, roles, access, queues) if settings.tokens_on else None,
        keys=KeyRing(store, roles, access.standings) if settings.api_keys.enabled else None,
        passwords=_password_check(settings.passwords, roles, user_changed, queues)
        if settings.passwords.on
        else None,
        cache_seconds=CacheSeconds(settings.api_keys.cache_seconds, settings.passwords.cache_seconds),
        lockout_seconds=settings.lockout_seconds,
    )


def _token_check(settings: AuthSettings, roles: Roles, access: Access, queues: Queues) -> TokenCheck:
    jwt, oidc = settings.jwt, settings.oidc
    rules = TokenRules(
        issuer=jwt.issuer or oidc.issuer,
        audience=frozenset(jwt.audience),
        leeway_seconds=jwt.leeway_seconds,
        roles_claim=jwt.roles_claim,
        permissions_claim=jwt.permissions_claim,
        role_names=jwt.role_names,
        default_roles=frozenset(jwt.default_roles),
        attribute_claims={str(name): claim for name, claim in jwt.attribute_claims.items()},
    )
    verifier = TokenVerifier(rules, roles)
    introspection: Introspection | None = None
    try:
        if not oidc.issuer:
            source = _key_source(jwt)
        else:
            provider = Provider(oidc.issuer, oidc.introspection_url)
            source = KeySource(f"auth.oidc.issuer {oidc.issuer}", provider.read_keys, jwt.refresh_seconds)
            if oidc.introspection != "never" and oidc.client_secret is not None:
                introspection = Introspection(
                    provider,
                    oidc.client_id,
                    oidc.client_secret.get_secret_value(),
                    verifier,
                    queues,
                    seconds=oidc.cache_seconds,
                )
    except ValueError as error:
        raise Unavailable(f"auth: {error}") from error
    return TokenCheck(
        source,
        verifier,
        access.revoked,
        seconds=jwt.cache_seconds,
        introspection=introspection,
        asks_always=oidc.introspection == "always",
    )


def _password_check(
    settings: PasswordSettings, roles: Roles, user_changed: Callable[[str], None], queues: Queues
) -> PasswordCheck:
    try:
        fixed = {
            name: checked_user(name, user.password_hash.get_secret_value(), user.roles, roles)
            for name, user in settings.users.items()
        }
    except UsersError as error:
        raise Unavailable(f"auth.passwords.users: {error}") from error
    book = UserBook(fixed, settings.users_file, roles, user_changed)
    return PasswordCheck(book, roles, queues, checks=settings.checks)


def make_grants(settings: AuthSettings, roles: Roles) -> GrantBook:
    """Who has which role where. Raises Unavailable for roles that there are not."""
    fixed = [Grant(each.to, each.role, Scope.parse(scope)) for each in settings.grants for scope in each.on]
    creation = [
        CreationRule(tuple(map(Scope.parse, rule.on)), frozenset(rule.by)) for rule in settings.create
    ]
    try:
        return GrantBook(roles, fixed, creation)
    except ValueError as error:
        raise Unavailable(f"auth.grants: {error}") from error


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
    settings: StorageSettings,
    queues: Queues | None = None,
    clock: Clock = wall_clock,
    *,
    shared: bool = False,
) -> PortableStore:
    """The storage back end that the settings choose; reads wait in one of `queues`. clock: dates leases and cursors, but for PostgreSQL,
    which has one of its own for all servers. shared: other processes write to the file of SQLite all the time."""
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
        poll_seconds=_SHARED_POLL_SECONDS if shared else POLL_SECONDS,
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


def make_tracing(settings: TracingSettings, version: str) -> OtelBackend | None:
    """What makes and exports spans; None where nothing is traced. Raises Unavailable when its packages are not installed."""
    if not settings.on:
        return None
    try:
        from .telemetry.otel import Options, OtelBackend
    except ModuleNotFoundError as error:
        raise _extra_missing("tracing.endpoint", "telemetry") from error
    try:
        return OtelBackend(
            Options(
                endpoint=settings.endpoint,
                protocol=settings.protocol,
                service_name=settings.service_name,
                version=version,
                environment=settings.environment,
                headers=settings.header_values(),
                ca_file=str(settings.ca_file) if settings.ca_file else "",
                timeout_seconds=settings.timeout_seconds,
            )
        )
    except OSError as error:
        raise Unavailable(
            "tracing.ca_file cannot be read", inside=f"{settings.ca_file}: {error.strerror}"
        ) from error


def make_rates(settings: Settings, redis: RedisTier | None) -> RateLimits | None:
    """How much callers may ask; None where nothing is limited."""
    limits = settings.rate_limits
    if not settings.limits_rates:
        return None
    given = {kind: getattr(limits, kind.value) for kind in Kind}
    rates = {
        kind: Rate(rate.per_second, rate.burst or math.ceil(2 * rate.per_second))
        for kind, rate in given.items()
        if rate.per_second
    }
    rules = RateRules(rates, dict(limits.factors), limits.local_share)
    return RateLimits(rules, redis if limits.shared else None)


def make_envelope(settings: EncryptionSettings) -> Envelope | None:
    """What encrypts contents; None where nothing does. Raises Unavailable for keys that cannot be used."""
    if settings.provider == "none":
        return None
    keys: KeyProvider
    if settings.provider == "vault":
        from .storage.encryption.vault import VaultTransit  # slow to import

        keys = VaultTransit(settings.vault)
    else:
        try:
            if settings.provider == "environment":
                text = settings.keys.get_secret_value() if settings.keys else ""
            else:
                text = settings.keys_file.read_text() if settings.keys_file else ""
            keys = LocalKeys(read_keys(text))
        except (OSError, ValueError) as error:  # of a file that cannot be read, without its contents
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise Unavailable(
                f"encryption.{'keys' if settings.provider == 'environment' else 'keys_file'}: {why}"
            ) from None
    return Envelope(keys, plaintext=settings.plaintext)


def make_blobs(settings: BlobsSettings, operations: Operations | None = None) -> BlobStore:
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
        operations,
    )


def make_redis(settings: RedisSettings, operations: Operations | None = None) -> RedisTier | None:
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
            operations,
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
        open_answers=settings.open_answers,
        open_answer_bytes=settings.open_answer_bytes,
    )


def conformance_limits(settings: ConformanceSettings) -> ConformanceLimits:
    """What reports of outcomes may hold, and when a drop is certain."""
    rules = DropRules(settings.error, settings.margin)
    return ConformanceLimits(settings.models, settings.waiting, settings.pause_seconds, rules)


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
