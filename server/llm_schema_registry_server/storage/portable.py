"""What a back end offers besides store.py so that a registry can move: to be exported and imported as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ..model.change import Change
from ..model.config import Config
from ..telemetry.work import Pool
from .store import ReadTx, Store, WriteTx


class DumpTx(ReadTx, Protocol):
    """A read view that also reads what no use case needs. Lists are sorted by key and paged: keys > `after`."""

    async def names(self, schema_id: str) -> Sequence[str]:
        """The words of the version's names (search.name_words), which stand for the names when it is inserted again."""
        ...

    async def configs(self, after: str, limit: int) -> Sequence[tuple[str, Config]]:
        """(scope, settings)."""
        ...

    async def global_ids(self, after: tuple[str, int], limit: int) -> Sequence[tuple[str, int, str]]:
        """(context, global id, identity), also of contents that are gone. The key is (context, global id)."""
        ...

    async def ordinals(self, after: str, limit: int) -> Sequence[tuple[str, int]]:
        """(qualified subject, the highest ordinal it ever had), also of subjects that are gone."""
        ...


class RestoreTx(WriteTx, Protocol):
    """A write view of an empty store that takes over ids, sequences and the registry's name as they were."""

    async def restore_registry_id(self, registry_id: str) -> None:
        """Called first."""
        ...

    async def restore_global_id(self, context: str, global_id: int, identity: str) -> None: ...

    async def restore_ordinal(self, subject: str, last: int) -> None:
        """`subject`: its qualified name."""
        ...

    async def restore_change(self, change: Change) -> None:
        """Append a change with its own sequence, which must be greater than those before."""
        ...

    async def finish_restore(self, oldest: int) -> None:
        """Called last: the change log is complete after the sequence `oldest`; sequences and global ids
        that are assigned from now on come after those that were restored."""
        ...


class PortableStore(Store, Protocol):
    """A store that can be moved."""

    def pools(self) -> Mapping[str, Pool]:
        """Its connections by pool, for the metrics; empty for one that has none."""
        ...

    def dump(self) -> AbstractAsyncContextManager[DumpTx]: ...

    def restore(self) -> AbstractAsyncContextManager[RestoreTx]:
        """A write transaction. The store answers with the restored `registry_id` after its end."""
        ...
