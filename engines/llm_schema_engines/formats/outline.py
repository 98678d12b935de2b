"""An outline of a schema: the path of each named element, and one line that describes it. Pure.

Schemas whose elements have names (Avro, Protobuf) are compared by outline: added, removed and changed lines.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..model.difference import Difference, DifferenceKind, Differences

Outline = Mapping[str, str]
"""Path (a dotted name) -> its description in one line."""

MAX_DIFFERENCES = 500
MAX_LINE_LENGTH = 300


def differences(old: Outline, new: Outline) -> Differences:
    """What differs, in the order of `new`; what was removed comes where it was in `old`. At most MAX_DIFFERENCES."""
    found: list[Difference] = []
    for path in _merged(old, new):
        before, after = old.get(path), new.get(path)
        if before == after:
            continue
        if before is None:
            found.append(
                Difference(
                    DifferenceKind.ADDED, path, f"{path} was added: {clip(after)}", new_value=clip(after)
                )
            )
        elif after is None:
            found.append(
                Difference(
                    DifferenceKind.REMOVED,
                    path,
                    f"{path} was removed: {clip(before)}",
                    old_value=clip(before),
                )
            )
        else:
            message = f"{path} was {clip(before)} and is {clip(after)}"
            found.append(Difference(DifferenceKind.CHANGED, path, message, clip(before), clip(after)))
    return Differences(tuple(found[:MAX_DIFFERENCES]), truncated=len(found) > MAX_DIFFERENCES)


def clip(text: str | None) -> str:
    """At most MAX_LINE_LENGTH characters."""
    text = text or ""
    return text if len(text) <= MAX_LINE_LENGTH else text[: MAX_LINE_LENGTH - 1] + "…"


def _merged(old: Outline, new: Outline) -> list[str]:
    """The paths of both: those of `new` in order, each removed path after the one that it followed in `old`."""
    followers: dict[str, list[str]] = {}
    anchor = ""
    for path in old:
        if path in new:
            anchor = path
        else:
            followers.setdefault(anchor, []).append(path)
    merged = followers.get("", [])[:]
    for path in new:
        merged.append(path)
        merged += followers.get(path, [])
    return merged
