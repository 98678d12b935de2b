"""The commands about providers of language models: what they take of a schema, and the form that they take. A server is asked only
about what is registered."""

from __future__ import annotations

import enum
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ...results import (
    ProfileReport,
    ProviderForm,
    ProviderProfile,
)
from .. import local
from .. import options as o
from ..exits import Exit
from ..files import parsed
from ..help import sub_group
from ..registered import OneFile, Subject, one_of, operand
from ..session import session
from ..text import bad, doubtful, good
from . import own_profiles, provider_answers

if TYPE_CHECKING:
    import llm_schema_engines as engines

provider = sub_group("What providers of language models take of a schema.")
FromRegistry = Annotated[
    bool, typer.Option("--registry", help="Of the registry, which may know profiles of its own.")
]


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
def list_(context: typer.Context, registry: FromRegistry = False) -> None:
    """List the profiles that this program has, or those of the registry.

    Examples:

    \b
      schema-registry provider list
      schema-registry provider list --registry
    """
    s = session(context)
    if registry:
        with s.registry() as client:
            there = client.list_profiles()
        longest = max(map(len, (p.id for p in there)), default=0)
        for one in there:
            s.output.item(one, partial(_line, _listed(one, longest)))
        return
    profiles = local.provider_profiles()
    width = max(map(len, profiles))
    for name, profile in profiles.items():
        found = {"id": name, "version": profile.version, "as_of": profile.as_of, "title": profile.title}
        s.output.item(found, partial(_line, f"{name:<{width}}  {profile.as_of}  {profile.title}"))


def _listed(one: ProviderProfile, width: int) -> str:
    origin = "" if one.origin == "BUILT_IN" else f" ({one.origin.lower()})"
    return f"{one.id:<{width}}  {one.as_of}  version {one.version}  {one.title}{origin}"


def _line(text: str) -> list[str | Text]:
    return [text]


@provider.command("show")
def show(context: typer.Context, name: Provider, registry: FromRegistry = False) -> None:
    """Show what a provider does with each keyword, since when that is known, and from where.

    Examples:

    \b
      schema-registry provider show openai-strict
      schema-registry provider show our-gateway --registry
    """
    s = session(context)
    if registry:
        with s.registry() as client:
            found = client.get_profile(name)
        document = json.loads(found.document)
        s.output.result(document, lambda: json.dumps(document, indent=2, ensure_ascii=False).splitlines())
        return
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
    s.output.result(dict(profile.document), lambda: lines)


@provider.command("check")
def check(
    context: typer.Context,
    file: OneFile = "",
    subject: Subject = "",
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
      schema-registry provider check -s orders@2 -p openai-strict
    """
    s = session(context)
    one_of(file, subject)
    reports: list[ProfileReport | engines.ProfileReport]
    if subject:
        with s.registry() as client:
            reports = [*client.check_profile(operand(s, subject), providers or (), tool_name=name).reports]
    else:
        chosen = providers or list(local.provider_profiles())
        reports = [*local.check_for(parsed(file, type_, reference), chosen, name).values()]
    for report in reports:
        s.output.item(report, partial(_report, report))
    if any(str(report.fit) in _FAILING[fail_on] for report in reports):
        raise typer.Exit(Exit.NEGATIVE)


def _report(report: ProfileReport | engines.ProfileReport) -> list[str | Text]:
    fit = str(report.fit)
    lines: list[str | Text] = [_STYLES[fit](f"{report.profile}: {fit.lower().replace('_', ' ')}")]
    for f in report.findings:
        place = f"{f.pointer}: " if f.pointer else ""
        known = f"{str(f.basis).lower()} {f.as_of}" if f.source else "not known"
        lines.append(f"  {place}{f.message} [{f.rule}; {known}]")
    shared = [b for b in report.budgets if b.per_request and b.used]
    lines.extend(f"  uses {b.used} of {b.most} {b.measure.replace('_', ' ')} of a request" for b in shared)
    if report.truncated:
        lines.append("  there are more findings")
    return lines


@provider.command("compile")
def compile_(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[FILE] PROVIDER",
            help="A file, unless --subject is given, and the id of a profile or the file of one.",
            autocompletion=complete_provider,
        ),
    ],
    subject: Subject = "",
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
      schema-registry provider compile -s orders openai-strict
    """
    s = session(context)
    name = words[-1]
    if len(words) != (1 if subject else 2):
        wanted = "PROVIDER" if subject else "FILE PROVIDER"
        raise typer.BadParameter(f"give {wanted}", param_hint="FILE" if len(words) < 2 else "PROVIDER")
    form: ProviderForm | engines.CompiledForm
    if subject:
        with s.registry() as client:
            form = client.compile_for_provider(
                operand(s, subject), name, surface=surface, name=tool, description=description
            )
    else:
        schema = parsed(words[0], type_, reference)
        form = local.compile_for(schema, name, surface=surface, name=tool, description=description)
    if decoder:
        Path(decoder).write_text(json.dumps(_decoder(form), ensure_ascii=False) + "\n", encoding="utf-8")
    if raw:
        typer.echo(form.envelope)
    else:
        s.output.result(_form(form), lambda: _compiled(form))
    if not form:
        raise typer.Exit(Exit.NEGATIVE)


def _decoder(form: ProviderForm | engines.CompiledForm) -> Any:
    return json.loads(form.decoder) if isinstance(form, ProviderForm) else form.decoder


def _verdicts(form: ProviderForm | engines.CompiledForm) -> tuple[str, str]:
    """Whether the form accepts no more, and no less."""
    if isinstance(form, ProviderForm):
        return str(form.not_widened), str(form.not_narrowed)
    return form.widened.name, form.narrowed.name


def _form(form: ProviderForm | engines.CompiledForm) -> dict[str, Any]:
    widened, narrowed = _verdicts(form)
    return {
        "profile": form.profile,
        "profile_version": form.profile_version,
        "surface": form.surface,
        "name": form.name,
        "fit": str(form.fit),
        "envelope": json.loads(form.envelope),
        "widened": widened,
        "narrowed": narrowed,
        "losses": form.losses,
        "checks": form.checks,
        "not_guaranteed": form.not_guaranteed,
        "findings": form.report.findings,
        "decoder": _decoder(form),
    }


def _refused(form: ProviderForm | engines.CompiledForm) -> list[str]:
    if isinstance(form, ProviderForm):
        found = (f for f in form.report.findings if f.support == "REJECTED")
        return [f"{f.pointer}: {f.message} ({f.rule})" if f.pointer else f.message for f in found]
    return [str(f) for f in form.report.findings if f.fit.value == "REFUSED"]


def _compiled(form: ProviderForm | engines.CompiledForm) -> list[str | Text]:
    lines: list[str | Text] = [
        *json.dumps(json.loads(form.envelope), indent=2, ensure_ascii=False).splitlines()
    ]
    for loss in form.losses:
        shown = f"; for example {loss.witness[:200]}" if loss.witness else ""
        lines.append(
            doubtful(f"{str(loss.effect).lower()} {loss.pointer or '(root)'}: {loss.message}{shown}")
        )
    lines.extend(f"check {c.pointer or '(root)'}: {c.message}" for c in form.checks if "`" not in c.message)
    lines.extend(f"not guaranteed: {text}" for text in form.not_guaranteed)
    lines.extend(bad(f"refused: {f}") for f in _refused(form))
    if form.lossless:
        lines.append(good("proved: it accepts exactly what the schema accepts"))
    return lines


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    own_profiles.add_to(provider)
    provider_answers.add_to(provider)
    app.add_typer(provider, name="provider")
