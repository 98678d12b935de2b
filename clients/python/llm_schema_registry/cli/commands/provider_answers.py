"""The commands about what providers and local engines answer: decode an answer, write a grammar that holds answers."""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ...results import CompileLoss, ProviderGrammar, ValidationReport
from .. import local
from .. import options as o
from ..exits import Exit
from ..files import parsed
from ..inputs import read
from ..registered import OneFile, Subject, one_of, operand
from ..session import resolve_id, session
from ..text import bad, doubtful

if TYPE_CHECKING:
    import llm_schema_engines as engines


def decode(
    context: typer.Context,
    decoder: Annotated[
        str, typer.Argument(metavar="DECODER", help="The file that `compile --decoder` wrote.")
    ],
    answer: Annotated[
        str, typer.Argument(metavar="ANSWER", help="The provider's answer; - is the standard input.")
    ],
    subject: Annotated[
        str,
        typer.Option(
            "--subject",
            "-s",
            metavar="SUBJECT[@VERSION]",
            help="Ask the server, and validate the answer by this schema.",
            autocompletion=o.complete_subject,
        ),
    ] = "",
) -> None:
    """Take a provider's answer back to the shape of the schema. Check the result with `validate`, or give --subject: then it exits
    with 1 if it is not valid.

    Examples:

    \b
      schema-registry provider decode order.decoder.json answer.json
      schema-registry provider decode order.decoder.json answer.json -s orders
    """
    s = session(context)
    if not subject:
        found = local.decode(read(decoder), read(answer))
        s.output.result(json.loads(found), lambda: [found.decode()])
        return
    with s.registry() as client:
        named = resolve_id(client, s.target(subject))
        done = client.decode_answer(read(decoder), read(answer), schema_id=named)
    s.output.result(done, lambda: [done.data.decode("utf-8", "replace"), *_errors(done.report)])
    if not done:
        raise typer.Exit(Exit.NEGATIVE)


def _errors(report: ValidationReport | None) -> list[str | Text]:
    found = () if report is None else report.errors
    return [bad(f"  {e.path or '(root)'}: {e.message} [{e.error_type}]") for e in found]


class GrammarSyntax(enum.StrEnum):
    """The notations of grammars."""

    GBNF = "gbnf"
    LARK = "lark"
    REGEX = "regex"


def grammar(
    context: typer.Context,
    file: OneFile = "",
    subject: Subject = "",
    syntax: Annotated[
        GrammarSyntax, typer.Option("--syntax", help="How it is written.")
    ] = GrammarSyntax.GBNF,
    raw: Annotated[bool, typer.Option("--raw", help="Only the grammar.")] = False,
    type_: o.Type = None,
    reference: o.LocalReferences = None,
) -> None:
    """Write a schema as a grammar for a local engine, and tell what the grammar does not hold.

    Examples:

    \b
      schema-registry provider grammar order.json
      schema-registry provider grammar order.json --syntax lark --raw
      schema-registry provider grammar -s orders
    """
    s = session(context)
    one_of(file, subject)
    found: ProviderGrammar | engines.Grammar
    if subject:
        with s.registry() as client:
            found = client.grammar_for(operand(s, subject), syntax.value)
        widened, narrowed = str(found.not_widened), str(found.not_narrowed)
    else:
        found = local.grammar_for(parsed(file, type_, reference), syntax.value)
        widened, narrowed = found.widened.name, found.narrowed.name
    losses: list[CompileLoss | engines.CompileLoss] = [*found.losses]
    if raw:
        typer.echo(found.text, nl=False)
        return
    lines = [
        doubtful(f"{str(loss.effect).lower()} {loss.pointer or '(root)'}: {loss.message}")
        for loss in losses
        if str(loss.effect) != "ANNOTATION"
    ]
    told = {
        "syntax": str(found.syntax),
        "text": found.text,
        "losses": found.losses,
        "widened": widened,
        "narrowed": narrowed,
    }
    s.output.result(told, lambda: [*found.text.splitlines(), *lines])


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(decode)
    app.command()(grammar)
