"""The settings of a server process: one frozen typed tree from a TOML file and SCHEMA_REGISTRY_* variables.

Variables win over the file, the file over the defaults. `SCHEMA_REGISTRY_GRPC__PORT=9091` sets `grpc.port`. Unknown
names are refused wherever they occur. What changes at run time (a subject's level ...) is data, not settings.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, IPvAnyNetwork, SecretStr, ValidationError, field_validator, model_validator

from .audit import AuditSettings
from .auth import AuthSettings, Names
from .conformance import ConformanceSettings
from .encryption import EncryptionSettings
from .engines import AvroSettings, JsonSchemaSettings, ProtobufSettings
from .given_secrets import KEY_FILE_VARIABLE, KEY_VARIABLE, GivenSecretError, resolved
from .mcp import McpSettings
from .names import nearest
from .providers import ProvidersSettings
from .rates import QuotasSettings, RateLimitsSettings
from .section import Section
from .server import ServerSettings
from .storage import BlobsSettings, StorageSettings
from .tls import TlsSettings
from .tracing import TracingSettings, levels_of
from .urls import check_redis
from .urls import on_loopback as _loopback

PREFIX = "SCHEMA_REGISTRY_"
CONFIG_VARIABLE = "SCHEMA_REGISTRY_CONFIG"
CLIENT_VARIABLES = frozenset(
    PREFIX + name
    for name in (
        "SERVER",
        "TOKEN",
        "OUTPUT",
        "DEBUG",
        "PROFILE",
        "TIMEOUT",
        "CONTEXT",
        "CA",
        "CERT",
        "KEY",
        "CLIENT_SECRET",
    )
)
"""Variables of the command line client (docs/cli.md): they may be set in the environment of a server too."""

_OTHER_VARIABLES = CLIENT_VARIABLES | {CONFIG_VARIABLE, KEY_VARIABLE, KEY_FILE_VARIABLE}


Level = Literal["debug", "info", "warning", "error"]


class SettingsError(Exception):
    """The settings cannot be used; the message names each wrong one and says what is wrong with it."""


class GrpcSettings(Section):
    host: str = "127.0.0.1"
    """Address that the gRPC listener binds."""
    port: int = Field(9090, ge=0, le=65535)
    """Port of the gRPC listener; 0 lets the system choose."""
    engine: Literal["auto", "native", "grpcio"] = "auto"
    """Which server speaks gRPC: `native` (pygrpc-native, several times as fast), `grpcio`, or `auto`: native wherever its package is
    installed (docs/decisions/0037-a-front-for-every-engine.md)."""
    front: Literal["auto", "on", "off"] = "auto"
    """Whether a front of ours stands before the engine and bounds what it cannot: messages that are too large, also once they are unpacked,
    floods of resets and of frames that carry nothing. It takes some microseconds a call. `auto`: wherever callers may come from another
    machine, on every address but loopback, with `proxies.trusted`, and with several `server.workers`. With TLS it is always there."""
    max_message_bytes: int = Field(8 * 1024 * 1024, ge=1024)
    """Largest message accepted or sent."""
    memory_line_bytes: int = Field(1536 * 1024 * 1024, ge=1 << 20)
    """Above this resident memory of the process, the native engine cuts connections that pour data in, and those that hold
    most of it; it has to collect a message before it can refuse it for its size. Set it below the memory that the server may
    use."""
    unread_bytes: int = Field(32 * 1024 * 1024, ge=1 << 20)
    """Memory for answers that one connection to the native engine leaves unread, which takes four bytes for each of an answer; further
    large answers on it are refused with RESOURCE_EXHAUSTED until it has read. At least one answer of `max_message_bytes` is always sent."""
    streams_per_connection: int = Field(1024, ge=1)
    """Most calls and streams at the same time on one connection (SETTINGS_MAX_CONCURRENT_STREAMS of HTTP/2); clients wait with
    the next ones."""
    pending_calls: int = Field(20_000, ge=1)
    """Most calls and streams at the same time in the grpcio engine, all connections together, counted before anything else is
    done for them; more are refused with RESOURCE_EXHAUSTED."""
    resets_per_second: int = Field(100, ge=1)
    """Calls that one address (behind a trusted proxy: one connection) may reset in a second before they are answered (a stream: before
    its first message), by which callers give up; five times as many at once. Connections that reset more are ended. Where a front stands (`grpc.front`; with TLS on the HTTP port,
    too), also those that send twenty times as many pings, settings, priorities or empty frames, or as many MiB of compressed messages, once
    they are unpacked; there a call that is reset when its answer has begun counts as a quarter, and a connection in the clear that speaks
    something else than HTTP/2 as five."""
    incomplete_calls_per_address: int = Field(1024, ge=1)
    """Calls of one address (behind a trusted proxy: of one connection) whose first message has not come as a whole, where a front stands
    (`grpc.front`), and with TLS requests over HTTP/2 on the HTTP port whose body has not; eight of each connection are not counted. A connection that begins more is ended. All addresses together: sixteen times as
    many, shared equally. A call that ends without a message counts as one that was reset, and so does one that the engine refuses since it is
    beyond `grpc.streams_per_connection` (`grpc.resets_per_second`)."""
    refusals_per_second: int = Field(200, ge=1)
    """Calls of one address, but for trusted proxies, that may be refused in a second since it asks too much (RESOURCE_EXHAUSTED, HTTP 429), and
    five times as many at once. Where a front stands (`grpc.front`; with TLS on the HTTP port, too), a connection on which more are refused
    is not read for some time, 5 seconds at most, and new connections of the address wait as long."""
    default_deadline_seconds: float = Field(30.0, gt=0)
    """Deadline of a unary call whose client set none."""
    connections_per_address: int = Field(0, ge=0)
    """Most connections of one address, but for trusted proxies; more are closed. 0: half of the file descriptors that the process
    may have (`ulimit -n`), behind a front, where a connection takes three, a sixth."""
    reflection: bool = True
    """Whether clients may ask the server for its descriptors."""


class HttpSettings(Section):
    host: str = "127.0.0.1"
    """Address that the HTTP listener binds."""
    port: int = Field(8080, ge=0, le=65535)
    """Port of the HTTP listener; 0 lets the system choose."""
    connections_per_address: int = Field(0, ge=0)
    """Most connections of one address, but for trusted proxies; more are closed. 0: half of the file descriptors that the process
    may have (`ulimit -n`), behind TLS, where a connection takes three, a sixth."""
    origins: Names = ()
    """Origins of pages (`https://ui.example`) that may change things and open WebSockets without credentials in a header, besides the
    server's own. Separated by commas in a variable."""
    hosts: Names = ()
    """Names of the server (`registry.example.com`), for a listener without TLS on loopback that answers callers without credentials:
    there a request under another name is refused, since a page in a browser can have its own name lead to this machine. Names without
    a dot, addresses, and names that end with `.localhost` or `.internal` are nobody else's and always taken; elsewhere any name is.
    Separated by commas in a variable."""
    max_body_bytes: int = Field(12 * 1024 * 1024, ge=1024)
    """Largest request body, and largest line of a batch (base64 makes 3 bytes 4)."""
    max_batch_bytes: int = Field(64 * 1024 * 1024, ge=1024)
    """Largest batch of lines (NDJSON) in one request."""
    max_values: int = Field(500_000, ge=1000)
    """Most JSON values in one body or line; each takes a hundred bytes of memory or more. Text and base64 count as one."""
    max_escapes: int = Field(1_000_000, ge=1000)
    """Most backslashes in one body or line; reading a text slows down with them."""


