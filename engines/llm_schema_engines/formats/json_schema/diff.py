"""What changed between two versions of a schema, keyword by keyword, as data and as sentences. Pure.

For people and change logs: it compares the texts, place by place. Whether a version may replace another is for the
prover to decide. References are not followed: a changed definition is reported once, at its own place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from ...errors import InvalidSchema
from ...model.difference import Differences
from ..engine import SchemaSource
from .canonical import dump
from .compiled import open_schema
from .dialects import (
    ANNOTATIONS,
    SCHEMA_KEYWORDS,
    SCHEMA_LIST_KEYWORDS,
    SCHEMA_MAP_KEYWORDS,
    Dialect,
)
from .differences.keywords import COMPARISONS, ONE_SIDED
from .differences.model import Difference, DifferenceKind, make_difference
from .limits import DEFAULT_LIMITS, JsonSchemaLimits
from .metaschema import check_opened
from .pointers import join_pointer

MAX_DIFFERENCES = 1000
"""Most differences that are listed."""

_SECTIONS: Mapping[str, str] = {
    "properties": "property",
    "patternProperties": "pattern property",
    "$defs": "definition",
    "definitions": "definition",
    "dependentSchemas": "dependent schema of",
    "dependencies": "dependency of",
}


def diff(old: SchemaSource, new: SchemaSource, limits: JsonSchemaLimits = DEFAULT_LIMITS) -> Differences:
    """The differences in document order of the new version, at most MAX_DIFFERENCES.

    Raises InvalidSchema when a side is not a schema document. Pointers lead into the new version, or into the old one
    for what was removed.
    """
    before, after = open_schema(old, limits), open_schema(new, limits)
    for side in (before, after):
        if issues := check_opened(side.document_index, side.root, limits):
            raise InvalidSchema(issues)
    found = tuple(
        islice(_schemas(before.content, after.content, "", after.options.dialect), MAX_DIFFERENCES + 1)
    )
    return Differences(found[:MAX_DIFFERENCES], truncated=len(found) > MAX_DIFFERENCES)


def _schemas(old: Any, new: Any, pointer: str, dialect: Dialect) -> Iterator[Difference]:
    """The differences of two subschemas at one place."""
    if old == new:
        return
    old_object, new_object = _as_object(old), _as_object(new)
    if old_object is None or new_object is None:
        if new_object is None:
            yield make_difference(DifferenceKind.NARROWED, pointer, old, new, "accepts nothing any more")
        else:
            yield make_difference(
                DifferenceKind.WIDENED, pointer, old, new, "accepted nothing and now accepts something"
            )
        return
    for keyword in dict.fromkeys((*new_object, *old_object)):
        before, after = old_object.get(keyword, _ABSENT), new_object.get(keyword, _ABSENT)
        if before is _ABSENT or after is _ABSENT or not _same(before, after):
            yield from _keyword(keyword, before, after, join_pointer(pointer, keyword), dialect)


_ABSENT: Any = object()
_FLAGS = frozenset({"uniqueItems", "exclusiveMinimum", "exclusiveMaximum"})
"""Keywords that constrain nothing when they are false."""


def _as_object(schema: Any) -> dict[str, Any] | None:
    """A schema as an object; None for the one that accepts nothing."""
    if schema is True:
        return {}
    return schema if isinstance(schema, dict) else None


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and dump(one, sort=True) == dump(other, sort=True)


def _keyword(keyword: str, old: Any, new: Any, pointer: str, dialect: Dialect) -> Iterator[Difference]:
    both = old is not _ABSENT and new is not _ABSENT
    shown = (None if old is _ABSENT else old, None if new is _ABSENT else new)
    if keyword in ANNOTATIONS or keyword in ("$schema", "$id"):
        yield _one_sided(keyword, old, new, pointer, f"annotation {keyword!r}")
    elif keyword in SCHEMA_MAP_KEYWORDS[dialect] and _are(dict, old, new):
        yield from _named(keyword, old, new, pointer, dialect)
    elif keyword in SCHEMA_LIST_KEYWORDS[dialect] and _are(list, old, new):
        yield from _listed(keyword, old, new, pointer, dialect)
    elif keyword in SCHEMA_KEYWORDS[dialect] and _are((dict, bool), old, new):
        yield from _nested(keyword, old, new, pointer, dialect)
    elif both and keyword in COMPARISONS:
        kind, sentence = COMPARISONS[keyword](old, new)
        yield make_difference(kind, pointer, *shown, f"{keyword!r} {sentence}")
    elif not both and keyword in ONE_SIDED and not (keyword in _FLAGS and (old is False or new is False)):
        added_kind, removed_kind = ONE_SIDED[keyword]
        kind = added_kind if old is _ABSENT else removed_kind
        verb = "is now demanded" if old is _ABSENT else "is no longer demanded"
        yield make_difference(kind, pointer, *shown, f"{keyword!r} {verb}")
    else:
        yield _one_sided(keyword, old, new, pointer, f"{keyword!r}")


def _are(kinds: type | tuple[type, ...], old: Any, new: Any) -> bool:
    return all(side is _ABSENT or isinstance(side, kinds) for side in (old, new))


def _one_sided(keyword: str, old: Any, new: Any, pointer: str, what: str) -> Difference:
    if old is _ABSENT:
        return make_difference(DifferenceKind.ADDED, pointer, None, new, f"{what} was added")
    if new is _ABSENT:
        return make_difference(DifferenceKind.REMOVED, pointer, old, None, f"{what} was removed")
    return make_difference(DifferenceKind.CHANGED, pointer, old, new, f"{what} was changed")


def _named(keyword: str, old: Any, new: Any, pointer: str, dialect: Dialect) -> Iterator[Difference]:
    """Members of `properties` and the like."""
    before = {} if old is _ABSENT else old
    after = {} if new is _ABSENT else new
    what = _SECTIONS.get(keyword, keyword)
    for name in dict.fromkeys((*after, *before)):
        here = join_pointer(pointer, name)
        if name not in before:
            yield make_difference(DifferenceKind.ADDED, here, None, after[name], f"{what} {name!r} was added")
        elif name not in after:
            yield make_difference(
                DifferenceKind.REMOVED, here, before[name], None, f"{what} {name!r} was removed"
            )
        elif isinstance(before[name], dict | bool) and isinstance(after[name], dict | bool):
            yield from _schemas(before[name], after[name], here, dialect)
        elif not _same(before[name], after[name]):
            yield make_difference(
                DifferenceKind.CHANGED, here, before[name], after[name], f"{what} {name!r} was changed"
            )


_BRANCHES: Mapping[str, tuple[DifferenceKind, DifferenceKind]] = {
    "anyOf": (DifferenceKind.WIDENED, DifferenceKind.NARROWED),
    "allOf": (DifferenceKind.NARROWED, DifferenceKind.WIDENED),
    "oneOf": (DifferenceKind.CHANGED, DifferenceKind.CHANGED),
    "items": (DifferenceKind.CHANGED, DifferenceKind.CHANGED),
    "prefixItems": (DifferenceKind.CHANGED, DifferenceKind.CHANGED),
}
"""What adding and removing a branch does."""


def _listed(keyword: str, old: Any, new: Any, pointer: str, dialect: Dialect) -> Iterator[Difference]:
    """Branches of unions and items of tuples. Branches are matched by content, then by similarity, whatever their order;
    items of tuples by position."""
    before = [] if old is _ABSENT else list(old)
    after = [] if new is _ABSENT else list(new)
    if keyword in ("items", "prefixItems"):
        pairs = {i: i for i in range(min(len(before), len(after)))}
    else:
        pairs = _matched(before, after)
    added_kind, removed_kind = _BRANCHES[keyword]
    for i, branch in enumerate(after):
        here = join_pointer(pointer, i)
        if i in pairs:
            yield from _schemas(before[pairs[i]], branch, here, dialect)
        else:
            yield make_difference(added_kind, here, None, branch, f"branch {i} of {keyword!r} was added")
    for j in sorted(set(range(len(before))) - set(pairs.values())):
        here = join_pointer(pointer, j)
        yield make_difference(removed_kind, here, before[j], None, f"branch {j} of {keyword!r} was removed")


def _matched(before: list[Any], after: list[Any]) -> dict[int, int]:
    """New branch -> old branch: equal ones first, then the most similar of the rest."""
    texts = [dump(branch, sort=True) for branch in before]
    free: dict[str, list[int]] = {}
    for j in reversed(range(len(before))):
        free.setdefault(texts[j], []).append(j)
    pairs: dict[int, int] = {}
    for i, branch in enumerate(after):
        same = free.get(dump(branch, sort=True))
        if same:
            pairs[i] = same.pop()
    left_new = [i for i in range(len(after)) if i not in pairs][:50]
    left_old = [j for j in range(len(before)) if j not in pairs.values()][:50]
    ranked = sorted(
        ((_likeness(before[j], after[i]), -abs(i - j), i, j) for i in left_new for j in left_old),
        reverse=True,
    )
    for likeness, _, i, j in ranked:
        if likeness > 0 and i not in pairs and j not in pairs.values():
            pairs[i] = j
    return pairs


def _likeness(old: Any, new: Any) -> int:
    """A score of what two branches have in common: title, type, properties, tags (a `const` in a property)."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return 0
    score = 8 * (old.get("title") is not None and old.get("title") == new.get("title"))
    score += 2 * (old.get("type") is not None and old.get("type") == new.get("type"))
    old_props, new_props = old.get("properties"), new.get("properties")
    if isinstance(old_props, dict) and isinstance(new_props, dict):
        for name in old_props.keys() & new_props.keys():
            one, other = old_props[name], new_props[name]
            tagged = isinstance(one, dict) and isinstance(other, dict) and "const" in one and "const" in other
            score += (10 if one["const"] == other["const"] else -10) if tagged else 1
    return score


def _nested(keyword: str, old: Any, new: Any, pointer: str, dialect: Dialect) -> Iterator[Difference]:
    """A keyword whose value is a schema."""
    if keyword in ("not", "if"):
        yield _one_sided(keyword, old, new, pointer, f"{keyword!r}")
        return
    if old is _ABSENT and new is False:
        yield make_difference(DifferenceKind.NARROWED, pointer, None, new, f"{keyword!r} now allows nothing")
    elif new is _ABSENT and old is False:
        yield make_difference(
            DifferenceKind.WIDENED, pointer, old, None, f"{keyword!r} allowed nothing and is free now"
        )
    elif old is _ABSENT or new is _ABSENT:
        kind = DifferenceKind.NARROWED if old is _ABSENT else DifferenceKind.WIDENED
        constrains = new if old is _ABSENT else old
        if constrains is True or constrains == {}:
            kind = DifferenceKind.CHANGED
        verb = "is now constrained" if old is _ABSENT else "is no longer constrained"
        yield make_difference(
            kind,
            pointer,
            None if old is _ABSENT else old,
            None if new is _ABSENT else new,
            f"{keyword!r} {verb}",
        )
    else:
        yield from _schemas(old, new, pointer, dialect)
