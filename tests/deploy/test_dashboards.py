"""The dashboards: each panel tells what it shows, asks for what there is, and has data when something happens."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from llm_schema_registry_server.telemetry.families import ALL
from tests.support.prometheus import Ask, prometheus

from .boards import (
    GRAFANA,
    ROOT,
    Asked,
    Dashboard,
    boards,
    family_name,
    grouped_by,
    panels,
    queries,
    selectors,
)
from .dashboard_load import Registries, registries

LEAST = 10
RULES = ROOT / "deploy" / "prometheus" / "rules"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
OF_PROMETHEUS = {"up": set(), "ALERTS": {"alertname", "alertstate"}}
"""Series that Prometheus makes, with the labels that we ask for."""
ALWAYS = {"job", "instance", "le"}

# Series that the load does not make: a registry that is well has none of them. Their panels show 0.
SELDOM = (
    r"^ALERTS\{",
    r'code=~"UNKNOWN\|INTERNAL\|DATA_LOSS\|UNAVAILABLE\|DEADLINE_EXCEEDED"',
    r'db_client_operation_duration_seconds_count\{.*error_type(!="|=~"STORAGE_)',
    r"schema_registry_serving_process",  # where several share the ports
    r"schema_registry_unreadable_rows_total",
    r's3_operation_seconds_count\{.*result!="ok"',
)


def _rules() -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for file in sorted(RULES.glob("*.yaml")):
        for group in yaml.safe_load(file.read_text())["groups"]:
            found += group["rules"]
    return found


RECORDS = {str(rule["record"]) for rule in _rules() if "record" in rule}
ALERTS = {str(rule["alert"]): rule for rule in _rules() if "alert" in rule}
BOARDS = sorted(boards())


@pytest.fixture(params=BOARDS)
def board(request: pytest.FixtureRequest) -> Dashboard:
    return boards()[request.param]


def test_there_are_as_many_as_were_promised() -> None:
    assert len(BOARDS) >= LEAST
    assert len({board["title"] for board in boards().values()}) == len(BOARDS)
    assert {board["uid"] for board in boards().values()} == {f"llm-registry-{name}" for name in BOARDS}


def test_the_page_of_telemetry_lists_them() -> None:
    listed = re.findall(r"^\| `(\w+)\.json` \|", (ROOT / "docs" / "telemetry.md").read_text(), re.MULTILINE)
    assert sorted(listed) == BOARDS


def test_failures_are_those_of_the_objectives() -> None:
    (faults,) = set(re.findall(r'code=~"[A-Z_|]+"', (RULES / "slo.yaml").read_text()))
    shown = [
        selector for asked in queries() for selector in selectors(asked.expr) if faults in selector.matchers
    ]
    assert {selector.name for selector in shown} == {"schema_registry_calls_total"}
    others = faults.removeprefix('code=~"').removesuffix('"').split("|")
    mistakes = [asked.expr for asked in queries() if "code!~" in asked.expr]
    assert mistakes
    assert all(set(others) <= set(re.findall(r"[A-Z_]{3,}", expr)) for expr in mistakes)


def test_a_dashboard_can_be_found_and_narrowed_down(board: Dashboard) -> None:
    assert board["title"]
    assert board["description"]
    assert "llm-schema-registry" in board["tags"]
    assert board["editable"] is False
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance", "runbooks"]
    assert variables["datasource"]["query"] == "prometheus"
    for name in ("job", "instance"):
        assert variables[name]["datasource"] == SOURCE
        assert variables[name]["multi"]
        assert variables[name]["includeAll"]
        assert "allValue" not in variables[name], "processes of others have series of these names"
    assert board["links"][0]["tags"] == ["llm-schema-registry"]


def test_a_panel_says_what_it_shows(board: Dashboard) -> None:
    identities = [panel["id"] for panel in board["panels"]]
    assert len(set(identities)) == len(identities)
    titles = {(panel["title"], panel["description"]) for panel in panels(board)}
    assert len(titles) == len(panels(board)), "two panels say the same"
    for panel in panels(board):
        assert panel["title"], panel["id"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"], panel["title"]
        assert panel["datasource"] == SOURCE
        assert panel["targets"], panel["title"]
        assert all(target["datasource"] == SOURCE for target in panel["targets"])
        names = [target["refId"] for target in panel["targets"]]
        assert len(set(names)) == len(names)


def test_panels_lie_beside_each_other(board: Dashboard) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


def test_a_panel_about_an_alert_leads_to_its_runbook(board: Dashboard) -> None:
    for panel in panels(board):
        named = re.findall(r"SchemaRegistry\w+", panel["description"])
        links = {link["title"].removeprefix("Runbook: "): link["url"] for link in panel.get("links", ())}
        assert set(named) == set(links), panel["title"]
        for alert, url in links.items():
            annotations = ALERTS[alert]["annotations"]
            assert isinstance(annotations, dict)
            assert url.replace("${runbooks}", "docs/runbooks") == annotations["runbook_url"]


def test_each_alert_is_named_by_a_panel() -> None:
    text = "".join(panel["description"] for board in boards().values() for panel in panels(board))
    assert not [alert for alert in ALERTS if alert not in text]


@pytest.mark.parametrize("name", BOARDS)
def test_a_query_asks_for_series_and_labels_that_there_are(name: str) -> None:
    """A family or a label that was renamed would leave a panel empty for ever, or at 0."""
    for asked in (asked for asked in queries() if asked.board == name):
        made = {"objective"} if "label_replace" in asked.expr else set()
        there = set(made)
        for selector in selectors(asked.expr):
            if selector.name in RECORDS:
                assert not selector.matchers, asked
                continue
            family = family_name(selector.name, ALL)
            assert family in ALL or selector.name in OF_PROMETHEUS, asked
            known = set(ALL[family].labels) if family in ALL else OF_PROMETHEUS[selector.name]
            assert selector.labels <= {*known, *ALWAYS}, asked
            there |= known
            if selector.name != "ALERTS":
                assert {"job", "instance"} <= selector.labels, f"the variables do not narrow {asked}"
        assert grouped_by(asked.expr) <= {*there, *ALWAYS}, asked
        windows = set(re.findall(r"\[([^\]]+)\]", asked.expr))
        assert windows <= {"$__rate_interval", "$__range", "10m"}, asked


def test_every_family_is_on_a_dashboard() -> None:
    shown = {family_name(selector.name, ALL) for asked in queries() for selector in selectors(asked.expr)}
    confluent = {name for name, family in ALL.items() if family.optional == "metrics.confluent_names"}
    assert not ALL.keys() - shown - confluent


@pytest.mark.slow
@pytest.mark.timeout(600)  # the tools may have to be installed
def test_the_files_are_what_the_code_writes() -> None:
    tools = subprocess.run([ROOT / "scripts" / "tools"], capture_output=True, text=True, check=True)
    python = Path(tools.stdout.strip()) / "bin" / "python"
    done = subprocess.run(
        [python, "-B", GRAFANA / "generate.py", "--print"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

    assert {file.name: file.read_text() for file in GRAFANA.glob("*.json")} == json.loads(done.stdout), (
        "run `make dashboards`"
    )


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """A Prometheus that has scraped servers of all kinds at work, and has evaluated the rules."""
    home = tmp_path_factory.mktemp("dashboards")
    for file in RULES.glob("*.yaml"):
        quick = re.sub(r"(?m)^    interval: \w+$", "    interval: 1s", file.read_text())
        (home / file.name).write_text(quick)
    with (
        registries(home / "registries") as running,
        prometheus(home, running.targets, home / "*.yaml") as ask,
        running.subscribed(),
    ):
        for turn in ("first", "second"):
            running.load(turn)
            _await_scrape(ask, running)
        yield ask


def _await_scrape(ask: Ask, running: Registries) -> None:
    """Until Prometheus has all calls that the servers have counted by now, and what the rules make of them."""
    pages = [httpx.get(f"http://{target}/metrics").text for target in running.targets]
    counted = sum(
        float(line.rpartition(" ")[2])
        for page in pages
        for line in page.splitlines()
        if line.startswith("schema_registry_calls_total{")
    )
    while True:
        ((_, seen),) = ask("sum(schema_registry_calls_total)") or (({}, 0.0),)
        if seen >= counted and ask("schema_registry_slo:latency_p99:compliant"):
            return
        time.sleep(0.2)


def _filled_in(expr: str) -> str:
    """With the variables of the dashboard as they are when nobody has chosen anything."""
    for variable, value in {
        "$__rate_interval": "1m",
        "$__range": "1h",
        "$job": "schema-registry",
        "$instance": r"127\\.0\\.0\\.1:[0-9]+",
    }.items():
        expr = expr.replace(variable, value)
    assert "$" not in expr.replace('"$', ""), expr
    return expr


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="Prometheus is Debian's")
def test_every_panel_has_data(scraped: Ask) -> None:
    empty: list[Asked] = []
    for asked in queries():
        values = [value for _, value in scraped(_filled_in(asked.expr))]
        if not any(math.isfinite(value) for value in values):
            empty.append(asked)

    assert not empty, "\n".join(map(str, empty))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="Prometheus is Debian's")
def test_no_panel_shows_zero_for_series_that_do_not_exist(scraped: Ask) -> None:
    """`or vector(0)` would hide a name, or a value of a label, that never was."""
    wanted = {str(selector) for asked in queries() for selector in selectors(asked.expr)}
    missing = {text for text in wanted if not scraped(_filled_in(text))}
    excused = {text for text in missing if any(re.search(seldom, text) for seldom in SELDOM)}

    assert missing == excused
    for seldom in SELDOM:
        assert any(re.search(seldom, text) for text in wanted), f"no panel asks for {seldom}"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="Prometheus is Debian's")
def test_annotations_and_variables_can_be_asked_for(scraped: Ask) -> None:
    for board in boards().values():
        for annotation in board["annotations"]["list"]:
            scraped(_filled_in(annotation["expr"]))  # raises for what Prometheus does not understand
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]).groups()  # type: ignore[union-attr]
                assert all(labels[label] for labels, _ in scraped(_filled_in(series)))
                assert scraped(_filled_in(series))
