"""The back ends under test, and short ways to make and store what a store keeps."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from llm_schema_engines.model.compatibility import ChangeClass, CompatibilityLevel
from llm_schema_engines.model.schema import Fingerprints, SchemaType
from llm_schema_engines.model.version import SemanticVersion
from llm_schema_registry_server.model.api_key import SECRET_BYTES, ApiKey, StoredSecret, secret_of
from llm_schema_registry_server.model.change import Change, EventType
from llm_schema_registry_server.model.grant import RoleGrant
from llm_schema_registry_server.model.lifecycle import SchemaState
from llm_schema_registry_server.model.schema import SchemaVersion, StoredContent
from llm_schema_registry_server.model.scope import Scope
from llm_schema_registry_server.model.subject import Subject
from llm_schema_registry_server.storage.memory import MemoryStore
from llm_schema_registry_server.storage.sqlite import SqliteStore
from llm_schema_registry_server.storage.store import Store, WriteTx

BACK_ENDS: Mapping[str, Callable[[Path], Store]] = {
    "memory": lambda directory: MemoryStore(),
    "sqlite": lambda directory: SqliteStore(directory / "registry.db", synchronous="normal"),
}
"""The back ends without a server: a name, and a store of its own for each test. tests/storage/conftest.py has the rest."""

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def content(text: str = "{}", artifact: bytes = b"") -> StoredContent:
    raw = text.encode()
    return StoredContent(raw, hashlib.sha256(raw).hexdigest(), raw.replace(b" ", b""), artifact)


def api_secret() -> StoredSecret:
    """What is kept of a new secret."""
    return StoredSecret.of(secret_of(os.urandom(SECRET_BYTES)))


def api_key(name: str = "ci", **values: Any) -> ApiKey:
    """An API key with a secret of its own."""
    cells: dict[str, Any] = {
        "key_id": f"id of {name}",
        "name": name,
        "grants": (RoleGrant("developer"), RoleGrant("reader", Scope.parse("orders.*"))),
        "secret": api_secret(),
        "created_at": START,
        "created_by": "ada \u00e9",
        "updated_at": START,
        **values,
    }
    return ApiKey(**cells)


def version(subject: str = "orders", ordinal: int = 1, **values: Any) -> SchemaVersion:
    """A version with every cell filled; semantic version and ids follow from subject and ordinal unless given."""
    digest = hashlib.sha256(f"{subject} {ordinal}".encode()).hexdigest()
    cells: dict[str, Any] = {
        "schema_id": str(uuid.uuid4()),
        "global_id": 7,
        "identity": digest,
        "subject": Subject.parse(subject),
        "ordinal": ordinal,
        "version": SemanticVersion(1, ordinal, 0),
        "schema_type": SchemaType.JSON,
        "fingerprints": Fingerprints(digest, digest[::-1], digest[1:] + digest[0]),
        "references": (),
        "size": 2,
        "level": CompatibilityLevel.BACKWARD,
        "state": SchemaState.ACTIVE,
        "change_class": ChangeClass.COMPATIBLE,
        "description": None,
        "tags": (),
        "metadata": {},
        "options": {},
        "created_at": START,
        "updated_at": START + timedelta(microseconds=1),
        "created_by": "ada",
        "revision": 3,
        "deleted_at": None,
    }
    return SchemaVersion(**{**cells, **values})


def change(**values: Any) -> Change:
    cells: dict[str, Any] = {
        "event_type": EventType.SCHEMA_REGISTERED,
        "subject": Subject.parse("orders"),
        "schema_id": "id",
        "version": "1.0.0",
        "ordinal": 1,
        "at": START,
        "actor": "ada",
    }
    return Change(**{**cells, **values})


async def insert(store: Store, *versions: SchemaVersion, names: tuple[str, ...] = ()) -> None:
    async with store.write() as tx:
        for each in versions:
            await tx.insert_version(each, names)


async def register(tx: WriteTx, subject: str, text: str = "{}", **values: Any) -> SchemaVersion:
    """What a registration does to a store, in its order."""
    name = Subject.parse(subject)
    await tx.lock_subject(name)
    stored = content(text)
    identity = hashlib.sha256(f"JSON {text}".encode()).hexdigest()
    made = version(
        subject,
        await tx.next_ordinal(name),
        identity=identity,
        global_id=await tx.allot_global_id(name.context, identity),
        size=len(stored.content),
        fingerprints=Fingerprints(stored.digest, identity, identity),
        **values,
    )
    await tx.put_content(identity, stored)
    sequence = await tx.append_change(change(subject=name, schema_id=made.schema_id, ordinal=made.ordinal))
    await tx.insert_version(made, ())
    assert sequence > 0
    return made


async def seen(store: Store, sequence: int) -> None:
    """Return when the change with this sequence is visible, which may be a moment after its commit."""
    while True:
        async with store.read() as tx:
            newest = (await tx.change_bounds())[1]
        if newest >= sequence:
            return
        await store.wait_for_change(newest, 10)


async def changes_so_far(store: Store) -> list[Change]:
    """The changes of all transactions that have ended."""
    async with store.write() as tx:
        mark = await tx.append_change(change(schema_id="mark"))
    await seen(store, mark)
    async with store.read() as reading:
        logged = await reading.changes(0, 1_000_000)
    return [c for c in logged if c.sequence < mark and c.schema_id != "mark"]