class ProxiesSettings(Section):
    trusted: tuple[IPvAnyNetwork, ...] = ()
    """Addresses or networks of the proxies that stand before the server, separated by commas in a variable
    (`10.0.0.0/8,fd00::/8`): they are believed when they say for whom they ask; a header of anyone else is ignored."""
    header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for"
    """The header (HTTP) or metadata (gRPC) in which they say it. Of the two, proxies should set this one and nothing else
    is read: what a proxy does not set itself, it passes on from its clients."""

    @field_validator("trusted", mode="before")
    @classmethod
    def _separated_by_commas(cls, value: Any) -> Any:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


class MetricsSettings(Section):
    host: str = "127.0.0.1"
    """Address of the metrics listener."""
    port: int = Field(9091, ge=0, le=65535)
    """Port of /metrics; 0 lets the system choose."""
    connections: int = Field(16, ge=1)
    """Most scrapes at a time; more are answered 503."""
    timeout_seconds: float = Field(10.0, gt=0)
    """Longest time of one scrape, the request's arrival and the reading of its answer included; then its connection is cut."""
    confluent_names: bool = False
    """Whether the names are there too that Confluent's own dashboard for its schema registry asks for (docs/metrics.md)."""


class LimitsSettings(Section):
    schema_bytes: int = Field(2 * 1024 * 1024, ge=1)
    """Largest schema content accepted; a .proto file has `protobuf.file_bytes` beside it. What larger ones cost:
    docs/large-schemas.md."""
    data_bytes: int = Field(4 * 1024 * 1024, ge=1)
    """Largest payload that ValidateData accepts."""
    references: int = Field(256, ge=0)
    """Most references of one schema, direct and transitive."""
    reference_depth: int = Field(100, ge=0, le=200)
    """Most schemas that stand below one another, each referenced by the next."""
    tags: int = Field(50, ge=0)
    """Most tags of a version."""
    metadata_bytes: int = Field(10 * 1024, ge=0)
    """Largest metadata of a version: keys and values together."""
    description_length: int = Field(4096, ge=0)
    """Characters of the description of a version."""
    tag_length: int = Field(256, ge=1)
    """Characters of one tag, and of one key of the metadata."""
    page: int = Field(1000, ge=1)
    """Most items of one page of a list."""
    page_bytes: int = Field(3 * 1024 * 1024, ge=1024)
    """Most bytes of one page of a list or search, contents and labels counted: a page ends before the item that would pass it,
    and its token goes on there. One item always fits. Keep it below what clients accept in one message (4 MiB unless they say
    otherwise) and below `grpc.max_message_bytes`."""
    request_items: int = Field(2000, ge=1)
    """Most items of one list or map in a request (tags, references, metadata, patterns ...), counted before the message is
    read; what may be stored of them has limits of its own."""
    search_terms: int = Field(100, ge=1)
    """Most tags and metadata pairs of one search, together."""
    search_text: int = Field(500, ge=1)
    """Characters of the query of a search, and of its pattern of subjects."""
    calls_in_flight: int = Field(10_000, ge=1)
    """Most unary calls at a time; more are refused at once with RESOURCE_EXHAUSTED."""
    streams: int = Field(10_000, ge=1)
    """Most streams open at a time; more are refused at once with RESOURCE_EXHAUSTED."""
    streams_per_caller: int = Field(2_000, ge=1)
    """Most streams open at a time of one caller, by its address (the one that a trusted proxy tells, `proxies.trusted`)."""
    unread_bytes: int = Field(256 * 1024 * 1024, ge=1024)
    """Memory of messages that readers of streams have not taken yet; over it, the stream that has waited longest of the caller
    who holds most is ended with SUBSCRIBER_TOO_SLOW and where to resume. On the grpcio engine, as much again of the large answers
    of other calls: over it they wait for 5 s, and are refused with RESOURCE_EXHAUSTED."""
    unread_bytes_per_caller: int = Field(64 * 1024 * 1024, ge=1024)
    """The same of one caller, by its address; on the native engine also of the large answers to all its connections."""
    open_answers: int = Field(256, ge=1)
    """Most documents that are open at a time in one ValidateStream."""
    open_answer_bytes: int = Field(256 * 1024 * 1024, ge=1024)
    """Bytes that have come of all documents open in all ValidateStreams; one caller's may be a quarter of it. A document that
    would pass it is refused."""
    socket_bytes: int = Field(64 * 1024, ge=1024)
    """Most bytes that a client may send over a WebSocket: its request, beside some pings. The connection is cut when more
    arrive."""


