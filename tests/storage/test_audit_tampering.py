"""Whatever is altered in the database shows, and where: to the server's own verifier, and to the offline one from an export.

What could be altered is generated from the lists of fields and columns: a new one is covered or the test fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from llm_schema_registry import audit_verify
from llm_schema_registry_server.audit.notes import Checkpoint, Signer, origin_of
from llm_schema_registry_server.audit.verifying import AuditVerifier, Verified
from llm_schema_registry_server.errors import StorageDamaged
from llm_schema_registry_server.model.audit import FIELDS, AuditEvent, canonical, decode, encode
from llm_schema_registry_server.model.merkle import leaf_hash
from llm_schema_registry_server.storage.audit_rows import LOG_COLUMNS, AuditFilter, row_of
from llm_schema_registry_server.storage.postgres import PostgresStore
from llm_schema_registry_server.storage.repair import repair
from llm_schema_registry_server.storage.sqlite import SqliteStore
from tests.support.audit import Logged, entry
from tests.support.postgres import PATIENT, Postgres

COUNT, AT = 300, 17
"""Entries of the log: more than a tile has; and the one that is altered."""
SOURCE = Path(audit_verify.__file__).read_text()
MEMBERS = ("v", "severity", *FIELDS)
OTHERS: dict[type, Any] = {str: "altered", int: 7, list: [["subject", "altered"]], dict: {"altered": "x"}}
"""Another value for each type of a member."""


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def logged(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Logged]:
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        store: SqliteStore | PostgresStore = PostgresStore(await server.empty_database(), PATIENT)
    else:
        store = SqliteStore(tmp_path / "registry.db", synchronous="normal")
    await store.open()
    made = await Logged(store).begin()
    await made.add(COUNT)
    yield made
    await store.close()


async def alter(logged: Logged, sql: str, *cells: Any) -> None:
    store = logged.store
    assert isinstance(store, SqliteStore | PostgresStore)
    async with store.repairing() as tx:
        await tx.execute(sql, *cells)


async def verified(logged: Logged, *kept: str) -> Verified:
    return await AuditVerifier(logged.store, logged.signer.public, kept).verify()


async def offline(logged: Logged, *kept: str) -> list[str]:
    """What the offline verifier finds in an export."""
    return audit_verify.Verifier(str(logged.signer.public), kept).verify(await logged.export())


async def text_at(logged: Logged, position: int) -> str:
    async with logged.store.read() as tx:
        (row,) = await tx.audit_rows(AuditFilter(first=position, end=position + 1), 1)
    return row.entry


async def test_what_servers_log_meanwhile_is_no_finding(logged: Logged) -> None:
    verifier = AuditVerifier(logged.store, logged.signer.public)
    entries = verifier._entries

    async def entries_and_more(first: int, end: int, hashes: Any) -> None:
        await entries(first, end, hashes)
        await logged.add(3)

    verifier._entries = entries_and_more  # type: ignore[method-assign]
    found = await verifier.verify()

    assert found.findings == [], found
    assert found.size == COUNT


async def test_a_log_that_nobody_altered_is_sound(logged: Logged) -> None:
    note = await logged.note_of_newest()
    found = await verified(logged, note)

    assert (found.findings, found.entries, found.size, found.checkpoints) == ([], COUNT, COUNT, 2)
    assert await offline(logged, note) == []
    for position in (0, AT, COUNT - 1):
        assert await text_at(logged, position) == encode(entry(position, revision=1))


@pytest.mark.parametrize("member", MEMBERS)
async def test_each_member_of_an_entry_is_covered(logged: Logged, member: str) -> None:
    members = json.loads(await text_at(logged, AT))
    assert members.keys() == set(MEMBERS)
    members[member] = OTHERS[type(members[member])]
    await alter(logged, "UPDATE audit_log SET entry = $1 WHERE position = $2", canonical(members), AT)

    assert AT in {finding.position for finding in (await verified(logged)).findings}
    assert f"position {AT}: the entry is not the one that was logged" in await offline(logged)


@pytest.mark.parametrize("member", MEMBERS)
async def test_each_member_of_an_entry_can_be_cut_out_or_added_to_no_avail(
    logged: Logged, member: str
) -> None:
    members = json.loads(await text_at(logged, AT))
    del members[member]
    await alter(logged, "UPDATE audit_log SET entry = $1 WHERE position = $2", canonical(members), AT)

    assert AT in {finding.position for finding in (await verified(logged)).findings}
    assert f"position {AT}: the entry is not the one that was logged" in await offline(logged)


@pytest.mark.parametrize("column", [c for c in LOG_COLUMNS if c not in ("position", "entry")])
async def test_each_column_that_lists_are_filtered_by_is_covered(logged: Logged, column: str) -> None:
    row = row_of(AT, decode(await text_at(logged, AT)), "")
    other = 9 if isinstance(getattr(row, column), int) else "altered"
    await alter(logged, f"UPDATE audit_log SET {column} = $1 WHERE position = $2", other, AT)

    (finding,) = (await verified(logged)).findings
    assert finding == (AT, f"column {column} does not say what the entry says")


@pytest.mark.parametrize("position", [0, AT, 255, 256, COUNT - 1])
async def test_a_deleted_entry_is_missed(logged: Logged, position: int) -> None:
    await alter(logged, "DELETE FROM audit_log WHERE position = $1", position)

    assert (await verified(logged)).findings == [(position, "the entry is missing")]
    found = await offline(logged, await logged.note_of_newest())
    assert found
    if position != COUNT - 1:
        assert f"position {position + 1} stands where position {position} should be" in found[0]


async def test_a_deleted_entry_whose_place_others_take_is_missed(logged: Logged) -> None:
    await alter(logged, "DELETE FROM audit_log WHERE position = $1", AT)
    for position in range(AT, COUNT - 1):
        await alter(logged, "UPDATE audit_log SET position = $1 WHERE position = $2", position, position + 1)

    positions = [finding.position for finding in (await verified(logged)).findings]
    assert positions[0] == AT
    assert len(positions) >= COUNT - AT
    assert (await offline(logged))[0] == f"position {AT}: the entry is not the one that was logged"


async def test_swapped_entries_show(logged: Logged) -> None:
    for a, b in ((AT, 10_000), (AT + 1, AT), (10_000, AT + 1)):
        await alter(logged, "UPDATE audit_log SET position = $1 WHERE position = $2", b, a)

    assert [finding.position for finding in (await verified(logged)).findings] == [AT, AT + 1]
    assert len(await offline(logged)) == 3


async def test_an_inserted_entry_shows(logged: Logged) -> None:
    made = row_of(COUNT, entry(7), encode(entry(7)))
    marks = ", ".join(f"${n + 1}" for n in range(len(LOG_COLUMNS)))
    await alter(logged, f"INSERT INTO audit_log ({', '.join(LOG_COLUMNS)}) VALUES ({marks})", *made)

    (finding,) = (await verified(logged)).findings
    assert finding.position == COUNT
    assert "behind the newest checkpoint" in finding.what


async def test_whoever_alters_entry_and_hash_meets_the_checkpoint(logged: Logged) -> None:
    forged = encode(entry(AT, principal="mallory", revision=1))
    row = row_of(AT, decode(forged), forged)
    await alter(
        logged,
        "UPDATE audit_log SET entry = $1, principal = $2 WHERE position = $3",
        forged,
        row.principal,
        AT,
    )
    await replace_leaf(logged, AT, leaf_hash(forged.encode()))

    findings = (await verified(logged)).findings
    assert findings[0].position == 0
    assert "size 150 does not match" in findings[0].what
    assert await offline(logged) == [
        f"positions 0 to {COUNT // 2 - 1}: entries were altered, moved or removed"
    ]


async def test_an_altered_hash_in_a_higher_tile_shows(logged: Logged) -> None:
    async with logged.store.read() as tx:
        (tile,) = (await tx.audit_tiles([(1, 0)])).values()
    altered = blob(logged, bytes(32) + tile[32:])
    await alter(logged, f"UPDATE audit_tiles SET hashes = {altered} WHERE level = 1")

    (finding,) = (await verified(logged)).findings
    assert "the hash over 256 entries was altered" in finding.what


async def test_the_sequencer_does_not_sign_what_was_altered(logged: Logged) -> None:
    await replace_leaf(logged, COUNT - 1, bytes(32))
    await logged.note([entry(1)])

    with pytest.raises(StorageDamaged, match="not those that were signed"):
        await logged.sequence()
    async with logged.store.read() as tx:
        assert await tx.audit_waits(), "what is not signed stays where it is"


async def test_truncation_shows_against_a_checkpoint_that_was_kept(logged: Logged) -> None:
    kept, half = await logged.note_of_newest(), COUNT // 2
    await truncate(logged, half)

    findings = (await verified(logged, kept)).findings
    assert half in {finding.position for finding in findings}
    assert (await verified(logged)).findings == [], "without it, the log ends there"
    assert await offline(logged) == []
    assert await offline(logged, kept) == [
        f"positions {half} to {COUNT - 1}: they were cut off, or came after the export"
    ]


async def test_a_log_that_was_cut_off_and_goes_on_is_not_the_one_that_was(logged: Logged) -> None:
    kept = await logged.note_of_newest()
    await truncate(logged, COUNT // 2)
    await logged.add(COUNT, first=5000)

    (finding,) = (await verified(logged, kept)).findings
    assert "the checkpoint that you have kept, of size 300 does not match" in finding.what
    (told,) = await offline(logged, kept)
    assert told == f"the log up to position {COUNT - 1} is not the one of the checkpoint that was kept"


async def test_a_checkpoint_of_another_key_does_not_count(logged: Logged) -> None:
    mallory = Signer(origin_of(logged.store.registry_id), bytes(32))
    note = mallory.signed(Checkpoint.parse(logged.signer.public.opened(await logged.note_of_newest())).text)
    await alter(logged, "UPDATE audit_checkpoints SET note = $1 WHERE size = $2", note, COUNT)

    finding, behind = (await verified(logged)).findings
    assert f"checkpoint of size {COUNT} was not signed by the key of the log" in finding.what
    assert behind.position == COUNT // 2
    await logged.note([entry(1)])
    with pytest.raises(StorageDamaged, match="not signed by its key"):
        await logged.sequence()


async def test_a_checkpoint_in_the_place_of_another_shows(logged: Logged) -> None:
    async with logged.store.read() as tx:
        first, _ = await tx.audit_checkpoints(0, 2)
    await alter(logged, "UPDATE audit_checkpoints SET note = $1 WHERE size = $2", first.note, COUNT)

    finding, behind = (await verified(logged)).findings
    assert behind.position == COUNT // 2
    assert finding.what == f"the checkpoint of size {COUNT // 2} is stored as that of size {COUNT}"


async def test_an_entry_that_was_altered_before_it_was_logged_is_logged_as_that(logged: Logged) -> None:
    await logged.note([entry(1)])
    await alter(logged, "UPDATE audit_inbox SET entry = $1", '{"v":1}')
    await logged.sequence()

    assert decode(await text_at(logged, COUNT)).event is AuditEvent.SECURITY_VIOLATION
    assert (await verified(logged)).findings == []


BYTES = "CAST(x'7bff' AS TEXT)"
"""What SQLite takes for a text and no reader can."""


async def test_bytes_that_are_no_text_show_and_stop_nothing(logged: Logged) -> None:
    if isinstance(logged.store, PostgresStore):
        pytest.skip("PostgreSQL takes no such text")
    await logged.note([entry(1)])
    await alter(logged, f"UPDATE audit_inbox SET entry = {BYTES}")
    await alter(logged, f"UPDATE audit_log SET entry = {BYTES}, principal = {BYTES} WHERE position = $1", AT)
    await alter(logged, f"UPDATE audit_checkpoints SET note = {BYTES} WHERE size = $1", COUNT // 2)
    await logged.sequence()

    assert decode(await text_at(logged, COUNT)).event is AuditEvent.SECURITY_VIOLATION
    findings = (await verified(logged)).findings
    assert {finding.position for finding in findings} == {AT, COUNT // 2 - 1}
    assert f"position {AT}: the entry is not the one that was logged" in await offline(logged)


async def test_a_size_that_nobody_has_signed_does_not_keep_the_verifier_busy(logged: Logged) -> None:
    await alter(logged, "UPDATE audit_checkpoints SET size = $1 WHERE size = $2", 1 << 62, COUNT)

    found = await verified(logged)
    assert found.size == COUNT // 2
    assert f"the checkpoint of size {COUNT} is stored as that of size {1 << 62}" in str(found.findings)
    assert (
        COUNT // 2,
        "there are entries behind the newest checkpoint that was signed: no server has logged them as they are",
    ) in (found.findings)


async def test_a_repair_mends_the_columns_of_lists_and_no_entry(logged: Logged) -> None:
    await alter(logged, "UPDATE audit_log SET event = $1, resources = $2 WHERE position = $3", 9, "x", AT)
    await alter(logged, "UPDATE audit_log SET entry = $1 WHERE position = $2", "{}", AT + 1)
    store = logged.store
    assert isinstance(store, SqliteStore | PostgresStore)

    for apply in (False, True):
        found = [f async for f in repair(store, lambda: logged.now, apply=apply) if f.table == "audit_log"]
        assert [(f.key, f.mended) for f in found] == [(str(AT), True), (str(AT + 1), False)]
    assert {finding.position for finding in (await verified(logged)).findings} == {AT + 1}


@pytest.mark.parametrize(
    "sql", ["DELETE FROM audit_checkpoints", "UPDATE audit_tiles SET hashes = substr(hashes, 1, 40)"]
)
async def test_nothing_is_signed_over_a_log_that_was_cut(logged: Logged, sql: str) -> None:
    await alter(logged, sql)
    await logged.note([entry(1)])
    with pytest.raises(StorageDamaged, match="audit verify` says where"):
        await logged.sequence()
    assert (await verified(logged)).findings


@pytest.mark.parametrize("cut", [1, COUNT // 2, 256, COUNT])
async def test_what_retention_has_left_is_verified(logged: Logged, cut: int) -> None:
    async with logged.store.read() as tx:
        first, _ = await tx.audit_checkpoints(0, 2)
    before = await logged.export()
    async with logged.store.write() as writing:
        assert await writing.forget_audit(cut, 1000) == cut

    found = await verified(logged, first.note)
    assert (found.findings, found.oldest, found.entries) == ([], cut, COUNT - cut)
    kept = await logged.note_of_newest()
    assert await offline(logged, kept) == []
    key = str(logged.signer.public)
    assert audit_verify.Verifier(key, [kept]).verify(before) == [], "what was exported before still counts"
    if cut < COUNT:
        await alter(logged, "DELETE FROM audit_log WHERE position = $1", COUNT - 1)
        assert (await verified(logged)).findings == [(COUNT - 1, "the entry is missing")]


async def test_the_offline_verifier_alone_reads_files(logged: Logged, tmp_path: Path) -> None:
    """Its file suffices: nothing of the SDK or the server is imported."""
    lines, kept = await logged.export(), await logged.note_of_newest()
    (tmp_path / "key").write_text(str(logged.signer.public) + "\n")
    (tmp_path / "kept").write_text(kept)
    program = tmp_path / "verify.py"
    program.write_text(SOURCE)

    def run(lines: Sequence[str]) -> subprocess.CompletedProcess[str]:
        (tmp_path / "export").write_text("".join(lines))
        command = ["export", "--public-key", "key", "--checkpoint", "kept"]
        return subprocess.run(
            [sys.executable, str(program), *command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    assert run(lines).returncode == 0
    assert f"positions 0 to {COUNT - 1}: all is well" in run(lines).stderr
    for wrong in (
        lines[:-1],
        lines[1:],
        lines[:5] + lines[6:],
        [],
        ["{}\n"],
        [*lines, "{\n"],
        [*lines, lines[3]],
    ):
        assert run(wrong).returncode == 1, wrong[:1]
    spaced = [lines[0], lines[1].replace(":", ": ", 1), *lines[2:]]
    assert "line 2 is not in its canonical form" in run(spaced).stdout
    doubled = [lines[0], lines[1].replace('"position":0', '"position":9,"position":0'), *lines[2:]]
    assert "line 2 is not in its canonical form" in run(doubled).stdout


def test_the_offline_verifier_shares_no_code_with_the_server() -> None:
    assert "llm_schema_registry_server" not in SOURCE
    assert "from ." not in SOURCE
    assert "import llm_schema" not in SOURCE


def blob(logged: Logged, data: bytes) -> str:
    """Bytes as SQL writes them."""
    return f"x'{data.hex()}'" if isinstance(logged.store, SqliteStore) else f"decode('{data.hex()}', 'hex')"


async def replace_leaf(logged: Logged, position: int, leaf: bytes) -> None:
    number, at = position // 256, position % 256 * 32
    async with logged.store.read() as tx:
        (tile,) = (await tx.audit_tiles([(0, number)])).values()
    altered = blob(logged, tile[:at] + leaf + tile[at + 32 :])
    await alter(logged, f"UPDATE audit_tiles SET hashes = {altered} WHERE level = 0 AND number = $1", number)


async def truncate(logged: Logged, size: int) -> None:
    """As somebody does it who knows how the log is stored."""
    await alter(logged, "DELETE FROM audit_log WHERE position >= $1", size)
    await alter(logged, "DELETE FROM audit_checkpoints WHERE size > $1", size)
    async with logged.store.read() as tx:
        (tile,) = (await tx.audit_tiles([(0, 0)])).values()
    await alter(logged, "DELETE FROM audit_tiles")
    left = blob(logged, tile[: size * 32])
    await alter(logged, f"INSERT INTO audit_tiles (level, number, hashes) VALUES (0, 0, {left})")
