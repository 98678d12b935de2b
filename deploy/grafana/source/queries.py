"""PromQL made of the families that the server exports and the rules that Prometheus records: names and labels that do not exist are
refused here, not found out at night.

All selectors are limited to the job and the instances that the dashboard's variables name. What the rules record is of all servers.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from llm_schema_registry_server.telemetry.family import Family

RULES = Path(__file__).parents[2] / "prometheus" / "rules"
SCOPE = 'job=~"$job", instance=~"$instance"'
FAULTS = 'code=~"UNKNOWN|INTERNAL|DATA_LOSS|UNAVAILABLE|DEADLINE_EXCEEDED"'
"""Calls that failed for the server's sake, as the objectives count them (deploy/prometheus/rules/slo.yaml)."""
SERVERS_UP = f"up{{{SCOPE}}}"
"""Made by Prometheus: whether a server could be scraped."""

_OWN_LABELS = {"job", "instance", "le"}


def _rules() -> tuple[frozenset[str], dict[str, str]]:
    records, alerts = set(), {}
    for file in sorted(RULES.glob("*.yaml")):
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    alerts[rule["alert"]] = rule["annotations"]["runbook_url"]
                else:
                    records.add(rule["record"])
    return frozenset(records), alerts


RECORDS, RUNBOOKS = _rules()
"""What the rules record, and the runbook of each alert."""


def _checked(family: Family, labels: list[str]) -> None:
    strangers = {label for label in labels if label} - {*family.labels, *_OWN_LABELS}
    if strangers:
        raise ValueError(f"{family.name} has no label {', '.join(sorted(strangers))}")


def _labels(by: str) -> list[str]:
    return [label.strip() for label in by.split(",") if label.strip()]


def of(family: Family, *matchers: str, part: str = "") -> str:
    """A selector. matchers: as in PromQL, `code="OK"`. part: of a histogram, `_bucket`, `_count` or `_sum`."""
    _checked(family, [re.split(r"[=!]", matcher, maxsplit=1)[0] for matcher in matchers])
    if (family.kind == "histogram") != bool(part):
        raise ValueError(f"{family.name} is a {family.kind}")
    return f"{family.name}{part}{{{', '.join((SCOPE, *matchers))}}}"


def _sum(by: str, inner: str) -> str:
    return f"sum by ({by}) ({inner})" if by else f"sum({inner})"


def per_second(family: Family, *matchers: str, by: str = "", window: str = "$__rate_interval") -> str:
    """How often, or how much, in a second; of a histogram how many things were measured. by: labels, with commas between them."""
    _checked(family, _labels(by))
    part = "_count" if family.kind == "histogram" else ""
    return _sum(by, f"rate({of(family, *matchers, part=part)}[{window}])")


def grown(family: Family, *matchers: str, by: str = "") -> str:
    """By how much a counter has grown in the time that the dashboard shows."""
    _checked(family, _labels(by))
    part = "_count" if family.kind == "histogram" else ""
    return _sum(by, f"increase({of(family, *matchers, part=part)}[$__range])")


def quantile(q: float, family: Family, *matchers: str, by: str = "") -> str:
    """A quantile of a histogram."""
    _checked(family, _labels(by))
    buckets = f"rate({of(family, *matchers, part='_bucket')}[$__rate_interval])"
    return f"histogram_quantile({q:g}, {_sum(', '.join(['le', *_labels(by)]), buckets)})"


def buckets(family: Family, *matchers: str) -> str:
    """The classes of a histogram, for a heat map."""
    return f"sum by (le) (increase({of(family, *matchers, part='_bucket')}[$__rate_interval]))"


def mean(family: Family, *matchers: str, by: str = "") -> str:
    """The mean of what a histogram has measured."""
    _checked(family, _labels(by))
    sums = f"rate({of(family, *matchers, part='_sum')}[$__rate_interval])"
    return f"{_sum(by, sums)} / ({per_second(family, *matchers, by=by)} > 0)"


def most(count: int, query: str) -> str:
    """The series with the highest values."""
    return f"topk({count}, {query})"


def total(family: Family, *matchers: str, by: str = "") -> str:
    """The sum of a gauge over servers."""
    _checked(family, _labels(by))
    return _sum(by, of(family, *matchers))


def largest(family: Family, *matchers: str, by: str = "") -> str:
    """The maximum of a gauge over servers: for what all servers of a registry say alike."""
    _checked(family, _labels(by))
    selected = of(family, *matchers)
    return f"max by ({by}) ({selected})" if by else f"max({selected})"


def or_zero(query: str) -> str:
    """0 where there is nothing: for what seldom happens, whose series begin when it does."""
    return f"{query} or on () vector(0)"


def share(part: str, whole: str) -> str:
    """The ratio of two queries; nothing, rather than NaN, while there is nothing of the whole."""
    return f"({part}) / ({whole} > 0)"


def recorded(name: str) -> str:
    """What the rules record under `schema_registry_NAME`."""
    whole = f"schema_registry_{name}"
    if whole not in RECORDS:
        raise ValueError(f"no rule records {whole}")
    return whole


def runbook(alert: str) -> tuple[str, str]:
    """The whole name of an alert, and the file of its runbook."""
    whole = f"SchemaRegistry{alert}"
    return whole, RUNBOOKS[whole].rpartition("/")[2]
