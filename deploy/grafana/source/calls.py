"""Rate, errors and duration (RED) of every RPC on every wire."""

from __future__ import annotations

from llm_schema_registry_server.telemetry import families as f

from .board import Board, Row, bars, graph, heat, number
from .queries import FAULTS, buckets, mean, most, or_zero, per_second, quantile, share, total

BOARD = Board(
    "calls",
    "Schema registry: calls (RED)",
    "Rate, errors and duration of every RPC, over gRPC and over HTTP. Cached answers and refusals before a handler count.",
    (
        Row(
            "Now",
            (
                number("Calls", "Calls that have ended.", "reqps", per_second(f.CALLS)),
                number(
                    "Failures",
                    "Share of the calls that failed for the server's sake.",
                    "percentunit",
                    share(or_zero(per_second(f.CALLS, FAULTS)), per_second(f.CALLS)),
                    alerts=("HighErrorRate",),
                    thresholds=(("orange", 0.001), ("red", 0.01)),
                ),
                number(
                    "p95",
                    "95 % of the unary calls take no longer.",
                    "s",
                    quantile(0.95, f.CALL_SECONDS),
                    alerts=("HighLatencyP95",),
                    thresholds=(("orange", 0.01), ("red", 0.1)),
                ),
                number(
                    "p99",
                    "99 % of the unary calls take no longer.",
                    "s",
                    quantile(0.99, f.CALL_SECONDS),
                    thresholds=(("orange", 0.025), ("red", 0.25)),
                ),
                number(
                    "Running",
                    "Unary calls that run now, those with cached answers not.",
                    "none",
                    total(f.CALLS_IN_FLIGHT),
                ),
                number("Streams", "Streams that are open now.", "none", or_zero(total(f.STREAMS_OPEN))),
            ),
        ),
        Row(
            "Rate",
            (
                graph(
                    "By wire",
                    "Calls that have ended.",
                    "reqps",
                    (per_second(f.CALLS, by="wire"), "{{wire}}"),
                    stacked=True,
                ),
                graph(
                    "By RPC",
                    "The ten RPCs that are called most.",
                    "reqps",
                    (most(10, per_second(f.CALLS, by="method")), "{{method}}"),
                ),
                graph(
                    "By server",
                    "Whether the load is spread evenly.",
                    "reqps",
                    (per_second(f.CALLS, by="instance"), "{{instance}}"),
                ),
                graph(
                    "Streams by RPC",
                    "Streams that are open.",
                    "none",
                    (total(f.STREAMS_OPEN, by="method, wire"), "{{method}} {{wire}}"),
                ),
                graph(
                    "Running by wire",
                    "Unary calls that run, those with cached answers not.",
                    "none",
                    (total(f.CALLS_IN_FLIGHT, by="wire"), "{{wire}}"),
                ),
                bars(
                    "RPCs, by calls",
                    "The twenty RPCs that are called most.",
                    "reqps",
                    (most(20, per_second(f.CALLS, by="method")), "{{method}}"),
                ),
            ),
        ),
        Row(
            "Errors",
            (
                graph(
                    "Server's faults",
                    "Calls that failed for the server's sake, by code: UNKNOWN, INTERNAL, DATA_LOSS, UNAVAILABLE, DEADLINE_EXCEEDED.",
                    "reqps",
                    (or_zero(per_second(f.CALLS, FAULTS, by="code")), "{{code}}"),
                    alerts=("HighErrorRate", "LowAvailability"),
                    stacked=True,
                ),
                graph(
                    "Server's faults by RPC",
                    "Share of each RPC's calls that failed for the server's sake.",
                    "percentunit",
                    (
                        or_zero(
                            share(per_second(f.CALLS, FAULTS, by="method"), per_second(f.CALLS, by="method"))
                        ),
                        "{{method}}",
                    ),
                    alerts=("HighErrorRate",),
                    thresholds=(("red", 0.01),),
                ),
                graph(
                    "Callers' mistakes",
                    "Calls that ended otherwise than well, and not for the server's sake, by code.",
                    "reqps",
                    (
                        or_zero(
                            per_second(
                                f.CALLS,
                                'code!~"OK|UNKNOWN|INTERNAL|DATA_LOSS|UNAVAILABLE|DEADLINE_EXCEEDED"',
                                by="code",
                            )
                        ),
                        "{{code}}",
                    ),
                    stacked=True,
                ),
                graph(
                    "Not OK by RPC",
                    "The ten RPCs and codes with most calls that ended otherwise than well.",
                    "reqps",
                    (
                        or_zero(most(10, per_second(f.CALLS, 'code!="OK"', by="method, code"))),
                        "{{method}} {{code}}",
                    ),
                ),
            ),
        ),
        Row(
            "Duration of unary calls",
            (
                graph(
                    "Quantiles",
                    "Cached answers included; exemplars lead to traces.",
                    "s",
                    *((quantile(q, f.CALL_SECONDS), f"p{q * 100:g}") for q in (0.5, 0.9, 0.95, 0.99)),
                    alerts=("HighLatencyP95", "LatencySpike"),
                    thresholds=(("red", 0.01),),
                    exemplars=True,
                ),
                heat("Spread", "How many unary calls took how long.", "s", buckets(f.CALL_SECONDS)),
                graph(
                    "p95 by RPC",
                    "The ten slowest.",
                    "s",
                    (most(10, quantile(0.95, f.CALL_SECONDS, by="method")), "{{method}}"),
                ),
                graph(
                    "p95 by wire",
                    "Of unary calls.",
                    "s",
                    (quantile(0.95, f.CALL_SECONDS, by="wire"), "{{wire}}"),
                ),
                graph(
                    "p95 by server",
                    "Whether one of them is slower than the others.",
                    "s",
                    (quantile(0.95, f.CALL_SECONDS, by="instance"), "{{instance}}"),
                ),
                graph(
                    "Mean by RPC",
                    "The ten RPCs that take longest on average.",
                    "s",
                    (most(10, mean(f.CALL_SECONDS, by="method")), "{{method}}"),
                ),
            ),
        ),
        Row(
            "gRPC and HTTP by OpenTelemetry's names",
            (
                graph(
                    "gRPC: calls by status",
                    "Streams too.",
                    "reqps",
                    (
                        per_second(f.RPC_DURATION, by="rpc_response_status_code"),
                        "{{rpc_response_status_code}}",
                    ),
                ),
                graph(
                    "gRPC: p95 by RPC",
                    "Streams too: their whole length.",
                    "s",
                    (most(10, quantile(0.95, f.RPC_DURATION, by="rpc_method")), "{{rpc_method}}"),
                ),
                graph(
                    "HTTP: requests by status",
                    "499: the client left before its answer.",
                    "reqps",
                    (
                        per_second(f.HTTP_DURATION, by="http_response_status_code"),
                        "{{http_response_status_code}}",
                    ),
                ),
                graph(
                    "HTTP: p95 by route",
                    "The ten slowest routes.",
                    "s",
                    (
                        most(10, quantile(0.95, f.HTTP_DURATION, by="http_request_method, http_route")),
                        "{{http_request_method}} {{http_route}}",
                    ),
                ),
                graph(
                    "HTTP: size of requests",
                    "p95 of the bodies by route, ten largest.",
                    "bytes",
                    (most(10, quantile(0.95, f.HTTP_REQUEST_BYTES, by="http_route")), "{{http_route}}"),
                ),
                graph(
                    "HTTP: size of answers",
                    "p95 of the bodies that are no streams by route, ten largest.",
                    "bytes",
                    (most(10, quantile(0.95, f.HTTP_RESPONSE_BYTES, by="http_route")), "{{http_route}}"),
                ),
            ),
        ),
    ),
    ("red",),
)
