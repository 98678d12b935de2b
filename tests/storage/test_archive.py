"""A registry moves between any two back ends in one file, with its ids and revisions; a damaged file changes nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from llm_schema_engines.model.compatibility import CompatibilityLevel
from llm_schema_registry_server.errors import StorageDamaged
from llm_schema_registry_server.model.api_key import RevokedToken
from llm_schema_registry_server.model.config import Config
from llm_schema_registry_server.model.grant import Grant, StoredGrant
from llm_schema_registry_server.model.lifecycle import SchemaState, Transition
from llm_schema_registry_server.model.outcomes import Counted, Outcomes
from llm_schema_registry_server.model.profile import ProfileFit, ProfileVerdict, StoredProfile
from llm_schema_registry_server.model.schema import ResolvedReference
from llm_schema_registry_server.model.scope import Scope
from llm_schema_registry_server.model.stored_policies import StoredPolicies
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.archive import FORMAT, StoreNotEmpty, export_archive, import_archive
from llm_schema_registry_server.storage.portable import PortableStore
from llm_schema_registry_server.storage.postgres import PostgresStore
from llm_schema_registry_server.storage.sqlite import SqliteStore
from llm_schema_registry_server.storage.values import Page, RankedPage, SchemaFilter
from llm_schema_registry_server.storage.wrappers.portable import portable_blobbed_store
from tests.support.blobs import MemoryBlobs
from tests.support.postgres import Postgres, shared_server
from tests.support.storage import (
    BACK_ENDS,
    START,
    api_key,
    api_secret,
    change,
    content,
    register,
    seen,
    version,
)

KINDS = [*BACK_ENDS, "postgres"]
ALL = Page(1000)
Make = Callable[[str], Any]


def quiet(kind: str, done: int) -> None:
    """A progress that nobody watches."""


@pytest_asyncio.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes opened stores, each with a place of its own."""
    numbers = itertools.count()
    async with AsyncExitStack() as stack:

        async def made(kind: str) -> PortableStore:
            if kind == "postgres":
                server = shared_server()  # not the fixture: that ends before the stores are closed
                dsn = await server.create_database()
                stack.push_async_callback(server.drop_database, dsn)
                store: Any = PostgresStore(dsn)
            else:
                store = BACK_ENDS[kind](tmp_path / str(next(numbers)))
            await store.open()
            stack.push_async_callback(store.close)
            return store

        yield made


async def fill(store: PortableStore) -> None:
    """A registry with something of everything, also what is gone."""
    lib = version("lib", 3)
    use = ResolvedReference("lib.json", lib.subject, 3, lib.version, lib.schema_id)
    async with store.write() as tx:
        for number in range(5):
            await register(tx, "orders", f'{{"n": {number}}}')
        gone = await register(tx, "gone", "never mind")
        for text in ("true", "false", '{"n": 1}'):
            await register(tx, ":.ctx:orders", text)
    async with store.write() as tx:
        await tx.remove_version(gone.schema_id)
        await tx.put_content(lib.identity, content('{"lib": true}', b"\0compiled"))
        await tx.insert_version(lib, ("shippingAddress", "Straße", "order_id2"))
        await tx.insert_version(
            version(":.ctx:user", references=(use,), tags=("pii",), metadata={"team": "core\0"}, description="Zoë",
                    identity=lib.identity, deleted_at=START, state=SchemaState.DEPRECATED),
            (),
        )  # fmt: skip
        await tx.record_transitions(
            [
                Transition(lib.schema_id, None, SchemaState.DRAFT, "create", "ada", START),
                Transition(lib.schema_id, SchemaState.DRAFT, SchemaState.VALIDATING, "t", "ada", START),
                Transition(
                    lib.schema_id,
                    SchemaState.VALIDATING,
                    SchemaState.DRAFT,
                    "t",
                    "bob",
                    START,
                    "why",
                    {"a": "b"},
                ),
            ]
        )
        await tx.set_config("registry", Config(level=CompatibilityLevel.FULL))
        await tx.set_config("subject:orders", Config(apply_defaults=False))
        newest = await tx.append_change(change(subject=None, metadata={"k": "v"}))
    await seen(store, newest)
    async with store.read() as reading:
        third = (await reading.changes(0, 3))[-1].sequence
    async with store.write() as tx:
        await tx.compact_changes(third)
        await tx.set_cursor("audit", newest)
        await tx.set_cursor("webhook:orders", third)
        assert await tx.acquire_lease("audit", "server-of-the-old-registry", 3600)
        for number, key in enumerate(("ci", "Zoë", "ops")):
            await tx.insert_api_key(api_key(key, previous=api_secret() if number else None))
        await tx.note_api_keys_used({"id of ci": START})
        await tx.put_revoked_token(RevokedToken("jti 1", START, START, "ada", "bob", "lost"))
        for scope in ("*", ":.ctx:*"):
            await tx.put_grant(StoredGrant(Grant("role:Zoë", "reader", Scope.parse(scope)), "ada", START))
        await tx.add_policies(StoredPolicies(1, "{}", "ada", START))
        await tx.add_policies(StoredPolicies(2, '{"policies":[]}', "ada", START))
        for name in ("own", "another"):
            await tx.put_profile(StoredProfile(name, 3, f'{{"id": "{name}", "é": "\\u0000"}}', "Zoë", START))
        await tx.put_verdicts([ProfileVerdict(lib.schema_id, "own", 3, ProfileFit.REFUSED)])
        await tx.set_profile_watch("of the old registry")
        await tx.count_outcomes([Counted(lib.schema_id, lib.subject, 3, "m", 1, 5, Outcomes(2, 1))], START)


