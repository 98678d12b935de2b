"""Commands about the registry as a whole: its changes, its settings, its health."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer
from rich.console import RenderableType

from ..._sync_client import SchemaRegistry
from ...enums import (
    Coercion,
    EventType,
    FormatPolicy,
    HealthStatus,
    LintPolicy,
    Mode,
    ProfileFit,
    Strictness,
    UndecidedPolicy,
    WriterModel,
)
from ...errors import SubjectNotFound
from ...results import ChangeEvent, ConfigView, Health
from .. import options as o
from ..exits import Exit
from ..help import sub_group
from ..output import fields, plain, table
from ..session import session

Scope = Annotated[
    str,
    typer.Argument(
        metavar="SUBJECT", help="A subject; the registry when left out.", autocompletion=o.complete_subject
    ),
]
Context = Annotated[str, typer.Option("--context", "-c", help="A context such as .staging instead.")]


def watch(
    context: typer.Context,
    subjects: Annotated[
        list[str] | None, typer.Argument(metavar="SUBJECT", help="Names with * and ?.")
    ] = None,
    event: Annotated[
        list[EventType] | None,
        typer.Option(
            "--event",
            "-e",
            parser=o.member(EventType),
            autocompletion=o.complete_names(EventType),
            metavar="EVENT",
            help="schema_registered, schema_deleted ...; repeatable.",
        ),
    ] = None,
    from_: Annotated[str, typer.Option("--from", help="Resume after this revision, or: earliest.")] = "",
    count: Annotated[int | None, typer.Option("--count", "-n", min=1, help="Stop after this many.")] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="With the schema of each version (JSON, YAML).")
    ] = False,
) -> None:
    """Follow the changes of the registry. Reconnects by itself; Ctrl-C stops it.

    Each change ends with its revision: give the last one to --from to go on after it.

    Examples:

    \b
      schema-registry watch
      schema-registry watch 'shop.*' -e schema_registered -o json
      schema-registry watch --from earliest --count 10
    """
    s = session(context)
    patterns = [s.subject(name) for name in subjects or (["*"] if s.context else [])]
    with (
        s.registry() as client,
        client.watch(
            subjects=patterns, event_types=event or (), from_revision=from_, include_schema=schema
        ) as changes,
    ):
        for number, change in enumerate(changes, 1):
            s.output.item(change, partial(_change, change))
            if number == count:
                return


def _change(e: ChangeEvent) -> list[str]:
    when = f"{e.timestamp:%Y-%m-%d %H:%M:%S}" if e.timestamp else ""
    what = " ".join(part for part in (e.subject, e.version) if part)
    by = f" by {e.changed_by}" if e.changed_by else ""
    return [f"{when} {e.event_type.name.lower()} {what or '(registry)'}{by} [{e.revision}]"]


config = sub_group("Show and change settings of the registry, a context or a subject.")


@config.command("get")
def config_get(context: typer.Context, subject: Scope = "", scope: Context = "") -> None:
    """Show the settings in force, and which scope decided each.

    Examples:

    \b
      schema-registry config get
      schema-registry config get orders
    """
    s = session(context)
    where, within = s.scope(subject, scope)
    with s.registry() as client:
        view = client.get_config(where, context=within)
        unknown = bool(where) and not _has_versions(client, where)
    s.output.result(view, lambda: _settings(view))
    if unknown:
        s.output.note(f"subject {where!r} has no versions; these settings will apply to its first one")


def _has_versions(client: SchemaRegistry, subject: str) -> bool:
    try:
        client.list_versions(subject, limit=1, include_deleted=True)
    except SubjectNotFound:
        return False
    return True


@config.command("set")
def config_set(
    context: typer.Context,
    subject: Scope = "",
    scope: Context = "",
    level: o.Level = None,
    mode: Annotated[
        Mode | None,
        typer.Option(
            parser=o.member(Mode),
            autocompletion=o.complete_names(Mode),
            metavar="MODE",
            help="readwrite, readonly or import.",
        ),
    ] = None,
    strictness: Annotated[
        Strictness | None,
        typer.Option(
            parser=o.member(Strictness),
            autocompletion=o.complete_names(Strictness),
            metavar="STRICTNESS",
            help="Protobuf: wire, wire_json or source.",
        ),
    ] = None,
    writer_model: Annotated[
        WriterModel | None,
        typer.Option(
            parser=o.member(WriterModel),
            autocompletion=o.complete_names(WriterModel),
            metavar="MODEL",
            help="JSON: open or declared_keys.",
        ),
    ] = None,
    apply_defaults: Annotated[
        bool | None, typer.Option(help="A required property with a default counts as optional.")
    ] = None,
    format_policy: Annotated[
        FormatPolicy | None,
        typer.Option(
            parser=o.member(FormatPolicy),
            autocompletion=o.complete_names(FormatPolicy),
            metavar="POLICY",
            help="JSON `format`: dialect, assert or ignore.",
        ),
    ] = None,
    undecided: Annotated[
        UndecidedPolicy | None,
        typer.Option(
            parser=o.member(UndecidedPolicy),
            autocompletion=o.complete_names(UndecidedPolicy),
            metavar="POLICY",
            help="Unproved verdicts: refuse or allow.",
        ),
    ] = None,
    default_dialect: Annotated[
        str | None, typer.Option(metavar="URI", help="JSON: the dialect of schemas without $schema.")
    ] = None,
    lint: Annotated[
        LintPolicy | None,
        typer.Option(
            parser=o.member(LintPolicy),
            autocompletion=o.complete_names(LintPolicy),
            metavar="POLICY",
            help="Lint findings at a registration: off, warn, refuse_errors or refuse_warnings.",
        ),
    ] = None,
    max_subjects: Annotated[
        int | None, typer.Option(metavar="N", help="Most subjects of a context; 0: no limit.")
    ] = None,
    max_versions: Annotated[
        int | None, typer.Option(metavar="N", help="Most versions of a context; 0: no limit.")
    ] = None,
    max_bytes: Annotated[
        int | None, typer.Option(metavar="N", help="Most bytes of all contents of a context; 0: no limit.")
    ] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option(
            "--demand",
            metavar="PROFILE",
            help="A provider that JSON Schemas must fit; repeatable. none: no provider.",
        ),
    ] = None,
    worst_fit: Annotated[
        ProfileFit | None,
        typer.Option(
            "--worst-fit",
            parser=o.member(ProfileFit),
            autocompletion=o.complete_names(ProfileFit),
            metavar="FIT",
            help="How badly they may fit: fits, fits_with_loss or unknown.",
        ),
    ] = None,
    coercion: Annotated[
        list[str] | None,
        typer.Option(
            "--coercion",
            metavar="KIND",
            autocompletion=o.complete_names(Coercion),
            help="A correction of answers that `coerce` makes when none is named; repeatable. all or none.",
        ),
    ] = None,
) -> None:
    """Change settings; those that are not given stay.

    Examples:

    \b
      schema-registry config set --level full
      schema-registry config set orders -l full_transitive
      schema-registry config set -c .prod --lint refuse_errors
      schema-registry config set -c .team --max-subjects 500
      schema-registry config set orders --demand cohere
      schema-registry config set orders --coercion date
    """
    given = (
        level,
        mode,
        strictness,
        writer_model,
        apply_defaults,
        format_policy,
        undecided,
        default_dialect,
        lint,
        max_subjects,
        max_versions,
        max_bytes,
        profile,
        worst_fit,
        coercion,
    )
    if all(value is None for value in given):
        raise typer.BadParameter("nothing to set; give at least one setting such as --level")
    s = session(context)
    where, within = s.scope(subject, scope)
    with s.registry() as client:
        view = client.set_config(
            where,
            context=within,
            compatibility_level=level,
            mode=mode,
            strictness=strictness,
            writer_model=writer_model,
            apply_defaults=apply_defaults,
            format_policy=format_policy,
            undecided=undecided,
            default_dialect=default_dialect,
            lint=lint,
            max_subjects=max_subjects,
            max_versions=max_versions,
            max_bytes=max_bytes,
            profiles=None if profile is None else [] if profile == ["none"] else profile,
            worst_fit=worst_fit,
            coercions=None if coercion is None else o.coercions(coercion),
        )
    s.output.result(view, lambda: _settings(view))


@config.command("unset")
def config_unset(context: typer.Context, subject: Scope = "", scope: Context = "") -> None:
    """Remove all settings of a scope: the wider scope counts again.

    Example:

    \b
      schema-registry config unset orders
    """
    s = session(context)
    where, within = s.scope(subject, scope)
    with s.registry() as client:
        client.delete_config(where, context=within)
    what = f"subject {where}" if where else f"context {within}" if within else "the registry"
    s.output.result({"subject": where, "context": within}, lambda: [f"removed the settings of {what}"])


def _settings(view: ConfigView) -> RenderableType:
    return table(
        ("SETTING", "IN FORCE", "DECIDED BY"),
        (
            (
                name,
                ", ".join(value) or "none" if isinstance(value, list) else value,
                view.sources.get(name, ""),
            )
            for name, value in plain(view.effective).items()
        ),
    )


def health(context: typer.Context) -> None:
    """Show how the server and its parts are. Exits with 4 when it is unhealthy.

    Example:

    \b
      schema-registry --server registry:9090 health
    """
    s = session(context)
    with s.registry() as client:
        found = client.health_check()
    s.output.result(found, lambda: _health(found))
    if found.status is HealthStatus.UNHEALTHY:
        raise typer.Exit(Exit.UNAVAILABLE)


def _health(found: Health) -> RenderableType:
    rows = [("server", f"{found.status.name} (version {found.version})")]
    for name, part in found.components.items():
        details = [part.message or "", *(f"{k}={v}" for k, v in sorted(part.details.items()))]
        rows.append((name, " ".join([part.status.name, *(d for d in details if d)])))
    return fields(rows)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(watch)
    app.command()(health)
    app.add_typer(config, name="config")
