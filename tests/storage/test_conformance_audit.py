"""Every back end: entries go through the inbox into the log in the order of their commits, and with the writes that they record."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from llm_schema_registry_server.model.audit import AuditEvent, AuditOutcome, AuditSeverity, encode
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.model.timestamps import micros
from llm_schema_registry_server.storage.audit_rows import (
    AuditFilter,
    Logged,
    Noted,
    StoredCheckpoint,
    row_of,
)
from llm_schema_registry_server.storage.store import Store
from llm_schema_registry_server.storage.values import NewVersion, Precondition
from tests.support.audit import entry
from tests.support.storage import START, change, content, version


class Undone(Exception):
    """Ends a transaction that is to be rolled back."""


def rows(count: int) -> list[Logged]:
    return [row_of(n, entry(n), encode(entry(n))) for n in range(count)]


async def registration(store: Store) -> tuple[Precondition, NewVersion]:
    name = Subject.parse("orders")
    found = await store.subject_snapshot(
        name, [f"subject:{name}", f"context:{name.context}", "registry"], "none"
    )
    made = version("orders")
    return found.precondition, NewVersion(made, content(), (), change(schema_id=made.schema_id), ())


async def test_the_inbox_gives_out_what_was_committed_and_once(store: Store) -> None:
    noted = [Noted(encode(entry(n)), n) for n in range(30)]
    async with store.read() as tx:
        assert not await tx.audit_waits()
    async with store.write() as writing:
        await writing.note_audit(noted[:20])
        await writing.note_audit([])
    with suppress(Undone):
        async with store.write() as writing:
            await writing.note_audit([Noted("undone")])
            raise Undone
    async with store.write() as writing:
        await writing.note_audit(noted[20:])

    async with store.read() as tx:
        assert await tx.audit_waits()
    with suppress(Undone):
        async with store.write() as writing:
            assert await writing.take_audit(10) == noted[:10]
            raise Undone
    async with store.write() as writing:
        assert await writing.take_audit(25) == noted[:25]
    async with store.write() as writing:
        assert await writing.take_audit(25) == noted[25:]
        assert await writing.take_audit(25) == []
    async with store.read() as tx:
        assert not await tx.audit_waits()


async def test_the_log_is_read_as_it_was_written(store: Store) -> None:
    checkpoint = StoredCheckpoint(100, micros(START), "note\n\n\u2014 x y\n")
    tiles = {(0, 0): b"x" * 64, (1, 0): bytes(range(256)), (0, 2**33): b"y"}
    async with store.write() as writing:
        await writing.append_audit(rows(100), tiles, checkpoint)

    async with store.read() as tx:
        assert list(await tx.audit_rows(AuditFilter(), 1000)) == rows(100)
        assert list(await tx.audit_rows(AuditFilter(first=10, end=20), 5)) == rows(15)[10:]
        newest = await tx.audit_rows(AuditFilter(first=10, end=20), 5, newest_first=True)
        assert list(newest) == rows(20)[15:][::-1]
        assert await tx.audit_tiles([*tiles, (5, 5)]) == tiles
        assert await tx.audit_tiles([]) == {}
        assert await tx.newest_audit_checkpoint() == checkpoint
    async with store.write() as writing:
        await writing.append_audit([], {(0, 0): b"z"}, replace_size(checkpoint, 200, seconds=10))
    async with store.read() as tx:
        assert await tx.audit_tiles([(0, 0)]) == {(0, 0): b"z"}
        assert [c.size for c in await tx.audit_checkpoints(0, 10)] == [100, 200]
        assert [c.size for c in await tx.audit_checkpoints(100, 10)] == [200]
        assert [c.size for c in await tx.audit_checkpoints(0, 1)] == [100]
        assert await tx.newest_audit_checkpoint(micros(START)) is None
        assert await tx.newest_audit_checkpoint(micros(START) + 1) == checkpoint


def replace_size(checkpoint: StoredCheckpoint, size: int, *, seconds: int) -> StoredCheckpoint:
    return StoredCheckpoint(size, checkpoint.at + seconds * 1_000_000, checkpoint.note)


@pytest.mark.parametrize(
    ("wanted", "positions"),
    [
        (AuditFilter(principal="ada-1"), range(1, 30, 3)),
        (AuditFilter(resource="orders-2"), range(2, 30, 5)),
        (AuditFilter(resource="subject:orders-2"), range(2, 30, 5)),
        (AuditFilter(resource="schema:orders-2"), ()),
        (AuditFilter(resource="orders"), ()),
        (AuditFilter(resource="%"), ()),
        (AuditFilter(principal="ada-1", resource="orders-2"), (7, 22)),
        (AuditFilter(since=START + timedelta(seconds=28)), (28, 29)),
        (AuditFilter(until=START + timedelta(seconds=2)), (0, 1)),
        (AuditFilter(operation="RegisterSchema", first=27), (27, 28, 29)),
        (AuditFilter(operation="x' OR '1'='1"), ()),
        (AuditFilter(outcome=AuditOutcome.DENIED), ()),
        (AuditFilter(event=AuditEvent.SCHEMA_REGISTERED, first=29), (29,)),
        (AuditFilter(severity=AuditSeverity.WARNING), ()),
        (AuditFilter(severity=AuditSeverity.INFO, first=28), (28, 29)),
    ],
)
async def test_lists_are_filtered(store: Store, wanted: AuditFilter, positions: range) -> None:
    async with store.write() as writing:
        await writing.append_audit(rows(30), {}, StoredCheckpoint(30, 0, "note"))

    async with store.read() as tx:
        for newest_first in (False, True):
            found = await tx.audit_rows(wanted, 100, newest_first=newest_first)
            assert sorted(row.position for row in found) == list(positions)


async def test_the_beginning_is_forgotten_and_its_hashes_stay(store: Store) -> None:
    async with store.write() as writing:
        for size in (10, 20, 30):
            await writing.append_audit(
                rows(size)[size - 10 :], {(0, 0): b"x" * size}, StoredCheckpoint(size, size, "note")
            )
    async with store.write() as writing:
        assert await writing.forget_audit(20, 15) == 15
        assert await writing.forget_audit(20, 15) == 20
        assert await writing.forget_audit(10, 15) == 20

    async with store.read() as tx:
        assert await tx.audit_oldest() == 20
        assert list(await tx.audit_rows(AuditFilter(), 100)) == rows(30)[20:]
        assert [c.size for c in await tx.audit_checkpoints(0, 10)] == [20, 30]
        assert await tx.audit_tiles([(0, 0)]) == {(0, 0): b"x" * 30}
    async with store.write() as writing:
        assert await writing.forget_audit(1000, 1000) == 30


async def test_a_value_is_kept_once(store: Store) -> None:
    async with store.write() as writing:
        assert await writing.audit_value("public_key") == ""
        assert await writing.keep_audit_value("public_key", "first") == "first"
    async with store.write() as writing:
        assert await writing.keep_audit_value("public_key", "second") == "first"
    async with store.read() as tx:
        assert await tx.audit_value("public_key") == "first"


async def test_what_is_appended_is_recorded_with_it_or_not_at_all(store: Store) -> None:
    precondition, new = await registration(store)
    new = replace(new, audit=encode(entry()))
    made = await store.append(precondition, new)
    assert made is not None
    assert await store.append(precondition, new) is None, "the precondition holds no more"

    async with store.write() as writing:
        assert await writing.take_audit(10) == [Noted(encode(entry()), made.revision)]


async def test_what_is_not_to_be_recorded_is_not(store: Store) -> None:
    assert await store.append(*await registration(store)) is not None

    async with store.read() as tx:
        assert not await tx.audit_waits()
