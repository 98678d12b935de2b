"""What a back end offers: transactions over subjects, versions, contents, configuration and the change log.

A back end is whatever passes tests/storage/conformance.py. The memory one is the reference: a visible difference from
it is a bug. All methods raise StorageUnavailable when the back end is away and StorageDamaged when it is broken.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from ..model.change import Change
from ..model.config import Config
from ..model.lifecycle import Transition
from ..model.schema import SchemaVersion, StoredContent
from ..model.selector import Single
from ..model.statistics import Statistics
from ..model.subject import Subject
from ..model.usage import Usage, Uses
from .leases import Cursor, Lease
from .values import (
    LogPage,
    NewVersion,
    Page,
    Precondition,
    Ranked,
    RankedPage,
    SchemaFilter,
    StampedVersions,
    SubjectSnapshot,
    VersionWithContent,
)


class ReadTx(Protocol):
    """A consistent view of the store. Versions are sorted by (qualified subject, ordinal) wherever they are listed."""

    async def version(self, schema_id: str) -> SchemaVersion | None:
        """The version with this id, live or softly deleted."""
        ...

    async def versions_by_id(self, schema_ids: Collection[str]) -> Mapping[str, SchemaVersion]:
        """The versions with these ids, live or softly deleted; unknown ones are missing from the answer."""
        ...

    async def selected(self, subject: Subject, selector: Single) -> SchemaVersion | None:
        """The version that model.selecting.choose chooses among all of the subject's, without reading them."""
        ...

    async def versions(self, subject: Subject, *, include_deleted: bool = False) -> Sequence[SchemaVersion]:
        """The subject's versions by ordinal; empty for an unknown subject."""
        ...

    async def versions_since(self, subject: Subject, revision: int) -> Sequence[SchemaVersion]:
        """The subject's versions, softly deleted ones too, with a greater revision than this one, by ordinal."""
        ...

    async def subject_stamp(self, subject: Subject) -> tuple[int, int]:
        """How many versions the subject has, softly deleted ones too, and the greatest revision among them; (0, 0) for an
        unknown subject. Equal stamps mean equal versions: every change of one raises its revision, every removal
        lowers the number. Much cheaper than `versions`."""
        ...

    async def versions_with(self, subject: Subject, identity: str) -> Sequence[SchemaVersion]:
        """The subject's live versions with this identity, by ordinal."""
        ...

    async def next_ordinal(self, subject: Subject) -> int:
        """One more than the highest ordinal the subject ever had."""
        ...

    async def versions_by_global_id(self, context: str, global_id: int) -> Sequence[SchemaVersion]:
        """Every version of the context, live or softly deleted, of one distinct content."""
        ...

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        """What is kept of these identities; unknown ones are missing from the answer.

        Raises StorageDamaged when the stored bytes do not have their digest.
        """
        ...

    async def scan_versions(self, wanted: SchemaFilter, page: Page) -> Sequence[SchemaVersion]:
        """One page of the versions that pass the filter, by (subject, ordinal) also with `text`."""
        ...

    async def count_versions(self, wanted: SchemaFilter) -> int: ...

    async def ranked_versions(self, wanted: SchemaFilter, page: RankedPage) -> Ranked | None:
        """One page of the versions that pass a filter with words in its `text`, the highest score first; equal ones by
        subject, and of one subject the newer version first. The score of a version changes only with the version.

        None when more than ranking.MOST_HITS versions pass it: then they are not ranked."""
        ...

    async def corrections(self, words: Sequence[str]) -> Mapping[str, str | None]:
        """For each of these words that begins no word of any version: the nearest one that is a word of a version, None
        when there is none near (spelling.py)."""
        ...

    async def subjects(
        self, *, prefix: str = "", include_deleted: bool = False, page: Page
    ) -> tuple[Sequence[Subject], int]:
        """One page of the subjects with at least one (live) version whose qualified name starts with `prefix`, sorted
        by qualified name (code points), and how many there are in all. `page.after` uses (name, 0)."""
        ...

    async def dependents(self, schema_id: str) -> Sequence[SchemaVersion]:
        """The versions, live or softly deleted, that reference this one directly."""
        ...

    async def uses(self, subjects: Collection[Subject]) -> Mapping[Subject, frozenset[Subject]]:
        """For each of these subjects that uses others: those that any of its versions, softly deleted ones too, references."""
        ...

    async def history(self, schema_id: str) -> Sequence[Transition]:
        """The recorded transitions of a version, oldest first."""
        ...

    async def config(self, scope: str) -> Config | None: ...

    async def changes(self, after: int, limit: int) -> Sequence[Change]:
        """Up to `limit` changes with sequence > `after`, in order. What it returns is final: nothing will ever
        appear before it. A change may appear a moment after its commit, when a transaction that began before it has
        ended; whether a write transaction sees its own is left open."""
        ...

    async def change_bounds(self) -> tuple[int, int]:
        """(oldest, newest): resuming after any sequence from `oldest` to `newest` sees everything.
        (0, 0) for an empty log; `oldest` grows when the log is compacted."""
        ...

    async def log_page(self, after: int, limit: int) -> LogPage:
        """What `changes` answers, with the bound that tells a follower whether there is a gap before it: when `oldest`
        is greater than `after`, some of the changes between them are gone."""
        ...

    async def change_times(self, after: int, limit: int) -> Sequence[tuple[int, datetime]]:
        """Sequence and time of what `changes` answers. Sequences rise; times need not: each is of the clock of the
        server that wrote the change."""
        ...

    async def newest_but(self, count: int) -> int:
        """The sequence after which exactly the newest `count` changes come; `oldest` when there are no more."""
        ...

    async def cursors(self) -> Sequence[Cursor]:
        """The durable cursors on the change log, by name."""
        ...

    async def most_used(self, limit: int) -> Sequence[Usage]:
        """The versions with the greatest scores, greatest first; those that were never used are not among them."""
        ...

    async def count_everything(self, at: datetime, seconds: float) -> Statistics:
        """The statistics of what this view sees, told as of `at` (UTC). Reads every version, content and change once, and
        neither waits for writers nor makes them or the followers of the change log wait. Raises StorageUnavailable
        when one of its questions takes longer than `seconds`, where the back end can tell."""
        ...

    async def statistics(self) -> Statistics | None:
        """Those that `keep_statistics` kept last."""
        ...


