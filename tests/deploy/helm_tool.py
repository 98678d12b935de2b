"""Runs in the environment of scripts/tools, where Helm and the schemas of Kubernetes are: a request as JSON on stdin, the answers
as JSON on stdout. See charts.py, which asks."""

from __future__ import annotations

import json
import sys
from typing import Any

import helm_python as helm
import kubernetes_validate


def rendered(chart: Any, values: dict[str, Any], upgrade: bool) -> dict[str, Any]:
    """What one value set becomes, by template; or the error."""
    try:
        made = chart.render(values, name="demo", namespace="prod", is_install=not upgrade, is_upgrade=upgrade)
    except helm.HelmError as error:
        return {"error": str(error)}
    return {"manifests": made}


def invalid(documents: list[dict[str, Any]], versions: list[str]) -> list[str]:
    """What is wrong with documents of Kubernetes' own kinds."""
    found = []
    for document in documents:
        for version in versions:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                found.append(f"{version} {document['kind']} {document['metadata']['name']}: {error.message}")
    return found


def main() -> None:
    asked = json.load(sys.stdin)
    answer: Any
    if asked["what"] == "render":
        chart = helm.Chart.load(asked["chart"])
        answer = [rendered(chart, values, asked.get("upgrade", False)) for values in asked["values"]]
    elif asked["what"] == "lint":
        answer = [
            helm.lint(asked["chart"], values, strict=True, namespace="prod") for values in asked["values"]
        ]
    else:
        answer = invalid(asked["documents"], asked["versions"])
    json.dump(answer, sys.stdout)


main()
