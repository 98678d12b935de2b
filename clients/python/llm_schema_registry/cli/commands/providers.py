"""The commands about providers of language models: what they take of a schema, and the form that they take. No server is asked."""

from __future__ import annotations

import enum
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from .. import local
from .. import options as o
from ..exits import Exit
from ..files import parsed
from ..help import sub_group
from ..inputs import read
from ..session import session
from ..text import bad, doubtful, good

if TYPE_CHECKING:
    from llm_schema_engines import CompiledForm, ProfileReport

provider = sub_group("What providers of language models take of a schema, without a server.")


class FailOn(enum.StrEnum):
    """The mildest outcome that ends `provider check` with 1."""

    REFUSED = "refused"
    UNKNOWN = "unknown"
    LOSS = "loss"


_FAILING = {
    FailOn.REFUSED: ("REFUSED",),
    FailOn.UNKNOWN: ("REFUSED", "UNKNOWN"),
    FailOn.LOSS: ("REFUSED", "UNKNOWN", "FITS_WITH_LOSS"),
}
_STYLES = {"FITS": good, "FITS_WITH_LOSS": doubtful, "UNKNOWN": doubtful, "REFUSED": bad}


def complete_provider(incomplete: str) -> list[str]:
    """Ids of profiles that begin so; none without the engines."""
    try:
        return [name for name in local.provider_profiles() if name.startswith(incomplete)]
    except local.MissingEngines:
        return []


Provider = Annotated[
    str,
    typer.Argument(
        metavar="PROVIDER",
        help="The id of a profile, such as openai-strict, or the file of one.",
        autocompletion=complete_provider,
    ),
]


@provider.command("list")
def list_(context: typer.Context) -> None:
    """List the profiles that this program has.

    Example:

    \b
      schema-registry provider list
    """
    s = session(context)
    profiles = local.provider_profiles()
    width = max(map(len, profiles))
    for name, profile in profiles.items():
        found = {"id": name, "version": profile.version, "as_of": profile.as_of, "title": profile.title}
        s.output.item(found, partial(_line, f"{name:<{width}}  {profile.as_of}  {profile.title}"))


def _line(text: str) -> list[str | Text]:
    return [text]


@provider.command("show")
def show(context: typer.Context, name: Provider) -> None:
    """Show what a provider does with each keyword, since when that is known, and from where.

    Example:

    \b
      schema-registry provider show openai-strict
    """
    profile = local.provider_profile(name)
    lines = [f"{profile.id}, version {profile.version}, {profile.as_of}: {profile.title}"]
    for word, cells in {**profile.keywords, "any other": (profile.unlisted,)}.items():
        for cell in cells:
            case = " in some cases" if cell.when is not None else ""
            note = f": {cell.note}" if cell.note else ""
            lines.append(f"  {word}{case}  {cell.support} ({cell.basis}, {cell.as_of}){note}")
    for rule, cell in profile.structure.items():
        note = f": {cell.note}" if cell.note else ""
        lines.append(f"  [{rule}]  {cell.support} ({cell.basis}, {cell.as_of}){note}")
    for limit in profile.limits:
        scope = "a request" if limit.per_request else "a schema"
        lines.append(f"  at most {limit.most} {limit.measure.replace('_', ' ')} in {scope}")
    session(context).output.result(dict(profile.document), lambda: lines)


@provider.command("check")
def check(
    context: typer.Context,
    file: o.File,
    providers: Annotated[
        list[str] | None,
        typer.Option(
            "--provider",
            "-p",
            metavar="PROVIDER",
            help="Only this one; repeatable. All when left out.",
            autocompletion=complete_provider,
        ),
    ] = None,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The name of the tool.")] = "",
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="The mildest outcome that ends the command with 1.")
    ] = FailOn.REFUSED,
    type_: o.Type = None,
    reference: o.LocalReferences = None,
) -> None:
    """Tell what providers would do with a schema as it stands. Exits with 1 if one would refuse it.

    Examples:

    \b
      schema-registry provider check order.json
      schema-registry provider check order.json -p openai-strict -p cohere
    """
    s = session(context)
    reports = local.check_for(
        parsed(file, type_, reference), providers or list(local.provider_profiles()), name
    )
    for report in reports.values():
        s.output.item(report, partial(_report, report))
    if any(report.fit.value in _FAILING[fail_on] for report in reports.values()):
        raise typer.Exit(Exit.NEGATIVE)


def _report(report: ProfileReport) -> list[str | Text]:
    fit = report.fit.value
    lines: list[str | Text] = [_STYLES[fit](f"{report.profile}: {fit.lower().replace('_', ' ')}")]
    for f in report.findings:
        place = f"{f.pointer}: " if f.pointer else ""
        known = f"{f.basis.value.lower()} {f.as_of}" if f.source else "not known"
        lines.append(f"  {place}{f.message} [{f.rule}; {known}]")
    shared = [b for b in report.budgets if b.per_request and b.used]
    lines.extend(f"  uses {b.used} of {b.most} {b.measure.replace('_', ' ')} of a request" for b in shared)
    if report.truncated:
        lines.append("  there are more findings")
    return lines


