"""The chart, rendered by real Helm."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "llm-schema-registry"
TOOL = Path(__file__).with_name("helm_tool.py")
KUBERNETES = ("1.27", "1.32", "1.36")
OWN_GROUPS = ("monitoring.coreos.com", "gateway.networking.k8s.io")
"""Kinds that others define: Kubernetes has no schemas of them."""

Document = dict[str, Any]


def ask(what: str, **asked: Any) -> Any:
    """What helm_tool.py answers."""
    place = subprocess.run(
        [ROOT / "scripts" / "tools"], capture_output=True, text=True, check=True
    ).stdout.strip()
    done = subprocess.run(
        [Path(place) / "bin" / "python", TOOL],
        input=json.dumps({"what": what, "chart": str(CHART), **asked}), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def value_sets() -> dict[str, dict[str, Any]]:
    """The chart's own sets of values, by name."""
    return {
        file.name.removesuffix("-values.yaml"): yaml.safe_load(file.read_text())
        for file in sorted((CHART / "ci").glob("*-values.yaml"))
    }


@cache
def all_rendered() -> Mapping[str, list[Document]]:
    """The documents of each set of values."""
    sets = value_sets()
    return dict(zip(sets, documents_of(list(sets.values())), strict=True))


def documents_of(sets: Sequence[Mapping[str, Any]], *, upgrade: bool = False) -> list[list[Document]]:
    """The documents of each of some sets of values. Fails when one does not render."""
    answers = ask("render", values=sets, upgrade=upgrade)
    for answer in answers:
        assert "error" not in answer, answer["error"]
    return [list(_documents(answer["manifests"])) for answer in answers]


def refusals(sets: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why each of some sets of values is refused; "" for one that is not."""
    return [answer.get("error", "") for answer in ask("render", values=sets)]


def _documents(manifests: Mapping[str, str]) -> Iterator[Document]:
    for name, text in manifests.items():
        if name.endswith(".yaml"):
            yield from filter(None, yaml.safe_load_all(text))


def of_kind(documents: Sequence[Document], *kinds: str) -> list[Document]:
    return [document for document in documents if document["kind"] in kinds]


def pods(documents: Sequence[Document]) -> Iterator[tuple[str, Document]]:
    """The pods and templates of pods, each with the name of what it belongs to."""
    for document in documents:
        name = f"{document['kind']} {document['metadata']['name']}"
        match document["kind"]:
            case "Pod":
                yield name, document
            case "Deployment" | "Job":
                yield name, document["spec"]["template"]
            case "CronJob":
                yield name, document["spec"]["jobTemplate"]["spec"]["template"]


def server(documents: Sequence[Document]) -> tuple[Document, Document]:
    """The pod's spec of the servers, and their container."""
    (deployment,) = of_kind(documents, "Deployment")
    spec = deployment["spec"]["template"]["spec"]
    return spec, next(c for c in spec["containers"] if c["name"] == "server")


def tree(documents: Sequence[Document], suffix: str = "") -> dict[str, Any]:
    """The settings that the servers' ConfigMap holds."""
    (deployment,) = of_kind(documents, "Deployment")
    name = deployment["metadata"]["name"] + suffix
    (found,) = (d for d in of_kind(documents, "ConfigMap") if d["metadata"]["name"] == name)
    return tomllib.loads(found["data"]["registry.toml"])
