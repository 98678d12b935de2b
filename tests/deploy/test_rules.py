"""The rules, the alerts and who is told of them, judged by Prometheus' and Alertmanager's own tools."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from llm_schema_registry_server.telemetry.families import ALL
from tests.support.prometheus import run_tool

from .rule_cases import CASES, FILE, ROOT, RULES, page

ALERTMANAGER = ROOT / "deploy" / "alertmanager" / "alertmanager.yaml"
LEAST_ALERTS, LEAST_RECORDS = 27, 32


def rules(name: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((RULES / name).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules("rules/alerts.yaml")}
RECORDS = {rule["record"]: rule for rule in rules("rules/slo.yaml")}


def test_there_are_as_many_as_were_promised() -> None:
    assert len(ALERTS) >= LEAST_ALERTS
    assert len(RECORDS) >= LEAST_RECORDS


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_alert_fires_in_one_case_and_is_silent_in_another() -> None:
    assert {f"SchemaRegistry{alert}" for alert in CASES} == set(ALERTS)
    assert FILE.read_text() == page(), "run `python tests/deploy/rule_cases.py`"
    done = run_tool("promtool", "test", "rules", FILE.name, cwd=RULES)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_how_bad_it_is_what_it_means_and_where_to_read_on(alert: str) -> None:
    rule = ALERTS[alert]

    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["summary"]
    # test_runbooks.py follows it.
    assert re.fullmatch(r"docs/runbooks/[a-z-]+\.md(#[a-z0-9]+)?", rule["annotations"]["runbook_url"])


@pytest.mark.parametrize("rule", [*ALERTS.values(), *RECORDS.values()], ids=[*ALERTS, *RECORDS])
def test_a_rule_asks_for_nothing_that_is_not_there(rule: dict[str, Any]) -> None:
    """A family that was renamed would make a rule silent for ever."""
    named = re.findall(
        r"\b(?:schema_registry|db_client|process|http_server|rpc_server)_[a-z0-9_:]+", rule["expr"]
    )
    known = {*ALL, *RECORDS}

    assert {re.sub(r"_(bucket|count|sum)$", "", n) for n in named if n not in known} <= known
    assert "up{" in rule["expr"] or named or "vector(" in rule["expr"]


def test_the_configurations_are_valid() -> None:
    for tool, arguments in (
        ("promtool", ("check", "config", str(RULES / "prometheus.yaml"))),
        ("amtool", ("check-config", str(ALERTMANAGER))),
    ):
        done = run_tool(tool, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("severity", "receivers"),
    [("critical", ["pages", "critical-channel"]), ("warning", ["warnings"]), ("info", ["info"])],
)
def test_who_is_told(severity: str, receivers: list[str]) -> None:
    done = run_tool(
        "amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", f"severity={severity}"
    )

    assert done.stdout.strip().split(",") == receivers, done.stderr