WORDS = ("address", "strasse", "order_id2", "zoë", "core", "orders")


async def everything(store: PortableStore) -> dict[str, Any]:
    """All that a store answers, in values that can be compared."""
    async with store.dump() as tx:
        versions = await tx.scan_versions(SchemaFilter(include_deleted=True), ALL)
        return {
            "registry": store.registry_id,
            "versions": versions,
            "releases": [str(v.version) for v in versions],
            "contents": await tx.contents([v.identity for v in versions]),
            "history": [list(await tx.history(v.schema_id)) for v in versions],
            "dependents": [list(await tx.dependents(v.schema_id)) for v in versions],
            "configs": list(await tx.configs("", 100)),
            "global ids": list(await tx.global_ids(("", 0), 100)),
            "ordinals": list(await tx.ordinals("", 100)),
            "changes": list(await tx.changes(0, 100)),
            "bounds": await tx.change_bounds(),
            "cursors": [(cursor.name, cursor.sequence) for cursor in await tx.cursors()],
            "keys": list(await tx.api_keys("", 100)),
            "found by a key": [
                [key.name for key in await tx.api_keys_with(secret.prefix)]
                for key in await tx.api_keys("", 100)
                for secret in (key.secret, key.previous)
                if secret is not None
            ],
            "revoked": list(await tx.revoked_tokens("", 100)),
            "grants": list(await tx.grants(("", "", ""), 100)),
            "policies": [found for found in [await tx.policies()] if found is not None],
            "profiles": [await tx.stored_profile(mark.id) for mark in await tx.profile_marks()],
            "found": [
                [
                    v.schema_id
                    for v in await tx.scan_versions(SchemaFilter(text=text, include_deleted=True), ALL)
                ]
                for text in WORDS
            ],
            "ranked": [
                await tx.ranked_versions(SchemaFilter(text=text, include_deleted=True), RankedPage(1000))
                for text in WORDS
            ],
            "corrections": await tx.corrections(["adress", "ordrs", "xyzzy"]),
        }


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("source", KINDS)
async def test_everything_arrives_and_goes_on_as_before(make: Make, source: str, target: str) -> None:
    old, new = await make(source), await make(target)
    await fill(old)
    file = io.BytesIO()

    exported = await export_archive(old, file, quiet)
    file.seek(0)
    imported = await import_archive(new, file, quiet)

    assert imported == exported
    before = await everything(old)
    assert await everything(new) == before
    again = io.BytesIO()
    await export_archive(new, again, quiet)
    assert again.getvalue() == file.getvalue()
    async with new.read() as reading:
        ids = [v.schema_id for v in before["versions"]]
        assert list(await reading.verdicts_of(ids)) == []  # they are found anew
        assert await reading.profile_watch() is None
        assert not await reading.counted_models(ids)  # counts stay behind, as usage does
    async with new.write() as tx:
        assert await tx.next_ordinal(Subject.parse("gone")) == 2
        assert await tx.allot_global_id(".ctx", "new") == 4
        assert await tx.allot_global_id(".", "new") > max(number for _, number, _ in before["global ids"])
        assert await tx.append_change(change()) > before["bounds"][1]
        assert (await register(tx, "orders", "true")).ordinal == 6
        assert await tx.acquire_lease("audit", "server-of-the-new-registry", 3600)  # leases stay behind


