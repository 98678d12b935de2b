"""Appending a version on condition, step by step inside transactions: for back ends in which a step costs little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..model.schema import SchemaVersion
from ..model.subject import Subject
from .store import Entry, Grounds, ReadTx, Standing, WriteTx


async def standing(tx: ReadTx, subject: Subject, scopes: Sequence[str], identity: str) -> Standing:
    """See store.Store.standing."""
    return Standing(await _grounds(tx, subject, scopes), await tx.versions_with(subject, identity))


async def append(tx: WriteTx, grounds: Grounds, entry: Entry) -> SchemaVersion | None:
    """See store.Store.append; the caller commits."""
    await tx.lock_subject(entry.version.subject)
    if not await holds(tx, entry.version.subject, grounds, entry.targets):
        return None
    return await enter(tx, entry)


async def holds(tx: WriteTx, subject: Subject, grounds: Grounds, targets: Mapping[str, int]) -> bool:
    """Whether a subject, whose lock the transaction has, still stands on these grounds, and the targets are as they were."""
    if await _grounds(tx, subject, list(grounds.configs)) != replace(grounds, mark=""):
        return False
    for schema_id, revision in targets.items():
        target = await tx.version(schema_id)
        if target is None or target.revision != revision:
            return False
    return True


async def enter(tx: WriteTx, entry: Entry) -> SchemaVersion:
    """Write an entry whose grounds hold; answers with the version as stored."""
    version = entry.version
    version = replace(
        version,
        global_id=await tx.allot_global_id(version.subject.context, version.identity),
        revision=await tx.append_change(entry.change),
    )
    await tx.put_content(version.identity, entry.content)
    await tx.insert_version(version, entry.names)
    for step in entry.steps:
        await tx.record_transition(step)
    return version


async def _grounds(tx: ReadTx, subject: Subject, scopes: Sequence[str]) -> Grounds:
    return Grounds(
        stamp=await tx.subject_stamp(subject),
        next_ordinal=await tx.next_ordinal(subject),
        configs={scope: await tx.config(scope) for scope in scopes},
    )
