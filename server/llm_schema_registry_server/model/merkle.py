"""Merkle trees as RFC 6962 hashes them, kept as tiles; and proofs about them. Pure.

A tree over n leaves is kept as the hashes of its perfect subtrees. A node is named by its height (0 for leaves) and its number
from the left. Tiles (C2SP tlog-tiles) hold them: tile (level, number) has up to 256 hashes of height 8 * level; what lies between
two levels is hashed anew when it is needed. So the hashes of a log of a million entries are some 32 MB, and any proof needs a
handful of tiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

HASH_BYTES = 32
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT

Node = tuple[int, int]
"""Height and number."""
Tile = tuple[int, int]
"""Level and number."""
Span = tuple[int, int]
"""Leaves from the first one to before the second one."""


def leaf_hash(data: bytes) -> bytes:
    """RFC 6962 2.1."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


EMPTY_ROOT = sha256(b"").digest()


def nodes_of(span: Span) -> list[Node]:
    """The perfect subtrees that a span is made of, from the left: the frontier of a tree, for a span from 0."""
    first, end = span
    nodes = []
    while first < end:
        height = (end - first).bit_length() - 1
        if first:
            height = min(height, (first & -first).bit_length() - 1)
        nodes.append((height, first >> height))
        first += 1 << height
    return nodes


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root of a tree with this frontier."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def tile_of(node: Node) -> Tile:
    """The tile that a node is made of."""
    height, number = node
    level, within = divmod(height, TILE_HEIGHT)
    return level, (number << within) >> TILE_HEIGHT


def hash_of(node: Node, tiles: Mapping[Tile, bytes]) -> bytes:
    """The hash of a node. Raises KeyError when its tile is not among `tiles`, ValueError when it is too short."""
    height, number = node
    within = height % TILE_HEIGHT
    first = ((number << within) & (TILE_WIDTH - 1)) * HASH_BYTES
    part = tiles[tile_of(node)][first : first + (HASH_BYTES << within)]
    if len(part) != HASH_BYTES << within:
        raise ValueError(f"tile {tile_of(node)} is too short")
    return perfect([part[i : i + HASH_BYTES] for i in range(0, len(part), HASH_BYTES)])


def perfect(hashes: Sequence[bytes]) -> bytes:
    """The root over hashes of which there is a power of two."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


def root_of(span: Span, tiles: Mapping[Tile, bytes]) -> bytes:
    """The root over a span that begins where a subtree of its size does."""
    return fold([hash_of(node, tiles) for node in nodes_of(span)])


def tiles_for(spans: Iterable[Span]) -> set[Tile]:
    """The tiles that `root_of` needs for these."""
    return {tile_of(node) for span in spans for node in nodes_of(span)}


def unfinished(size: int) -> set[Tile]:
    """The tiles of a tree of this size that the next leaf goes into, as far as they have begun."""
    found, level = set(), 0
    while size:
        if size % TILE_WIDTH:
            found.add((level, size // TILE_WIDTH))
        size //= TILE_WIDTH
        level += 1
    return found


def grown(size: int, tiles: Mapping[Tile, bytes], leaves: Sequence[bytes]) -> dict[Tile, bytes]:
    """The tiles that change when these hashes of leaves follow in a tree of this size. tiles: at least those of `unfinished`."""
    changed: dict[Tile, bytes] = {}
    hashes, level, count = list(leaves), 0, size
    while hashes:
        full: list[bytes] = []
        number, begun = divmod(count, TILE_WIDTH)
        rest = b"".join(hashes)
        while rest:
            held = changed.get((level, number)) or (tiles[level, number] if begun else b"")
            room = TILE_WIDTH * HASH_BYTES - len(held)
            whole = held + rest[:room]
            rest = rest[room:]
            changed[level, number] = whole
            if len(whole) == TILE_WIDTH * HASH_BYTES:
                full.append(perfect([whole[i : i + HASH_BYTES] for i in range(0, len(whole), HASH_BYTES)]))
            number, begun = number + 1, 0
        hashes, level, count = full, level + 1, count // TILE_WIDTH
    return changed


def inclusion_spans(position: int, size: int) -> list[Span]:
    """What the audit path of a leaf is made of, from the leaf upwards (RFC 6962 2.1.1)."""
    first, end, spans = 0, size, []
    while end - first > 1:
        middle = first + _split(end - first)
        if position < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((first, middle))
            first = middle
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """What the consistency proof between two sizes is made of (RFC 6962 2.1.2). Empty for equal ones and from nothing."""
    if old in (0, new):
        return []
    first, end, whole, spans = 0, new, True, []
    while old != end:
        middle = first + _split(end - first)
        if old <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((first, middle))
            first, whole = middle, False
    if not whole:
        spans.append((first, end))
    return spans[::-1]


def proof(spans: Sequence[Span], tiles: Mapping[Tile, bytes]) -> list[bytes]:
    return [root_of(span, tiles) for span in spans]


def check_inclusion(leaf: bytes, position: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a path proves that a leaf is at a position of a tree (RFC 9162 2.1.3.2)."""
    if not 0 <= position < size:
        return False
    place, last, found = position, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether a proof shows that a tree has grown into another one (RFC 9162 2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old == new:
        return not path and old_root == new_root
    if old == 0:
        return not path and old_root == EMPTY_ROOT
    hashes = list(path)
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _split(count: int) -> int:
    """The largest power of two below a count."""
    return 1 << ((count - 1).bit_length() - 1)