async def test_an_archive_of_the_same_registry_is_the_same_bytes(make: Make) -> None:
    store = await make("sqlite")
    await fill(store)
    files = [io.BytesIO(), io.BytesIO()]
    for file in files:
        await export_archive(store, file, quiet)

    assert files[0].getvalue() == files[1].getvalue()


def as_format_1(lines: list[bytes]) -> bytes:
    """The archive as servers wrote it that gave a content one number in all contexts."""
    told = [orjson.loads(line) for line in lines[:-1]]
    told = [
        line
        for line in told
        if line["kind"] not in ("cursor", "api_key", "revoked_token", "grant", "policies", "profile")
    ]
    told[0]["format"] = 1
    kept, counts, digest = [], Counter[str](), hashlib.sha256()
    for line in told:
        if line["kind"] == "global_id" and line.pop("context") != ".":
            continue
        if line["kind"] == "version" and line["subject"].startswith(":."):
            line["global_id"] += 100
            kept.append(
                orjson.dumps(
                    {"kind": "global_id", "global_id": line["global_id"], "identity": line["identity"]}
                )
            )
        kept.append(orjson.dumps(line))
    kept.sort(
        key=lambda line: (
            b'"kind":"version"' in line or b'"kind":"change"' in line or b'"kind":"content"' in line
        )
    )
    for raw in kept:
        counts[orjson.loads(raw)["kind"]] += 1
        digest.update(raw + b"\n")
    kept.append(orjson.dumps({"kind": "end", "counts": counts, "sha256": digest.hexdigest()}))
    return gzip.compress(b"\n".join(kept) + b"\n")


@pytest.mark.parametrize("kind", KINDS)
async def test_versions_of_an_older_archive_keep_their_global_ids(make: Make, kind: str) -> None:
    old, new = await make("memory"), await make(kind)
    async with old.write() as tx:
        plain = [await register(tx, "orders", text) for text in ("1", "2")]
        others = [await register(tx, ":.ctx:orders", text) for text in ("3", "4")]
    file = io.BytesIO()
    await export_archive(old, file, quiet)

    await import_archive(new, io.BytesIO(as_format_1(lines_of(file.getvalue()))), quiet)

    async with new.write() as tx:
        assert [await tx.allot_global_id(".", v.identity) for v in plain] == [1, 2]
        assert [await tx.allot_global_id(".ctx", v.identity) for v in others] == [101, 102]
        assert await tx.allot_global_id(".ctx", plain[0].identity) == 103
        assert [str(v.subject) for v in await tx.versions_by_global_id(".ctx", 102)] == [":.ctx:orders"]


NEWEST = {"profile": "profiles"}
"""Kinds of lines that format 5 has brought, and what `everything` calls them."""
LATER = {"api_key": "keys", "revoked_token": "revoked", "grant": "grants", "policies": "policies", **NEWEST}
"""Those that it and format 4 have brought."""