class WorkersSettings(Section):
    processes: int = Field(2, ge=1, le=64)
    """Subprocesses that compile and compare schemas."""
    parse_seconds: float = Field(2.0, gt=0)
    """Processor time after which a compilation is killed and the schema refused."""
    compare_seconds: float = Field(5.0, gt=0)
    """Processor time after which a comparison is killed and answered UNDECIDED."""
    remedy_seconds: float = Field(3.0, ge=0)
    """How long a refusal waits for ways out of an incompatible change; later it is given without. 0: none are looked for."""
    validate_seconds: float = Field(5.0, gt=0)
    """Processor time after which the validation of one payload is killed and refused."""
    inline_seconds: float = Field(0.01, ge=0, le=1)
    """Processor time that validating a payload may surely not exceed for it to happen in the server itself; all else is
    validated in a subprocess."""
    memory_bytes: int = Field(1 << 30, ge=1 << 27)
    """Address space of one subprocess."""
    total_memory_bytes: int = Field(1 << 30, ge=1 << 26)
    """Memory that all subprocesses may hold together, beyond what they begin with (a few MiB each, and what they share). When they hold
    more, the one that holds most is ended, and its task is refused."""
    queue: int = Field(1000, ge=0)
    """Tasks that may wait for a subprocess; more are refused at once."""
    patience_seconds: float = Field(0.2, gt=0)
    """A task that uses the processor for longer gets the lowest priority, and the next task starts beside it."""
    slow_processes: int = Field(2, ge=0, le=64)
    """Most tasks that may go on with the lowest priority at the same time, besides those in `processes`."""
    crash_back_off_seconds: float = Field(60.0, ge=0)
    """Longest time for which a caller is refused whose schemas or data end the processes that work on them: none after the first
    one, 1 s after the second one, then twice as long each time. 0: nobody is."""


