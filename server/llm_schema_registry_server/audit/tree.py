"""The Merkle tree of the audit log as the storage has it: roots and proofs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import StorageDamaged
from ..model.merkle import Node, Span, Tile, hash_of, nodes_of, root_of, tile_of, tiles_for
from ..storage.protocols.audit import AuditRead


async def tiles_of(tx: AuditRead, wanted: set[Tile]) -> Mapping[Tile, bytes]:
    """These tiles. Raises StorageDamaged when one is missing."""
    found = await tx.audit_tiles(wanted)
    if missing := wanted - found.keys():
        raise StorageDamaged(
            "hashes of the audit log are missing; `schema-registry-server audit verify` says where",
            inside=f"tiles {sorted(missing)[:5]}",
        )
    return found


def root(size: int, tiles: Mapping[Tile, bytes]) -> bytes:
    """The root of a tree of this size. Raises StorageDamaged when a tile is cut."""
    try:
        return root_of((0, size), tiles)
    except ValueError as error:
        raise StorageDamaged(
            "hashes of the audit log are missing; `schema-registry-server audit verify` says where",
            inside=str(error),
        ) from error


async def roots(tx: AuditRead, spans: Sequence[Span]) -> list[bytes]:
    """The roots over spans that begin where subtrees of their size do: proofs, and `(0, size)` for the root of a tree."""
    tiles = await tiles_of(tx, tiles_for(spans))
    try:
        return [root_of(span, tiles) for span in spans]
    except ValueError as error:
        raise StorageDamaged("hashes of the audit log are missing", inside=str(error)) from error


async def frontier(tx: AuditRead, size: int) -> list[bytes]:
    """The hashes of the perfect subtrees of a tree of this size, from the left: with them the tree can grow."""
    nodes: Sequence[Node] = nodes_of((0, size))
    tiles = await tiles_of(tx, {tile_of(node) for node in nodes})
    try:
        return [hash_of(node, tiles) for node in nodes]
    except ValueError as error:
        raise StorageDamaged("hashes of the audit log are missing", inside=str(error)) from error


async def leaves(tx: AuditRead, first: int, end: int) -> list[bytes]:
    """The hashes of the entries from a position to before another one."""
    return await roots(tx, [(position, position + 1) for position in range(first, end)])
