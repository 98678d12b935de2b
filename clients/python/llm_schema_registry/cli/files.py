"""Schemas in files as the engines in this program take them: one with its references, or a folder of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import typer

from ..enums import SchemaType
from ..errors import InvalidSchema, RegistryError
from . import local
from .inputs import read
from .sources import Naming, Step, folder

if TYPE_CHECKING:
    from llm_schema_engines import Schema


def parsed(
    file: str, kind: SchemaType | None, references: Iterable[str] | None, *, strict: bool = True
) -> Schema:
    """The schema in a file, with references written as NAME=FILE. Raises InvalidSchema."""
    return local.parse(file, read(file), kind, referenced(references), strict=strict)


def referenced(references: Iterable[str] | None) -> Mapping[str, bytes]:
    """The contents of references written as NAME=FILE, by name."""
    found: dict[str, bytes] = {}
    for value in references or ():
        name, separator, file = value.rpartition("=")
        if not (name and separator and file):
            raise typer.BadParameter(
                f"{value!r} is no reference; without a server write NAME=FILE", param_hint="--reference"
            )
        found[name] = read(file)
    return found


@dataclass(frozen=True, slots=True)
class Parsed:
    """A schema of a folder, or why it is none."""

    schema: Schema | None
    error: RegistryError | None = None


def parsed_folder(
    files: Mapping[PurePosixPath, bytes], kind: SchemaType | None, *, strict: bool = True
) -> dict[str, Parsed]:
    """Each schema of a folder by its path, with what it references in the folder."""
    steps = folder(files, Naming(), kind)
    done: dict[int, Parsed] = {}
    for number in _order(steps):
        step = steps[number]
        uses = {name: done[aim].schema for name, aim in step.uses.items()}
        broken = [steps[step.uses[name]].origin for name, schema in uses.items() if schema is None]
        try:
            if broken:
                raise InvalidSchema(f"{step.origin}: refers to {', '.join(broken)}, which is invalid")
            known = {name: schema for name, schema in uses.items() if schema is not None}
            done[number] = Parsed(
                local.parse(step.origin, step.content, step.schema_type, known, strict=strict)
            )
        except RegistryError as error:
            done[number] = Parsed(None, error)
    return {step.origin: done[number] for number, step in enumerate(steps)}


def _order(steps: Sequence[Step]) -> Iterable[int]:
    """Each step after those that it uses."""
    try:
        return tuple(
            TopologicalSorter({n: tuple(step.uses.values()) for n, step in enumerate(steps)}).static_order()
        )
    except CycleError as error:
        circle = " -> ".join(steps[number].origin for number in error.args[1])
        raise typer.BadParameter(f"these files refer to each other in a circle: {circle}") from error
