"""What the chart gives to those who watch: scrapes, rules, dashboards."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
import yaml

from tests.deploy import charts
from tests.deploy.charts import Document, of_kind, value_sets

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),  # the tools may have to be installed
    pytest.mark.skipif(
        platform.machine() != "x86_64" or sys.platform != "linux",
        reason="helm-python-sdk is not built for it",
    ),
]

DEPLOY = charts.ROOT / "deploy"
OPEN: dict[str, Any] = {"settings": {"auth": {"insecure": True}}}


@cache
def rendered() -> Mapping[str, list[Document]]:
    """The documents of the sets of values that are about this."""
    names = ["monitoring", "mtls"]
    return dict(zip(names, charts.documents_of([value_sets()[name] for name in names]), strict=True))


def test_scrapes_have_the_job_that_rules_and_dashboards_go_by() -> None:
    for name in ("monitoring", "mtls"):
        (monitor,) = of_kind(rendered()[name], "ServiceMonitor")
        (endpoint,) = monitor["spec"]["endpoints"]
        assert {"targetLabel": "job", "replacement": "schema-registry"} in endpoint["relabelings"]
    assert endpoint["tlsConfig"] == {"insecureSkipVerify": True}


def test_rules_are_those_of_the_folder_and_of_the_values() -> None:
    (found,) = of_kind(rendered()["monitoring"], "PrometheusRule")
    names = [group["name"] for group in found["spec"]["groups"]]
    files = sorted((DEPLOY / "prometheus" / "rules").glob("*.yaml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    assert len(groups) > 2
    assert names == [group["name"] for group in groups] + ["own"]
    assert found["spec"]["groups"][:-1] == groups
    assert len(set(names)) == len(names), "an object of Kubernetes has one group of a name"


def test_dashboards_are_those_of_the_folder() -> None:
    maps = [d for d in of_kind(rendered()["monitoring"], "ConfigMap") if "dashboard" in d["metadata"]["name"]]
    files = {file.name: file.read_text() for file in (DEPLOY / "grafana").glob("*.json")}
    assert len(files) >= 10
    assert [list(d["data"]) for d in maps] == [[name] for name in sorted(files)]
    for found in maps:
        ((name, text),) = found["data"].items()
        assert json.loads(text) == json.loads(files[name])
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        # `kubectl apply` keeps an object in an annotation of at most 256 KiB.
        assert len(text) < 200_000


def test_long_names_leave_each_dashboard_its_own() -> None:
    long = {"fullnameOverride": "registry-" * 5 + "here"}
    enabled = {"metrics": {"dashboards": {"enabled": True}}}
    (documents,) = charts.documents_of([OPEN | enabled | long])
    names = [d["metadata"]["name"] for d in of_kind(documents, "ConfigMap")]
    assert len(set(names)) == len(names) > 10
    assert all(len(name) <= 63 for name in names)


def test_alerts_and_dashboards_lead_to_the_runbooks_where_they_are_served() -> None:
    at = "https://wiki.example/runbooks"
    metrics = {"runbooks": at, "prometheusRule": {"enabled": True}, "dashboards": {"enabled": True}}
    (documents,) = charts.documents_of([OPEN | {"metrics": metrics}])
    (found,) = of_kind(documents, "PrometheusRule")
    alerts = [rule for group in found["spec"]["groups"] for rule in group["rules"] if "alert" in rule]
    assert all(rule["annotations"]["runbook_url"].startswith(f"{at}/") for rule in alerts)
    for document in of_kind(documents, "ConfigMap"):
        for name, text in document["data"].items():
            if name.endswith(".json"):
                (variable,) = (v for v in json.loads(text)["templating"]["list"] if v["name"] == "runbooks")
                assert variable["query"] == variable["current"]["value"] == at
                assert "docs/runbooks" not in text
