"""GetDependencies and GetDependents: the graph of pinned references, walked breadth first."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from llm_schema_engines.model.schema import SchemaType

from ..errors import LimitExceeded, PageTokenInvalid
from ..model.schema import SchemaVersion
from ..model.scope import EVERYTHING, SubjectScope
from ..storage.store import ReadTx, Store
from ..storage.values import Page
from .limits import RequestLimits
from .paging import (
    STEP,
    PageRoom,
    bytes_of_name,
    demand_pages,
    page_of_all,
    token,
    version_key,
    without_labels,
)
from .reading import version_by_id

MOST = 10_000
"""Versions that a walk may meet."""
MOST_EDGES = 2 * MOST
"""References that are read together."""
ASKED_SINGLY = 8
"""So many versions of a walk are asked about one by one: enough for a page of one that is wide."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """A version at the other end of a reference. `depth` is 1 for a direct one; `name` is what the user calls it."""

    version: SchemaVersion
    name: str
    depth: int
    kind: str


@dataclass(frozen=True, slots=True)
class DependencyPage:
    """`next_token` is "" on the last page."""

    items: Sequence[Dependency]
    next_token: str


Neighbour = tuple[SchemaVersion, str, str]
"""A version at the other end of a reference, what its user calls it, and how the wire calls the use."""
Neighbours = Callable[[SchemaVersion], AsyncGenerator[Neighbour, None]]


class ReferenceGraph:
    """Reads the graph of references: each version once, at its least depth, nearest first.

    All that there are when no limit is given; LimitExceeded is raised when that is too much for one answer. A page walks the
    way of the pages before it again, through at most MOST versions. It shows subjects in `readable` only, and does not walk
    through others.
    """

    def __init__(self, store: Store, limits: RequestLimits) -> None:
        self._store, self._limits = store, limits

    async def dependencies(
        self,
        schema_id: str,
        *,
        transitive: bool,
        limit: int | None = None,
        page_token: str = "",
        readable: SubjectScope = EVERYTHING,
    ) -> DependencyPage:
        """What a version uses. Raises SchemaNotFound, LimitExceeded."""
        slice_ = page_of_all(limit, page_token, most=self._limits.page)
        async with self._store.read() as tx:

            async def used(version: SchemaVersion) -> AsyncGenerator[Neighbour, None]:
                for (
                    reference
                ) in version.references:  # few: limits.references bounds those of all depths together
                    if not readable.contains(str(reference.subject)):
                        continue
                    target = await tx.version(reference.schema_id)
                    if target is not None:
                        slim = replace(without_labels(target), references=target.references)
                        yield slim, reference.name, kind(version)

            start = await version_by_id(tx, schema_id)
            return await self._page(start, _walk(start, used, transitive), slice_, limit, page_token)

    async def dependents(
        self,
        schema_id: str,
        *,
        transitive: bool,
        limit: int | None = None,
        page_token: str = "",
        readable: SubjectScope = EVERYTHING,
    ) -> DependencyPage:
        """What uses a version. Raises SchemaNotFound, LimitExceeded."""
        slice_ = page_of_all(limit, page_token, most=self._limits.page)
        async with self._store.read_elsewhere() as tx:
            users = _Users(tx, schema_id, readable).of
            start = await version_by_id(tx, schema_id)
            return await self._page(start, _walk(start, users, transitive), slice_, limit, page_token)

    async def _page(
        self,
        start: SchemaVersion,
        walk: AsyncGenerator[Dependency, None],
        slice_: Page,
        limit: int | None,
        page_token: str,
    ) -> DependencyPage:
        """The slice of a walk, and as much of it as its bytes allow."""
        name, skipped = slice_.after or (start.schema_id, 0)
        if name != start.schema_id:
            raise PageTokenInvalid("page_token", f"is of another schema than {start.schema_id!r}")
        room, items, place = PageRoom(self._limits.page_bytes), list[Dependency](), 0
        async with aclosing(walk):
            async for item in walk:
                place += 1
                if place <= skipped:
                    continue
                if len(items) == slice_.limit or not room.take(bytes_of_name(item.version) + len(item.name)):
                    demand_pages(limit, page_token, self._limits.page_bytes)
                    return DependencyPage(items, token((start.schema_id, skipped + len(items))))
                items.append(item)
        return DependencyPage(items, "")


class _Users:
    """Who uses the versions of a walk that begins at `schema_id`. Asks the store of one version after the other; of a walk that
    meets many, for all the references that there are, once, unless those are too many."""

    def __init__(self, tx: ReadTx, schema_id: str, readable: SubjectScope) -> None:
        self._tx, self._schema_id, self._readable = tx, schema_id, readable
        self._asked = 0
        self._edges: Mapping[str, Sequence[SchemaVersion]] | None = None

    async def of(self, version: SchemaVersion) -> AsyncGenerator[Neighbour, None]:
        if self._asked == ASKED_SINGLY:
            self._edges = await self._all()
        self._asked += 1
        if self._edges is None:
            async with aclosing(self._read(version)) as found:
                async for user in found:
                    yield user
            return
        for known in self._edges.get(version.schema_id, ()):
            if self._readable.contains(str(known.subject)):
                yield without_labels(known), _name_of(known, version), kind(known)

    async def _all(self) -> Mapping[str, Sequence[SchemaVersion]] | None:
        edges = await self._tx.dependent_edges(self._schema_id, MOST, MOST_EDGES)
        if edges is None:
            return None
        users: dict[str, list[SchemaVersion]] = {}
        for used, user in edges:
            users.setdefault(used, []).append(user)
        return users

    async def _read(self, version: SchemaVersion) -> AsyncGenerator[Neighbour, None]:
        after: tuple[str, int] | None = None
        looked_at = 0
        while batch := await self._tx.dependents(version.schema_id, Page(STEP, after=after)):
            for user in batch:
                if user.live and self._readable.contains(str(user.subject)):
                    yield without_labels(user), _name_of(user, version), kind(user)
            if len(batch) < STEP:
                return
            looked_at += len(batch)
            if looked_at > MOST:  # hidden ones count, too: they are read, whoever asks
                raise _too_many(self._schema_id)
            after = version_key(batch[-1])


def kind(user: SchemaVersion) -> str:
    """How the wire calls a use: Protobuf imports, the others reference."""
    return "import" if user.schema_type is SchemaType.PROTOBUF else "reference"


def _too_many(schema_id: str) -> LimitExceeded:
    return LimitExceeded(
        f"schema {schema_id!r} reaches more than {MOST} others; ask with transitive = false and walk in steps"
    )


def _name_of(user: SchemaVersion, used: SchemaVersion) -> str:
    return next((r.name for r in user.references if r.schema_id == used.schema_id), "")


async def _walk(
    start: SchemaVersion, neighbours: Neighbours, transitive: bool
) -> AsyncGenerator[Dependency, None]:
    seen = {start.schema_id}
    frontier, depth = [start], 1
    while frontier:
        following: list[SchemaVersion] = []
        for version in frontier:
            async with aclosing(neighbours(version)) as found:
                async for neighbour, name, how in found:
                    if neighbour.schema_id in seen:
                        continue
                    if len(seen) > MOST:
                        raise _too_many(start.schema_id)
                    seen.add(neighbour.schema_id)
                    following.append(neighbour)
                    yield Dependency(neighbour, name, depth, how)
        frontier, depth = following if transitive else [], depth + 1
