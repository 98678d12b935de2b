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

from pydantic import Field, IPvAnyNetwork, SecretStr, ValidationError, field_validator

from .names import nearest
from .section import Section
from .storage import BlobsSettings, StorageSettings
from .urls import check_redis

PREFIX = "SCHEMA_REGISTRY_"
CONFIG_VARIABLE = "SCHEMA_REGISTRY_CONFIG"
CLIENT_VARIABLES = frozenset(
    PREFIX + name for name in ("SERVER", "TOKEN", "OUTPUT", "DEBUG", "PROFILE", "TIMEOUT", "CONTEXT")
)
"""Variables of the command line client (docs/cli.md): they may be set in the environment of a server too."""


class SettingsError(Exception):
    """The settings cannot be used; the message names each wrong one and says what is wrong with it."""


class GrpcSettings(Section):
    host: str = "0.0.0.0"
    """Address that the gRPC listener binds."""
    port: int = Field(9090, ge=0, le=65535)
    """Port of the gRPC listener; 0 lets the system choose."""
    engine: Literal["auto", "native", "grpcio"] = "auto"
    """Which server speaks gRPC: `native` (pygrpc-native, plaintext only, several times as fast), `grpcio`, or `auto`:
    native without TLS, grpcio with it. `native` inflates compressed messages without a limit: choose `grpcio` where
    clients may be hostile (docs/decisions/0005-the-native-engine-trusts-its-clients.md)."""
    max_message_bytes: int = Field(8 * 1024 * 1024, ge=1024)
    """Largest message accepted or sent."""
    memory_line_bytes: int = Field(1536 * 1024 * 1024, ge=1 << 20)
    """Above this resident memory of the process, the native engine cuts connections that pour data in, and those that hold
    most of it; it has to collect a message before it can refuse it for its size. Set it below the memory that the server may
    use."""
    unread_bytes: int = Field(32 * 1024 * 1024, ge=1 << 20)
    """Answers that one connection to the native engine may leave unread; further large answers on it are refused with
    RESOURCE_EXHAUSTED until it has read. At least one answer of `max_message_bytes` is always sent."""
    streams_per_connection: int = Field(4096, ge=1)
    """Most calls and streams at the same time on one connection (SETTINGS_MAX_CONCURRENT_STREAMS of HTTP/2); clients wait with
    the next ones."""
    pending_calls: int = Field(20_000, ge=1)
    """Most calls and streams at the same time in the grpcio engine, all connections together, counted before anything else is
    done for them; more are refused with RESOURCE_EXHAUSTED."""
    resets_per_second: int = Field(100, ge=1)
    """Calls that one address (behind a trusted proxy: one connection) may reset in a second before they are answered, by which callers
    give up; five times as many at once. Connections that reset more are ended."""
    default_deadline_seconds: float = Field(30.0, gt=0)
    """Deadline of a unary call whose client set none."""
    connections_per_address: int = Field(0, ge=0)
    """Most connections of one address, but for trusted proxies; more are closed. 0: half of the file descriptors that the process
    may have (`ulimit -n`)."""
    reflection: bool = True
    """Whether clients may ask the server for its descriptors."""


class HttpSettings(Section):
    host: str = "0.0.0.0"
    """Address that the HTTP listener binds."""
    port: int = Field(8080, ge=0, le=65535)
    """Port of the HTTP listener; 0 lets the system choose."""
    connections_per_address: int = Field(0, ge=0)
    """Most connections of one address, but for trusted proxies; more are closed. 0: half of the file descriptors that the process
    may have (`ulimit -n`)."""
    max_body_bytes: int = Field(12 * 1024 * 1024, ge=1024)
    """Largest request body, and largest line of a batch (base64 makes 3 bytes 4)."""
    max_batch_bytes: int = Field(64 * 1024 * 1024, ge=1024)
    """Largest batch of lines (NDJSON) in one request."""
    max_values: int = Field(500_000, ge=1000)
    """Most JSON values in one body or line; each takes a hundred bytes of memory or more. Text and base64 count as one."""


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
    host: str = "0.0.0.0"
    """Address of the metrics listener."""
    port: int = Field(9091, ge=0, le=65535)
    """Port of /metrics; 0 lets the system choose."""
    connections: int = Field(16, ge=1)
    """Most scrapes at a time; more are answered 503."""
    timeout_seconds: float = Field(10.0, gt=0)
    """Longest time of one scrape, the request's arrival and the reading of its answer included; then its connection is cut."""