class QueuesSettings(Section):
    """How long, and how many, callers wait for worker processes, for the storage and for memory. Callers are told apart by their
    address, or by their name once they are authenticated, and take turns by what their work has cost."""

    waiting: int = Field(10_000, ge=0)
    """Most that wait in one queue; of the caller with most waiting the newest is refused then. Workers have `workers.queue`."""
    waiting_per_caller: int = Field(4000, ge=1)
    """Most of one caller that wait in one queue; more are refused at once with RESOURCE_EXHAUSTED."""
    wait_seconds: float = Field(10.0, gt=0)
    """Longest wait in a queue, after which a call is refused with RESOURCE_EXHAUSTED and told when to try again."""
    request_bytes: int = Field(256 * 1024 * 1024, ge=16 << 20)
    """Memory of HTTP bodies and of large gRPC requests that are being read or answered; a quarter of it is kept for small and
    middling ones, and no caller gets more than a quarter, or one batch if that is more."""


class ChangesSettings(Section):
    ring: int = Field(10_000, ge=1)
    """Changes held in memory for live subscribers; older ones are read from the store."""
    subjects_per_stream: int = Field(100, ge=1, le=10_000)
    """Most subjects and patterns that one subscriber may name."""
    stall_seconds: float = Field(30.0, gt=0)
    """A subscriber that takes nothing for this long is ended with the revision to resume from."""
    record_failures: bool = False
    """Whether refused registrations are appended to the change log, as VALIDATION_FAILED or COMPATIBILITY_CHECK_FAILED.
    Anyone who may register can then make the log grow: set `retention_changes` too."""
    retention_seconds: float | None = Field(None, ge=60)
    """Changes older than this are forgotten; resuming from before them answers REVISION_COMPACTED. Not given: none is. The
    log takes less room than the versions whose changes it records."""
    retention_changes: int | None = Field(None, ge=1)
    """Most changes that stay in the log, however recent; all when not given."""
    cursor_hold_seconds: float = Field(604_800.0, ge=0)
    """How old a change may become that is kept only because a durable cursor (of a delivery, an audit sink ...) has not passed
    it. A reader that stays away for longer misses what is forgotten, and finds the gap when it comes back."""
    cursor_hold_changes: int = Field(1_000_000, ge=0)
    """Most changes that are kept for the sake of a durable cursor, counted from the newest; 0: cursors hold back nothing."""


class UsageSettings(Section):
    flush_seconds: float = Field(30.0, ge=0)
    """How often the counts of reads and validations go from memory to the storage; 0 counts nothing."""


class RedisTlsSettings(Section):
    verify: bool = True
    """Whether the server's certificate and name are checked."""
    ca_file: Path | None = None
    """Certificates of the authorities to trust (PEM); the system's when not given."""
    certificate_file: Path | None = None
    """Our certificate (PEM), for servers that ask for one."""
    key_file: Path | None = None
    """The private key of our certificate (PEM)."""


