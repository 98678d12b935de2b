"""Merges the branches of a union until every schema type can tell them apart. Pure."""

from __future__ import annotations

from .losses import Losses
from .model import INTEGERS, Anything, Kind, ListOf, MapOf, ModelUnion, NamedShape, Nullable, Scalar, Shape

TEXTS = frozenset({Kind.STRING, Kind.UUID, Kind.DATE, Kind.INSTANT, Kind.DECIMAL, Kind.BYTES, Kind.FIXED})


def merge_branches(branches: list[Shape], pointer: str, losses: Losses) -> Shape | None:
    """One shape that accepts what any of the branches accepts; None for no branches.

    Anything absorbs all others. All strings become one string, integers one integer, numbers one number, arrays one
    array, maps one map. Records and enumerations stay separate by name.
    """
    flat: list[Shape] = []
    nullable = False
    for branch in branches:
        if isinstance(branch, Nullable):
            nullable, branch = True, branch.inner
        flat.extend(branch.branches if isinstance(branch, ModelUnion) else [branch])
    if any(isinstance(branch, Anything) for branch in flat):
        return Anything(pointer)
    merged = _merge(flat, pointer, losses)
    if not merged:
        return None
    inner = merged[0] if len(merged) == 1 else ModelUnion(pointer, {}, tuple(merged))
    return Nullable(pointer, {}, inner) if nullable else inner


def _merge(flat: list[Shape], pointer: str, losses: Losses) -> list[Shape]:
    groups: dict[object, list[Shape]] = {}
    for branch in flat:
        groups.setdefault(_group(branch), []).append(branch)
    out: list[Shape] = []
    for group, members in groups.items():
        first = members[0]
        if len(members) == 1 and not (len(groups) > 1 and group == "text"):
            out.append(first)
            continue
        if len(members) > 1:
            losses.dropped(pointer, f"{len(members)} alternatives of one kind are merged into one")
        if group == "text":
            if any(isinstance(m, Scalar) and m.kind is not Kind.STRING for m in members):
                losses.changed(
                    pointer, "among alternatives, strings of every format are carried as they are spelled"
                )
            out.append(Scalar(pointer, {}, Kind.STRING))
        elif group == "integer":
            kinds = [m.kind for m in members if isinstance(m, Scalar)]
            widest = _widest(kinds)
            if widest is None:
                losses.narrowed(pointer, "integers beyond 64 bits are refused")
            out.append(Scalar(pointer, {}, widest or Kind.INT64))
        elif group == "number":
            out.append(Scalar(pointer, {}, Kind.DOUBLE))
        elif isinstance(first, ListOf):
            items = merge_branches([m.item for m in members if isinstance(m, ListOf)], pointer, losses)
            out.append(ListOf(pointer, {}, items or Anything(pointer)))
        elif isinstance(first, MapOf):
            values = merge_branches([m.value for m in members if isinstance(m, MapOf)], pointer, losses)
            out.append(MapOf(pointer, {}, values or Anything(pointer)))
        else:
            out.append(first)
    return out


def _group(branch: Shape) -> object:
    if isinstance(branch, NamedShape):
        return ("named", branch.key)
    if isinstance(branch, Scalar):
        if branch.kind in TEXTS:
            return "text"
        return (
            "integer"
            if branch.kind in INTEGERS
            else "number"
            if branch.kind in (Kind.FLOAT, Kind.DOUBLE)
            else branch.kind
        )
    return type(branch)


def _widest(kinds: list[Kind]) -> Kind | None:
    """The kind that holds all of them; None when there is none."""
    low, high = min(INTEGERS[k].start for k in kinds), max(INTEGERS[k].stop for k in kinds)
    return next((k for k, span in INTEGERS.items() if span.start <= low and high <= span.stop), None)
