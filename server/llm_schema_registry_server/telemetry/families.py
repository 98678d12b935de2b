"""Every family of series that a server may export: name, type, labels, meaning. docs/metrics.md is made of it.

Durations are seconds, sizes bytes. A label never holds a subject, an id or anything else that callers choose: the number of
series is bounded by the number of RPCs, codes and components.
"""

from __future__ import annotations

from typing import Final

from . import names
from .family import ALL as ALL
from .family import Across, Family
from .family import counter as _counter
from .family import family as _family
from .family import gauge as _gauge
from .family import histogram as _histogram
from .family import in_area as _in

_in("Calls")
CALLS: Final = _counter(
    "calls_total",
    "Calls that have ended, streams too, cached answers and refusals before a handler included.",
    "method",
    "wire",
    "code",
)
CALL_SECONDS: Final = _histogram(
    "call_seconds",
    "Duration of unary calls from the reading of their head to their answer, cached answers included.",
    "method",
    "wire",
)
RPC_DURATION: Final = _family(
    "histogram",
    "rpc_server_call_duration_seconds",
    "Duration of calls over gRPC, streams too (rpc.server.call.duration of OpenTelemetry).",
    (names.RPC_SYSTEM_NAME, names.RPC_METHOD, names.RPC_RESPONSE_STATUS_CODE, names.ERROR_TYPE),
)
HTTP_DURATION: Final = _family(
    "histogram",
    "http_server_request_duration_seconds",
    "Duration of requests to the HTTP API, streams and WebSockets too, probes not (http.server.request.duration of OpenTelemetry). "
    "Status 499: the client left before its answer.",
    (names.HTTP_REQUEST_METHOD, names.HTTP_ROUTE, names.HTTP_RESPONSE_STATUS_CODE, names.ERROR_TYPE),
)
HTTP_REQUEST_BYTES: Final = _family(
    "histogram",
    "http_server_request_body_size_bytes",
    "Size of request bodies (http.server.request.body.size).",
    (names.HTTP_REQUEST_METHOD, names.HTTP_ROUTE),
)
HTTP_RESPONSE_BYTES: Final = _family(
    "histogram",
    "http_server_response_body_size_bytes",
    "Size of response bodies that are no streams (http.server.response.body.size).",
    (names.HTTP_REQUEST_METHOD, names.HTTP_ROUTE),
)
CALLS_IN_FLIGHT: Final = _gauge(
    "calls_in_flight", "Unary calls running now, those with cached answers not.", "wire"
)
STREAMS_OPEN: Final = _gauge("streams_open", "Streams open now.", "method", "wire")
UNREAD_BYTES: Final = _gauge("unread_bytes", "Bytes that readers of streams have not taken.")
UNREAD_STREAMS_ENDED: Final = _counter(
    "unread_streams_ended_total",
    "Streams that were ended because their callers left too many bytes unread.",
)

_in("TLS")
TLS_HANDSHAKES: Final = _counter(
    "tls_handshakes_total",
    "Connections to a listener that speaks TLS, by how their handshake ended: ok, or why it failed.",
    "listener",
    "outcome",
    optional="tls",
)
TLS_CONNECTIONS: Final = _gauge(
    "tls_connections", "Connections that are open now.", "listener", optional="tls"
)
TLS_EXPIRES: Final = _gauge(
    "tls_certificate_expires_timestamp_seconds",
    "When the server's certificate expires, in seconds since 1970.",
    "listener",
    optional="tls",
    across="min",
)

