"""Validation of data and schemas, and the worker processes in which what may take long is done."""

from __future__ import annotations

from llm_schema_registry_server.telemetry import families as f

from .board import Board, Row, bars, graph, heat, number
from .queries import buckets, grown, largest, mean, most, of, or_zero, per_second, quantile, share, total

DATA, SCHEMA, INVALID = 'what="data"', 'what="schema"', 'result="invalid"'
CRASHED = 'event="crashed"'
QUEUES = 'queue=~"workers|slow_workers"'

ASKED = per_second(f.ANSWERS_REPORTED, 'kind="answers"')

BOARD = Board(
    "workers",
    "Schema registry: validation and workers",
    "Validations of data and of schemas by result and type, what is wrong with the data, what becomes of answers of models, and the worker processes.",
    (
        Row(
            "Now",
            (
                number("Validations", "Of data and of schemas.", "ops", or_zero(per_second(f.VALIDATIONS))),
                number(
                    "Invalid data",
                    "Share of the validations of data.",
                    "percentunit",
                    share(or_zero(per_second(f.VALIDATIONS, DATA, INVALID)), per_second(f.VALIDATIONS, DATA)),
                    alerts=("ValidationFailures",),
                    thresholds=(("orange", 0.1),),
                ),
                number(
                    "p95",
                    "Of validations of data.",
                    "s",
                    quantile(0.95, f.VALIDATION_SECONDS, DATA),
                    thresholds=(("orange", 0.05), ("red", 1)),
                ),
                number("Workers", "Processes.", "none", total(f.WORKERS, 'state="all"')),
                number(
                    "Busy",
                    "Share of the processes that work now.",
                    "percentunit",
                    share(total(f.WORKERS, 'state=~"busy|slow"'), total(f.WORKERS, 'state="all"')),
                    thresholds=(("orange", 0.9),),
                ),
                number(
                    "Crashed",
                    "Processes that ended when they should not, in the time shown.",
                    "none",
                    or_zero(grown(f.WORKER_EVENTS, CRASHED)),
                    alerts=("WorkersCrashing",),
                    thresholds=(("red", 1),),
                ),
            ),
        ),
        Row(
            "Validation",
            (
                graph(
                    "By result",
                    "Of data and of schemas.",
                    "ops",
                    (or_zero(per_second(f.VALIDATIONS, by="what, result")), "{{what}} {{result}}"),
                    stacked=True,
                ),
                graph(
                    "By type",
                    "Of data and of schemas.",
                    "ops",
                    (or_zero(per_second(f.VALIDATIONS, by="what, type")), "{{what}} {{type}}"),
                    stacked=True,
                ),
                graph(
                    "Invalid data by type",
                    "Share of the validations of data.",
                    "percentunit",
                    (
                        or_zero(
                            share(
                                per_second(f.VALIDATIONS, DATA, INVALID, by="type"),
                                per_second(f.VALIDATIONS, DATA, by="type"),
                            )
                        ),
                        "{{type}}",
                    ),
                    alerts=("ValidationFailures",),
                    thresholds=(("orange", 0.1),),
                    top=1,
                ),
                graph(
                    "Invalid schemas by type",
                    "Share of the validations of schemas.",
                    "percentunit",
                    (
                        or_zero(
                            share(
                                per_second(f.VALIDATIONS, SCHEMA, INVALID, by="type"),
                                per_second(f.VALIDATIONS, SCHEMA, by="type"),
                            )
                        ),
                        "{{type}}",
                    ),
                    top=1,
                ),
                graph(
                    "p95 by type",
                    "Of data and of schemas.",
                    "s",
                    (quantile(0.95, f.VALIDATION_SECONDS, by="what, type"), "{{what}} {{type}}"),
                ),
                heat(
                    "Spread",
                    "How many validations of data took how long.",
                    "s",
                    buckets(f.VALIDATION_SECONDS, DATA),
                ),
                graph(
                    "What is wrong with data",
                    "The ten kinds of errors that are told most: a keyword of JSON Schema, or the id of an engine.",
                    "ops",
                    (
                        or_zero(most(10, per_second(f.VALIDATION_ERRORS, by="type, kind"))),
                        "{{type}} {{kind}}",
                    ),
                    alerts=("ValidationFailures",),
                ),
                bars(
                    "Errors, time shown",
                    "The twenty kinds that were told most.",
                    "none",
                    (or_zero(most(20, grown(f.VALIDATION_ERRORS, by="type, kind"))), "{{type}} {{kind}}"),
                ),
                graph(
                    "Answers that were to be corrected",
                    "valid needed nothing, corrected is valid now, invalid is not. A falling share of valid tells that a model drifts.",
                    "ops",
                    (or_zero(per_second(f.ANSWERS_COERCED, by="outcome")), "{{outcome}}"),
                ),
                graph(
                    "Corrections of answers",
                    "By kind: what models get wrong.",
                    "ops",
                    (or_zero(per_second(f.COERCIONS, by="kind")), "{{kind}}"),
                ),
            ),
        ),
        Row(
            "Answers of models, and providers",
            (
                number(
                    "Valid at once",
                    "Share of the answers that clients have reported.",
                    "percentunit",
                    share(
                        or_zero(per_second(f.ANSWERS_REPORTED, 'kind="first_pass"')),
                        ASKED,
                    ),
                ),
                number(
                    "Drops",
                    "Versions and models whose answers are valid at once less often than with the version before, reported in the last week.",
                    "none",
                    largest(f.CONFORMANCE_DROPS),
                    thresholds=(("orange", 1),),
                ),
                number(
                    "Profiles pending",
                    "Profiles of providers by which not all versions have been judged.",
                    "none",
                    or_zero(largest(f.DIALECT_PENDING)),
                    alerts=("DialectWatchStands",),
                ),
                number(
                    "Changes not judged",
                    "Of the change log, after the last one up to which versions have been judged.",
                    "none",
                    or_zero(largest(f.DIALECT_BEHIND)),
                    alerts=("DialectWatchStands",),
                ),
                number(
                    "Verdicts changed",
                    "Of live versions, in the time shown.",
                    "none",
                    or_zero(grown(f.DIALECT_CHANGED)),
                ),
                number(
                    "Reports counted before",
                    "Share of the reports of outcomes.",
                    "percentunit",
                    share(
                        or_zero(per_second(f.REPORTS, 'outcome="repeated"')),
                        per_second(f.REPORTS),
                    ),
                ),
                graph(
                    "Answers reported",
                    "All, valid at once, asked for again, corrected, cut off.",
                    "ops",
                    (or_zero(per_second(f.ANSWERS_REPORTED, by="kind")), "{{kind}}"),
                ),
                graph(
                    "Shares of answers",
                    "Of those that were reported: valid at once, asked for again, corrected, cut off.",
                    "percentunit",
                    (
                        or_zero(
                            f"{per_second(f.ANSWERS_REPORTED, by='kind')} / on () group_left () ({ASKED} > 0)"
                        ),
                        "{{kind}}",
                    ),
                    top=1,
                ),
                graph(
                    "Versions judged",
                    "By the profiles of providers, in the background.",
                    "ops",
                    (or_zero(per_second(f.DIALECT_JUDGED)), "judged"),
                    alerts=("DialectWatchStands",),
                ),
                graph(
                    "Verdicts that changed",
                    "Of live versions, by how they fit since.",
                    "ops",
                    (or_zero(per_second(f.DIALECT_CHANGED, by="fit")), "{{fit}}"),
                ),
            ),
        ),
        Row(
            "Tasks of workers",
            (
                graph(
                    "By kind",
                    "Tasks that have ended.",
                    "ops",
                    (or_zero(per_second(f.WORKER_SECONDS, by="task")), "{{task}}"),
                    stacked=True,
                ),
                graph(
                    "By result",
                    "ok, refused (the schema or the data was bad), failed (the process ended, or the time was up).",
                    "ops",
                    (or_zero(per_second(f.WORKER_SECONDS, by="result")), "{{result}}"),
                    alerts=("WorkersCrashing",),
                    stacked=True,
                ),
                graph(
                    "p95 by kind",
                    "Waiting for a process not included.",
                    "s",
                    (quantile(0.95, f.WORKER_SECONDS, by="task"), "{{task}}"),
                ),
                graph(
                    "Mean by kind",
                    "Waiting for a process not included.",
                    "s",
                    (mean(f.WORKER_SECONDS, by="task"), "{{task}}"),
                ),
            ),
        ),
        Row(
            "Processes",
            (
                graph(
                    "By state",
                    "All, busy with quick tasks, busy with slow ones.",
                    "none",
                    (total(f.WORKERS, by="state"), "{{state}}"),
                    width=8,
                ),
                graph(
                    "Events",
                    "Processes started, crashed, ended because their time was up; callers held off because their tasks end processes.",
                    "ops",
                    (per_second(f.WORKER_EVENTS, by="event"), "{{event}}"),
                    width=8,
                    alerts=("WorkersCrashing",),
                ),
                graph(
                    "Crashed by server",
                    "In ten minutes.",
                    "none",
                    (f"sum by (instance) (increase({of(f.WORKER_EVENTS, CRASHED)}[10m]))", "{{instance}}"),
                    width=8,
                    alerts=("WorkersCrashing",),
                    thresholds=(("red", 5),),
                ),
                graph(
                    "Waiting",
                    "Calls that wait for a process.",
                    "none",
                    (total(f.QUEUE_WAITING, QUEUES, by="queue"), "{{queue}}"),
                    width=8,
                ),
                graph(
                    "Wait, p95",
                    "For a process.",
                    "s",
                    (quantile(0.95, f.QUEUE_WAIT, QUEUES, by="queue"), "{{queue}}"),
                    width=8,
                ),
                graph(
                    "Refused",
                    "Calls that would have waited in vain for a process.",
                    "reqps",
                    (per_second(f.QUEUE_REFUSED, QUEUES, by="queue, why"), "{{queue}} {{why}}"),
                    width=8,
                    alerts=("QueueRefuses",),
                ),
            ),
        ),
    ),
    ("workers",),
)
