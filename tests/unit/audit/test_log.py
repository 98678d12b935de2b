"""Exports go on where they broke; proofs verify; retention removes what is old up to a checkpoint; keys are made once and kept."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from llm_schema_registry.audit_verify import Verifier
from llm_schema_registry_server.audit.keys import SigningKeys
from llm_schema_registry_server.audit.retention import AuditRetention
from llm_schema_registry_server.audit.sequencing import Sequencer
from llm_schema_registry_server.audit.trail import Trail
from llm_schema_registry_server.calls.guards.audit import EVENTS
from llm_schema_registry_server.errors import InvalidRequest, StorageUnavailable
from llm_schema_registry_server.model.audit import AuditEvent, encode
from llm_schema_registry_server.model.merkle import check_consistency, check_inclusion, leaf_hash
from llm_schema_registry_server.registry.audit_lines import line_of
from llm_schema_registry_server.registry.auditing import AuditLog
from llm_schema_registry_server.rpc import methods
from llm_schema_registry_server.storage import audit_rows
from llm_schema_registry_server.storage.audit_rows import AuditFilter
from llm_schema_registry_server.storage.memory import MemoryStore
from tests.support.audit import Logged, entry


@pytest_asyncio.fixture
async def logged() -> AsyncIterator[Logged]:
    store = MemoryStore()
    await store.open()
    made = await Logged(store).begin()
    yield made
    await store.close()


def test_every_operation_that_changes_something_has_an_event_of_its_own() -> None:
    assert {m.name for m in methods.load() if m.operation.mutates} == set(EVENTS)


async def test_an_export_goes_on_where_it_broke(logged: Logged) -> None:
    await logged.add(30)
    whole: list[tuple[str, str]] = []
    async with aclosing(logged.log.export()) as items:
        async for item, token in items:
            whole.append((line_of(item) + "\n", token))
    key = str(logged.signer.public)
    assert Verifier(key).verify([line for line, _ in whole]) == []
    for broken, (_, token) in enumerate(whole, 1):
        rest = [line_of(item) + "\n" async for item, _ in logged.log.export(page_token=token)]
        lines = [line for line, _ in whole[:broken]] + rest
        assert Verifier(key).verify(lines) == []
        entries = [line for line in lines if '"position"' in line]
        assert entries == [line for line, _ in whole if '"position"' in line]


async def test_proofs_verify(logged: Logged) -> None:
    await logged.add(40)
    old = (await logged.log.checkpoint()).checkpoint
    await logged.add(30, first=40)
    new = (await logged.log.checkpoint()).checkpoint

    proof = await logged.log.prove_consistency(old.size)
    assert check_consistency(old.size, new.size, old.root, new.root, proof.hashes)
    for position in (0, 39, 69):
        path = await logged.log.prove_inclusion(position)
        assert path.leaf == leaf_hash(encode(entry(position, revision=1)).encode())
        assert check_inclusion(path.leaf, position, new.size, path.hashes, new.root)
    for wrong in (
        logged.log.prove_inclusion(70),
        logged.log.prove_inclusion(-1),
        logged.log.prove_inclusion(0, 71),
        logged.log.prove_consistency(71),
        logged.log.prove_consistency(5, -1),
    ):
        with pytest.raises(InvalidRequest):
            await wrong


async def test_without_a_checkpoint_there_is_nothing_to_prove(logged: Logged) -> None:
    with pytest.raises(StorageUnavailable, match="no checkpoint yet"):
        await logged.log.checkpoint()
    assert (await logged.log.list(AuditFilter(), None, "", newest_first=False)).records == []


async def test_a_list_looks_at_a_window_and_goes_on(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_schema_registry_server.registry.auditing.WINDOW", 10)
    assert audit_rows.WINDOW > 10
    await logged.add(45)
    wanted = AuditFilter(resource="orders-2", principal="ada-1")
    for newest_first in (False, True):
        found, token, pages = [], "", 0
        while True:
            page = await logged.log.list(wanted, 2, token, newest_first=newest_first)
            found += [record.position for record in page.records]
            token, pages = page.next_token, pages + 1
            if not token:
                break
        assert found == sorted([7, 22, 37], reverse=newest_first)
        assert pages >= 5


async def test_since_begins_behind_what_was_signed_before(logged: Logged) -> None:
    await logged.add(20)
    logged.now += timedelta(days=2)
    late = logged.now
    await logged.note([entry(50, at=late)])
    await logged.sequence()

    page = await logged.log.list(AuditFilter(since=late), None, "", newest_first=False)
    assert [record.position for record in page.records] == [20]
    page = await logged.log.list(AuditFilter(until=late), None, "", newest_first=False)
    assert len(page.records) == 20


async def test_retention_removes_up_to_a_checkpoint_and_says_so(logged: Logged) -> None:
    await logged.add(40)
    logged.now += timedelta(days=10)
    await logged.add(20, first=40)
    trail = Trail(logged.store, lambda: logged.now, most=100)
    retention = AuditRetention(logged.store, timedelta(days=5), lambda: logged.now, trail)
    before = (await logged.log.checkpoint()).note
    await retention.sweep()
    await retention.sweep()
    await trail.flush()
    await logged.sequence()

    signed = await logged.log.checkpoint()
    assert (signed.oldest, signed.checkpoint.size) == (40, 61)
    page = await logged.log.list(AuditFilter(), None, "", newest_first=False)
    assert [record.position for record in page.records] == list(range(40, 61))
    told = page.records[-1].entry
    assert told is not None
    assert (told.event, told.count) == (AuditEvent.RECORDS_REMOVED, 40)
    assert dict(told.facts) == {"from": "0", "before": "40"}
    assert Verifier(str(logged.signer.public), [before]).verify(await logged.export()) == []
    proof = await logged.log.prove_inclusion(3)
    assert check_inclusion(proof.leaf, 3, 61, proof.hashes, signed.checkpoint.root)
    with pytest.raises(InvalidRequest, match="from 40 to 60"):
        await anext(logged.log.export(first=39))


async def test_a_key_is_made_once_for_all_servers(tmp_path: Path) -> None:
    store = MemoryStore()
    await store.open()
    file = tmp_path / "deep" / "key"
    first = await SigningKeys(store, file).signer()
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(base64.b64decode(file.read_text())) == 32
    assert (await SigningKeys(store, file).signer()).public == first.public
    assert await SigningKeys(store, file).public() == first.public
    with pytest.raises(StorageUnavailable, match="signed with another key"):
        await SigningKeys(store, None).signer()
    file.write_text("short\n")
    with pytest.raises(StorageUnavailable, match="not 32 bytes"):
        await SigningKeys(store, file).signer()
    file.unlink()
    with pytest.raises(StorageUnavailable, match="is missing"):
        await SigningKeys(store, file).signer()


async def test_a_key_in_the_database_moves_to_a_file(tmp_path: Path) -> None:
    store = MemoryStore()
    await store.open()
    with pytest.raises(StorageUnavailable, match="no key for the audit log"):
        await SigningKeys(store, None).signer(make=False)
    kept = await SigningKeys(store, None).signer()
    assert (await SigningKeys(store, None).signer()).public == kept.public

    moved = await SigningKeys(store, tmp_path / "key").signer()
    assert moved.public == kept.public
    assert (await AuditLog(store).list(AuditFilter(), None, "", newest_first=True)).records == []


async def test_waiting_entries_are_late_until_somebody_signs(logged: Logged) -> None:
    seconds = [100.0]
    watching = Sequencer(logged.store, lambda: logged.now, timer=lambda: seconds[0])

    async def late_after(passed: float) -> float:
        seconds[0] += passed
        await watching.waits()
        seconds[0] += 1
        return watching.unsequenced_seconds

    assert await late_after(50) == 0
    await logged.note([entry(1)])
    assert await late_after(5) == 1
    assert await late_after(5) == 7
    await logged.sequence()  # another server
    await logged.note([entry(2)])
    assert await late_after(5) == 1
    await logged.sequence()
    assert await late_after(5) == 0


async def test_entries_are_counted_by_event_when_they_have_their_places(logged: Logged) -> None:
    await logged.add(4)

    assert dict(logged.sequencer.logged.items()) == {("SCHEMA_REGISTERED", "ALLOWED"): 4}
    assert logged.sequencer.seen is not None
    assert (logged.sequencer.seen.size, logged.sequencer.size) == (4, 4)