_in("Schemas and verdicts")
REGISTRATIONS: Final = _counter(
    "registrations_total",
    "Registrations by what became of them: created, existing (the content was there), or the reason of the refusal.",
    "type",
    "outcome",
)
REGISTERED: Final = _counter(
    "schemas_registered_total",
    "Versions that this server has stored, by the state they began in.",
    "type",
    "state",
)
SCHEMA_BYTES: Final = _histogram(
    "schema_size_bytes", "Size of the contents that this server has stored.", "type"
)
VALIDATIONS: Final = _counter(
    "validations_total",
    "Validations of data (what: data) and of schemas (what: schema) by result: valid, invalid.",
    "what",
    "type",
    "result",
)
VALIDATION_SECONDS: Final = _histogram("validation_seconds", "Duration of validations.", "what", "type")
VALIDATION_ERRORS: Final = _counter(
    "validation_errors_total",
    "Errors in the reports of validations of data, by kind: a JSON Schema keyword, or the id of an engine.",
    "type",
    "kind",
)
ANSWERS_COERCED: Final = _counter(
    "coerced_answers_total",
    "Answers that were to be corrected, by outcome: `valid` needed nothing, `corrected` is valid now, `invalid` is not. A share of "
    "`valid` that falls tells that a model drifts.",
    "outcome",
)
COERCIONS: Final = _counter(
    "answer_coercions_total",
    "Corrections of answers by kind; those of one kind that grow tell what a model gets wrong.",
    "kind",
)
ANSWERS_REPORTED: Final = _counter(
    "answers_reported_total",
    "Answers of models that clients have reported, by kind: answers (all), first_pass (valid at once), retried, coerced, truncated.",
    "kind",
)
REPORTS: Final = _counter(
    "outcome_reports_total",
    "Reports of such answers, by what became of them: counted, repeated (counted before).",
    "outcome",
)
CONFORMANCE_DROPS: Final = _gauge(
    "conformance_drops",
    "Versions and models whose answers are valid at once less often than with the version before, as the sequential test is certain, "
    "and that were reported in the last week. The same from all servers; take the maximum.",
)
COMPATIBILITY_CHECKS: Final = _counter(
    "compatibility_checks_total",
    "Schemas that were checked as the next version of a subject, by level and verdict: compatible, incompatible, undecided.",
    "level",
    "verdict",
)
COMPATIBILITY_SECONDS: Final = _histogram(
    "compatibility_check_seconds", "Duration of these checks, the search for remedies included.", "level"
)
COMPATIBILITY_VIOLATIONS: Final = _counter(
    "compatibility_violations_total", "Violations in the reports of these checks, by rule.", "level", "rule"
)
SUBJECTS: Final = _gauge(
    "subjects",
    "Subjects with a live version. This and the next ones: the same from all servers; take the maximum.",
    across="max",
)
VERSIONS: Final = _gauge("versions", "Live versions by state.", "state", across="max")
VERSIONS_BY_TYPE: Final = _gauge("versions_by_type", "Live versions by type.", "type", across="max")
VERSIONS_DELETED: Final = _gauge("versions_deleted", "Softly deleted versions.", across="max")
CONTENTS: Final = _gauge("contents", "Distinct contents.", across="max")
CONTENT_BYTES: Final = _gauge(
    "content_bytes", "Bytes of distinct contents as they were sent, by where they are.", "where", across="max"
)
LOG_CHANGES: Final = _gauge("log_changes", "Changes in the change log.", across="max")
STATISTICS_AT: Final = _gauge(
    "statistics_timestamp_seconds",
    "When these were counted, in seconds since 1970; their age is time() minus this.",
    across="max",
)
DIALECT_BEHIND: Final = _gauge(
    "dialect_watch_behind",
    "Changes of the change log after the last one up to which versions were judged by the profiles of providers. This and the next one: the "
    "same from all servers; take the maximum.",
    optional="providers.watch_seconds",
)
DIALECT_PENDING: Final = _gauge(
    "dialect_watch_pending_profiles",
    "Profiles that are new or have changed, and by which not all versions have been judged.",
    optional="providers.watch_seconds",
)
DIALECT_JUDGED: Final = _counter(
    "dialect_watch_judged_total",
    "Versions that this server has judged by profiles, once more for each pass.",
    optional="providers.watch_seconds",
)
DIALECT_CHANGED: Final = _counter(
    "dialect_watch_verdicts_changed_total",
    "Verdicts of live versions that became others (PROFILE_VERDICT_CHANGED), by how the versions fit since.",
    "fit",
    optional="providers.watch_seconds",
)
USAGE: Final = _counter(
    "usage_total",
    "Reads and validations of schemas that were counted in the storage, or given up.",
    "outcome",
)
USAGE_WAITING: Final = _gauge("usage_waiting", "Schemas whose counts wait for the storage.")

