"""Audit logs to test with: entries, and a store in which they are logged and signed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from datetime import timedelta

from llm_schema_registry_server.audit.notes import Signer, origin_of
from llm_schema_registry_server.audit.sequencing import Sequencer
from llm_schema_registry_server.model.audit import (
    AuditEntry,
    AuditEvent,
    AuditOutcome,
    AuditResource,
    encode,
)
from llm_schema_registry_server.registry.audit_lines import line_of
from llm_schema_registry_server.registry.auditing import AuditLog
from llm_schema_registry_server.storage.audit_rows import Noted
from llm_schema_registry_server.storage.store import Store, WriteTx
from tests.support.storage import START

SEED = bytes(range(32))


def entry(number: int = 0, **fields: object) -> AuditEntry:
    """An entry with something in every field."""
    given: dict[str, object] = {
        "id": f"id-{number}",
        "at": START + timedelta(seconds=number),
        "event": AuditEvent.SCHEMA_REGISTERED,
        "outcome": AuditOutcome.ALLOWED,
        "principal": f"ada-{number % 3}",
        "kind": "user",
        "credential": "token j-1",
        "address": "10.0.0.7",
        "via": "10.0.0.1:4711",
        "user_agent": "curl/8",
        "wire": "grpc",
        "operation": "RegisterSchema",
        "permission": "schema:write",
        "resources": (AuditResource("subject", f"orders-{number % 5}"),),
        "more_resources": 1,
        "code": "OK",
        "reason": "NONE",
        "request_id": f"request-{number}",
        "count": 1,
        "facts": {"state": "ACTIVE"},
    }
    return AuditEntry(**{**given, **fields})  # type: ignore[arg-type]  # fields by name


class Logged:
    """A store with a sequencer and a key."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = START
        self.signer = Signer(origin_of(store.registry_id), SEED)
        self.sequencer = Sequencer(store, lambda: self.now)
        self.sequencer.sign_with(self.signer)
        self.log = AuditLog(store)

    async def begin(self) -> Logged:
        async with self.store.write() as tx:
            await tx.keep_audit_value("public_key", str(self.signer.public))
        return self

    async def note(self, entries: Sequence[AuditEntry]) -> None:
        async with self.store.write() as tx:
            await tx.note_audit([Noted(encode(each), 1) for each in entries])

    async def sequence(self) -> None:
        self.now += timedelta(seconds=1)
        await self.sequencer.run(confirmed)

    async def add(self, count: int, first: int = 0) -> None:
        """Log so many entries, in two batches."""
        for part in (range(first, first + count // 2), range(first + count // 2, first + count)):
            await self.note([entry(number) for number in part])
            await self.sequence()

    async def export(self) -> list[str]:
        async with aclosing(self.log.export()) as items:
            return [line_of(item) + "\n" async for item, _ in items]

    async def note_of_newest(self) -> str:
        return (await self.log.checkpoint()).note


async def confirmed(tx: WriteTx) -> None:
    """Nobody else works on the log."""