@pytest.mark.parametrize(
    ("number", "lacks"),
    [
        (2, {"cursor": "cursors", **LATER}),
        (3, LATER),
        (4, NEWEST),
    ],
)
async def test_an_archive_of_a_version_before_lacks_some_kinds(
    make: Make, number: int, lacks: dict[str, str]
) -> None:
    old, new = await make("memory"), await make("memory")
    await fill(old)
    file = io.BytesIO()
    await export_archive(old, file, quiet)
    told = [orjson.loads(line) for line in lines_of(file.getvalue())[:-1]]
    told = [line for line in told if line["kind"] not in lacks]
    lines = [orjson.dumps(line) + b"\n" for line in told]
    assert b'"format":%d' % FORMAT in lines[0]
    lines[0] = lines[0].replace(b'"format":%d' % FORMAT, b'"format":%d' % number)
    counts = Counter(line["kind"] for line in told)
    end = {"kind": "end", "counts": counts, "sha256": hashlib.sha256(b"".join(lines)).hexdigest()}

    await import_archive(new, io.BytesIO(gzip.compress(b"".join(lines) + orjson.dumps(end) + b"\n")), quiet)

    gone = {name: [] for name in (*lacks.values(), *(["found by a key"] if "api_key" in lacks else []))}
    assert {**await everything(old), **gone} == await everything(new)


async def test_an_empty_registry_moves_too(make: Make) -> None:
    old, new = await make("memory"), await make("sqlite")
    file = io.BytesIO()
    await export_archive(old, file, quiet)
    file.seek(0)
    await import_archive(new, file, quiet)

    assert new.registry_id == old.registry_id


@pytest.mark.parametrize("kind", KINDS)
async def test_a_store_with_something_in_it_is_not_touched(make: Make, kind: str) -> None:
    old, new = await make("memory"), await make(kind)
    await fill(old)
    async with new.write() as tx:
        mine = await register(tx, "mine")
    file = io.BytesIO()
    await export_archive(old, file, quiet)
    file.seek(0)

    with pytest.raises(StoreNotEmpty):
        await import_archive(new, file, quiet)
    async with new.read() as reading:
        assert await reading.scan_versions(SchemaFilter(include_deleted=True), ALL) == [mine]


def lines_of(archive: bytes) -> list[bytes]:
    return gzip.decompress(archive).splitlines(keepends=True)


def without(kind: str) -> Callable[[list[bytes]], list[bytes]]:
    def cut(lines: list[bytes]) -> list[bytes]:
        first = next(n for n, line in enumerate(lines) if orjson.loads(line)["kind"] == kind)
        return lines[:first] + lines[first + 1 :]

    return cut


def changed(kind: str, **cells: Any) -> Callable[[list[bytes]], list[bytes]]:
    def change_it(lines: list[bytes]) -> list[bytes]:
        first = next(n for n, line in enumerate(lines) if orjson.loads(line)["kind"] == kind)
        line = {**orjson.loads(lines[first]), **cells}
        return [*lines[:first], orjson.dumps(line) + b"\n", *lines[first + 1 :]]

    return change_it


