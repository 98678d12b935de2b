"""The dashboards of deploy/grafana, read: their panels, what these ask, and of which series."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy" / "grafana"

Dashboard = Mapping[str, Any]

# What stands between names in an expression: texts, windows, label lists, words of PromQL.
_NOISE = re.compile(r'"(?:[^"\\]|\\.)*"|\[[^\]]*\]|\b(?:by|on|group_left|group_right)\s*\([^)]*\)')
_SELECTOR = re.compile(r"(?<![\w:.$])([a-zA-Z_:][\w:]*)(\{[^}]*\})?(?!\s*\(|[\w:])")
_LISTED = re.compile(r"\b(?:by|on|group_left|group_right)\s*\(([^)]*)\)")
_WORDS = frozenset(["and", "or", "unless", "bool", "sum", "min", "max", "avg", "count", "topk"])
_OF_HISTOGRAMS = re.compile(r"_(?:bucket|count|sum)$")


@dataclass(frozen=True)
class Asked:
    """A query of a panel."""

    board: str
    panel: str
    expr: str

    def __str__(self) -> str:
        return f"{self.board}: {self.panel}: {self.expr}"


@dataclass(frozen=True)
class Selector:
    """Series that a query asks for: a name, and what it demands of labels, as it is written."""

    name: str
    matchers: str

    def __str__(self) -> str:
        return f"{self.name}{self.matchers}"

    @property
    def labels(self) -> set[str]:
        return set(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', self.matchers))


@cache
def boards() -> Mapping[str, Dashboard]:
    """Each dashboard by the name of its file."""
    return {file.stem: json.loads(file.read_text()) for file in sorted(GRAFANA.glob("*.json"))}


def panels(board: Dashboard) -> list[Dashboard]:
    """The panels that show something."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries() -> Iterator[Asked]:
    """All that panels ask."""
    for name, board in boards().items():
        for panel in panels(board):
            for target in panel["targets"]:
                yield Asked(name, panel["title"], target["expr"])


def selectors(expr: str) -> list[Selector]:
    """The series that an expression asks for."""
    braces: list[str] = []

    def kept(match: re.Match[str]) -> str:
        braces.append(match.group())
        return f"{{{len(braces) - 1}}}"

    # Texts in braces may hold anything: the braces are put aside first.
    bare = re.sub(r'\{(?:[^}"]|"(?:[^"\\]|\\.)*")*\}', kept, expr)
    found = []
    for match in _SELECTOR.finditer(_NOISE.sub(" ", bare)):
        name, place = match.groups()
        if name not in _WORDS:
            found.append(Selector(name, braces[int(place[1:-1])] if place else ""))
    return found


def family_name(name: str, known: Mapping[str, Any]) -> str:
    """Of a series the name of its family: of a histogram's bucket that of the histogram."""
    return name if name in known else _OF_HISTOGRAMS.sub("", name)


def grouped_by(expr: str) -> set[str]:
    """The labels by which an expression groups or joins."""
    return {label.strip() for inner in _LISTED.findall(expr) for label in inner.split(",") if label.strip()}