class LimitsSettings(Section):
    schema_bytes: int = Field(1024 * 1024, ge=1)
    """Largest schema content accepted."""
    data_bytes: int = Field(4 * 1024 * 1024, ge=1)
    """Largest payload that ValidateData accepts."""
    references: int = Field(256, ge=0)
    """Most references of one schema, direct and transitive."""
    tags: int = Field(50, ge=0)
    """Most tags of a version."""
    metadata_bytes: int = Field(10 * 1024, ge=0)
    """Largest metadata of a version: keys and values together."""
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
    calls_in_flight: int = Field(10_000, ge=1)
    """Most unary calls at a time; more are refused at once with RESOURCE_EXHAUSTED."""
    streams: int = Field(10_000, ge=1)
    """Most streams open at a time; more are refused at once with RESOURCE_EXHAUSTED."""
    streams_per_caller: int = Field(2_000, ge=1)
    """Most streams open at a time of one caller, by its address (the one that a trusted proxy tells, `proxies.trusted`)."""
    unread_bytes: int = Field(256 * 1024 * 1024, ge=1024)
    """Memory of messages that readers of streams have not taken yet; over it, the stream that has waited longest of the caller
    who holds most is ended with SUBSCRIBER_TOO_SLOW and where to resume."""
    unread_bytes_per_caller: int = Field(64 * 1024 * 1024, ge=1024)
    """The same of one caller, by its address."""
    socket_bytes: int = Field(64 * 1024, ge=1024)
    """Most bytes that a client may send over a WebSocket: its request, beside some pings. The connection is cut when more
    arrive."""


class AvroSettings(Section):
    """What the Avro engine takes; sizes are in `limits`."""

    comments: bool = False
    """Whether new schemas may have comments (`// ...`, `/* ... */`), as Java's parser takes them. They are delivered as they were
    registered, and parsers of other languages refuse them."""


class ProtobufSettings(Section):
    """Bounds of the Protobuf engine; those of one file and of references are in `limits`."""

    total_bytes: int = Field(4 * 1024 * 1024, ge=1)
    """Largest .proto file together with all that it references."""
    statements: int = Field(20_000, ge=1)
    """`;` and `,` in one file; the compiler's time grows with the square of some."""
    name_bytes: int = Field(8 * 1024 * 1024, ge=1)
    """All qualified names of one file together: long names around many fields."""


class JsonSchemaSettings(Section):
    """Bounds of the JSON Schema engine; sizes are in `limits`."""

    schema_depth: int = Field(100, ge=1)
    """Deepest nesting of brackets in a schema document."""
    schema_nodes: int = Field(50_000, ge=1)
    """JSON values in one schema document."""
    keywords_per_object: int = Field(5_000, ge=1)
    """Members of one object of a schema document."""
    pointers: int = Field(16 * 1024 * 1024, ge=1)
    """Characters of the JSON pointers of all values of a schema document together: long names around many values."""
    uri_length: int = Field(2_048, ge=1)
    """Characters of one URI in a schema, also when it has been resolved; a fragment does not count."""
    addresses: int = Field(1_000, ge=1)
    """Different URIs under which a schema and what it references, directly and not, know each other."""
    references_in_schema: int = Field(5_000, ge=1)
    """`$ref`, `$dynamicRef` and `$recursiveRef` in a schema document and in what it references, together."""
    reference_chain: int = Field(100, ge=1)
    """Longest chain of schemas that apply to the same value by `$ref`, `allOf` and the like."""
    evaluation_paths: int = Field(100_000, ge=1)
    """Ways in which subschemas apply to one and the same value, counted through references."""
    pattern_length: int = Field(1_000, ge=1)
    """Characters of one regular expression."""
    patterns: int = Field(1_000, ge=1)
    """Regular expressions in one schema document."""
    pattern_weight: int = Field(200_000, ge=1)
    """States that all regular expressions of one schema document may compile to, estimated."""
    number_digits: int = Field(400, ge=1)
    """Digits of one number, and the largest decimal exponent."""
    issues: int = Field(100, ge=1)
    """Most issues reported of one schema."""
    data_depth: int = Field(128, ge=1)
    """Deepest nesting of brackets in a payload."""
    detailed_data_bytes: int = Field(64 * 1024, ge=1)
    """Largest payload for which every error is listed; above it only the first is."""
    error_work: int = Field(64 * 1024 * 1024, ge=1)
    """Bound for payload bytes times nesting times schema size up to which every error is listed."""
    error_paths: int = Field(20_000, ge=1)
    """Ways of looking at one value up to which every error is listed."""
    error_text: int = Field(400, ge=1)
    """Characters of one error message, and of the value quoted in it."""
    compare_steps: int = Field(40_000, ge=1)
    """Steps of one proof; the same question always takes the same number of steps."""
    compare_seconds: float = Field(2.0, gt=0)
    """Time of one proof, after which it is UNDECIDED."""
    regex_states: int = Field(4_000, ge=1)
    """States of one search over regular expressions."""
    violations: int = Field(8, ge=1)
    """Most violations reported of one comparison."""