class RedisSettings(Section):
    """The shared cache. It is off until `url` is set."""

    url: SecretStr | None = None
    """`redis://host:port/db`, `rediss://...` for TLS or `unix:///path`; of a cluster, any of its nodes."""
    username: str | None = None
    """User, unless the URL has one."""
    password: SecretStr | None = None
    """Password, unless the URL has one."""
    cluster: bool = False
    """Whether the URL names a node of a Redis Cluster."""
    tls: RedisTlsSettings = RedisTlsSettings()
    prefix: str = Field("llm-schema-registry", min_length=1, max_length=100, pattern=r"^[!-~]+$")
    """First part of every key; registries may share it, since keys name contents."""
    client_name: str = Field("llm-schema-registry", pattern=r"^[!-~]+$")
    """How our connections appear in CLIENT LIST."""
    signing_key: SecretStr | None = Field(None, min_length=16)
    """Secret, the same in all instances, with which values are signed; a value without a valid signature counts as missing."""
    ttl_seconds: float = Field(30 * 24 * 3600.0, ge=1)
    """How long a value stays; values never become wrong, so this only limits the memory of Redis."""
    value_bytes: int = Field(4 * 1024 * 1024, ge=1024)
    """Larger values are not written to Redis."""
    timeout_seconds: float = Field(0.25, gt=0)
    """Longest wait for one operation, connecting included; then it counts as a miss."""
    connections: int = Field(32, ge=1)
    """Most operations, and so connections, at the same time; of a cluster, for each node."""
    breaker_failures: int = Field(5, ge=1)
    """After so many failures in a row no operations are sent for `breaker_seconds` (circuit breaker)."""
    breaker_seconds: float = Field(2.0, gt=0)
    """How long no operation is sent before one tries again."""

    @field_validator("url")
    @classmethod
    def _is_one_of_redis(cls, url: SecretStr | None) -> SecretStr | None:
        if url:
            check_redis(url.get_secret_value())
        return url


class StatisticsSettings(Section):
    refresh_seconds: float = Field(300.0, ge=0)
    """How often one of the servers counts what the registry holds; 0: only on request."""
    timeout_seconds: float = Field(60.0, gt=0, le=86_400)
    """Longest time of a count. It is a read: whatever it takes, it holds up neither writers nor subscribers."""


class HealthSettings(Section):
    probe_seconds: float = Field(2.0, gt=0)
    """How long a component may take to say how it is; then it counts as down."""
    interval_seconds: float = Field(2.0, gt=0)
    """How often the components are asked for the health service of gRPC and the metrics."""


class ClockSettings(Section):
    """What is stored is dated by the wall clock of the machine, unless that leaps ahead."""

    leap_seconds: float = Field(3600.0, gt=0)
    """How far the wall clock may get ahead of the time that passes before it is doubted."""
    believed_after_seconds: float = Field(60.0, ge=0)
    """A wall clock that stays ahead for so long is right: it was set, or the machine slept. 0: it is always believed."""


class CachesSettings(Section):
    answers_bytes: int = Field(128 * 1024 * 1024, ge=0)
    """Memory for the cache of serialized answers."""
    schema_bytes: int = Field(128 * 1024 * 1024, ge=1 << 20)
    """Memory for schemas with their references, parsed schemas, comparisons, compiled validators and what judges answers of models."""
    total_bytes: int | None = Field(None, ge=1 << 21)
    """Most memory for all of these together: what the two above have more is taken from both in proportion. Without it their sum counts."""
    warm_schemas: int = Field(10_000, ge=0)
    """A server that starts loads so many of the schemas that are read most before it reports itself ready; 0 loads none."""
    warm_seconds: float = Field(30.0, ge=0)
    """After so long it is ready all the same; 0 loads none."""
    redis: RedisSettings = RedisSettings()

    @property
    def answers(self) -> int:
        """Bytes for serialized answers."""
        return self._of(self.answers_bytes)

    @property
    def schemas(self) -> int:
        """Bytes for what is derived from schemas."""
        return self._of(self.schema_bytes)

    def _of(self, asked: int) -> int:
        both = self.answers_bytes + self.schema_bytes
        return (
            asked
            if self.total_bytes is None or both <= self.total_bytes
            else asked * self.total_bytes // both
        )

    @property
    def warms(self) -> bool:
        """Whether a server that starts loads anything."""
        return bool(self.warm_schemas and self.warm_seconds)


