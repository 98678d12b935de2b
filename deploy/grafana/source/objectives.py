"""Objectives: what was promised, what is kept, and how fast the error budget burns. From the recording rules alone."""

from __future__ import annotations

from .board import Board, Row, bars, graph, number
from .queries import recorded

FAST, SLOW = 14.4, 6
"""Burn rates of the alerts (deploy/prometheus/rules/alerts.yaml)."""


def _compliant(name: str) -> str:
    return f'label_replace({recorded(f"slo:{name}:compliant")}, "objective", "{name}", "", "")'


NAMES = ("availability", "error_rate", "latency_p95", "latency_p99", "cache_hit")

BOARD = Board(
    "objectives",
    "Schema registry: objectives (SLO)",
    "99.9 % of the calls of 30 days without a fault of the server, p95 within 10 ms, p99 within 25 ms, fewer than 1 % of the calls failed, "
    "95 % of the cacheable reads from the cache. Of all servers that Prometheus scrapes: the variables do not narrow what rules record.",
    (
        Row(
            "Budget",
            (
                number(
                    "Availability, 30 days",
                    "Share of the calls without a fault of the server.",
                    "percentunit",
                    recorded("sli:availability:ratio_rate30d"),
                    width=6,
                    alerts=("LowAvailability",),
                    thresholds=(("red", 0.999), ("orange", 0.9995)),
                    low=True,
                ),
                number(
                    "Error budget left",
                    "1: nothing of it is used; below 0: the objective of 30 days is missed.",
                    "percentunit",
                    recorded("slo:availability:error_budget_remaining"),
                    width=6,
                    thresholds=(("red", 0.1), ("orange", 0.5)),
                    low=True,
                ),
                number(
                    "Budget of failed calls left",
                    "Of the 1 % of the calls that may fail.",
                    "percentunit",
                    recorded("slo:error_rate:error_budget_remaining"),
                    width=6,
                    thresholds=(("red", 0.1), ("orange", 0.5)),
                    low=True,
                ),
                number(
                    "Burn rate, 1 hour",
                    "1: the budget lasts for 30 days. 14.4: for two days.",
                    "none",
                    recorded("slo:availability:burn_rate_1h"),
                    width=6,
                    alerts=("FastErrorBudgetBurn",),
                    thresholds=(("orange", 1), ("red", FAST)),
                ),
                bars(
                    "Objectives kept",
                    "1: the objective is kept over its window (30 days; the cache: 1 hour), 0: it is not.",
                    "none",
                    (" or ".join(map(_compliant, NAMES)), "{{objective}}"),
                    thresholds=(("red", 1),),
                    low=True,
                    top=1,
                ),
                graph(
                    "Error budget",
                    "What is left over time.",
                    "percentunit",
                    (recorded("slo:availability:error_budget_remaining"), "availability"),
                    (recorded("slo:error_rate:error_budget_remaining"), "failed calls"),
                    alerts=("SlowErrorBudgetBurn",),
                ),
            ),
        ),
        Row(
            "Burn rate",
            (
                graph(
                    "Fast burn",
                    "Both windows above 14.4: somebody is woken.",
                    "none",
                    (recorded("slo:availability:burn_rate_5m"), "5 minutes"),
                    (recorded("slo:availability:burn_rate_1h"), "1 hour"),
                    alerts=("FastErrorBudgetBurn",),
                    thresholds=(("red", FAST),),
                ),
                graph(
                    "Slow burn",
                    "Both windows above 6: somebody is told.",
                    "none",
                    (recorded("slo:availability:burn_rate_30m"), "30 minutes"),
                    (recorded("slo:availability:burn_rate_6h"), "6 hours"),
                    alerts=("SlowErrorBudgetBurn",),
                    thresholds=(("orange", SLOW),),
                ),
                graph(
                    "Failed calls",
                    "How many times as fast as allowed calls fail (1 % may).",
                    "none",
                    (recorded("slo:error_rate:burn_rate_1h"), "1 hour"),
                    (recorded("slo:error_rate:burn_rate_6h"), "6 hours"),
                    thresholds=(("orange", 1),),
                ),
                graph(
                    "Error rate by window",
                    "Share of the calls that failed for the server's sake.",
                    "percentunit",
                    *(
                        (recorded(f"sli:error_rate:ratio_rate{w}"), w)
                        for w in ("5m", "30m", "1h", "6h", "1d", "30d")
                    ),
                    (recorded("slo:error_rate:target"), "objective"),
                    alerts=("HighErrorRate",),
                ),
            ),
        ),
        Row(
            "Indicators",
            (
                graph(
                    "Availability by window",
                    "Share of the calls without a fault of the server.",
                    "percentunit",
                    *(
                        (recorded(f"sli:availability:ratio_rate{w}"), w)
                        for w in ("5m", "30m", "1h", "6h", "1d", "30d")
                    ),
                    (recorded("slo:availability:target"), "objective"),
                    alerts=("LowAvailability",),
                    top=1,
                ),
                graph(
                    "p95 by window",
                    "Of unary calls.",
                    "s",
                    *((recorded(f"sli:latency:p95_{w}"), w) for w in ("5m", "30m", "1h", "1d", "30d")),
                    (recorded("slo:latency_p95:target"), "objective"),
                    alerts=("HighLatencyP95", "LatencySpike"),
                ),
                graph(
                    "p99 by window",
                    "Of unary calls.",
                    "s",
                    *((recorded(f"sli:latency:p99_{w}"), w) for w in ("5m", "30d")),
                    (recorded("slo:latency_p99:target"), "objective"),
                ),
                graph(
                    "Answered from the cache",
                    "Share of the cacheable reads.",
                    "percentunit",
                    *((recorded(f"sli:cache_hit:ratio_rate{w}"), w) for w in ("5m", "1h")),
                    (recorded("slo:cache_hit:target"), "objective"),
                    alerts=("LowCacheHitRate", "CriticalCacheHitRate"),
                    top=1,
                ),
            ),
        ),
    ),
    ("slo",),
)