@provider.command("compile")
def compile_(
    context: typer.Context,
    file: o.File,
    name: Provider,
    surface: Annotated[
        str, typer.Option("--surface", metavar="NAME", help="tool, response ...; the first when left out.")
    ] = "",
    tool: Annotated[str, typer.Option("--name", metavar="NAME", help="Of the tool or format.")] = "",
    description: Annotated[str, typer.Option("--description", metavar="TEXT", help="Of the tool.")] = "",
    raw: Annotated[bool, typer.Option("--raw", help="Only what goes into the request.")] = False,
    decoder: Annotated[
        str,
        typer.Option("--decoder", metavar="FILE", help="Write what `provider decode` needs to this file."),
    ] = "",
    type_: o.Type = None,
    reference: o.LocalReferences = None,
) -> None:
    """Write a schema as a provider takes it, and tell what is lost. Exits with 1 if it exceeds a limit.

    Examples:

    \b
      schema-registry provider compile order.json openai-strict
      schema-registry provider compile order.json anthropic-strict --raw
    """
    s = session(context)
    form = local.compile_for(
        parsed(file, type_, reference), name, surface=surface, name=tool, description=description
    )
    if decoder:
        Path(decoder).write_text(json.dumps(form.decoder, ensure_ascii=False) + "\n", encoding="utf-8")
    if raw:
        typer.echo(form.envelope)
    else:
        s.output.result(_form(form), lambda: _compiled(form))
    if not form:
        raise typer.Exit(Exit.NEGATIVE)


def _form(form: CompiledForm) -> dict[str, Any]:
    return {
        "profile": form.profile,
        "profile_version": form.profile_version,
        "surface": form.surface,
        "name": form.name,
        "fit": form.fit.value,
        "envelope": json.loads(form.envelope),
        "widened": form.widened.name,
        "narrowed": form.narrowed.name,
        "losses": form.losses,
        "checks": form.checks,
        "not_guaranteed": form.not_guaranteed,
        "findings": form.report.findings,
        "decoder": form.decoder,
    }


def _compiled(form: CompiledForm) -> list[str | Text]:
    lines: list[str | Text] = [
        *json.dumps(json.loads(form.envelope), indent=2, ensure_ascii=False).splitlines()
    ]
    for loss in form.losses:
        shown = f"; for example {loss.witness[:200]}" if loss.witness else ""
        lines.append(
            doubtful(f"{loss.effect.value.lower()} {loss.pointer or '(root)'}: {loss.message}{shown}")
        )
    lines.extend(f"check {c.pointer or '(root)'}: {c.message}" for c in form.checks if "`" not in c.message)
    lines.extend(f"not guaranteed: {text}" for text in form.not_guaranteed)
    lines.extend(bad(f"refused: {f}") for f in form.report.findings if f.fit.value == "REFUSED")
    if form.lossless:
        lines.append(good("proved: it accepts exactly what the schema accepts"))
    return lines


@provider.command("decode")
def decode(
    context: typer.Context,
    decoder: Annotated[
        str, typer.Argument(metavar="DECODER", help="The file that `compile --decoder` wrote.")
    ],
    answer: Annotated[
        str, typer.Argument(metavar="ANSWER", help="The provider's answer; - is the standard input.")
    ],
) -> None:
    """Take a provider's answer back to the shape of the schema. Check the result with `validate`.

    Example:

    \b
      schema-registry provider decode order.decoder.json answer.json
    """
    found = local.decode(read(decoder), read(answer))
    session(context).output.result(json.loads(found), lambda: [found.decode()])


class GrammarSyntax(enum.StrEnum):
    """The notations of grammars."""

    GBNF = "gbnf"
    LARK = "lark"
    REGEX = "regex"


@provider.command("grammar")
def grammar(
    context: typer.Context,
    file: o.File,
    syntax: Annotated[
        GrammarSyntax, typer.Option("--syntax", "-s", help="How it is written.")
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
    """
    found = local.grammar_for(parsed(file, type_, reference), syntax.value)
    if raw:
        typer.echo(found.text, nl=False)
        return
    lines = [
        doubtful(f"{loss.effect.value.lower()} {loss.pointer or '(root)'}: {loss.message}")
        for loss in found.losses
        if loss.effect.value != "ANNOTATION"
    ]
    told = {
        "syntax": found.syntax.value,
        "text": found.text,
        "losses": found.losses,
        "widened": found.widened.name,
        "narrowed": found.narrowed.name,
    }
    session(context).output.result(told, lambda: [*found.text.splitlines(), *lines])


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(provider, name="provider")
