"""GetDependencies and GetDependents: the graph of pinned references, walked breadth first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from llm_schema_engines.model.schema import SchemaType

from ..errors import LimitExceeded
from ..model.schema import SchemaVersion
from ..storage.store import Store
from .reading import version_by_id

MOST = 10_000
"""Versions that one answer may name."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """A version at the other end of a reference. `depth` is 1 for a direct one; `name` is what the user calls it."""

    version: SchemaVersion
    name: str
    depth: int
    kind: str


Neighbours = Callable[[SchemaVersion], Awaitable[Sequence[tuple[SchemaVersion, str, str]]]]


class Graph:
    """Reads the graph of references."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def dependencies(self, schema_id: str, *, transitive: bool) -> Sequence[Dependency]:
        """What a version uses: each version once, at its least depth, nearest first."""
        async with self._store.read() as tx:

            async def used(version: SchemaVersion) -> Sequence[tuple[SchemaVersion, str, str]]:
                found = []
                for reference in version.references:
                    target = await tx.version(reference.schema_id)
                    if target is not None:
                        found.append((target, reference.name, kind(version)))
                return found

            return await _walk(await version_by_id(tx, schema_id), used, transitive)

    async def dependents(self, schema_id: str, *, transitive: bool) -> Sequence[Dependency]:
        """What uses a version: each version once, at its least depth, nearest first."""
        async with self._store.read_elsewhere() as tx:

            async def users(version: SchemaVersion) -> Sequence[tuple[SchemaVersion, str, str]]:
                return [
                    (user, _name_of(user, version), kind(user))
                    for user in await tx.dependents(version.schema_id, strict=False)
                    if user.live
                ]

            return await _walk(await version_by_id(tx, schema_id), users, transitive)


def kind(user: SchemaVersion) -> str:
    """How the wire calls a use: Protobuf imports, the others reference."""
    return "import" if user.schema_type is SchemaType.PROTOBUF else "reference"


def _name_of(user: SchemaVersion, used: SchemaVersion) -> str:
    return next((r.name for r in user.references if r.schema_id == used.schema_id), "")


async def _walk(start: SchemaVersion, neighbours: Neighbours, transitive: bool) -> Sequence[Dependency]:
    seen = {start.schema_id}
    found: list[Dependency] = []
    frontier, depth = [start], 1
    while frontier:
        following: list[SchemaVersion] = []
        for version in frontier:
            for neighbour, name, how in await neighbours(version):
                if neighbour.schema_id in seen:
                    continue
                if len(found) >= MOST:
                    raise LimitExceeded(
                        f"schema {start.schema_id!r} reaches more than {MOST} others; "
                        "ask with transitive = false and walk in steps"
                    )
                seen.add(neighbour.schema_id)
                found.append(Dependency(neighbour, name, depth, how))
                following.append(neighbour)
        frontier, depth = following if transitive else [], depth + 1
    return found
