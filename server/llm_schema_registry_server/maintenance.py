"""Maintenance of the stored data, beside or before a running server. Each command returns its exit code."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvloop

from .audit.recording import SYSTEM, Recorded, Recorder, Source, audited_store, bind, new_id
from .auth.permissions import PERMISSIONS
from .background import held_by_cursors
from .errors import RegistryError, StorageUnavailable
from .factories import make_blobs, make_envelope, make_roles, make_store
from .model.audit import AuditEntry, AuditEvent, AuditOutcome, encode
from .model.change import format_revision
from .model.grant import RoleGrant
from .model.principal import Actor, Principal
from .model.timestamps import wall_clock
from .registry.api_keys import ApiKeys
from .registry.retention import Retention, RetentionPolicy
from .settings import Settings
from .settings.urls import secrets_of
from .storage.archive import export_archive, import_archive
from .storage.audit_rows import Noted
from .storage.encryption.rotation import Rotated, decrypt, rotate
from .storage.portable import PortableStore
from .storage.repair import RepairableStore, RepairFinding
from .storage.repair import repair as mend
from .storage.store import Store
from .storage.wrappers.blobbed import blobbed_store
from .storage.wrappers.encrypted import encrypted_store, portable_encrypted_store
from .storage.wrappers.garbage import Tally
from .storage.wrappers.garbage import collect_garbage as collect
from .storage.wrappers.portable import portable_blobbed_store
from .telemetry import logs, secrets

FAILED, LEFT_DAMAGED = 1, 3


def migrate(settings: Settings) -> int:
    """Bring the storage to today's schema and print its facts."""
    return run(settings, "migrate", _migrate(settings))


def collect_garbage(settings: Settings, *, grace: timedelta, dry_run: bool) -> int:
    """Delete the blobs that nothing names and print what was done."""
    return run(settings, "collect garbage", _collect_garbage(settings, grace, dry_run))


def compact_changes(
    settings: Settings, keep: RetentionPolicy, *, dry_run: bool, ignore_cursors: bool = False
) -> int:
    """Forget the changes that neither `keep` nor a durable cursor keeps, and print what was done."""
    hold = RetentionPolicy(newest=0) if ignore_cursors else held_by_cursors(settings.changes)
    return run(settings, "compact changes", _compact_changes(settings, keep, hold, dry_run))


def export_to(settings: Settings, path: Path) -> int:
    """Write the whole registry into a new file, which appears under its name when it is complete."""
    return run(settings, "export", _export(settings, path))


def import_from(settings: Settings, path: Path) -> int:
    """Fill an empty storage from an archive."""
    return run(settings, "import", _import(settings, path))


def create_key(
    settings: Settings, name: str, grants: Sequence[RoleGrant], expires_in: timedelta | None
) -> int:
    """Make an API key that may do what `grants` say, and print it with its secret."""
    return run(settings, "create the key", _create_key(settings, name, grants, expires_in))


def rotate_keys(settings: Settings, *, decrypted: bool) -> int:
    """Wrap the data keys of all contents with the newest key, encrypt those that are not; or store all without encryption."""
    return run(settings, "rotate the keys", _rotate_keys(settings, decrypted))


def repair(settings: Settings, *, apply: bool) -> int:
    """Name every row that cannot be read or points to nothing, one a line, and mend them where `apply` says so. Exit code
    LEFT_DAMAGED when something stays damaged."""
    findings: list[RepairFinding] = []
    code = run(settings, "repair", _repair(settings, findings, apply))
    left = [f for f in findings if not (f.mended and apply)]
    return code or (LEFT_DAMAGED if left else 0)


def run(settings: Settings, what: str, work: Coroutine[None, None, dict[str, object]]) -> int:
    """Do the work of a command and print its result, if there is one, as JSON; says on stderr that it cannot `what`, and why."""
    secrets.hide(secrets_of(settings))
    logs.configure(settings.logs.level, settings.logs.format)
    try:
        result = uvloop.run(work)
    except (RegistryError, OSError) as error:
        print(secrets.masked(f"schema-registry-server: cannot {what}: {error}"), file=sys.stderr)
        return FAILED
    except Exception:
        print(secrets.masked(traceback.format_exc()), file=sys.stderr)
        return FAILED
    if result:
        print(json.dumps(result))
    return 0


