"""What the registry is used for: subjects, versions, registrations, events."""

from __future__ import annotations

from llm_schema_registry_server.telemetry import families as f

from .board import Board, Row, bars, graph, heat, number
from .queries import buckets, grown, largest, of, or_zero, per_second, quantile, share, total

BY_ONE_SERVER = "All servers of a registry say the same: one of them is shown."

BOARD = Board(
    "content",
    "Schema registry: content and use",
    "Subjects, versions, registrations and events: what the registry holds and how it grows.",
    (
        Row(
            "Holds",
            (
                number(
                    "Subjects", f"Subjects with a live version. {BY_ONE_SERVER}", "none", largest(f.SUBJECTS)
                ),
                number(
                    "Versions",
                    f"Live versions, of all states. {BY_ONE_SERVER}",
                    "none",
                    f"max(sum by (job, instance) ({of(f.VERSIONS)}))",
                ),
                number(
                    "Softly deleted",
                    f"Versions that can be brought back. {BY_ONE_SERVER}",
                    "none",
                    largest(f.VERSIONS_DELETED),
                ),
                number("Contents", f"Distinct contents. {BY_ONE_SERVER}", "none", largest(f.CONTENTS)),
                number(
                    "Bytes",
                    f"Of distinct contents as they were sent. {BY_ONE_SERVER}",
                    "bytes",
                    f"max(sum by (job, instance) ({of(f.CONTENT_BYTES)}))",
                ),
                number(
                    "Age of these numbers",
                    "One of the servers counts anew every `statistics.refresh_seconds`.",
                    "s",
                    f"time() - {largest(f.STATISTICS_AT)}",
                    thresholds=(("orange", 900), ("red", 3600)),
                ),
                graph(
                    "Versions by state",
                    f"{BY_ONE_SERVER}",
                    "none",
                    (largest(f.VERSIONS, by="state"), "{{state}}"),
                    stacked=True,
                ),
                graph(
                    "Versions by type",
                    f"{BY_ONE_SERVER}",
                    "none",
                    (largest(f.VERSIONS_BY_TYPE, by="type"), "{{type}}"),
                    stacked=True,
                ),
                graph(
                    "Subjects and contents",
                    f"{BY_ONE_SERVER}",
                    "none",
                    (largest(f.SUBJECTS), "subjects"),
                    (largest(f.CONTENTS), "contents"),
                    width=8,
                ),
                graph(
                    "Bytes by place",
                    f"In the storage or in the object store. {BY_ONE_SERVER}",
                    "bytes",
                    (largest(f.CONTENT_BYTES, by="where"), "{{where}}"),
                    width=8,
                    stacked=True,
                ),
                graph(
                    "Change log",
                    f"Changes that are kept. {BY_ONE_SERVER}",
                    "none",
                    (largest(f.LOG_CHANGES), "changes"),
                    width=8,
                ),
            ),
        ),
        Row(
            "Registrations",
            (
                graph(
                    "By outcome",
                    "Created, existing (the content was there), or the reason of the refusal.",
                    "ops",
                    (or_zero(per_second(f.REGISTRATIONS, by="outcome")), "{{outcome}}"),
                    stacked=True,
                ),
                graph(
                    "By type",
                    "Registrations by type of schema, whatever became of them.",
                    "ops",
                    (or_zero(per_second(f.REGISTRATIONS, by="type")), "{{type}}"),
                    stacked=True,
                ),
                number(
                    "Registered",
                    "Versions that were stored in the time shown.",
                    "none",
                    or_zero(grown(f.REGISTERED)),
                    width=6,
                ),
                number(
                    "Refused",
                    "Share of the registrations that were neither new nor known.",
                    "percentunit",
                    share(
                        or_zero(per_second(f.REGISTRATIONS, 'outcome!~"created|existing"')),
                        per_second(f.REGISTRATIONS),
                    ),
                    width=6,
                    thresholds=(("orange", 0.2),),
                ),
                number(
                    "Known",
                    "Share of the registrations whose content was there.",
                    "percentunit",
                    share(
                        or_zero(per_second(f.REGISTRATIONS, 'outcome="existing"')),
                        per_second(f.REGISTRATIONS),
                    ),
                    width=6,
                ),
                number(
                    "Largest, p99",
                    "Size of the contents that were stored.",
                    "bytes",
                    quantile(0.99, f.SCHEMA_BYTES),
                    width=6,
                ),
                graph(
                    "Stored by state",
                    "The state in which new versions began.",
                    "ops",
                    (or_zero(per_second(f.REGISTERED, by="state")), "{{state}}"),
                    width=8,
                    stacked=True,
                ),
                graph(
                    "Size by type",
                    "p95 of the contents that were stored.",
                    "bytes",
                    (quantile(0.95, f.SCHEMA_BYTES, by="type"), "{{type}}"),
                    width=8,
                ),
                bars(
                    "Reasons of refusals",
                    "In the time shown.",
                    "none",
                    (
                        or_zero(grown(f.REGISTRATIONS, 'outcome!~"created|existing"', by="outcome")),
                        "{{outcome}}",
                    ),
                    width=8,
                ),
                heat(
                    "Spread of sizes",
                    "How many contents of which size were stored.",
                    "bytes",
                    buckets(f.SCHEMA_BYTES),
                ),
                graph(
                    "Events",
                    "Changes by kind, as one server sees them.",
                    "ops",
                    (f"max by (event) ({per_second(f.CHANGES, by='instance, event')})", "{{event}}"),
                    stacked=True,
                ),
            ),
        ),
        Row(
            "Use",
            (
                graph(
                    "Uses counted",
                    "Reads and validations of schemas that were counted in the storage, or given up.",
                    "ops",
                    (per_second(f.USAGE, by="outcome"), "{{outcome}}"),
                ),
                graph(
                    "Uses waiting",
                    "Schemas whose counts wait for the storage.",
                    "none",
                    (total(f.USAGE_WAITING, by="instance"), "{{instance}}"),
                ),
            ),
        ),
    ),
    ("business",),
)
