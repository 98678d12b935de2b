"""The first page: is the registry well, and where to look when it is not."""

from __future__ import annotations

from llm_schema_registry_server.telemetry import families as f

from .board import Board, Row, bars, graph, listed, number
from .queries import (
    FAULTS,
    SERVERS_UP,
    largest,
    of,
    or_zero,
    per_second,
    quantile,
    recorded,
    share,
    total,
)

FIRING = 'sum(ALERTS{alertname=~"SchemaRegistry.+", alertstate="firing"})'

BOARD = Board(
    "overview",
    "Schema registry: overview",
    "Whether the registry is well, what it is asked and what it holds. The menu at the top leads to the other dashboards.",
    (
        Row(
            "Health",
            (
                number(
                    "Servers",
                    "Servers that Prometheus can scrape.",
                    "none",
                    f"sum({SERVERS_UP})",
                    alerts=("Down",),
                ),
                number(
                    "Alerts",
                    "Alerts of the registry that fire now.",
                    "none",
                    or_zero(FIRING),
                    thresholds=(("red", 1),),
                ),
                number(
                    "Availability, 30 days",
                    "Share of the calls of 30 days without a fault of the server. Of all servers, whatever the variables say.",
                    "percentunit",
                    recorded("sli:availability:ratio_rate30d"),
                    alerts=("LowAvailability",),
                    thresholds=(("red", 0.999), ("orange", 0.9995)),
                    low=True,
                ),
                number(
                    "Error budget",
                    "What is left of the failures that the objective allows in 30 days.",
                    "percentunit",
                    recorded("slo:availability:error_budget_remaining"),
                    alerts=("FastErrorBudgetBurn", "SlowErrorBudgetBurn"),
                    thresholds=(("red", 0.1), ("orange", 0.5)),
                    low=True,
                ),
                number(
                    "p95, 5 minutes",
                    "95 % of the unary calls take no longer.",
                    "s",
                    recorded("sli:latency:p95_5m"),
                    alerts=("HighLatencyP95",),
                    thresholds=(("orange", 0.01), ("red", 0.1)),
                ),
                number(
                    "Answered from the cache",
                    "Share of the reads that were answered from cached bytes, 5 minutes.",
                    "percentunit",
                    recorded("sli:cache_hit:ratio_rate5m"),
                    alerts=("LowCacheHitRate",),
                    thresholds=(("red", 0.5), ("orange", 0.7)),
                    low=True,
                ),
            ),
        ),
        Row(
            "Calls",
            (
                graph(
                    "Calls",
                    "Calls that have ended, by wire.",
                    "reqps",
                    (per_second(f.CALLS, by="wire"), "{{wire}}"),
                    width=8,
                    stacked=True,
                ),
                graph(
                    "Failures",
                    "Share of the calls that failed for the server's sake.",
                    "percentunit",
                    (share(or_zero(per_second(f.CALLS, FAULTS)), per_second(f.CALLS)), "failed"),
                    width=8,
                    alerts=("HighErrorRate",),
                    thresholds=(("red", 0.01),),
                ),
                graph(
                    "Duration",
                    "Of unary calls, cached answers included.",
                    "s",
                    *((quantile(q, f.CALL_SECONDS), f"p{q * 100:g}") for q in (0.5, 0.95, 0.99)),
                    width=8,
                    alerts=("HighLatencyP95", "LatencySpike"),
                    exemplars=True,
                ),
            ),
        ),
        Row(
            "Parts",
            (
                bars(
                    "Components",
                    "The worst of all servers: 1 is up, 0.5 degraded, 0 down.",
                    "none",
                    (f"min by (component) ({of(f.COMPONENT_UP)})", "{{component}}"),
                    width=8,
                    alerts=("HealthCheckFailing", "ComponentDegraded"),
                    thresholds=(("red", 0.5), ("orange", 1)),
                    low=True,
                ),
                listed(
                    "Versions of the server",
                    "How many servers run which version.",
                    "none",
                    (f"count by (version) ({of(f.BUILD_INFO)})", "{{version}}"),
                    width=8,
                ),
                graph(
                    "Memory",
                    "Resident memory of each server, its workers not included.",
                    "bytes",
                    (of(f.RESIDENT), "{{instance}}"),
                    width=8,
                    alerts=("HighMemoryUsage",),
                ),
            ),
        ),
        Row(
            "Content",
            (
                number("Subjects", "Subjects with a live version.", "none", largest(f.SUBJECTS), width=6),
                number(
                    "Versions",
                    "Live versions, of all states.",
                    "none",
                    f"max by (job) (sum by (job, instance) ({of(f.VERSIONS)}))",
                    width=6,
                ),
                number(
                    "Registrations",
                    "Versions that were stored.",
                    "ops",
                    or_zero(per_second(f.REGISTERED)),
                    width=6,
                ),
                number(
                    "Subscribers", "Who follows the change stream.", "none", total(f.SUBSCRIBERS), width=6
                ),
            ),
        ),
    ),
)