DAMAGE: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "no end": lambda lines: lines[:-1],
    "half a line": lambda lines: [*lines[:-1], lines[-1][:10]],
    "nothing": lambda lines: [],
    "no header": lambda lines: lines[1:],
    "a later format": changed("archive", format=FORMAT + 1),
    "a change is missing": without("change"),
    "a content is missing": without("content"),
    "two lines swapped": lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
    "another content": changed("content", content="e30="),
    "no base64": changed("content", content="?"),
    "an unknown state": changed("version", state=99),
    "a cell is missing": lambda lines: [line.replace(b'"ordinal"', b'"cardinal"') for line in lines],
    "another description": changed("version", about={"description": "x", "tags": [], "metadata": {}}),
    "an unknown kind": lambda lines: [lines[0], b'{"kind":"surprise"}\n', *lines[1:]],
    "no json": lambda lines: [lines[0], b"{\n", *lines[1:]],
    "a list": lambda lines: [lines[0], b"[]\n", *lines[1:]],
    "something after the end": lambda lines: [*lines, b"{}\n"],
    "twice the same version": lambda lines: [
        *lines[:-1], next(line for line in lines if b'"kind":"version"' in line), lines[-1]
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("damage", sorted(DAMAGE))
async def test_a_damaged_archive_is_refused_and_leaves_nothing(make: Make, damage: str, kind: str) -> None:
    old, new = await make("memory"), await make(kind)
    await fill(old)
    file = io.BytesIO()
    await export_archive(old, file, quiet)
    name = new.registry_id

    broken = io.BytesIO(gzip.compress(b"".join(DAMAGE[damage](lines_of(file.getvalue())))))
    with pytest.raises(StorageDamaged, match="the archive cannot be imported: line"):
        await import_archive(new, broken, quiet)

    assert new.registry_id == name
    async with new.dump() as tx:
        assert await tx.count_versions(SchemaFilter(include_deleted=True)) == 0
        assert list(await tx.global_ids(("", 0), 10)) == list(await tx.configs("", 10)) == []


@pytest.mark.parametrize("cut", [0, 5, 100, -1, -9])
async def test_a_cut_file_is_refused(make: Make, cut: int) -> None:
    old, new = await make("memory"), await make("memory")
    await fill(old)
    file = io.BytesIO()
    await export_archive(old, file, quiet)

    with pytest.raises(StorageDamaged):
        await import_archive(new, io.BytesIO(file.getvalue()[:cut]), quiet)


async def test_progress_is_told(make: Make) -> None:
    store = await make("memory")
    async with store.write() as tx:
        for number in range(2100):
            await tx.append_change(replace(change(), ordinal=number))
    told: list[tuple[str, int]] = []
    await export_archive(store, io.BytesIO(), lambda kind, done: told.append((kind, done)))

    assert told == [("change", 1000), ("change", 2000)]


async def test_contents_in_an_object_store_travel_in_the_archive(make: Make) -> None:
    old_blobs, new_blobs = MemoryBlobs(), MemoryBlobs()
    old = portable_blobbed_store(await make("sqlite"), old_blobs, threshold=4, memory_bytes=0)
    plain = await make("memory")
    new = portable_blobbed_store(await make("postgres"), new_blobs, threshold=4, memory_bytes=0)
    await fill(old)
    first, second, third = io.BytesIO(), io.BytesIO(), io.BytesIO()

    await export_archive(old, first, quiet)
    first.seek(0)
    await import_archive(plain, first, quiet)
    await export_archive(plain, second, quiet)
    second.seek(0)
    await import_archive(new, second, quiet)
    await export_archive(new, third, quiet)

    assert first.getvalue() == second.getvalue() == third.getvalue()
    assert set() < set(new_blobs.kept) <= set(old_blobs.kept)  # a removed version's blob did not travel


def run(*arguments: str, **settings: str) -> str:
    variables = {f"SCHEMA_REGISTRY_STORAGE__{name.upper()}": value for name, value in settings.items()}
    done = subprocess.run(
        [sys.executable, "-m", "llm_schema_registry_server", *arguments],
        env={
            **os.environ,
            **variables,
            "PYTHONPATH": os.pathsep.join(["engines", "server", "clients/python"]),
        },
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.stdout + done.stderr


async def test_the_commands_move_a_registry_from_sqlite_to_postgresql(
    make: Make, tmp_path: Path, postgres: Postgres
) -> None:
    file = tmp_path / "registry.db"
    old = SqliteStore(file)
    await old.open()
    await fill(old)
    name = old.registry_id
    await old.close()
    new = await make("postgres")
    archive, again = tmp_path / "one.archive", tmp_path / "two.archive"
    target = {"kind": "postgres", "postgres__dsn": new._dsn}

    assert '"version": 10' in run("export", str(archive), path=str(file))
    assert name in run("import", str(archive), **target)
    assert "into an empty one" in run("import", str(archive), **target)
    assert '"version": 10' in run("export", str(again), **target)

    assert archive.read_bytes() == again.read_bytes()
    for store, events in ((old, ["BACKUP_CREATED"]), (new, ["BACKUP_RESTORED", "BACKUP_CREATED"])):
        if store is old:
            await old.open()
        async with store.write() as tx:
            noted = await tx.take_audit(10)
        assert [orjson.loads(n.entry)["event"] for n in noted] == events
    await old.close()
    assert "No such file" in run("import", str(tmp_path / "absent"), path=str(tmp_path / "new.db"))
    assert sorted(name for name in os.listdir(tmp_path) if "archive" in name) == [
        "one.archive",
        "two.archive",
    ]
