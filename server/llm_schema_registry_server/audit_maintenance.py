"""The audit log, looked at beside or without a running server. Each command returns its exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from .audit.keys import SigningKeys
from .audit.notes import PublicKey
from .audit.verifying import AuditVerifier, Finding
from .errors import StorageUnavailable
from .factories import make_store
from .maintenance import run
from .registry.audit_lines import line_of
from .registry.auditing import AuditLog, AuditRecord
from .settings import Settings
from .storage.store import Store

FOUND = 3


def show_key(settings: Settings) -> int:
    """Print the public key of the audit log, as signed notes write it."""
    return run(settings, "show the key", _show_key(settings))


def show_checkpoint(settings: Settings) -> int:
    """Print the newest checkpoint."""
    return run(settings, "show the checkpoint", _show_checkpoint(settings))


def export_audit(settings: Settings, path: Path) -> int:
    """Write the audit log into a new file, as JSON lines."""
    return run(settings, "export the audit log", _export(settings, path))


def verify_audit(settings: Settings, key: str, kept: Sequence[Path]) -> int:
    """Verify the whole audit log and name what is wrong with it, one finding a line. Exit code FOUND when something is.

    key: as PublicKey.parse takes it, or a file with it; "" for the one of the settings or of the database. kept: files with checkpoints.
    """
    findings: list[Finding] = []
    return run(settings, "verify the audit log", _verify(settings, key, kept, findings)) or (
        FOUND if findings else 0
    )


async def _show_key(settings: Settings) -> dict[str, object]:
    async with _opened(settings) as store:
        key = await _key(store, settings)
    print(key)
    return {}


async def _show_checkpoint(settings: Settings) -> dict[str, object]:
    async with _opened(settings) as store:
        signed = await AuditLog(store).checkpoint()
    print(signed.note, end="")
    return {}


async def _export(settings: Settings, path: Path) -> dict[str, object]:
    entries = 0
    async with _opened(settings) as store:
        with path.open("x", encoding="utf-8") as file:
            async with aclosing(AuditLog(store).export()) as items:
                async for item, _ in items:
                    file.write(line_of(item) + "\n")
                    entries += isinstance(item, AuditRecord)
            file.flush()
            os.fsync(file.fileno())
    return {"entries": entries, "file": str(path)}


async def _verify(
    settings: Settings, key: str, kept: Sequence[Path], findings: list[Finding]
) -> dict[str, object]:
    notes = [path.read_text(encoding="utf-8") for path in kept]
    async with _opened(settings) as store:
        try:
            trusted = PublicKey.parse(_text(key)) if key else await _key(store, settings)
        except ValueError as error:
            raise StorageUnavailable(f"--public-key: {error}") from error
        found = await AuditVerifier(store, trusted, notes).verify()
    findings += found.findings
    for finding in findings:
        print(finding, file=sys.stderr)
    return {
        "sound": not findings,
        "findings": len(findings),
        "size": found.size,
        "oldest": found.oldest,
        "entries": found.entries,
        "checkpoints": found.checkpoints,
        "public_key": str(trusted),
    }


def _text(key: str) -> str:
    """A public key that is given, or the name of a file that it is in."""
    path = Path(key)
    return path.read_text(encoding="utf-8").strip() if "+" not in key or path.is_file() else key


async def _key(store: Store, settings: Settings) -> PublicKey:
    """That of the key file, if the settings name one; else the one that the database says."""
    return (await SigningKeys(store, settings.audit.key_file).signer(make=False)).public


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Store]:
    store = make_store(settings.storage)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