class LogsSettings(Section):
    level: Level = "info"
    """Least severe level that is written."""
    levels: dict[str, Level] = Field(default_factory=dict)
    """The same of single modules and what is below them: `storage.postgres=debug, calls=warning` in a variable. SIGUSR1 has this and
    `level` read again from the file of settings."""
    access: float = Field(0.0, ge=0, le=1)
    """Share of the calls of which a line of the access log is written (logger `access`): 1 is all of them, 0 none, not even of failed
    calls; in between, failed calls all have one. `lines_per_second` bounds them too."""
    format: Literal["auto", "json", "text"] = "auto"
    """`json` for machines, `text` for people; `auto` is text where standard error is a terminal, and JSON elsewhere."""
    lines_per_second: int = Field(100, ge=1)
    """Most lines of one event in a second: callers cannot fill a disk with them. One line then says how many were left out."""
    stall_seconds: float = Field(0.1, ge=0)
    """When the event loop does not come to its next turn for so long, and everybody waits, a line `event_loop_stalled` says for how
    long, how much of it was processor time, and at which code it stood; 0: no lines. `schema_registry_loop_late_seconds` counts
    shorter waits, too."""

    @field_validator("levels", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        return levels_of(value)


class Settings(Section):
    """The whole tree; each part of the server gets its section."""

    server: ServerSettings = ServerSettings()
    grpc: GrpcSettings = GrpcSettings()
    http: HttpSettings = HttpSettings()
    mcp: McpSettings = McpSettings()
    tls: TlsSettings = TlsSettings()
    auth: AuthSettings = AuthSettings()
    audit: AuditSettings = AuditSettings()
    proxies: ProxiesSettings = ProxiesSettings()
    metrics: MetricsSettings = MetricsSettings()
    storage: StorageSettings = StorageSettings()
    encryption: EncryptionSettings = EncryptionSettings()
    blobs: BlobsSettings = BlobsSettings()
    limits: LimitsSettings = LimitsSettings()
    avro: AvroSettings = AvroSettings()
    json_schema: JsonSchemaSettings = JsonSchemaSettings()
    protobuf: ProtobufSettings = ProtobufSettings()
    workers: WorkersSettings = WorkersSettings()
    queues: QueuesSettings = QueuesSettings()
    changes: ChangesSettings = ChangesSettings()
    usage: UsageSettings = UsageSettings()
    statistics: StatisticsSettings = StatisticsSettings()
    caches: CachesSettings = CachesSettings()
    health: HealthSettings = HealthSettings()
    providers: ProvidersSettings = ProvidersSettings()
    conformance: ConformanceSettings = ConformanceSettings()
    clock: ClockSettings = ClockSettings()
    rate_limits: RateLimitsSettings = RateLimitsSettings()
    quotas: QuotasSettings = QuotasSettings()
    logs: LogsSettings = LogsSettings()
    tracing: TracingSettings = TracingSettings()
    drain_seconds: float = Field(30.0, ge=0)
    """How long calls in flight may finish after SIGTERM."""
    compatibility_level: Literal[
        "BACKWARD",
        "FORWARD",
        "FULL",
        "BACKWARD_TRANSITIVE",
        "FORWARD_TRANSITIVE",
        "FULL_TRANSITIVE",
        "NONE",
    ] = "BACKWARD"
    """Level of subjects for which nothing else is configured."""
    lint: Literal["OFF", "WARN", "REFUSE_ERRORS", "REFUSE_WARNINGS"] = "WARN"
    """What registration does with what the lint rules find (docs/lint.md), for subjects for which nothing else is configured."""

    @property
    def limits_rates(self) -> bool:
        """Whether callers may ask only so much in a time."""
        if self.rate_limits.mode != "auto":
            return self.rate_limits.mode == "on"
        return self.asks_who or not (_loopback(self.grpc.host) and _loopback(self.http.host))

    @property
    def fronts_grpc(self) -> bool:
        """Whether a front stands before the engine of gRPC even without TLS."""
        if self.grpc.front != "auto":
            return self.grpc.front == "on"
        return self.server.workers > 1 or not _loopback(self.grpc.host) or bool(self.proxies.trusted)

    @property
    def asks_who(self) -> bool:
        """Whether callers are asked who they are: by credentials, or by a certificate."""
        return self.auth.on or self.tls.identifies

    @model_validator(mode="after")
    def _workers_can_share(self) -> Settings:
        if self.server.workers == 1:
            return self
        several = f"server.workers is {self.server.workers}"
        if self.storage.kind == "memory":
            raise ValueError(
                f"{several}, and storage.kind `memory` is known to one process alone: set storage.kind to sqlite or postgres, or "
                "server.workers to 1"
            )
        if self.grpc.front == "off":
            raise ValueError(
                f"{several}, and grpc.front is off: a front shares the port between the processes; set grpc.front to auto, or "
                "server.workers to 1"
            )
        return self

    @model_validator(mode="after")
    def _closed_or_on_loopback(self) -> Settings:
        if self.asks_who or self.auth.insecure:
            return self
        for name, host in (("grpc", self.grpc.host), ("http", self.http.host)):
            if not _loopback(host):
                raise ValueError(
                    f"{name}.host {host!r} can be reached from other machines, and no credentials are asked for: everyone there "
                    "could read and change everything. Set auth.api_keys.enabled, auth.jwt or tls.client_certificates, or bind 127.0.0.1, or say "
                    "`serve --insecure` "
                    "(auth.insecure) where the network keeps strangers out"
                )
        return self


def load(
    file: Path | None = None, environ: Mapping[str, str] | None = None, *, insecure: bool = False
) -> Settings:
    """The settings from `file` (or the one that SCHEMA_REGISTRY_CONFIG names) and the environment. insecure: see
    AuthSettings; True wins over both.

    Raises SettingsError when a name is unknown, a value is wrong or the file cannot be read.
    """
    environ = os.environ if environ is None else environ
    if file is None and environ.get(CONFIG_VARIABLE):
        file = Path(environ[CONFIG_VARIABLE])
    tree = _read(file) if file else {}
    variables: dict[tuple[str, ...], str] = {}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in _OTHER_VARIABLES:
            variables[_path(name)] = name
            _put(tree, name, environ[name])
    if insecure:
        _put(tree, f"{PREFIX}AUTH__INSECURE", "true")
    try:
        return Settings.model_validate(resolved(tree, Settings, environ))
    except GivenSecretError as error:
        raise SettingsError(str(error)) from None
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(e, variables) for e in error.errors())) from error


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from error