async def _migrate(settings: Settings) -> dict[str, object]:
    store = make_store(settings.storage)
    await store.open()
    try:
        return dict(await store.ping())
    finally:
        await store.close()


async def _collect_garbage(settings: Settings, grace: timedelta, dry_run: bool) -> dict[str, object]:
    store, blobs = make_store(settings.storage), make_blobs(settings.blobs)
    # The wrapper opens and closes both; what rows name is read from the store inside.
    wrapper = blobbed_store(store, blobs, threshold=None, memory_bytes=0)
    await wrapper.open()
    try:
        tally = await collect(store, blobs, grace=grace, dry_run=dry_run, progress=_print_tally)
    finally:
        await wrapper.close()
    return {"dry_run": dry_run, **asdict(tally)}


async def _compact_changes(
    settings: Settings, keep: RetentionPolicy, hold: RetentionPolicy, dry_run: bool
) -> dict[str, object]:
    store = make_store(settings.storage)
    await store.open()
    try:
        changes = 0
        async for step in Retention(store, keep, lambda: datetime.now(UTC), hold).sweep(dry_run=dry_run):
            changes = step.changes
            print(f"{changes} changes {'to forget' if dry_run else 'forgotten'}", file=sys.stderr)
        async with store.read() as tx:
            oldest, newest = await tx.change_bounds()
            cursors = await tx.cursors()
        revisions = {
            name: format_revision(store.registry_id, sequence)
            for name, sequence in (("oldest", oldest), ("newest", newest))
        }
        positions = {c.name: format_revision(store.registry_id, c.sequence) for c in cursors}
        if changes and not dry_run:
            forgotten = {"changes": changes, **revisions}
            await _note(settings, store, "compact-changes", AuditEvent.CONFIGURATION_CHANGED, forgotten)
        return {"dry_run": dry_run, "changes": changes, **revisions, "cursors": positions}
    finally:
        await store.close()


async def _create_key(
    settings: Settings, name: str, grants: Sequence[RoleGrant], expires_in: timedelta | None
) -> dict[str, object]:
    store = audited_store(make_store(settings.storage), Recorder())
    await store.open()
    try:
        # Whoever may open the storage may do everything.
        operator = Actor(Principal("schema-registry-server", PERMISSIONS))
        made_by = Source(operator.name, SYSTEM, operation="create-key", event=AuditEvent.TOKEN_GENERATED)
        bind(Recorded(operator.correlation_id, lambda: made_by))
        keys = ApiKeys(
            store,
            make_roles(settings.auth).of,
            lambda name, roles: (),  # the operator holds everything
            wall_clock,
            lambda change: None,
            most=settings.auth.api_keys.most,
        )
        ends = None if expires_in is None else wall_clock() + expires_in
        made = await keys.create(name, grants, ends, operator)
    finally:
        await store.close()
    if not settings.auth.api_keys.enabled:
        print(
            "the key counts where auth.api_keys.enabled is true, which it is not in these settings",
            file=sys.stderr,
        )
    return {
        "key_id": made.key.key_id,
        "name": made.key.name,
        "grants": [{"role": grant.role, "scope": str(grant.scope)} for grant in made.key.grants],
        "expires_at": None if ends is None else ends.isoformat(timespec="seconds"),
        "secret": made.secret,
    }