class WriteTx(ReadTx, Protocol):
    """A read view that can also write. Everything becomes visible together, or nothing does."""

    async def lock_subject(self, subject: Subject) -> None:
        """Until the end of the transaction no other write transaction holds this subject's lock. Called first: what
        is read after it stays true, and the changes of a subject are in the order of its locks."""
        ...

    async def allot_global_id(self, context: str, identity: str) -> int:
        """The number of this identity in this context (`Subject.context`), the same for ever once it is committed; from 1
        to 2**31 - 1. Each context counts by itself: two contexts have the same numbers for other contents. Raises
        LimitExceeded when there are no more."""
        ...

    async def put_content(self, identity: str, content: StoredContent) -> None:
        """Keep what belongs to an identity; does nothing when it is there already."""
        ...

    async def append_change(self, change: Change) -> int:
        """Append to the change log; returns the sequence allotted, greater than every earlier one."""
        ...

    async def compact_changes(self, upto: int) -> bool:
        """Forget the changes with sequence <= `upto`, as far as they are final; `change_bounds` then begins there.
        False: another transaction compacts at this moment, and nothing was done."""
        ...

    async def set_cursor(self, name: str, sequence: int) -> None:
        """Make or move the cursor `name`; `sequence` may be smaller than before. Retention spares what comes after it, within
        the bounds of registry/retention.py. Under a lease: `confirm_lease` first, in the same transaction."""
        ...

    async def remove_cursor(self, name: str) -> None:
        """Does nothing when there is none of this name."""
        ...

    async def acquire_lease(self, name: str, holder: str, seconds: float) -> Lease | None:
        """Take the lease for so many seconds (0 to 86400) from now; None while somebody holds it, `holder` itself included.
        `holder` tells operators who it is. Waits for transactions that acquire, confirm or renew the same lease."""
        ...

    async def renew_lease(self, lease: Lease, seconds: float) -> Lease:
        """Hold the lease for so many seconds from now, also one that has expired, if nobody has acquired it since. Raises
        LeaseLost otherwise."""
        ...

    async def confirm_lease(self, lease: Lease) -> None:
        """Raise LeaseLost unless nobody else has acquired the lease and it was not released. Nobody acquires it until the
        transaction ends: what is written in it is the work of the only holder."""
        ...

    async def release_lease(self, lease: Lease) -> None:
        """Let others acquire it at once; does nothing when it is lost."""
        ...

    async def insert_version(self, version: SchemaVersion, names: Sequence[str]) -> None:
        """Add a version; `names` are the schema's own names, for search. Raises ConcurrentUpdate when the schema id,
        (subject, ordinal) or (subject, semantic version) is taken. Back ends with several writers also raise it, at the
        end of the block, when a version that it references was removed meanwhile or when its references close a circle of
        subjects (see circles.py) with what was committed meanwhile."""
        ...

    async def update_version(self, version: SchemaVersion) -> None:
        """Replace what may change: version, global_id, level, state, change_class, description, tags, metadata,
        updated_at, revision, deleted_at. Raises ConcurrentUpdate when the version was removed meanwhile or its new
        semantic version is taken."""
        ...

    async def remove_version(self, schema_id: str) -> None:
        """Remove a version for ever, with its history; its ordinal is never used again. Contents that no version
        uses any more go too; their numbers (allot_global_id) stay. Does nothing for an unknown id."""
        ...

    async def record_transitions(self, steps: Sequence[Transition]) -> None:
        """Add to the histories of versions, in this order."""
        ...

    async def set_config(self, scope: str, config: Config | None) -> None:
        """Store the settings of a scope; None removes them. Raises ConcurrentUpdate when another transaction has
        changed them since this one read them."""
        ...

    async def record_usage(self, uses: Mapping[str, Uses], at: datetime) -> None:
        """Add to how often versions were used, by schema id; counts of versions that are gone are dropped. No change of a
        version: neither its revision nor the change log tells of it. Raises ConcurrentUpdate when one of the versions is
        removed at this moment."""
        ...

    async def keep_statistics(self, statistics: Statistics) -> None:
        """Keep these instead of the ones before, for all servers of the store."""
        ...


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
        committed and everything up to what `wait_for_change` has told."""
        ...

    def write(self) -> AbstractAsyncContextManager[WriteTx]:
        """A transaction: committed durably when the block ends, undone when it raises or is cancelled.

        A cancellation that arrives when the block has ended does not undo. Transactions do not nest: a task opens
        its next one after the end of the last.
        """
        ...

    async def version(self, schema_id: str) -> VersionWithContent | None:
        """What `ReadTx.version` answers, with its content when that has at most INLINE_CONTENT_BYTES, in a moment of its own: one round trip
        instead of a transaction. A damaged content does not come along: `contents` says what is wrong with it."""
        ...

    async def selected(self, subject: Subject, selector: Single) -> VersionWithContent | None:
        """What `ReadTx.selected` answers, in the same way."""
        ...

    async def versions_since(self, subject: Subject, revision: int) -> StampedVersions:
        """What `ReadTx.versions_since` answers, with the subject's stamp at that moment."""
        ...

    async def contents(self, identities: Collection[str]) -> Mapping[str, StoredContent]:
        """What `ReadTx.contents` answers, in a moment of its own. Contents never change, so that no transaction needs to
        stay open while they come from wherever they are."""
        ...

    async def log_page(self, after: int, limit: int) -> LogPage:
        """What `ReadTx.log_page` answers, in a moment of its own."""
        ...

    async def subject_snapshot(
        self, subject: Subject, scopes: Sequence[str], identity: str
    ) -> SubjectSnapshot:
        """What a registration has to know, in a moment of its own: one round trip instead of a transaction."""
        ...

    async def append(self, precondition: Precondition, entry: NewVersion) -> SchemaVersion | None:
        """Append a version if the subject still stands on these grounds and the targets are as they were: a write
        transaction of its own, under the subject's lock, committed durably when it returns the version as stored.

        None: something has changed, and nothing was stored. Raises ConcurrentUpdate as `insert_version` does. A caller that
        is cancelled learns of it when the transaction has ended, one way or the other.
        """
        ...

    async def wait_for_change(self, after: int, timeout: float) -> None:
        """Return when `changes(after)` has something to give, or after `timeout` seconds."""
        ...

    async def ping(self) -> Mapping[str, str]:
        """Facts for the health report, as they are at this moment: a number that would cost too much to count is left out, not
        estimated. `kind` of back end; `newest_sequence` of the change log (not how many changes there are); where counting
        is cheap, `subjects` and `versions` that are live and `deleted_versions`. Raises when the store cannot answer."""
        ...
