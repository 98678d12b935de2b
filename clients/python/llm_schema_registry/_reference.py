"""How a version is named in one word: `subject@selector`."""

from __future__ import annotations

from typing import TypeAlias

from ._arguments import described, selector, text
from .results import SchemaContent

SchemaRef: TypeAlias = str | tuple[str, str | int] | SchemaContent
"""A version: `subject@selector` such as `support.ticket@^2` or `support.ticket` for the latest, (subject, selector) where the subject
itself has an `@`, or a version that the registry answered with."""


def selected(schema: SchemaRef) -> SchemaContent | tuple[str, str | int]:
    """The version, or the subject and the selector that choose it. Raises TypeError for what names no version."""
    if isinstance(schema, SchemaContent):
        return schema
    if isinstance(schema, str):
        subject, at, chosen = text(schema, "schema").rpartition("@")
        return (subject, chosen) if at else (chosen, "latest")
    if isinstance(schema, tuple) and len(schema) == 2:
        return text(schema[0], "schema"), selector(schema[1], "schema")
    raise TypeError(
        f"schema: a name such as 'support.ticket@^2', (subject, selector) or a version that the registry answered with is expected, "
        f"not {described(schema)}"
    )
