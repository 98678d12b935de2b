"""What a back end offers: transactions over subjects, versions, contents, configuration, credentials, grants, profiles, outcomes of answers, the change log and the audit log.

A transaction is made of ten concerns (protocols/): versions, contents, log, search, accounting, credentials, access, audit, profiles, outcomes. A back end is
whatever passes tests/storage/test_conformance_*.py. The memory one is the reference: a visible difference from
it is a bug. All methods raise StorageUnavailable when the back end is away and StorageDamaged when it is broken.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ..model.schema import SchemaVersion, StoredContent
from ..model.selector import Single
from ..model.subject import Subject
from .protocols.access import AccessRead, AccessWrite
from .protocols.accounting import AccountingRead, AccountingWrite
from .protocols.audit import AuditRead, AuditWrite
from .protocols.contents import ContentsRead, ContentsWrite
from .protocols.credentials import CredentialsRead, CredentialsWrite
from .protocols.log import LogRead, LogWrite
from .protocols.outcomes import OutcomesRead, OutcomesWrite
from .protocols.profiles import ProfilesRead, ProfilesWrite
from .protocols.search import SearchRead
from .protocols.versions import VersionsRead, VersionsWrite
from .values import (
    Hiding,
    LogPage,
    NewVersion,
    Precondition,
    StampedVersions,
    SubjectSnapshot,
    VersionWithContent,
)


class ReadTx(
    VersionsRead,
    ContentsRead,
    LogRead,
    SearchRead,
    AccountingRead,
    CredentialsRead,
    AccessRead,
    AuditRead,
    ProfilesRead,
    OutcomesRead,
    Protocol,
):
    """A consistent view of the store."""


class WriteTx(
    ReadTx,
    VersionsWrite,
    ContentsWrite,
    LogWrite,
    AccountingWrite,
    CredentialsWrite,
    AccessWrite,
    AuditWrite,
    ProfilesWrite,
    OutcomesWrite,
    Protocol,
):
    """A read view that can also write. Everything becomes visible together, or nothing does."""


class Store(Protocol):
    """A back end. `open` before use, `close` after; both may be called once."""

    @property
    def registry_id(self) -> str:
        """Eight hexadecimal digits that name this registry for ever; part of every revision token."""
        ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def read(self) -> AbstractAsyncContextManager[ReadTx]: ...

    def read_elsewhere(self) -> AbstractAsyncContextManager[ReadTx]:
        """Like `read`, for long lists and searches, perhaps answered by a replica; it has everything that this store has
        committed, and everything up to the last change that `wait_for_change` returned for."""
        ...

    def write(self) -> AbstractAsyncContextManager[WriteTx]:
        """A transaction: committed durably when the block ends, rolled back when it raises or is cancelled.

        A cancellation that arrives when the block has ended does not roll back. Transactions do not nest: a task opens
        its next one after the end of the last.
        """
        ...

    async def version(self, schema_id: str) -> VersionWithContent | None:
        """As `ReadTx.version`, with its content when that has at most INLINE_CONTENT_BYTES, in a transaction of its own of one
        round trip. A damaged content is left out: `contents` raises the error."""
        ...

    async def selected(self, subject: Subject, selector: Single) -> VersionWithContent | None:
        """As `ReadTx.selected`, in the same way."""
        ...

    async def versions_since(self, subject: Subject, revision: int) -> StampedVersions:
        """As `ReadTx.versions_since`, with the subject's stamp at that moment."""
        ...

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        """As `ReadTx.contents`. Contents never change, so that no transaction needs to stay open while they are fetched."""
        ...

    async def log_page(self, after: int, limit: int) -> LogPage:
        """As `ReadTx.log_page`, in a transaction of its own."""
        ...

    async def subject_snapshot(
        self, subject: Subject, scopes: Sequence[str], identity: str
    ) -> SubjectSnapshot:
        """What a registration depends on, read in one round trip."""
        ...

    async def append(self, precondition: Precondition, entry: NewVersion) -> SchemaVersion | None:
        """Append a version if its precondition still holds and its targets are unchanged: a write transaction of its own, under
        the subject's lock, committed durably when it returns the version as stored.

        None when something has changed: nothing was stored. Raises ConcurrentUpdate as `insert_version` does. A caller that
        is cancelled learns of it when the transaction has ended, one way or the other.
        """
        ...

    async def hide(self, precondition: Precondition, hiding: Hiding) -> int | None:
        """Delete versions of a subject softly, if the precondition still holds: a write transaction of its own, as short as can
        be, under the subject's lock. Answers with the revision of the last one; None when something has changed: nothing was
        stored."""
        ...

    async def wait_for_change(self, after: int, timeout: float) -> None:
        """Return when `changes(after)` has something to give, or after `timeout` seconds."""
        ...

    async def ping(self) -> Mapping[str, str]:
        """Facts for the health report, as they are at this moment: a number that would cost too much to count is left out, not
        estimated. `kind` of back end; `newest_sequence` of the change log (not how many changes there are); where counting
        is cheap, `subjects` and `versions` that are live and `deleted_versions`. Raises when the store cannot answer."""
        ...
