"""Compatibility: verdicts, what breaks, and what checks cost."""

from __future__ import annotations

from llm_schema_registry_server.telemetry import families as f

from .board import Board, Row, bars, graph, heat, number
from .queries import buckets, grown, mean, most, or_zero, per_second, quantile, share

INCOMPATIBLE, UNDECIDED = 'verdict="incompatible"', 'verdict="undecided"'
COMPARE = 'task="Compare"'


def _of_all(verdict: str) -> str:
    return share(or_zero(per_second(f.COMPATIBILITY_CHECKS, verdict)), per_second(f.COMPATIBILITY_CHECKS))


BOARD = Board(
    "verdicts",
    "Schema registry: compatibility",
    "Schemas that are checked as the next version of a subject: verdicts by level, rules that are broken, what cannot be decided.",
    (
        Row(
            "Now",
            (
                number(
                    "Checks",
                    "Schemas that are checked.",
                    "ops",
                    or_zero(per_second(f.COMPATIBILITY_CHECKS)),
                    width=6,
                ),
                number(
                    "Incompatible",
                    "Share of the checks.",
                    "percentunit",
                    _of_all(INCOMPATIBLE),
                    width=6,
                    alerts=("CompatibilityFailures",),
                    thresholds=(("orange", 0.2),),
                ),
                number(
                    "Undecided",
                    "Share of the checks whose proof has ended without a result.",
                    "percentunit",
                    _of_all(UNDECIDED),
                    width=6,
                    alerts=("UndecidedVerdicts",),
                    thresholds=(("orange", 0.1),),
                ),
                number(
                    "p95",
                    "Of checks, the search for remedies included.",
                    "s",
                    quantile(0.95, f.COMPATIBILITY_SECONDS),
                    width=6,
                    thresholds=(("orange", 0.025), ("red", 0.5)),
                ),
            ),
        ),
        Row(
            "Verdicts",
            (
                graph(
                    "By verdict",
                    "Checks that have ended.",
                    "ops",
                    (or_zero(per_second(f.COMPATIBILITY_CHECKS, by="verdict")), "{{verdict}}"),
                    alerts=("CompatibilityFailures", "UndecidedVerdicts"),
                    stacked=True,
                ),
                graph(
                    "By level",
                    "Checks that have ended.",
                    "ops",
                    (or_zero(per_second(f.COMPATIBILITY_CHECKS, by="level")), "{{level}}"),
                    stacked=True,
                ),
                graph(
                    "Incompatible by level",
                    "Share of the checks of each level.",
                    "percentunit",
                    (
                        or_zero(
                            share(
                                per_second(f.COMPATIBILITY_CHECKS, INCOMPATIBLE, by="level"),
                                per_second(f.COMPATIBILITY_CHECKS, by="level"),
                            )
                        ),
                        "{{level}}",
                    ),
                    alerts=("CompatibilityFailures",),
                    top=1,
                ),
                graph(
                    "Undecided by level",
                    "Share of the checks of each level.",
                    "percentunit",
                    (
                        or_zero(
                            share(
                                per_second(f.COMPATIBILITY_CHECKS, UNDECIDED, by="level"),
                                per_second(f.COMPATIBILITY_CHECKS, by="level"),
                            )
                        ),
                        "{{level}}",
                    ),
                    alerts=("UndecidedVerdicts",),
                    top=1,
                ),
                bars(
                    "Verdicts, time shown",
                    "Checks by level and verdict.",
                    "none",
                    (or_zero(grown(f.COMPATIBILITY_CHECKS, by="level, verdict")), "{{level}} {{verdict}}"),
                ),
                graph(
                    "Registrations refused as incompatible",
                    "What did not become a version.",
                    "ops",
                    (
                        or_zero(per_second(f.REGISTRATIONS, 'outcome="INCOMPATIBLE_SCHEMA"', by="type")),
                        "{{type}}",
                    ),
                ),
            ),
        ),
        Row(
            "Rules",
            (
                bars(
                    "Rules broken, time shown",
                    "The twenty rules with most violations.",
                    "none",
                    (or_zero(most(20, grown(f.COMPATIBILITY_VIOLATIONS, by="rule"))), "{{rule}}"),
                ),
                graph(
                    "Rules broken",
                    "The ten rules with most violations.",
                    "ops",
                    (or_zero(most(10, per_second(f.COMPATIBILITY_VIOLATIONS, by="rule"))), "{{rule}}"),
                ),
                graph(
                    "Violations by level",
                    "In the reports of checks.",
                    "ops",
                    (or_zero(per_second(f.COMPATIBILITY_VIOLATIONS, by="level")), "{{level}}"),
                ),
            ),
        ),
        Row(
            "Cost",
            (
                graph(
                    "p95 by level",
                    "Of checks, the search for remedies included.",
                    "s",
                    (quantile(0.95, f.COMPATIBILITY_SECONDS, by="level"), "{{level}}"),
                ),
                graph(
                    "Mean by level",
                    "Of checks, the search for remedies included.",
                    "s",
                    (mean(f.COMPATIBILITY_SECONDS, by="level"), "{{level}}"),
                ),
                heat("Spread", "How many checks took how long.", "s", buckets(f.COMPATIBILITY_SECONDS)),
                graph(
                    "Comparisons in workers",
                    "Those that may take long, by result.",
                    "ops",
                    (or_zero(per_second(f.WORKER_SECONDS, COMPARE, by="result")), "{{result}}"),
                    alerts=("WorkersCrashing",),
                ),
                graph(
                    "Comparisons known",
                    "Share of the comparisons that were done before.",
                    "percentunit",
                    (
                        share(
                            per_second(f.LOOKUPS, 'cache="comparisons"', 'outcome="hit"'),
                            per_second(f.LOOKUPS, 'cache="comparisons"'),
                        ),
                        "known",
                    ),
                    top=1,
                ),
            ),
        ),
    ),
    ("compatibility",),
)
