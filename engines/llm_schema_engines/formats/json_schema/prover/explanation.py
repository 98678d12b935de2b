"""Makes violations of a witness: which keyword of the reader refuses it, where, and a message. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from ....model.compatibility import Violation, Witness
from ..canonical import dump
from ..compiled import OpenedSchema
from ..data_issues import keyword_of, schema_path_of, to_issue
from ..limits import JsonSchemaLimits
from ..pointers import follow, to_pointer
from ..rules import rule_of

_TEXT = 200


def explain(
    errors: list[jsonschema_rs.ValidationError],
    witness: Witness,
    reader: OpenedSchema,
    writer: OpenedSchema,
    limits: JsonSchemaLimits,
) -> Iterator[Violation]:
    """One violation for each keyword of the reader that refuses the witness."""
    for error in errors:
        for leaf in _leaves(error):
            keyword = keyword_of(leaf)
            pointer = to_pointer(schema_path_of(leaf))
            rule = rule_of(keyword)
            where = to_pointer(leaf.instance_path)
            place = f"at {where}" if where else "at the root"
            yield Violation(
                rule=rule.id,
                path=pointer,
                message=f"{rule.sentence}: {place}, {to_issue(leaf, limits).message}",
                old_value=_value(writer, pointer),
                new_value=_value(reader, pointer),
                witness=witness,
            )


def _leaves(error: jsonschema_rs.ValidationError, depth: int = 0) -> list[jsonschema_rs.ValidationError]:
    """The most informative errors inside a failed union: those of the branch that fits best.

    A branch that fails on the type of the value itself fits worse than one that fails inside the value.
    """
    branches = getattr(error.kind, "context", None)
    if not branches or depth > 8 or not all(branches):
        return [error]
    here = len(error.instance_path)

    def distance(branch: list[jsonschema_rs.ValidationError]) -> tuple[bool, int, int]:
        wrong_kind = any(
            e.kind.name in ("type", "const", "enum") and len(e.instance_path) == here for e in branch
        )
        deepest = max(len(e.instance_path) for e in branch)
        return (wrong_kind, len(branch), -deepest)

    ranked = sorted(branches, key=distance)
    best = ranked[0]
    if distance(best)[0] or (len(ranked) > 1 and distance(ranked[1]) == distance(best)):
        return [error]  # no branch fits best: report the union
    return [leaf for inner in best for leaf in _leaves(inner, depth + 1)]


def _value(opened: OpenedSchema, pointer: str) -> str:
    """The value at a pointer of a schema as JSON text; "" when there is none."""
    try:
        value: Any = follow(opened.content, pointer)
    except (LookupError, ValueError):
        return ""
    text = dump(value, sort=False)
    return text if len(text) <= _TEXT else text[: _TEXT - 3] + "..."
