"""The options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from .._options import DEFAULT_TARGET
from .._sync_client import SchemaRegistry
from ..enums import CompatibilityLevel, SchemaState, SchemaType, SearchOrder, WireEnum
from ..errors import RegistryError
from .session import SERVER_VARIABLE, TOKEN_VARIABLE

E = TypeVar("E", bound=WireEnum)


def names(kind: type[WireEnum], *without: WireEnum) -> list[str]:
    """The names of an enumeration as they are written on the command line."""
    return [m.name.lower() for m in kind if m and m not in without]


def member(kind: type[E]) -> Callable[[str | E], E]:
    """A reader of an enumeration's names, in any case."""

    def parse(value: str | E) -> E:
        found = kind.__members__.get(str(value).strip().upper().replace("-", "_"))
        if not found:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(names(kind))}")
        return found

    parse.__name__ = kind.__name__
    return parse


def complete_subject(incomplete: str) -> list[str]:
    """Subjects that begin so, of the registry that the variables name: a shell completes before options are read.

    Completion has no place for an error: without a registry there is nothing to offer.
    """
    server = os.environ.get(SERVER_VARIABLE, DEFAULT_TARGET)
    try:
        with SchemaRegistry(server, token=os.environ.get(TOKEN_VARIABLE), timeout=1.0) as client:
            return list(client.list_subjects(prefix=incomplete, limit=50).items)
    except RegistryError:
        return []


Subject = Annotated[
    str, typer.Argument(metavar="SUBJECT", help="Name of the subject.", autocompletion=complete_subject)
]
Versioned = Annotated[
    str,
    typer.Argument(
        metavar="SUBJECT[@VERSION]",
        help="A subject's latest version, the version that a selector chooses (3, 1.4.0, ^1.2), or a schema id.",
        autocompletion=complete_subject,
    ),
]
File = Annotated[str, typer.Argument(metavar="FILE", help="A file, or - for the standard input.")]
Type = Annotated[
    SchemaType | None,
    typer.Option(
        "--type",
        "-t",
        parser=member(SchemaType),
        metavar="TYPE",
        help="json, avro or protobuf; else told from the file.",
    ),
]
TypeFilter = Annotated[
    SchemaType | None,
    typer.Option(
        "--type", "-t", parser=member(SchemaType), metavar="TYPE", help="Only json, avro or protobuf."
    ),
]
Level = Annotated[
    CompatibilityLevel | None,
    typer.Option(
        "--level",
        "-l",
        parser=member(CompatibilityLevel),
        metavar="LEVEL",
        help="none, backward, forward, full, or one of the last three with _transitive.",
    ),
]
StateFilter = Annotated[
    SchemaState | None,
    typer.Option("--state", parser=member(SchemaState), metavar="STATE", help="Only versions in this state."),
]
References = Annotated[
    list[str] | None,
    typer.Option(
        "--reference",
        "-r",
        metavar="NAME=SUBJECT",
        help="What a name in the schema refers to; repeatable.",
    ),
]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="A tag; repeatable.")]
Metadata = Annotated[
    list[str] | None, typer.Option("--meta", metavar="KEY=VALUE", help="Metadata; repeatable.")
]
Order = Annotated[
    SearchOrder | None,
    typer.Option(
        "--order",
        parser=member(SearchOrder),
        metavar="ORDER",
        help="relevance, where words are searched for, else name.",
        show_default=False,
    ),
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many.")]
Deleted = Annotated[bool, typer.Option("--deleted", help="Softly deleted versions too.")]
