"""Storage: SQLite, PostgreSQL, Redis, the object store."""

from __future__ import annotations

from llm_schema_registry_server.telemetry import families as f

from .board import Board, Row, graph, heat, number
from .queries import buckets, largest, mean, of, or_zero, per_second, quantile, total

DATABASE, REDIS = 'db_system_name!="redis"', 'db_system_name="redis"'
FAILED, USED = 'error_type!=""', 'state="used"'
QUEUES = 'queue=~"readers|writes|connections|statements|lists"'

BOARD = Board(
    "storage",
    "Schema registry: storage",
    "Operations on SQLite or PostgreSQL, commands to Redis, requests to the object store, and the connections that carry them.",
    (
        Row(
            "Now",
            (
                number("Operations", "On the database.", "ops", per_second(f.DB_DURATION, DATABASE)),
                number(
                    "p95",
                    "Of operations on the database, waiting for a connection included.",
                    "s",
                    quantile(0.95, f.DB_DURATION, DATABASE),
                    alerts=("SlowDatabaseQueries",),
                    thresholds=(("orange", 0.02), ("red", 0.05)),
                ),
                number(
                    "Errors",
                    "Operations on the database that failed.",
                    "ops",
                    or_zero(per_second(f.DB_DURATION, DATABASE, 'error_type=~"STORAGE_.+"')),
                    alerts=("DatabaseErrors",),
                    thresholds=(("red", 0.1),),
                ),
                number(
                    "Redis p95",
                    "Of commands to Redis.",
                    "s",
                    quantile(0.95, f.DB_DURATION, REDIS),
                    alerts=("SlowRedis",),
                    thresholds=(("red", 0.01),),
                ),
                number(
                    "Object store p95",
                    "Of requests to it. Only with `blobs.kind`.",
                    "s",
                    quantile(0.95, f.S3_SECONDS),
                    alerts=("SlowS3",),
                    thresholds=(("red", 5),),
                ),
                number(
                    "Unreadable rows",
                    "How often a row could not be read: `schema-registry-server repair`.",
                    "ops",
                    or_zero(per_second(f.UNREADABLE)),
                    alerts=("UnreadableRows",),
                    thresholds=(("red", 0.000001),),
                ),
            ),
        ),
        Row(
            "Database",
            (
                graph(
                    "Operations",
                    "By kind.",
                    "ops",
                    (
                        per_second(f.DB_DURATION, DATABASE, by="db_system_name, db_operation_name"),
                        "{{db_system_name}} {{db_operation_name}}",
                    ),
                ),
                graph(
                    "p95 by operation",
                    "Waiting for a turn and for a connection included.",
                    "s",
                    (
                        quantile(0.95, f.DB_DURATION, DATABASE, by="db_operation_name"),
                        "{{db_operation_name}}",
                    ),
                    alerts=("SlowDatabaseQueries",),
                    thresholds=(("red", 0.05),),
                ),
                graph(
                    "Mean by operation",
                    "Waiting for a turn and for a connection included.",
                    "s",
                    (mean(f.DB_DURATION, DATABASE, by="db_operation_name"), "{{db_operation_name}}"),
                ),
                heat(
                    "Spread",
                    "How many operations on the database took how long.",
                    "s",
                    buckets(f.DB_DURATION, DATABASE),
                ),
                graph(
                    "Failed",
                    "Operations by the reason of the failure; CONCURRENT_UPDATE is tried again.",
                    "ops",
                    (or_zero(per_second(f.DB_DURATION, DATABASE, FAILED, by="error_type")), "{{error_type}}"),
                    alerts=("DatabaseErrors",),
                    stacked=True,
                ),
                graph(
                    "Unreadable rows",
                    "Lists and feeds that went on without a row that cannot be read.",
                    "ops",
                    (or_zero(per_second(f.UNREADABLE, by="table")), "{{table}}"),
                    alerts=("UnreadableRows",),
                ),
            ),
        ),
        Row(
            "Connections",
            (
                graph(
                    "In use",
                    "Share of the connections of each pool, of the server with most.",
                    "percentunit",
                    (
                        f"max by (pool) ({of(f.DB_CONNECTIONS, USED)} / on (job, instance, pool) {of(f.DB_CONNECTIONS_MAX)})",
                        "{{pool}}",
                    ),
                    alerts=("DatabasePoolExhausted", "DatabasePoolCritical"),
                    thresholds=(("orange", 0.9), ("red", 0.95)),
                    top=1,
                ),
                graph(
                    "Connections",
                    "Idle and used, of all servers.",
                    "none",
                    (total(f.DB_CONNECTIONS, by="pool, state"), "{{pool}} {{state}}"),
                    stacked=True,
                ),
                graph(
                    "Wait, p95",
                    "For a reader, a place among the writes, a connection.",
                    "s",
                    (quantile(0.95, f.QUEUE_WAIT, QUEUES, by="queue"), "{{queue}}"),
                    alerts=("DatabasePoolWaitTime",),
                    thresholds=(("red", 0.1),),
                ),
                graph(
                    "Waiting",
                    "Calls that wait for the database now.",
                    "none",
                    (total(f.QUEUE_WAITING, QUEUES, by="queue"), "{{queue}}"),
                ),
            ),
        ),
        Row(
            "Redis",
            (
                graph(
                    "Commands",
                    "By kind.",
                    "ops",
                    (
                        or_zero(per_second(f.DB_DURATION, REDIS, by="db_operation_name")),
                        "{{db_operation_name}}",
                    ),
                    width=8,
                ),
                graph(
                    "p95",
                    "By command.",
                    "s",
                    (quantile(0.95, f.DB_DURATION, REDIS, by="db_operation_name"), "{{db_operation_name}}"),
                    width=8,
                    alerts=("SlowRedis",),
                    thresholds=(("red", 0.01),),
                ),
                graph(
                    "Failed",
                    "Commands by what failed.",
                    "ops",
                    (or_zero(per_second(f.DB_DURATION, REDIS, FAILED, by="error_type")), "{{error_type}}"),
                    width=8,
                    alerts=("RedisErrors",),
                ),
            ),
        ),
        Row(
            "Object store (only with blobs.kind)",
            (
                graph(
                    "Requests",
                    "By operation and result.",
                    "ops",
                    (or_zero(per_second(f.S3_SECONDS, by="operation, result")), "{{operation}} {{result}}"),
                ),
                graph(
                    "p95",
                    "By operation.",
                    "s",
                    (quantile(0.95, f.S3_SECONDS, by="operation"), "{{operation}}"),
                    alerts=("SlowS3",),
                ),
                graph(
                    "Failed",
                    "Requests by what failed.",
                    "ops",
                    (
                        or_zero(per_second(f.S3_SECONDS, 'result!="ok"', by="operation, result")),
                        "{{operation}} {{result}}",
                    ),
                    alerts=("S3Errors",),
                    thresholds=(("red", 0.1),),
                ),
                graph(
                    "Bytes",
                    "Of contents, from the object store and to it.",
                    "Bps",
                    (or_zero(per_second(f.S3_BYTES, by="direction")), "{{direction}}"),
                ),
            ),
        ),
        Row(
            "Space",
            (
                graph(
                    "Contents",
                    "Bytes of distinct contents, by where they are.",
                    "bytes",
                    (largest(f.CONTENT_BYTES, by="where"), "{{where}}"),
                    stacked=True,
                ),
                graph(
                    "SQLite file",
                    "Size of the database file, by server.",
                    "bytes",
                    (or_zero(of(f.COMPONENT_FACT, 'component="storage"', 'fact="bytes"')), "{{instance}}"),
                ),
                graph(
                    "Oldest transaction",
                    "Of PostgreSQL: while it runs, the change log waits for it.",
                    "s",
                    (
                        or_zero(
                            largest(
                                f.COMPONENT_FACT, 'component="storage"', 'fact="oldest_transaction_seconds"'
                            )
                        ),
                        "oldest",
                    ),
                    alerts=("SubscribersBehind",),
                    thresholds=(("orange", 10),),
                ),
            ),
        ),
    ),
    ("storage",),
)
