"""Utilisation, saturation and errors (USE) of what a server needs: processor, memory, event loop, workers, queues, pools."""

from __future__ import annotations

from llm_schema_registry_server.telemetry import families as f

from .board import Board, Row, graph, listed, number
from .queries import SERVERS_UP, largest, mean, of, or_zero, per_second, quantile, total

USED = 'state="used"'

BOARD = Board(
    "resources",
    "Schema registry: resources (USE)",
    "Utilisation, saturation and errors of processor, memory, event loop, worker processes, queues and connection pools.",
    (
        Row(
            "Servers",
            (
                number(
                    "Servers",
                    "Servers that Prometheus can scrape.",
                    "none",
                    f"sum({SERVERS_UP})",
                    alerts=("Down",),
                ),
                number(
                    "Components not up",
                    "Degraded or down, of all servers.",
                    "none",
                    f"count({of(f.COMPONENT_UP)} < 1) or on () vector(0)",
                    alerts=("ComponentDegraded",),
                    thresholds=(("red", 1),),
                ),
                number(
                    "Youngest server",
                    "Since it started.",
                    "s",
                    f"time() - {largest(f.STARTED_AT)}",
                    alerts=("Restarting",),
                ),
                number(
                    "File descriptors",
                    "Share that is open, of the server with most of them.",
                    "percentunit",
                    f"max({of(f.OPEN_FDS)} / {of(f.MAX_FDS)})",
                    alerts=("FileDescriptorsRunningOut",),
                    thresholds=(("orange", 0.6), ("red", 0.8)),
                ),
                number(
                    "Pool, fullest",
                    "Share of the connections in use, of the pool with most of them.",
                    "percentunit",
                    f"max({of(f.DB_CONNECTIONS, USED)} / on (job, instance, pool) {of(f.DB_CONNECTIONS_MAX)})",
                    alerts=("DatabasePoolExhausted", "DatabasePoolCritical"),
                    thresholds=(("orange", 0.9), ("red", 0.95)),
                ),
                number(
                    "Refused by queues",
                    "Calls that would have waited in vain.",
                    "reqps",
                    or_zero(per_second(f.QUEUE_REFUSED)),
                    alerts=("QueueRefuses",),
                    thresholds=(("red", 1),),
                ),
                graph(
                    "Components",
                    "1 is up, 0.5 degraded, 0 down.",
                    "none",
                    (f"min by (instance, component) ({of(f.COMPONENT_UP)})", "{{instance}} {{component}}"),
                    alerts=("HealthCheckFailing", "ComponentDegraded"),
                    top=1,
                ),
                listed(
                    "Health in numbers",
                    "What the health reports of the components say in numbers, of the server with the largest one.",
                    "short",
                    (largest(f.COMPONENT_FACT, by="component, fact"), ""),
                ),
            ),
        ),
        Row(
            "Process",
            (
                graph(
                    "Processor",
                    "Cores that the server uses, its workers not included.",
                    "none",
                    (per_second(f.CPU, by="instance"), "{{instance}}"),
                    width=8,
                ),
                graph(
                    "Resident memory",
                    "Of the server, its workers not included.",
                    "bytes",
                    (of(f.RESIDENT), "{{instance}}"),
                    width=8,
                    alerts=("HighMemoryUsage",),
                    thresholds=(("red", 4 * 2**30),),
                ),
                graph("Virtual memory", "Of the server.", "bytes", (of(f.VIRTUAL), "{{instance}}"), width=8),
                graph(
                    "File descriptors",
                    "Open, and how many may be.",
                    "none",
                    (of(f.OPEN_FDS), "{{instance}}"),
                    (f"min({of(f.MAX_FDS)})", "most"),
                    width=8,
                    alerts=("FileDescriptorsRunningOut",),
                ),
                graph("Threads", "Of the process.", "none", (of(f.THREADS), "{{instance}}"), width=8),
                graph(
                    "Age",
                    "Since the process started.",
                    "s",
                    (f"time() - {of(f.STARTED_AT)}", "{{instance}}"),
                    width=8,
                    alerts=("Restarting",),
                ),
                graph(
                    "Garbage collections",
                    "By generation.",
                    "ops",
                    (per_second(f.GC_COLLECTIONS, by="generation"), "{{generation}}"),
                    width=8,
                ),
                graph(
                    "Garbage collected",
                    "Objects that were freed.",
                    "ops",
                    (per_second(f.GC_COLLECTED, by="generation"), "{{generation}}"),
                    width=8,
                ),
                graph(
                    "Garbage that stays",
                    "Objects that could not be freed.",
                    "ops",
                    (per_second(f.GC_UNCOLLECTABLE, by="instance"), "{{instance}}"),
                    width=8,
                ),
            ),
        ),
        Row(
            "Serving processes",
            (
                graph(
                    "Serving processes",
                    "Wanted, ready, and missing from the page of series. Only with `server.workers` above 1.",
                    "none",
                    (or_zero(total(f.SERVING, by="state")), "{{state}}"),
                    width=8,
                ),
                graph(
                    "Processor, by serving process",
                    "Whether all have their share: connections stay where they have begun. Only with `server.workers` above 1.",
                    "none",
                    (or_zero(per_second(f.SERVING_CPU, by="instance, process")), "{{instance}} {{process}}"),
                    width=8,
                ),
                graph(
                    "Resident memory, by serving process",
                    "Of each. Only with `server.workers` above 1.",
                    "bytes",
                    (or_zero(total(f.SERVING_RESIDENT, by="instance, process")), "{{instance}} {{process}}"),
                    width=8,
                ),
                graph(
                    "Serving processes started",
                    "In the place of others: crashed, rolled; or in vain: failed. Only with `server.workers` above 1.",
                    "ops",
                    (or_zero(per_second(f.SERVING_RESTARTS, by="instance, why")), "{{instance}} {{why}}"),
                    width=8,
                    alerts=("Restarting",),
                ),
            ),
        ),
        Row(
            "Event loop",
            (
                graph(
                    "Late by its own work",
                    "p99 of how long the loop computed without a pause (processor time).",
                    "s",
                    (quantile(0.99, f.LOOP_LATE, 'by="processor"', by="instance"), "{{instance}}"),
                    width=8,
                    alerts=("EventLoopLate",),
                    thresholds=(("red", 0.1),),
                ),
                graph(
                    "Late by the clock",
                    "p99 of how long callers of the loop waited; much more than by its own work: the machine is busy.",
                    "s",
                    (quantile(0.99, f.LOOP_LATE, 'by="clock"', by="instance"), "{{instance}}"),
                    width=8,
                ),
                graph("Tasks", "Of the event loop.", "none", (of(f.TASKS), "{{instance}}"), width=8),
            ),
        ),
        Row(
            "Queues",
            (
                graph(
                    "Use",
                    "Share of what there is that is in use now: processes, readers, connections, bytes.",
                    "percentunit",
                    (f"max by (queue) ({of(f.QUEUE_HELD)} / ({of(f.QUEUE_ROOM)} > 0))", "{{queue}}"),
                    top=1,
                ),
                graph(
                    "Waiting",
                    "Calls that wait now.",
                    "none",
                    (total(f.QUEUE_WAITING, by="queue"), "{{queue}}"),
                ),
                graph(
                    "Wait, p95",
                    "Of those who got what they waited for.",
                    "s",
                    (quantile(0.95, f.QUEUE_WAIT, by="queue"), "{{queue}}"),
                    alerts=("DatabasePoolWaitTime",),
                ),
                graph(
                    "Wait, mean",
                    "Of those who got what they waited for.",
                    "s",
                    (mean(f.QUEUE_WAIT, by="queue"), "{{queue}}"),
                ),
                graph(
                    "Passed",
                    "Calls that got what they waited for.",
                    "reqps",
                    (per_second(f.QUEUE_WAIT, by="queue"), "{{queue}}"),
                ),
                graph(
                    "Refused",
                    "Full, too many of one caller, or too long a wait.",
                    "reqps",
                    (per_second(f.QUEUE_REFUSED, by="queue, why"), "{{queue}} {{why}}"),
                    alerts=("QueueRefuses",),
                    stacked=True,
                ),
            ),
        ),
        Row(
            "Pools and workers",
            (
                graph(
                    "Connections in use",
                    "Share of each pool.",
                    "percentunit",
                    (
                        f"{of(f.DB_CONNECTIONS, USED)} / on (job, instance, pool) {of(f.DB_CONNECTIONS_MAX)}",
                        "{{instance}} {{pool}}",
                    ),
                    alerts=("DatabasePoolExhausted", "DatabasePoolCritical"),
                    thresholds=(("orange", 0.9), ("red", 0.95)),
                    top=1,
                ),
                graph(
                    "Worker processes",
                    "All, busy with quick tasks, busy with slow ones.",
                    "none",
                    (total(f.WORKERS, by="state"), "{{state}}"),
                ),
            ),
        ),
        Row(
            "Logs and spans",
            (
                graph(
                    "Log lines",
                    "By level.",
                    "ops",
                    (per_second(f.LOG_LINES, by="level"), "{{level}}"),
                    width=8,
                    stacked=True,
                ),
                graph(
                    "Log lines left out",
                    "There were too many of their kind.",
                    "ops",
                    (per_second(f.LOG_LINES_LEFT_OUT, by="instance"), "{{instance}}"),
                    width=8,
                    alerts=("LogLinesLeftOut",),
                ),
                graph(
                    "Spans",
                    "Handed to the exporter, by what became of them. Only with `tracing.endpoint`.",
                    "ops",
                    (or_zero(per_second(f.SPANS, by="outcome")), "{{outcome}}"),
                    width=8,
                    alerts=("SpansNotExported",),
                ),
            ),
        ),
    ),
    ("use",),
)
