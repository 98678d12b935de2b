"""What the tests of the integrations have in common: a schema that providers refuse as it stands, answers, and the libraries."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

TICKET: dict[str, Any] = {
    "title": "Ticket",
    "description": "What a customer wants",
    "type": "object",
    "properties": {
        "category": {"enum": ["billing", "technical"]},
        "priority": {"type": "integer", "minimum": 1, "maximum": 5},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "facts": {"type": "object", "additionalProperties": {"type": "string"}},
        "order": {"type": "string", "pattern": "^ORD-[0-9]+$"},
    },
    "required": ["category", "priority", "tags", "facts"],
    "additionalProperties": False,
}
"""Strict modes refuse `uniqueItems`, a map and a property that may be left out."""
VALUE = {"category": "billing", "priority": 2, "tags": ["refund"], "facts": {"plan": "pro"}}
WRONG = {"category": "billing", "priority": 2, "tags": ["refund", "refund"], "facts": {"plan": "pro"}}
"""Not valid, and not to be prevented by a strict mode: the tags are there twice."""


def text(value: Any) -> str:
    return json.dumps(value)


@cache
def _path() -> None:
    done = subprocess.run([ROOT / "scripts" / "integrations"], capture_output=True, text=True, check=True)
    sys.path.append(done.stdout.strip())


def library(name: str) -> Any:
    """A library of integrations.lock. What it warns of when it is imported is its own business."""
    _path()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def examples(name: str) -> Any:
    """A module of examples/."""
    folder = str(ROOT / "examples")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)
