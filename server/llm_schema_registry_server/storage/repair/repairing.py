"""Goes through the rows of a store and mends what cannot be read, row by row, in small transactions."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from ...errors import StorageDamaged
from ...model.change import Change, EventType
from ...model.lifecycle import SchemaState
from ...model.schema import ResolvedReference, SchemaVersion
from .. import rows
from ..counting import statistics_of
from ..store import Store, WriteTx
from .cells import Cells, mended_change, mended_settings, mended_version, readable

_BATCH = 200
_ACTOR = "repair"

_VERSIONS = f"SELECT id, {', '.join(rows.VERSION_COLUMNS)} FROM versions WHERE id > $1 ORDER BY id LIMIT $2"
_CONTENT = "SELECT content, digest FROM contents WHERE identity = $1"
_LAST_STATE = "SELECT to_state FROM transitions WHERE schema_id = $1 ORDER BY id DESC LIMIT 1"
_USERS = "SELECT count(*) FROM version_references WHERE target = $1"
_TARGETS = "SELECT count(*) FROM version_references WHERE version = $1"
_REMEDY = "restore it from a backup"


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


async def repair(
    store: RepairableStore, clock: Callable[[], datetime], *, apply: bool
) -> AsyncIterator[RepairFinding]:
    """Look at every row, and yield what is damaged. apply: mend it, too; a batch is mended when the next one is begun.

    Servers may run beside: each mended version is a change of the log, which makes them drop what they have cached.
    """
    for table in (
        _Contents(),
        _Versions(clock),
        _Changes(),
        _Transitions(),
        _Settings(),
        _Usage(),
        _Counts(),
    ):
        after: Any = table.start
        while True:
            async with store.repairing() as tx:
                batch = await tx.select(table.sql, after, _BATCH)
                found = [finding for row in batch for finding in await table.look(tx, row, apply)]
            for finding in found:
                yield finding
            if len(batch) < _BATCH:
                break
            after = batch[-1][0]


class _Table:
    """Rows of one kind: `sql` selects those after `$1`, the first column being the key, at most `$2`."""

    start: Any = 0
    sql = ""

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        """What is wrong with a row; mends it where `apply` says so."""
        raise NotImplementedError


class _Contents(_Table):
    """A digest that is not that of its content is put right when the versions say that the content is the one they mean."""

    start = ""
    sql = "SELECT identity, digest, content FROM contents WHERE identity > $1 ORDER BY identity LIMIT $2"

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        identity, digest, content = row
        actual = hashlib.sha256(content).hexdigest()
        if actual == digest:
            return ()
        meant = await tx.select("SELECT content_digest FROM versions WHERE identity = $1", identity)
        if actual not in [cells[0] for cells in meant]:
            return ()  # told of each version that has it
        if apply:
            await tx.execute("UPDATE contents SET digest = $1 WHERE identity = $2", actual, identity)
        return [
            RepairFinding(
                "contents", identity, "its digest is wrong, its content is right: the digest is corrected"
            )
        ]


class _Versions(_Table):
    sql = _VERSIONS

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        number, cells = row[0], dict(zip(rows.VERSION_COLUMNS, row[1:], strict=True))
        key = f"{cells['schema_id']} ({cells['subject']}, ordinal {cells['ordinal']})"
        stored = await tx.select(_CONTENT, cells["identity"])
        content = stored[0][0] if stored and _intact(*stored[0], cells["content_digest"]) else None
        faults: list[str] = []
        if not readable(rows.version_of, row[1:]):
            last = await tx.select(_LAST_STATE, cells["schema_id"])
            mended = mended_version(cells, last_state=last[0][0] if last else None, content=content)
            faults += [said for _, said in mended.values() if said]
            lost = "origin" in mended and (await tx.select(_TARGETS, number))[0][0] > 0
            cells |= {column: cell for column, (cell, _) in mended.items()}
            if lost:
                cells["state"] = int(SchemaState.ABANDONED)
                faults.append(
                    "it had references, which are lost: its state becomes ABANDONED, it is not compared with"
                )
            if apply:
                await _update(tx, "versions", "id", number, _changed(cells, row[1:]))
        try:
            version = rows.version_of([cells[column] for column in rows.VERSION_COLUMNS])
        except StorageDamaged as error:
            return [RepairFinding("versions", key, f"{error.message}: {_REMEDY}", mended=False)]
        if content is None:
            faults.append("its content is " + ("damaged" if stored else "missing"))
            if (await tx.select(_USERS, version.schema_id))[0][0]:
                return [
                    RepairFinding(
                        "versions",
                        key,
                        f"{'; '.join(faults)}, and others reference it: {_REMEDY}",
                        mended=False,
                    )
                ]
            faults.append("it is removed")
            if apply:
                await self._remove(tx, version)
            return [RepairFinding("versions", key, "; ".join(faults))]
        pinned, gone = await _pinned_again(tx, version)
        if gone:
            faults.append(
                f"it references {', '.join(gone)}, which is gone: its state becomes ABANDONED, it is not compared with"
            )
            pinned = replace(pinned, state=SchemaState.ABANDONED)
        elif pinned.references != version.references:
            faults.append("it references a version that has another id now: it gets that id")
        if gone and version.state is SchemaState.ABANDONED and len(faults) == 1:
            return ()  # mended before
        if not faults:
            return ()
        if apply:
            await self._write(tx, number, pinned)
        return [RepairFinding("versions", key, "; ".join(faults))]

    async def _write(self, tx: RepairTx, number: int, version: SchemaVersion) -> None:
        sequence = await tx.append_change(self._change(version, EventType.SCHEMA_UPDATED))
        cells = dict(zip(rows.VERSION_COLUMNS, rows.version_row(version), strict=True))
        await _update(tx, "versions", "id", number, {"origin": cells["origin"]})
        await tx.update_version(replace(version, revision=sequence))

    async def _remove(self, tx: RepairTx, version: SchemaVersion) -> None:
        await tx.append_change(self._change(version, EventType.SCHEMA_DELETED, permanent="true"))
        await tx.remove_version(version.schema_id)

    def _change(self, version: SchemaVersion, kind: EventType, **metadata: str) -> Change:
        facts = {"reason": "repair", **metadata}
        return Change(
            event_type=kind,
            subject=version.subject,
            schema_id=version.schema_id,
            version=str(version.version),
            ordinal=version.ordinal,
            at=self._clock(),
            actor=_ACTOR,
            metadata=facts,
        )


class _Changes(_Table):
    sql = f"SELECT sequence, {', '.join(rows.CHANGE_COLUMNS)} FROM changes WHERE sequence > $1 ORDER BY sequence LIMIT $2"

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        if readable(rows.change_of, row):
            return ()
        cells: Cells = dict(zip(rows.CHANGE_COLUMNS, row[1:], strict=True))
        mended = mended_change(cells)
        if apply:
            await _update(tx, "changes", "sequence", row[0], {c: cell for c, (cell, _) in mended.items()})
        return [RepairFinding("changes", str(row[0]), "; ".join(said for _, said in mended.values()))]


class _Transitions(_Table):
    sql = (
        f"SELECT id, {', '.join(rows.TRANSITION_COLUMNS)} FROM transitions WHERE id > $1 ORDER BY id LIMIT $2"
    )

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        if readable(rows.transitions_of, row[1:]):
            return ()
        if apply:
            await tx.execute("DELETE FROM transitions WHERE id = $1", row[0])
        return [
            RepairFinding(
                "transitions", f"{row[0]} (of {row[1]})", "it is not readable: it leaves the history"
            )
        ]


class _Settings(_Table):
    start = ""
    sql = "SELECT scope, settings FROM configs WHERE scope > $1 ORDER BY scope LIMIT $2"

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        scope, cell = row
        if readable(lambda row: rows.config_of(*row), row):
            return ()
        kept = mended_settings(scope, cell)
        if apply and kept is None:
            await tx.execute("DELETE FROM configs WHERE scope = $1", scope)
        elif apply:
            await tx.execute("UPDATE configs SET settings = $1 WHERE scope = $2", kept, scope)
        what = "are removed: what is inherited holds" if kept is None else "that are readable stay"
        return [RepairFinding("configs", scope, f"its settings are not readable: those {what}")]


class _Usage(_Table):
    start = ""
    sql = (
        f"SELECT {', '.join(rows.USAGE_COLUMNS)} FROM usage WHERE schema_id > $1 ORDER BY schema_id LIMIT $2"
    )

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        if readable(rows.usage_of, row):
            return ()
        if apply:
            await tx.execute("DELETE FROM usage WHERE schema_id = $1", row[0])
        return [RepairFinding("usage", row[0], "its counts are not readable: counting begins anew")]


class _Counts(_Table):
    sql = "SELECT id, counts FROM statistics WHERE id > $1 AND counts IS NOT NULL ORDER BY id LIMIT $2"

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        if readable(lambda row: statistics_of(row[1]), row):
            return ()
        if apply:
            await tx.execute("UPDATE statistics SET counts = NULL WHERE id = $1", row[0])
        return [RepairFinding("statistics", str(row[0]), "they are not readable: they are counted anew")]


def _intact(content: bytes, *digests: str) -> bool:
    """Whether it has one of these digests."""
    return hashlib.sha256(content).hexdigest() in digests


def _changed(cells: Cells, before: Sequence[Any]) -> Mapping[str, Any]:
    old = dict(zip(rows.VERSION_COLUMNS, before, strict=True))
    return {column: cell for column, cell in cells.items() if cell != old[column]}


async def _update(tx: RepairTx, table: str, key: str, value: Any, cells: Mapping[str, Any]) -> None:
    places = ", ".join(f"{column} = ${n}" for n, column in enumerate(cells, 2))
    if cells:
        await tx.execute(f"UPDATE {table} SET {places} WHERE {key} = $1", value, *cells.values())


async def _pinned_again(tx: RepairTx, version: SchemaVersion) -> tuple[SchemaVersion, Sequence[str]]:
    """The version with references to what is there, and those that point to nothing."""
    references: list[ResolvedReference] = []
    gone: list[str] = []
    for reference in version.references:
        ids = await tx.select(
            "SELECT schema_id FROM versions WHERE schema_id = $1 OR (subject = $2 AND ordinal = $3)",
            reference.schema_id,
            str(reference.subject),
            reference.ordinal,
        )
        known = [cells[0] for cells in ids]
        if not known:
            gone.append(f"{reference.subject} {reference.version}")
        if known and reference.schema_id not in known:
            reference = replace(reference, schema_id=known[0])
        references.append(reference)
    return replace(version, references=tuple(references)), gone