class WorkersSettings(Section):
    processes: int = Field(2, ge=1, le=64)
    """Subprocesses that compile and compare schemas."""
    parse_seconds: float = Field(2.0, gt=0)
    """After this a compilation is killed."""
    compare_seconds: float = Field(5.0, gt=0)
    """After this a comparison is killed and answered UNDECIDED."""
    validate_seconds: float = Field(5.0, gt=0)
    """Processor time after which the validation of one payload is killed and refused."""
    inline_seconds: float = Field(0.01, ge=0, le=1)
    """Processor time that validating a payload may surely not exceed for it to happen in the server itself; all else is
    validated in a subprocess."""
    memory_bytes: int = Field(1 << 30, ge=1 << 27)
    """Address space of one subprocess."""
    queue: int = Field(1000, ge=0)
    """Tasks that may wait for a subprocess; more are refused at once."""
    patience_seconds: float = Field(0.2, gt=0)
    """A task that uses the processor for longer gets the lowest priority, and the next task starts beside it."""
    slow_processes: int = Field(2, ge=0, le=64)
    """Most tasks that may go on with the lowest priority at the same time, besides those in `processes`."""


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


class CachesSettings(Section):
    answers_bytes: int = Field(128 * 1024 * 1024, ge=0)
    """Memory for the cache of serialized answers."""
    schema_bytes: int = Field(128 * 1024 * 1024, ge=1 << 20)
    """Memory for schemas with their references, parsed schemas, comparisons and compiled validators."""
    warm_schemas: int = Field(10_000, ge=0)
    """A server that starts loads so many of the schemas that are read most before it reports itself ready; 0 loads none."""
    warm_seconds: float = Field(30.0, ge=0)
    """After so long it is ready all the same; 0 loads none."""
    redis: RedisSettings = RedisSettings()

    @property
    def warms(self) -> bool:
        """Whether a server that starts loads anything."""
        return bool(self.warm_schemas and self.warm_seconds)


class LogsSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level that is written."""
    format: Literal["auto", "json", "text"] = "auto"
    """`json` for machines, `text` for people; `auto` is text where standard error is a terminal, and JSON elsewhere."""
    lines_per_second: int = Field(100, ge=1)
    """Most lines of one event in a second: callers cannot fill a disk with them. One line then says how many were left out."""
    stall_seconds: float = Field(0.1, ge=0)
    """When the event loop does not come to its next turn for so long, and everybody waits, a line `event_loop_stalled` says for how
    long, how much of it was processor time, and at which code it stood; 0: no lines. `schema_registry_loop_late_seconds` counts
    shorter waits, too."""


class Settings(Section):
    """The whole tree; each part of the server gets its section."""

    grpc: GrpcSettings = GrpcSettings()
    http: HttpSettings = HttpSettings()
    proxies: ProxiesSettings = ProxiesSettings()
    metrics: MetricsSettings = MetricsSettings()
    storage: StorageSettings = StorageSettings()
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
    logs: LogsSettings = LogsSettings()
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


def load(file: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings from `file` (or the one that SCHEMA_REGISTRY_CONFIG names) and the environment.

    Raises SettingsError when a name is unknown, a value is wrong or the file cannot be read.
    """
    environ = os.environ if environ is None else environ
    if file is None and environ.get(CONFIG_VARIABLE):
        file = Path(environ[CONFIG_VARIABLE])
    tree = _read(file) if file else {}
    variables: dict[tuple[str, ...], str] = {}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in {CONFIG_VARIABLE, *CLIENT_VARIABLES}:
            variables[_path(name)] = name
            _put(tree, name, environ[name])
    try:
        return Settings.model_validate(tree)
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
    place = tuple(str(part) for part in error["loc"])
    given = next((name for path, name in variables.items() if path[: len(place)] == place), "")
    if error["type"] != "extra_forbidden":
        return f"{'.'.join(place)} (variable {given or _variable(place)}): {error['msg']}"
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
