"""What commands are given: files, targets, references, pairs. Wrong ones raise typer.BadParameter with the way out."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

import typer

from ..enums import SchemaType
from ..results import SchemaReference

TYPE_OF_SUFFIX = {".json": SchemaType.JSON, ".avsc": SchemaType.AVRO, ".proto": SchemaType.PROTOBUF}

_SELECTOR = re.compile(r"latest|\d+|[~^]?v?\d+(\.(\d+|x|\*)){0,2}([-+][0-9A-Za-z.+-]+)?|[<>=^~].*")
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Target:
    """A version as people name it: `SUBJECT`, `SUBJECT@SELECTOR` or a schema id."""

    subject: str = ""
    selector: str = "latest"
    schema_id: str = ""
    explicit: bool = False


def target(text: str) -> Target:
    """Read a target. What follows the last `@` is a selector only if it looks like one, so names may contain `@`."""
    if _ID.fullmatch(text):
        return Target(schema_id=text, explicit=True)
    subject, at, selector = text.rpartition("@")
    if at and subject and _SELECTOR.fullmatch(selector):
        return Target(subject, selector, explicit=True)
    return Target(text)


def read(file: str) -> bytes:
    """The bytes of a file, or of the standard input for `-`."""
    if file == "-":
        return sys.stdin.buffer.read()
    return Path(file).read_bytes()


def lines(file: str) -> Iterator[tuple[str, bytes]]:
    """The lines of a file that are not blank, one by one, each with its place `file:number`."""
    with sys.stdin.buffer if file == "-" else Path(file).open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield f"{file}:{number}", line.strip()


def schema_type(given: SchemaType | None, file: str) -> SchemaType:
    """The type that was given, or the one that the name of the file tells."""
    if given is not None:
        return given
    guessed = TYPE_OF_SUFFIX.get(PurePath(file).suffix.lower())
    if guessed is None:
        if file != "-" and Path(file).is_dir():
            raise typer.BadParameter(f"{file!r} is a folder; `schema-registry import` registers folders")
        known = ", ".join(TYPE_OF_SUFFIX)
        raise typer.BadParameter(
            f"{file!r} does not tell its type ({known} do); give --type", param_hint="--type"
        )
    return guessed


def references(values: Iterable[str] | None, subject: Callable[[str], str]) -> list[SchemaReference]:
    """References written as NAME=SUBJECT or NAME=SUBJECT@SELECTOR. `subject`: from a name as it is written to the subject."""
    found = []
    for value in values or ():
        name, separator, rest = value.rpartition("=")
        if not (name and separator and rest):
            raise typer.BadParameter(
                f"{value!r} is no reference; write NAME=SUBJECT@VERSION", param_hint="--reference"
            )
        aim = target(rest)
        if not aim.subject:
            raise typer.BadParameter(
                f"{rest!r} is an id; a reference names a subject", param_hint="--reference"
            )
        found.append(SchemaReference(name, subject(aim.subject), aim.selector))
    return found


def pairs(values: Iterable[str], option: str) -> dict[str, str]:
    """Metadata written as KEY=VALUE."""
    found = {}
    for value in values:
        key, separator, rest = value.partition("=")
        if not (key and separator):
            raise typer.BadParameter(f"{value!r} is no pair; write KEY=VALUE", param_hint=option)
        found[key] = rest
    return found
