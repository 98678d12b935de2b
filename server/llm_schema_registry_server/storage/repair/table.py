"""What a repair goes through: the rows of a table, in a transaction that also executes SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from .. import rows
from ..store import Store, WriteTx

REMEDY = "restore it from a backup"


class RepairTx(WriteTx, Protocol):
    """A write transaction that also executes SQL; parameters are numbered `$1`, `$2` ..."""

    async def select(self, sql: str, *parameters: Any) -> Sequence[rows.Row]: ...

    async def execute(self, sql: str, *parameters: Any) -> None: ...


@runtime_checkable
class RepairableStore(Store, Protocol):
    """A store with rows."""

    def repairing(self) -> AbstractAsyncContextManager[RepairTx]: ...


@dataclass(frozen=True, slots=True)
class RepairFinding:
    """A row that is damaged: what is wrong, and what is done about it. mended: False when nothing can be done here."""

    table: str
    key: str
    fault: str
    mended: bool = True


class Table:
    """Rows of one kind: `sql` selects those after `$1`, the first column being the key, at most `$2`."""

    start: Any = 0
    sql = ""

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        """What is wrong with a row; mends it where `apply` says so."""
        raise NotImplementedError


async def update(tx: RepairTx, table: str, key: str, value: Any, cells: Mapping[str, Any]) -> None:
    """Sets cells of the rows whose column `key` has this value; none: does nothing."""
    places = ", ".join(f"{column} = ${n}" for n, column in enumerate(cells, 2))
    if cells:
        await tx.execute(f"UPDATE {table} SET {places} WHERE {key} = $1", value, *cells.values())
