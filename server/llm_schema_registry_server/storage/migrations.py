"""Numbered SQL files beside a back end: the steps that bring its tables to what this server knows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import structlog

_OLDEST = re.compile(r"^-- Servers that know step (\d+) go on working\.$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: its number (from 1, dense), its name and its SQL.

    oldest: servers that know all steps up to this one go on working when the step is done. By default the number of the
    step itself; else what a line `-- Servers that know step N go on working.` says.
    """

    number: int
    name: str
    sql: str

    @property
    def oldest(self) -> int:
        said = _OLDEST.search(self.sql)
        return int(said[1]) if said else self.number


def migrations_of(package: str) -> Sequence[Migration]:
    """The steps in `package`/migrations/NNNN_name.sql, in order."""
    found = []
    for item in resources.files(package).joinpath("migrations").iterdir():
        match = re.fullmatch(r"(\d{4})_(\w+)\.sql", item.name)
        if match:
            found.append(Migration(int(match[1]), match[2], item.read_text(encoding="utf-8")))
    return sorted(found, key=lambda m: m.number)


def log_applied(log: structlog.stdlib.BoundLogger, steps: Sequence[Migration], **where: str) -> None:
    """One line for all steps that were applied now, if any: `storage_created` for a new storage, else `storage_migrated`."""
    if steps:
        first, last = steps[0], steps[-1]
        event = "storage_created" if first.number == 1 else "storage_migrated"
        names = [f"{step.number:04} {step.name}" for step in steps]
        log.info(event, **where, schema_before=first.number - 1, schema_now=last.number, steps=names)
