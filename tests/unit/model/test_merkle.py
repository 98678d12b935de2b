"""Merkle trees as RFC 6962 defines them, whatever the batches in which they grow; proofs hold for what they prove alone."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_schema_registry_server.model.merkle import (
    TILE_WIDTH,
    Tile,
    check_consistency,
    check_inclusion,
    consistency_spans,
    grown,
    inclusion_spans,
    leaf_hash,
    nodes_of,
    proof,
    root_of,
    tiles_for,
    unfinished,
)


def by_definition(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 2.1."""
    if len(leaves) <= 1:
        return sha256(b"\x00" + leaves[0]).digest() if leaves else sha256(b"").digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + by_definition(leaves[:k]) + by_definition(leaves[k:])).digest()


def leaves(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def tiles(batches: Sequence[int]) -> dict[Tile, bytes]:
    """Those of a tree that grew by batches of these sizes; each is given what it says that it needs, and no more."""
    known: dict[Tile, bytes] = {}
    size = 0
    for count in batches:
        given_ = {tile: known[tile] for tile in unfinished(size)}
        known |= grown(size, given_, [leaf_hash(leaf) for leaf in leaves(size + count)[size:]])
        size += count
    return known


@given(st.lists(st.integers(0, 400), max_size=8))
@settings(max_examples=40, deadline=None)
def test_the_root_is_that_of_the_definition_whatever_the_batches(batches: list[int]) -> None:
    size, known = sum(batches), tiles(batches)

    needed = {tile: known[tile] for tile in tiles_for([(0, size)])}
    assert root_of((0, size), needed) == by_definition(leaves(size))


def test_a_third_level_of_tiles() -> None:
    size = TILE_WIDTH**2 + 300
    known = tiles([size - 1000, 999, 1])

    assert max(level for level, _ in known) == 2
    assert root_of((0, size), known) == by_definition(leaves(size))


@given(st.integers(1, 700), st.data())
@settings(max_examples=100, deadline=None)
def test_an_inclusion_proof_proves_its_leaf_and_no_other(size: int, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, size - 1))
    known, root = tiles([size]), by_definition(leaves(size))
    path = proof(inclusion_spans(position, size), known)

    assert check_inclusion(leaf_hash(b"%d" % position), position, size, path, root)
    assert not check_inclusion(leaf_hash(b"another"), position, size, path, root)
    assert not check_inclusion(leaf_hash(b"%d" % position), position, size, [*path, root], root)
    assert not check_inclusion(leaf_hash(b"%d" % position), size, size, path, root)
    if path:
        assert not check_inclusion(leaf_hash(b"%d" % position), position, size, path[:-1], root)
        other = (position + 1) % size
        assert not check_inclusion(leaf_hash(b"%d" % position), other, size, path, root)


@given(st.integers(0, 700), st.data())
@settings(max_examples=100, deadline=None)
def test_a_consistency_proof_proves_that_nothing_was_altered(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, new))
    known = tiles([new])
    path = proof(consistency_spans(old, new), known)
    before, after = by_definition(leaves(old)), by_definition(leaves(new))

    assert check_consistency(old, new, before, after, path)
    if old:
        altered = by_definition([b"altered", *leaves(old)[1:]])
        assert not check_consistency(old, new, altered, after, path)
    if old < new:
        assert (
            not check_consistency(old, new, before, by_definition([*leaves(new - 1), b"altered"]), path)
            or not old
        )
    assert not check_consistency(new + 1, new, before, after, path)


def test_what_is_missing_is_no_other_hash() -> None:
    with pytest.raises(KeyError):
        root_of((0, 3), {})
    with pytest.raises(ValueError, match="too short"):
        root_of((0, 3), {(0, 0): b"x" * 64})


def test_a_span_is_made_of_perfect_subtrees() -> None:
    assert nodes_of((0, 7)) == [(2, 0), (1, 2), (0, 6)]
    assert nodes_of((4, 7)) == [(1, 2), (0, 6)]
    assert nodes_of((0, 0)) == []
