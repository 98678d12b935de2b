"""Numbered SQL files beside a back end: the steps that bring its tables to what this server knows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: its number (from 1, dense), its name and its SQL."""

    number: int
    name: str
    sql: str


def migrations_of(package: str) -> Sequence[Migration]:
    """The steps in `package`/migrations/NNNN_name.sql, in order."""
    found = []
    for item in resources.files(package).joinpath("migrations").iterdir():
        match = re.fullmatch(r"(\d{4})_(\w+)\.sql", item.name)
        if match:
            found.append(Migration(int(match[1]), match[2], item.read_text(encoding="utf-8")))
    return sorted(found, key=lambda m: m.number)
