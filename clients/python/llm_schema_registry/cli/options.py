"""The options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from .._retry import RetryPolicy
from .._sync_client import SchemaRegistry
from ..enums import (
    Coercion,
    CompatibilityLevel,
    SchemaState,
    SchemaType,
    SearchOrder,
    Strictness,
    WireEnum,
    WriterModel,
)
from ..errors import RegistryError
from .session import chosen_session

E = TypeVar("E", bound=WireEnum)


def names(kind: type[WireEnum], *without: WireEnum) -> list[str]:
    """The names of an enumeration as they are written on the command line."""
    return [m.name.lower() for m in kind if m and m not in without]


def coercions(names: Iterable[str]) -> list[Coercion]:
    """Kinds of correction by their names; `all` is every one, `none` is none."""
    given = list(names)
    if given == ["none"]:
        return []
    return [k for k in Coercion if k] if "all" in given else [member(Coercion)(name) for name in given]


def member(kind: type[E]) -> Callable[[str | E], E]:
    """A reader of an enumeration's names, in any case."""

    def parse(value: str | E) -> E:
        found = kind.__members__.get(str(value).strip().upper().replace("-", "_"))
        if not found:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(names(kind))}")
        return found

    parse.__name__ = kind.__name__
    return parse


COMPLETION_SECONDS = 0.3
"""How long a shell waits for names of subjects."""


def complete_names(kind: type[WireEnum], *without: WireEnum) -> Callable[[str], list[str]]:
    """A completion by the names of an enumeration."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names(kind, *without) if name.startswith(incomplete.lower())]

    return complete


def complete_subject(ctx: typer.Context, incomplete: str) -> list[str]:
    """Subjects that begin so, of the registry that the options, the variables or the profile name.

    Completion has no place for an error: without a registry that answers in time there is nothing to offer.
    """
    given = ctx.find_root().params
    try:
        files = (given.get("ca"), given.get("cert"), given.get("key"))
        s = chosen_session(
            given.get("where"), given.get("token"), given.get("profile"), COMPLETION_SECONDS, files
        )
        # No second try: a shell waits.
        with SchemaRegistry(
            s.server, token=s.token, tls=s.tls, timeout=s.timeout, retry=RetryPolicy(attempts=1)
        ) as client:
            found = client.list_subjects(prefix=s.subject(incomplete) or None, limit=50).items
    except (RegistryError, ValueError, OSError):
        return []
    own = s.subject("")
    return [name.removeprefix(own) if not incomplete.startswith(":") else name for name in found]


def complete_file(incomplete: str) -> list[str]:
    """Files and folders that begin so."""
    head, _, tail = incomplete.rpartition("/")
    try:
        found = sorted(Path(head or ("/" if incomplete.startswith("/") else ".")).iterdir())
    except OSError:
        return []
    lead = incomplete[: len(incomplete) - len(tail)]
    return [f"{lead}{p.name}{'/' if p.is_dir() else ''}" for p in found if p.name.startswith(tail)]


def complete_subject_or_file(ctx: typer.Context, incomplete: str) -> list[str]:
    """What commands complete that take either."""
    return [*complete_subject(ctx, incomplete), *complete_file(incomplete)]


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
        autocompletion=complete_names(SchemaType, SchemaType.THRIFT),
        metavar="TYPE",
        help="json, avro or protobuf; else told from the file.",
    ),
]
TypeFilter = Annotated[
    SchemaType | None,
    typer.Option(
        "--type",
        "-t",
        parser=member(SchemaType),
        autocompletion=complete_names(SchemaType, SchemaType.THRIFT),
        metavar="TYPE",
        help="Only json, avro or protobuf.",
    ),
]
Level = Annotated[
    CompatibilityLevel | None,
    typer.Option(
        "--level",
        "-l",
        parser=member(CompatibilityLevel),
        autocompletion=complete_names(CompatibilityLevel),
        metavar="LEVEL",
        help="none, backward, forward, full, or one of the last three with _transitive.",
    ),
]
StateFilter = Annotated[
    SchemaState | None,
    typer.Option(
        "--state",
        parser=member(SchemaState),
        autocompletion=complete_names(SchemaState),
        metavar="STATE",
        help="Only versions in this state.",
    ),
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
        autocompletion=complete_names(SearchOrder),
        metavar="ORDER",
        help="relevance, where words are searched for, else name.",
        show_default=False,
    ),
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many.")]
Deleted = Annotated[bool, typer.Option("--deleted", help="Softly deleted versions too.")]

Strict = Annotated[
    Strictness | None,
    typer.Option(
        "--strictness",
        parser=member(Strictness),
        autocompletion=complete_names(Strictness),
        metavar="STRICTNESS",
        help="Protobuf: wire, wire_json or source.",
    ),
]
Writers = Annotated[
    WriterModel | None,
    typer.Option(
        "--writer-model",
        parser=member(WriterModel),
        autocompletion=complete_names(WriterModel),
        metavar="MODEL",
        help="JSON: open or declared_keys.",
    ),
]
ApplyDefaults = Annotated[
    bool | None, typer.Option(help="A required property with a default counts as optional.")
]
AllowUndecided = Annotated[
    bool, typer.Option("--allow-undecided", help="Without a server: what cannot be proved passes.")
]
Old = Annotated[
    list[str] | None,
    typer.Option(
        "--old",
        metavar="FILE",
        help="Compare FILE with this one, without a server; repeatable, the oldest first.",
        autocompletion=complete_file,
    ),
]
Git = Annotated[
    str | None,
    typer.Option(
        "--git",
        metavar="COMMIT[:PATH]",
        help="Compare FILE or FOLDER with what it was in a commit of git, without a server.",
    ),
]
SchemaFile = Annotated[
    str | None,
    typer.Option(
        "--schema",
        metavar="FILE",
        help="A file instead of SUBJECT, without a server.",
        autocompletion=complete_file,
    ),
]
FileReferences = Annotated[
    list[str] | None,
    typer.Option(
        "--reference",
        "-r",
        metavar="NAME=SUBJECT|FILE",
        help="What a name in the schema refers to: a subject, or without a server a file; repeatable.",
    ),
]
LocalReferences = Annotated[
    list[str] | None,
    typer.Option(
        "--reference",
        "-r",
        metavar="NAME=FILE",
        help="Without a server: what a name in the schema refers to; repeatable.",
    ),
]
