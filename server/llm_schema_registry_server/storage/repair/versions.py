"""Mends versions: what they are found by, what is not readable, contents and references that are gone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ...errors import StorageDamaged
from ...model.change import Change, EventType
from ...model.lifecycle import SchemaState
from ...model.schema import ResolvedReference, SchemaVersion
from .. import rows
from .cells import Cells, Mended, json_object, mended_digests, mended_version, readable, shown
from .table import REMEDY, RepairFinding, RepairTx, Table, update

_ACTOR = "repair"
_VERSIONS = f"SELECT id, {', '.join(rows.VERSION_COLUMNS)} FROM versions WHERE id > $1 ORDER BY id LIMIT $2"
_CONTENT = "SELECT content, digest FROM contents WHERE identity = $1"
_LAST_STATE = "SELECT to_state FROM transitions WHERE schema_id = $1 ORDER BY id DESC LIMIT 1"
_OF_CHANGE = "SELECT subject, schema_id FROM changes WHERE sequence = $1 AND ordinal = $2"
_KEEP_ORDINAL = (
    "INSERT INTO subjects (subject, last_ordinal) VALUES ($1, $2) ON CONFLICT (subject) DO UPDATE "
    "SET last_ordinal = excluded.last_ordinal WHERE subjects.last_ordinal < excluded.last_ordinal"
)
_USERS = "SELECT count(*) FROM version_references WHERE target = $1"
_TARGETS = "SELECT count(*) FROM version_references WHERE version = $1"


class Versions(Table):
    sql = _VERSIONS

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    async def look(self, tx: RepairTx, row: rows.Row, apply: bool) -> Sequence[RepairFinding]:
        number, cells = row[0], dict(zip(rows.VERSION_COLUMNS, row[1:], strict=True))
        key = f"{shown(cells['schema_id'])} ({shown(cells['subject'])}, ordinal {cells['ordinal']})"
        named = await self._names(tx, cells) if any(isinstance(cell, bytes) for cell in row) else {}
        before = dict(cells)
        cells |= {column: cell for column, (cell, _) in named.items()}
        stored = await tx.select(_CONTENT, cells["identity"])
        content = stored[0][0] if stored and _intact(*stored[0], cells["content_digest"]) else None
        faults = [said for _, said in named.values()]
        if named or not readable(rows.version_of, row[1:]) or isinstance(cells["release"], bytes):
            last = await tx.select(_LAST_STATE, cells["schema_id"])
            mended = dict(mended_version(cells, last_state=last[0][0] if last else None, content=content))
            if content is not None:
                mended |= mended_digests(cells, content)
            faults += [said for _, said in mended.values() if said]
            lost = "origin" in mended and not json_object(mended["origin"][0])["references"]
            lost = lost and (await tx.select(_TARGETS, number))[0][0] > 0
            cells |= {column: cell for column, (cell, _) in mended.items()}
            if lost:
                cells["state"] = int(SchemaState.ABANDONED)
                faults.append(
                    "it had references, which are lost: its state becomes ABANDONED, it is not compared with"
                )
            if apply:
                await self._rename(tx, before, cells)
                await update(tx, "versions", "id", number, _changed(cells, row[1:]))
        try:
            version = rows.version_of([cells[column] for column in rows.VERSION_COLUMNS])
        except StorageDamaged as error:
            return [RepairFinding("versions", key, f"{error.message}: {REMEDY}", mended=False)]
        if content is None:
            faults.append("its content is " + ("damaged" if stored else "missing"))
            if (await tx.select(_USERS, version.schema_id))[0][0]:
                return [
                    RepairFinding(
                        "versions",
                        key,
                        f"{'; '.join(faults)}, and others reference it: {REMEDY}",
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

    async def _names(self, tx: RepairTx, cells: Cells) -> Mended:
        """What a row is found by, where it is no UTF-8: from the change that made it so, and from its content."""
        found: dict[str, tuple[Any, str]] = {}
        made = await tx.select(_OF_CHANGE, cells["revision"], cells["ordinal"])
        known = dict(zip(("subject", "schema_id"), made[0], strict=True)) if made else {}
        for column in ("subject", "schema_id"):
            if isinstance(cells[column], bytes):
                name = known.get(column)
                name = name if isinstance(name, str) else shown(cells[column])
                found[column] = name, f"{column} {cells[column]!r} is no UTF-8: it becomes {name!r}"
        if isinstance(cells["identity"], bytes):
            same = await tx.select("SELECT identity FROM contents WHERE digest = $1", cells["content_digest"])
            if len(same) == 1 and isinstance(same[0][0], str):
                found["identity"] = (
                    same[0][0],
                    "the name of its content is no UTF-8: it is found by its digest",
                )
        return found

    async def _rename(self, tx: RepairTx, before: Cells, after: Cells) -> None:
        """Moves what goes by the name of a version."""
        if before["subject"] != after["subject"]:
            await tx.execute(_KEEP_ORDINAL, after["subject"], after["ordinal"])
        if before["schema_id"] != after["schema_id"]:
            await tx.execute("DELETE FROM usage WHERE schema_id = $1", before["schema_id"])
            for table, column in (("transitions", "schema_id"), ("version_references", "target")):
                await update(tx, table, column, before["schema_id"], {column: after["schema_id"]})

    async def _write(self, tx: RepairTx, number: int, version: SchemaVersion) -> None:
        sequence = await tx.append_change(self._change(version, EventType.SCHEMA_UPDATED))
        cells = dict(zip(rows.VERSION_COLUMNS, rows.version_row(version), strict=True))
        await update(tx, "versions", "id", number, {"origin": cells["origin"]})
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


def _intact(content: bytes, *digests: str) -> bool:
    """Whether it has one of these digests."""
    return hashlib.sha256(content).hexdigest() in digests


def _changed(cells: Cells, before: Sequence[Any]) -> Mapping[str, Any]:
    old = dict(zip(rows.VERSION_COLUMNS, before, strict=True))
    return {column: cell for column, cell in cells.items() if cell != old[column]}


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