async def _rotate_keys(settings: Settings, decrypted: bool) -> dict[str, object]:
    envelope = make_envelope(settings.encryption)
    if envelope is None:
        raise StorageUnavailable("encryption.provider is `none`: there are no keys")
    store = blobbed_store(
        make_store(settings.storage),
        make_blobs(settings.blobs),
        threshold=settings.blobs.threshold if settings.blobs.kind != "inline" else None,
        memory_bytes=0,
    )
    wrapper = encrypted_store(store, envelope)  # opens and closes what is needed
    await wrapper.open()
    try:
        done = await (decrypt if decrypted else rotate)(store, envelope, _print_rotated)
        told = {"newest_key": await envelope.keys.newest(), **asdict(done)}
        await _note(settings, store, "rotate-keys", AuditEvent.CONFIGURATION_CHANGED, told)
        return told
    finally:
        await wrapper.close()


async def _export(settings: Settings, path: Path) -> dict[str, object]:
    unfinished = path.with_name(path.name + ".part")
    async with _portable(settings) as store:
        with unfinished.open("xb") as file:
            try:
                counts = await export_archive(store, file, _print_lines)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                unfinished.unlink()
                raise
        unfinished.replace(path)
        await _note(settings, store, "export", AuditEvent.BACKUP_CREATED, counts)
    return dict(counts)


async def _import(settings: Settings, path: Path) -> dict[str, object]:
    with path.open("rb") as file:
        async with _portable(settings) as store:
            counts = await import_archive(store, file, _print_lines)
            await _note(settings, store, "import", AuditEvent.BACKUP_RESTORED, counts)
            return {"registry_id": store.registry_id, **counts}


async def _repair(settings: Settings, findings: list[RepairFinding], apply: bool) -> dict[str, object]:
    store = make_store(settings.storage)
    await store.open()
    try:
        if not isinstance(store, RepairableStore):
            raise StorageUnavailable("storage.kind is `memory`: it has no rows that could be damaged")
        async for finding in mend(store, lambda: datetime.now(UTC), apply=apply):
            findings.append(finding)
            print(f"{finding.table} {finding.key}: {finding.fault}", file=sys.stderr)
        mended = Counter(f.table for f in findings if f.mended and apply)
        if mended:
            await _note(settings, store, "repair", AuditEvent.CONFIGURATION_CHANGED, mended)
    finally:
        await store.close()
    return {
        "dry_run": not apply,
        "found": dict(Counter(f.table for f in findings)),
        "mended": sum(f.mended for f in findings) if apply else 0,
        "beyond_repair": sum(not f.mended for f in findings),
    }


async def _note(
    settings: Settings, store: Store, command: str, event: AuditEvent, facts: Mapping[str, object]
) -> None:
    """Record in the audit log what a command has done, beside the servers of the storage."""
    if not settings.audit.enabled:
        return
    entry = AuditEntry(
        id=new_id(),
        at=wall_clock(),
        event=event,
        outcome=AuditOutcome.ALLOWED,
        principal="schema-registry-server",
        kind=SYSTEM,
        operation=command,
        facts={name: str(fact) for name, fact in facts.items()},
    )
    async with store.write() as tx:
        await tx.note_audit([Noted(encode(entry))])


@asynccontextmanager
async def _portable(settings: Settings) -> AsyncIterator[PortableStore]:
    blobbed = portable_blobbed_store(
        make_store(settings.storage),
        make_blobs(settings.blobs),
        threshold=settings.blobs.threshold if settings.blobs.kind != "inline" else None,
        memory_bytes=0,
    )
    envelope = make_envelope(settings.encryption)
    store: PortableStore = (
        blobbed if envelope is None else portable_encrypted_store(blobbed, blobbed, envelope)
    )
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def _print_lines(kind: str, done: int) -> None:
    print(f"{kind}: {done}", file=sys.stderr)


def _print_rotated(done: Rotated) -> None:
    print(
        f"{done.contents} contents looked at: {done.rewrapped} wrapped anew, {done.sealed} encrypted, {done.opened} decrypted",
        file=sys.stderr,
    )


def _print_tally(tally: Tally) -> None:
    print(
        f"{tally.blobs} blobs listed, {tally.versions} versions looked at, {tally.garbage} garbage found",
        file=sys.stderr,
    )