_in("Change stream")
REVISION: Final = _gauge("revision", "Sequence of the last change that this server has seen.", across="max")
CHANGES: Final = _counter("changes_total", "Changes that this server has seen, by event.", "event")
CHANGE_LAG: Final = _gauge(
    "change_log_lag", "Changes that this server has seen and not yet handed to its subscribers.", across="max"
)
CHANGE_DELAY: Final = _histogram(
    "change_delay_seconds",
    "How old changes were when this server saw them, by the clocks of the servers.",
)
SUBSCRIBERS: Final = _gauge("subscribers", "Subscribers to changes at this server.")
CHANGE_LOG_READABLE: Final = _gauge(
    "change_log_readable", "0 while the change log cannot be followed, else 1.", across="min"
)

_in("Caches")
ANSWERED: Final = _counter(
    "answer_cache_hits_total", "Calls answered at once from cached bytes.", "method", "wire"
)
ANSWER_MISSES: Final = _counter("answer_cache_misses_total", "Look-ups without an answer.")
ANSWERS_REFUSED: Final = _counter(
    "answer_cache_refused_total", "Answers not cached: stale, too big, dependent on nothing."
)
ANSWER_ENTRIES: Final = _gauge("answer_cache_entries", "Answers cached now.")
ANSWER_BYTES: Final = _gauge("answer_cache_bytes", "Bytes of cached answers now.")
LOOKUPS: Final = _counter(
    "cache_lookups_total",
    "Look-ups by cache and outcome (hit, miss, ...); of the shared tiers also error, skipped, damaged.",
    "cache",
    "outcome",
)
CACHE_ENTRIES: Final = _gauge("cache_entries", "Entries of each cache in memory.", "cache")
CACHE_BYTES: Final = _gauge("cache_bytes", "Bytes in each cache in memory.", "cache")
CACHE_LIMIT: Final = _gauge("cache_limit_bytes", "Most bytes of each cache in memory.", "cache")
CACHE_EVICTIONS: Final = _counter(
    "cache_evictions_total", "Entries that went because their cache was full.", "cache"
)
BREAKER_OPEN: Final = _gauge(
    "breaker_open",
    "1 while the service behind a tier is left alone because it failed repeatedly.",
    "tier",
    across="max",
)
WARMING_SECONDS: Final = _gauge(
    "warming_seconds", "How long warming took when the server started.", across="max"
)
WARMED_SCHEMAS: Final = _gauge("warmed_schemas", "Versions that were loaded by then.", across="max")

_in("Storage")
DB_DURATION: Final = _family(
    "histogram",
    "db_client_operation_duration_seconds",
    "Duration of operations on the storage, waiting for a turn and for a connection included, and of commands to Redis "
    "(db.client.operation.duration of OpenTelemetry). error_type: the reason of the failure.",
    (names.DB_SYSTEM_NAME, names.DB_OPERATION_NAME, names.ERROR_TYPE),
)
DB_CONNECTIONS: Final = _gauge(
    "db_connections",
    "Connections by pool (sqlite_readers, postgres, postgres_replica, redis) and state: idle, used.",
    "pool",
    "state",
)
DB_CONNECTIONS_MAX: Final = _gauge("db_connections_max", "Most connections of each pool.", "pool")
UNREADABLE: Final = _counter(
    "unreadable_rows_total",
    "How often a list, a search, an export or the change feed went on without a row that cannot be read.",
    "table",
)
S3_SECONDS: Final = _histogram(
    "s3_operation_seconds",
    "Duration of requests to the object store, by operation and result: ok, or what failed.",
    "operation",
    "result",
    optional="blobs.kind",
)
S3_BYTES: Final = _counter(
    "s3_bytes_total", "Bytes of contents from and to the object store.", "direction", optional="blobs.kind"
)

