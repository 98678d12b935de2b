"""Caches: answers, what lies in memory below them, and the tiers that servers share."""

from __future__ import annotations

from llm_schema_registry_server.telemetry import families as f

from .board import Board, Row, graph, number
from .queries import largest, of, or_zero, per_second, recorded, share, total

SHARED = 'cache=~"redis|s3"'

BOARD = Board(
    "caching",
    "Schema registry: caches",
    "Answers that are kept as bytes, schemas and comparisons in memory, Redis and the object store behind them (docs/tiers.md).",
    (
        Row(
            "Answers",
            (
                number(
                    "From the cache",
                    "Share of the look-ups with an answer, 5 minutes. Of all servers.",
                    "percentunit",
                    recorded("sli:cache_hit:ratio_rate5m"),
                    alerts=("LowCacheHitRate", "CriticalCacheHitRate"),
                    thresholds=(("red", 0.5), ("orange", 0.7)),
                    low=True,
                ),
                number(
                    "1 hour",
                    "The same of an hour: the objective is 95 %.",
                    "percentunit",
                    recorded("sli:cache_hit:ratio_rate1h"),
                    thresholds=(("red", 0.7), ("orange", 0.95)),
                    low=True,
                ),
                number("Entries", "Answers that are kept now.", "none", total(f.ANSWER_ENTRIES)),
                number("Memory", "Bytes of these answers.", "bytes", total(f.ANSWER_BYTES)),
                number(
                    "Refused",
                    "Answers that were not kept: stale, too big, dependent on nothing.",
                    "ops",
                    per_second(f.ANSWERS_REFUSED),
                ),
                number(
                    "Breakers open",
                    "Shared tiers that are left alone because they failed.",
                    "none",
                    or_zero(total(f.BREAKER_OPEN)),
                    alerts=("BreakerOpen",),
                    thresholds=(("red", 1),),
                ),
                graph(
                    "Hits by RPC",
                    "Calls that were answered at once.",
                    "reqps",
                    (per_second(f.ANSWERED, by="method, wire"), "{{method}} {{wire}}"),
                ),
                graph(
                    "Hits and misses",
                    "Look-ups.",
                    "reqps",
                    (per_second(f.ANSWERED), "hits"),
                    (per_second(f.ANSWER_MISSES), "misses"),
                    (per_second(f.ANSWERS_REFUSED), "not kept"),
                ),
                graph(
                    "Hit rate by server",
                    "A server that has just started has to fill its cache.",
                    "percentunit",
                    (
                        share(
                            per_second(f.ANSWERED, by="instance"),
                            f"{per_second(f.ANSWERED, by='instance')} + {per_second(f.ANSWER_MISSES, by='instance')}",
                        ),
                        "{{instance}}",
                    ),
                    alerts=("LowCacheHitRate",),
                    top=1,
                ),
                graph("Answers kept", "Entries by server.", "none", (of(f.ANSWER_ENTRIES), "{{instance}}")),
                graph("Memory of answers", "Bytes by server.", "bytes", (of(f.ANSWER_BYTES), "{{instance}}")),
                graph(
                    "Warming",
                    "How long it took when the servers started, and how many versions were loaded.",
                    "s",
                    (of(f.WARMING_SECONDS), "{{instance}}"),
                ),
                number(
                    "Warmed",
                    "Versions that were loaded by then, of the server with most of them.",
                    "none",
                    largest(f.WARMED_SCHEMAS),
                    width=12,
                ),
            ),
        ),
        Row(
            "In memory",
            (
                graph(
                    "Hit rate",
                    "By cache.",
                    "percentunit",
                    (
                        share(
                            per_second(f.LOOKUPS, 'outcome="hit"', by="cache"),
                            per_second(f.LOOKUPS, by="cache"),
                        ),
                        "{{cache}}",
                    ),
                    top=1,
                ),
                graph(
                    "Look-ups",
                    "By cache and outcome.",
                    "ops",
                    (per_second(f.LOOKUPS, by="cache, outcome"), "{{cache}} {{outcome}}"),
                ),
                graph(
                    "Memory",
                    "Bytes by cache, of all servers.",
                    "bytes",
                    (total(f.CACHE_BYTES, by="cache"), "{{cache}}"),
                    stacked=True,
                ),
                graph(
                    "Full",
                    "Share of the memory of each cache that is in use, of the server with most.",
                    "percentunit",
                    (f"max by (cache) ({of(f.CACHE_BYTES)} / ({of(f.CACHE_LIMIT)} > 0))", "{{cache}}"),
                    top=1,
                ),
                graph(
                    "Entries",
                    "By cache, of all servers.",
                    "none",
                    (total(f.CACHE_ENTRIES, by="cache"), "{{cache}}"),
                ),
                graph(
                    "Evictions",
                    "Entries that went because their cache was full: give it more memory (`caches.*_bytes`).",
                    "ops",
                    (per_second(f.CACHE_EVICTIONS, by="cache"), "{{cache}}"),
                ),
            ),
        ),
        Row(
            "Shared tiers",
            (
                graph(
                    "Redis and object store",
                    "Look-ups by outcome: hit, miss, error, skipped (the breaker is open), damaged, too large.",
                    "ops",
                    (or_zero(per_second(f.LOOKUPS, SHARED, by="cache, outcome")), "{{cache}} {{outcome}}"),
                    alerts=("RedisErrors", "S3Errors"),
                ),
                graph(
                    "Failed look-ups",
                    "error, skipped, damaged.",
                    "ops",
                    (
                        or_zero(
                            per_second(
                                f.LOOKUPS, SHARED, 'outcome=~"error|skipped|damaged"', by="cache, outcome"
                            )
                        ),
                        "{{cache}} {{outcome}}",
                    ),
                    alerts=("RedisErrors", "S3Errors"),
                ),
                graph(
                    "Breakers",
                    "1: the service behind the tier is left alone because it failed.",
                    "none",
                    (or_zero(largest(f.BREAKER_OPEN, by="instance, tier")), "{{instance}} {{tier}}"),
                    alerts=("BreakerOpen",),
                    thresholds=(("red", 1),),
                    top=1,
                ),
            ),
        ),
    ),
    ("caches",),
)
