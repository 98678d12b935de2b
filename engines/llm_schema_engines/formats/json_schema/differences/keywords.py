"""Compares two values of one keyword: which of them accepts more? Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from ..canonical import dump
from ..prover.regex.languages import Languages
from ..prover.regex.syntax import Unsupported
from .model import DifferenceKind

Compared = tuple[DifferenceKind, str]


def _direction(wider: bool, narrower: bool) -> DifferenceKind:
    """The kind when the new value accepts more, less, both or neither."""
    if wider and not narrower:
        return DifferenceKind.WIDENED
    if narrower and not wider:
        return DifferenceKind.NARROWED
    return DifferenceKind.CHANGED


def _lower_bound(old: Any, new: Any) -> Compared:
    if old is True or old is False or new is True or new is False:
        return _exclusive_flag(old, new)
    return _direction(new < old, new > old), f"went from {_show(old)} to {_show(new)}"


def _upper_bound(old: Any, new: Any) -> Compared:
    if old is True or old is False or new is True or new is False:
        return _exclusive_flag(old, new)
    return _direction(new > old, new < old), f"went from {_show(old)} to {_show(new)}"


def _exclusive_flag(old: Any, new: Any) -> Compared:
    """Exclusive bounds in draft 4, which are flags beside the bound; in later dialects they are bounds."""
    if isinstance(old, bool) and isinstance(new, bool):
        return _flag(old, new)
    return DifferenceKind.CHANGED, f"went from {_show(old)} to {_show(new)}, in another dialect"


def _multiple(old: Any, new: Any) -> Compared:
    ratio = Fraction(old) / Fraction(new)
    kind = _direction(ratio.denominator == 1, ratio.numerator == 1)
    return kind, f"went from {_show(old)} to {_show(new)}"


def _required_names(old: Any, new: Any) -> Compared:
    """A list of names that must be present: fewer names accept more."""
    added, removed = _changes(old, new)
    return _direction(bool(removed), bool(added)), _added_and_removed(
        added, removed, "demands", "no longer demands"
    )


def _allowed(old: Any, new: Any) -> Compared:
    """A list of what is allowed: more entries accept more."""
    added, removed = _changes(old, new)
    if not added and not removed:
        return DifferenceKind.CHANGED, "was reordered"
    return _direction(bool(added), bool(removed)), _added_and_removed(
        added, removed, "also allows", "no longer allows"
    )


def _types(old: Any, new: Any) -> Compared:
    before, after = ({side} if isinstance(side, str) else set(side) for side in (old, new))
    wider = {t for t in after if not (t in before or (t == "integer" and "number" in before))}
    narrower = {t for t in before if not (t in after or (t == "integer" and "number" in after))}
    return (
        _direction(bool(wider), bool(narrower)),
        f"went from {_show(old)} to {_show(new)}",
    )


def _flag(old: Any, new: Any) -> Compared:
    return _direction(old is True and not new, new is True and not old), "was switched " + (
        "on" if new else "off"
    )


def _pattern(old: Any, new: Any) -> Compared:
    """Patterns are compared by the strings that they match, where the regex engine supports both."""
    languages = Languages(2000)

    def only(one: str, other: str) -> bool:
        search = languages.find(matching=[one], avoiding=[other], least=0, most=None, excluded=())
        return search.word is not None or not search.complete

    sentence = f"went from {_show(old)} to {_show(new)}"
    try:
        lost, gained = only(old, new), only(new, old)
    except Unsupported:
        return DifferenceKind.CHANGED, sentence
    if not lost and not gained:
        return DifferenceKind.CHANGED, f"was rewritten and matches the same: {_show(new)}"
    return _direction(gained, lost), sentence


def _replaced(old: Any, new: Any) -> Compared:
    return DifferenceKind.CHANGED, f"went from {_show(old)} to {_show(new)}"


def _needs(old: Any, new: Any) -> Compared:
    """`dependentRequired`: for each property, the properties that it requires."""
    added = [f"{n}: {m}" for n in sorted(new) for m in new[n] if m not in old.get(n, ())]
    removed = [f"{n}: {m}" for n in sorted(old) for m in old[n] if m not in new.get(n, ())]
    return _direction(bool(removed), bool(added)), _added_and_removed(
        added, removed, "demands", "no longer demands"
    )


def _changes(old: Any, new: Any) -> tuple[list[str], list[str]]:
    before, after = ([dump(item, sort=True) for item in side] for side in (old, new))
    known_before, known_after = set(before), set(after)
    return [t for t in after if t not in known_before], [t for t in before if t not in known_after]


def _added_and_removed(added: list[str], removed: list[str], more: str, less: str) -> str:
    parts = [f"{verb} {_list(items)}" for verb, items in ((more, added), (less, removed)) if items]
    return " and ".join(parts) or "was reordered"


def _list(items: list[str]) -> str:
    return ", ".join(items[:8]) + (f" and {len(items) - 8} more" if len(items) > 8 else "")


def _show(value: Any) -> str:
    text = dump(value, sort=False)
    return text if len(text) <= 80 else text[:77] + "..."


COMPARISONS: Mapping[str, Callable[[Any, Any], Compared]] = {
    **dict.fromkeys(
        ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"), _lower_bound
    ),
    **dict.fromkeys(
        ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"), _upper_bound
    ),
    "multipleOf": _multiple,
    "required": _required_names,
    "enum": _allowed,
    "type": _types,
    "uniqueItems": _flag,
    "pattern": _pattern,
    "const": _replaced,
    "format": _replaced,
    "$ref": _replaced,
    "dependentRequired": _needs,
}
"""Keyword -> the comparison of its new value with the old one."""

ONE_SIDED: Mapping[str, tuple[DifferenceKind, DifferenceKind]] = dict.fromkeys(
    (*COMPARISONS, "contentEncoding", "contentMediaType"), (DifferenceKind.NARROWED, DifferenceKind.WIDENED)
)
"""Keyword -> what adding it does, and what removing it does."""
