"""A registered schema in place of a file: the option, and what it means."""

from __future__ import annotations

from typing import Annotated

import typer

from .._calls.tools import SchemaOperand
from . import options as o
from .session import Session

Subject = Annotated[
    str,
    typer.Option(
        "--subject",
        "-s",
        metavar="SUBJECT[@VERSION]",
        help="A registered schema in place of FILE: the server is asked.",
        autocompletion=o.complete_subject,
    ),
]
OneFile = Annotated[
    str, typer.Argument(metavar="[FILE]", help="A file, or - for the standard input.", show_default=False)
]


def operand(s: Session, subject: str) -> SchemaOperand:
    """The registered schema that a text names."""
    aim = s.target(subject)
    if aim.schema_id:
        return SchemaOperand(schema_id=aim.schema_id)
    return SchemaOperand(aim.subject, aim.selector)


def one_of(file: str, subject: str) -> None:
    """Raises BadParameter unless exactly one of them is given."""
    if bool(file) == bool(subject):
        raise typer.BadParameter("give either a file or --subject", param_hint="FILE")