_in("Queues and workers")
QUEUE_WAITING: Final = _gauge("queue_waiting", "Calls that wait now.", "queue")
QUEUE_HELD: Final = _gauge(
    "queue_held",
    "What is in use now of that which callers wait for: processes, readers, connections, bytes.",
    "queue",
)
QUEUE_ROOM: Final = _gauge("queue_room", "How much of it there is.", "queue")
QUEUE_WAIT: Final = _histogram(
    "queue_wait_seconds", "How long those waited who got what they waited for.", "queue"
)
QUEUE_REFUSED: Final = _counter(
    "queue_refused_total", "Calls refused: full, too many of one caller, or too long a wait.", "queue", "why"
)
WORKER_SECONDS: Final = _histogram(
    "worker_task_seconds",
    "Duration of tasks in worker processes, waiting for one not included, by kind and result: ok, refused, failed.",
    "task",
    "result",
)
WORKERS: Final = _gauge("worker_processes", "Worker processes by state: all, busy, slow.", "state")
WORKER_EVENTS: Final = _counter(
    "worker_events_total",
    "What happened to worker processes and their callers: started, not_started (it ended before), crashed, timed_out, held_off.",
    "event",
)

_in("Audit log")
_AUDIT = "audit.enabled"
AUDIT_ENTRIES: Final = _counter(
    "audit_entries_total",
    "Entries that this server has given their places in the audit log.",
    "event",
    "outcome",
    optional=_AUDIT,
)
AUDIT_LOST: Final = _counter(
    "audit_records_lost_total",
    "Records of refused and failed calls that did not fit into the memory.",
    optional=_AUDIT,
)
AUDIT_WAITING: Final = _gauge(
    "audit_records_waiting",
    "Records of refused and failed calls that are in memory and not written yet.",
    optional=_AUDIT,
)
AUDIT_FAILURES: Final = _counter(
    "audit_failures_total",
    "How often writing records, or giving entries their places, has failed.",
    optional=_AUDIT,
)
AUDIT_UNSEQUENCED: Final = _gauge(
    "audit_unsequenced_seconds",
    "For how long entries have waited for their places while no checkpoint was signed; 0 when none wait.",
    optional=_AUDIT,
    across="max",
)
AUDIT_SIZE: Final = _gauge(
    "audit_log_size",
    "Entries under the newest checkpoint that this server has seen. Of all servers take the maximum.",
    optional=_AUDIT,
    across="max",
)
AUDIT_CHECKPOINT_AT: Final = _gauge(
    "audit_checkpoint_timestamp_seconds",
    "When that checkpoint was signed, in seconds since 1970.",
    optional=_AUDIT,
    across="max",
)

_in("Process")
BUILD_INFO: Final = _gauge("build_info", "Always 1; the version is the label.", "version", across="max")
COMPONENT_UP: Final = _gauge(
    "component_up", "1 when the component is UP, 0.5 DEGRADED, 0 DOWN.", "component", across="min"
)
COMPONENT_FACT: Final = _gauge(
    "component_fact",
    "A number from the health report of a component: versions, bytes, busy workers, subscribers ...",
    "component",
    "fact",
    across="max",
)
LOOP_LATE: Final = _histogram(
    "loop_late_seconds",
    "How long the event loop kept its callers waiting, looked at every few milliseconds: by the clock, and of that at most so much "
    "by the processor time of its thread.",
    "by",
)
TASKS: Final = _gauge("asyncio_tasks", "Tasks of the event loop.")
THREADS: Final = _gauge("threads", "Threads of the process.")
LOG_LINES: Final = _counter("log_lines_total", "Lines written to the log, by level.", "level")
LOG_LINES_LEFT_OUT: Final = _counter(
    "log_lines_left_out_total", "Lines left out because there were too many of their kind."
)
SPANS: Final = _counter(
    "spans_total",
    "Spans that were handed to the exporter, by what became of them: exported, failed.",
    "outcome",
    optional="tracing.endpoint",
)

