"""Settings of the audit log."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from .section import Section


class AuditSettings(Section):
    enabled: bool = True
    """Whether refused calls and everything that is written are recorded (docs/audit.md)."""
    reads: bool = False
    """Whether calls that change nothing are recorded, too. Then each of them costs a record, many alike within a moment one
    together."""
    key_file: Path | None = None
    """Where the key is that signs checkpoints and verdicts: 32 bytes in base64, in a file that nobody else may read. It is made when it
    is not there; all servers of a database need the same one. Not given: the key is kept in the database, and whoever may write
    there can alter the log and sign it anew."""
    retention_seconds: float | None = Field(None, ge=3600)
    """Entries older than this are removed; their hashes stay, so that the rest can be verified. Not given: none is."""
    interval_seconds: float = Field(1.0, ge=0.05, le=60)
    """How often records of refused calls are written, and entries get their places in the log under a new checkpoint."""
    buffer: int = Field(10_000, ge=100)
    """Most records of refused calls that wait in memory to be written; those that do not fit are counted, and the count is recorded."""
