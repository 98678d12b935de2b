"""The change stream: changes, how late they are seen, and who follows them."""

from __future__ import annotations

from llm_schema_registry_server.telemetry import families as f

from .board import Board, Row, graph, heat, number
from .queries import buckets, largest, of, or_zero, per_second, quantile, total

STREAM = 'method=~".*/StreamSchemaChanges"'

BOARD = Board(
    "changes",
    "Schema registry: change stream",
    "What changes, how late servers see it, who follows, and who does not keep up.",
    (
        Row(
            "Now",
            (
                number("Subscribers", "At all servers.", "none", total(f.SUBSCRIBERS)),
                number(
                    "Lag",
                    "Changes that a server has seen and not yet handed to its subscribers; the worst server.",
                    "none",
                    largest(f.CHANGE_LAG),
                    alerts=("SubscribersBehind",),
                    thresholds=(("orange", 1000), ("red", 10_000)),
                ),
                number(
                    "Seen after, p95",
                    "How old changes were when a server saw them.",
                    "s",
                    quantile(0.95, f.CHANGE_DELAY),
                    thresholds=(("orange", 1), ("red", 10)),
                ),
                number(
                    "Readable",
                    "0: a server cannot follow the change log, and its caches may be stale.",
                    "none",
                    f"min({of(f.CHANGE_LOG_READABLE)})",
                    alerts=("ChangeLogUnreadable",),
                    thresholds=(("red", 1),),
                    low=True,
                ),
                number(
                    "Unread",
                    "Bytes that readers of streams have not taken.",
                    "bytes",
                    total(f.UNREAD_BYTES),
                    alerts=("SlowReaders",),
                ),
                number(
                    "Ended",
                    "Streams that were ended because their callers left too much unread.",
                    "ops",
                    per_second(f.UNREAD_STREAMS_ENDED),
                    alerts=("SlowReaders",),
                    thresholds=(("red", 0.01),),
                ),
            ),
        ),
        Row(
            "Changes",
            (
                graph(
                    "By event",
                    "Seen by all servers: each of them sees every change.",
                    "ops",
                    (or_zero(per_second(f.CHANGES, by="event")), "{{event}}"),
                    stacked=True,
                ),
                graph(
                    "By server",
                    "A server that sees fewer than the others is behind.",
                    "ops",
                    (or_zero(per_second(f.CHANGES, by="instance")), "{{instance}}"),
                ),
                graph(
                    "Revision",
                    "Sequence of the last change that each server has seen.",
                    "none",
                    (of(f.REVISION), "{{instance}}"),
                ),
                graph(
                    "Behind the first",
                    "How far each server's revision is behind that of the server that has seen most.",
                    "none",
                    (
                        f"max by (job) ({of(f.REVISION)}) - on (job) group_right () {of(f.REVISION)}",
                        "{{instance}}",
                    ),
                ),
                graph(
                    "Seen after",
                    "How old changes were when servers saw them, by their clocks.",
                    "s",
                    *((quantile(q, f.CHANGE_DELAY), f"p{q * 100:g}") for q in (0.5, 0.95, 0.99)),
                ),
                heat("Spread", "How many changes were seen how late.", "s", buckets(f.CHANGE_DELAY)),
            ),
        ),
        Row(
            "Subscribers",
            (
                graph("By server", "Subscribers.", "none", (of(f.SUBSCRIBERS), "{{instance}}")),
                graph(
                    "Streams by wire",
                    "Open streams of changes.",
                    "none",
                    (or_zero(total(f.STREAMS_OPEN, STREAM, by="wire")), "{{wire}}"),
                ),
                graph(
                    "Lag by server",
                    "Changes that are not yet handed to subscribers.",
                    "none",
                    (of(f.CHANGE_LAG), "{{instance}}"),
                    alerts=("SubscribersBehind",),
                    thresholds=(("red", 10_000),),
                ),
                graph(
                    "Log readable",
                    "0 while the change log cannot be followed.",
                    "none",
                    (of(f.CHANGE_LOG_READABLE), "{{instance}}"),
                    alerts=("ChangeLogUnreadable",),
                    top=1,
                ),
                graph(
                    "Unread bytes",
                    "By server.",
                    "bytes",
                    (of(f.UNREAD_BYTES), "{{instance}}"),
                    alerts=("SlowReaders",),
                ),
                graph(
                    "Streams ended",
                    "Because their callers left too much unread.",
                    "ops",
                    (per_second(f.UNREAD_STREAMS_ENDED, by="instance"), "{{instance}}"),
                    alerts=("SlowReaders",),
                ),
                graph(
                    "Ends of streams",
                    "Streams of changes that have ended, by code; streams of clients that leave are CANCELLED.",
                    "reqps",
                    (or_zero(per_second(f.CALLS, STREAM, by="code")), "{{code}}"),
                ),
            ),
        ),
    ),
    ("changes",),
)
