"""An outline of a schema: each place that has a name, and one line that says what stands there. Pure.

Engines whose parts have names of their own (Avro, Protobuf) are compared by outline: what appears, what goes, what reads
differently.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..model.difference import Difference, DifferenceKind, Differences

Outline = Mapping[str, str]
"""Path (a dotted name) -> what stands there, in one line."""

MOST = 500
LONGEST = 300


def differences(old: Outline, new: Outline) -> Differences:
    """What differs, in the order of `new`, what was removed at the place where it stood."""
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
    return Differences(tuple(found[:MOST]), truncated=len(found) > MOST)


def clip(text: str | None) -> str:
    """At most LONGEST characters."""
    text = text or ""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _merged(old: Outline, new: Outline) -> list[str]:
    """The paths of both: those of `new` in order, each path that went after the one that it followed."""
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