_PROCESSES = "server.workers"
SERVING: Final = _gauge(
    "serving_processes",
    "Serving processes of the server by state: wanted, ready, and missing: those whose newest numbers are not on this page, for they did not "
    "answer in time.",
    "state",
    optional=_PROCESSES,
)
SERVING_RESTARTS: Final = _counter(
    "serving_process_restarts_total",
    "Serving processes that were started in the place of others, by why: crashed, rolled (SIGUSR2); and starts that came to nothing: failed.",
    "why",
    optional=_PROCESSES,
)
SERVING_CPU: Final = _counter(
    "serving_process_cpu_seconds_total",
    "Processor time by the number of the serving process, which one that takes its place goes on with: whether all have their share.",
    "process",
    optional=_PROCESSES,
)
SERVING_RESIDENT: Final = _gauge(
    "serving_process_resident_bytes",
    "Resident memory by the number of the serving process.",
    "process",
    optional=_PROCESSES,
)

CPU: Final = _family(
    "counter", "process_cpu_seconds_total", "Processor time of the server, its workers not included."
)
RESIDENT: Final = _family("gauge", "process_resident_memory_bytes", "Resident memory.")
VIRTUAL: Final = _family("gauge", "process_virtual_memory_bytes", "Virtual memory.")
STARTED_AT: Final = _family(
    "gauge", "process_start_time_seconds", "When the process started, in seconds since 1970.", across="max"
)
OPEN_FDS: Final = _family("gauge", "process_open_fds", "Open file descriptors.", across="max")
MAX_FDS: Final = _family("gauge", "process_max_fds", "Most open file descriptors.", across="max")
GC_COLLECTED: Final = _family(
    "counter",
    "python_gc_objects_collected_total",
    "Objects that the garbage collector has freed.",
    ("generation",),
)
GC_UNCOLLECTABLE: Final = _family(
    "counter", "python_gc_objects_uncollectable_total", "Objects that it could not free.", ("generation",)
)
GC_COLLECTIONS: Final = _family(
    "counter", "python_gc_collections_total", "Collections by generation.", ("generation",)
)

_in("Names of Confluent's dashboards")
_CONFLUENT = "metrics.confluent_names"


def _confluent(name: str, meaning: str, *labels: str, across: Across = "max") -> Family:
    # Gauges, also what counts: Confluent's exporter of JMX gives its counters no suffix.
    return _family("gauge", f"kafka_schema_registry_{name}", meaning, labels, _CONFLUENT, across)


K_REGISTERED: Final = _confluent("registered_count", "Versions registered, live and softly deleted.")
K_DELETED: Final = _confluent("deleted_count", "Softly deleted versions.")
K_CREATED: Final = _confluent(
    "schemas_created", "Live versions by type: avro, json, protobuf.", "schema_type"
)
K_SCHEMAS_DELETED: Final = _confluent(
    "schemas_deleted", "Softly deleted versions; of all types, under the type `all`.", "schema_type"
)
K_SUCCESS: Final = _confluent("api_success_count", "HTTP requests answered with 2xx or 3xx.", across="sum")
K_FAILURE: Final = _confluent("api_failure_count", "HTTP requests answered with 4xx or 5xx.", across="sum")
K_RATE: Final = _confluent(
    "jersey_metrics_request_rate",
    "HTTP requests a second, over the last half minute or longer.",
    across="sum",
)
K_LATENCY: Final = _confluent(
    "jersey_metrics_request_latency_99",
    "99th percentile of HTTP durations in milliseconds over the same time.",
)
K_CONNECTIONS: Final = _confluent(
    "kafka_schema_registry_metrics_connection_count", "Calls and streams open now.", across="sum"
)
K_ACTIVE: Final = _confluent(
    "jetty_metrics_connections_active",
    "The same, by the name that the newer of Confluent's dashboards has for it.",
    across="sum",
)
K_ROLE: Final = _confluent("master_slave_role", "Always 1: every server takes writes.")