def _path(variable: str) -> tuple[str, ...]:
    return tuple(variable.removeprefix(PREFIX).lower().split("__"))


def _put(tree: dict[str, Any], name: str, value: str) -> None:
    *parents, leaf = _path(name)
    for parent in parents:
        branch = tree.setdefault(parent, {})
        if not isinstance(branch, dict):
            raise SettingsError(f"{name}: {parent} is a value, not a section")
        tree = branch
    tree[leaf] = value


def _explain(error: Any, variables: Mapping[tuple[str, ...], str]) -> str:
    """An error of pydantic_core, whose type is not exported, as a line. variables: those of the environment that were used."""
    if not error["loc"]:  # of the tree as a whole
        return str(error["msg"]).removeprefix("Value error, ")
    place = tuple(str(part) for part in error["loc"])
    given = next((name for path, name in variables.items() if path[: len(place)] == place), "")
    if error["type"] != "extra_forbidden":
        said = str(error["msg"]).removeprefix("Value error, ")
        return f"{'.'.join(place)} (variable {given or _variable(place)}): {said}"
    path = next((path for path, name in variables.items() if name == given), place)
    meant = nearest(Settings, path)
    if not meant:
        hint = "; `schema-registry-server check-settings` lists all"
    elif given:
        hint = f"; did you mean {_variable(meant)}?"
    else:
        hint = f"; did you mean {'.'.join(meant)}?"
    return f"{'.'.join(path)} (variable {given or _variable(place)}): unknown setting{hint}"


def _variable(path: tuple[str, ...]) -> str:
    return PREFIX + "__".join(path).upper()
