"""The names of all settings, and the one that a wrong name was meant to be. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from pydantic import BaseModel


def nearest(root: type[BaseModel], path: tuple[str, ...]) -> tuple[str, ...]:
    """The setting that a wrong path comes closest to: one that differs in its underscores, that ends alike, or that is
    spelt alike; () when none does."""
    known = {"".join(found).replace("_", ""): found for found in _paths(root)}
    written = "".join(path).replace("_", "")
    if written in known:
        return known[written]
    ends = [found for flat, found in known.items() if written.endswith(flat)]
    if ends:
        return max(ends, key=lambda found: len("".join(found)))
    close = get_close_matches(written, known, n=1, cutoff=0.75)
    return known[close[0]] if close else ()


def _paths(section: type[BaseModel], parents: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _paths(field.annotation, (*parents, name))
        else:
            yield (*parents, name)
