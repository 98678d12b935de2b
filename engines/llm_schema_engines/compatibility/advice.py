"""What to do about a refusal for which no remedy was found: by the rule that was broken. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ..model.compatibility import Remedy, RemedyKind, Violation

_NEW_FIELD = (
    "leave the field as it was, and add the new one under another name and a number that was never used; when nobody reads "
    "the old field any more, delete it and reserve its number and its name"
)
_KEEP = "put it back; what nobody shall use any more is marked `deprecated = true`"
_RESERVE = 'reserve the number and the name of what was deleted: `reserved 4; reserved "old_name";`'

ADVICE = {
    "FIELD_WIRE_COMPATIBLE_TYPE": _NEW_FIELD,
    "FIELD_WIRE_COMPATIBLE_CARDINALITY": _NEW_FIELD,
    "FIELD_WIRE_JSON_COMPATIBLE_TYPE": _NEW_FIELD,
    "FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY": _NEW_FIELD,
    "FIELD_SAME_TYPE": _NEW_FIELD,
    "FIELD_SAME_CARDINALITY": _NEW_FIELD,
    "FIELD_SAME_NAME": "a field keeps its name: add a new one under a number that was never used, or lower the strictness",
    "FIELD_SAME_ONEOF": "leave the fields outside of the oneof, or add new fields for it under numbers that were never used",
    "FIELD_NO_DELETE": _KEEP,
    "ENUM_VALUE_NO_DELETE": _KEEP,
    "MESSAGE_NO_DELETE": _KEEP,
    "PACKAGE_MESSAGE_NO_DELETE": _KEEP,
    "FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED": _RESERVE,
    "FIELD_NO_DELETE_UNLESS_NAME_RESERVED": _RESERVE,
    "ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED": _RESERVE,
    "ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED": _RESERVE,
    "CLOSED_ENUM_VALUE_UNKNOWN": "readers learn the new values first; or declare the enum open (proto3, editions)",
    "MESSAGE_SAME_REQUIRED_FIELDS": "make the field optional: what is required can be neither added nor removed",
    "FILE_SAME_PACKAGE": "a package is part of every name: register the schema under a subject of its own",
}
"""Rule of a Protobuf comparison (docs/protobuf.md) -> what passes the check instead."""

LAST_RESORT = "register it under a subject of its own, so that readers move when they are ready"


def advice(violations: Iterable[Violation]) -> tuple[Remedy, ...]:
    """The advice for the rules of Protobuf that were broken, each once. It is general: nothing of it was tried."""
    found = list(dict.fromkeys(ADVICE[v.rule] for v in violations if v.rule in ADVICE))
    return tuple(Remedy(RemedyKind.EDIT, text, {}) for text in (*found, LAST_RESORT) if found)
