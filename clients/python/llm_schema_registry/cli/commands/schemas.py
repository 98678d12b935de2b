"""Commands that put schemas in and read them."""

from __future__ import annotations

import sys
from itertools import islice
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from ...enums import SchemaType
from ...results import Registration, SchemaInfo
from .. import local
from .. import options as o
from ..exits import issue_line
from ..files import parsed
from ..inputs import pairs, read, references, schema_type
from ..levels import keep_level
from ..output import fields, table
from ..session import resolve, session
from ..text import SEVERITY_STYLES, doubtful, good, laid_out, moment, pretty, report_lines, settings_command


def register(
    context: typer.Context,
    subject: o.Subject,
    file: o.File,
    type_: o.Type = None,
    reference: o.References = None,
    description: Annotated[str | None, typer.Option("--description", "-d", help="What it is for.")] = None,
    tag: o.Tags = None,
    meta: o.Metadata = None,
    level: o.Level = None,
    version: Annotated[
        str, typer.Option(help="A semantic version of your own instead of the derived one.")
    ] = "",
    activate: Annotated[bool, typer.Option(help="Make the version ACTIVE at once.")] = True,
    normalize: Annotated[bool, typer.Option("--normalize", help="White space makes no new version.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but store.")] = False,
    draft: Annotated[bool, typer.Option("--draft", help="Store as DRAFT, without checking.")] = False,
) -> None:
    """Register a schema as the next version of a subject.

    The same content again is no new version. The level becomes that of a new subject; `config set` changes that of one that
    is there.

    Examples:

    \b
      schema-registry register orders order.json
      schema-registry register shop.Order order.proto -r money.proto=shop.Money
      generate-schema | schema-registry register orders - -t json --dry-run
    """
    s = session(context)
    kind = schema_type(type_, file)
    content = read(file)
    with s.registry() as client:
        keep_level(client, s.subject(subject), level)
        done = client.register_schema(
            s.subject(subject),
            content,
            kind,
            references=references(reference, s.subject),
            description=description,
            tags=tag or (),
            metadata=pairs(meta or (), "--meta"),
            compatibility_level=level,
            version=version,
            auto_activate=None if activate else False,
            normalize=normalize,
            dry_run=dry_run,
            as_draft=draft,
        )
    s.output.result(done, lambda: _registration(done, dry_run=dry_run))


def _registration(done: Registration, *, dry_run: bool) -> list[str | Text]:
    version = f"{done.subject} {done.version} (version {done.ordinal}, {done.state.name})"
    if not done.created and done.previous_state:
        what = "would promote" if dry_run else "promoted"
        lines: list[str | Text] = [good(f"{what} {version}, which was {done.previous_state.name}")]
    else:
        what = "already registered:" if not done.created else "would register" if dry_run else "registered"
        lines = [good(f"{what} {version}")]
    if done.schema_id:
        lines.append(f"id {done.schema_id}")
    if done.softly_deleted_schema_id:
        lines.append(
            f"the same content stands in the softly deleted version {done.softly_deleted_schema_id}; "
            "to have that one instead: delete this version, then `undelete` that one"
        )
    for issue in done.warnings:
        lines.append(
            SEVERITY_STYLES[issue.severity.name](f"{issue.severity.name.lower()}: {issue_line(issue)}")
        )
    if done.warnings_truncated:
        lines.append("there are more warnings; `schema-registry lint` shows them")
    if done.report is not None:
        lines.extend(report_lines(done.report, settings_command(done.subject), registered=True))
    return lines


def get(
    context: typer.Context,
    what: o.Versioned,
    raw: Annotated[bool, typer.Option("--raw", help="Only the content, byte for byte.")] = False,
) -> None:
    """Show a version: what is known about it and its content.

    Examples:

    \b
      schema-registry get orders
      schema-registry get orders@1.4.0 --raw > order.json
      schema-registry get 0198c0de-0000-7000-8000-000000000001 -o json
    """
    s = session(context)
    with s.registry() as client:
        found = resolve(client, s.target(what))
    if raw:
        _write_raw(found.content)
        return
    s.output.result(found, lambda: _details(found))
    if s.output.format == "table":
        s.output.show(["", *pretty(found).splitlines()])


def _details(x: SchemaInfo) -> RenderableType:
    return fields(
        [
            ("subject", x.subject),
            ("version", f"{x.version} ({x.ordinal})"),
            ("id", x.id),
            ("global id", x.global_id),
            ("type", x.schema_type),
            ("state", x.state),
            ("level", x.compatibility_level),
            ("change", x.change_class),
            ("description", x.description),
            ("tags", x.tags),
            ("metadata", x.metadata),
            ("references", [f"{r.name}={r.subject}@{r.version}" for r in x.references]),
            ("created", f"{moment(x.created_at)} {'by ' + x.created_by if x.created_by else ''}".strip()),
            ("updated", moment(x.updated_at) if x.updated_at != x.created_at else ""),
            ("deleted", moment(x.deleted_at)),
            ("checksum", x.checksum),
        ]
    )


def list_(
    context: typer.Context,
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="Only subjects that begin so.")] = "",
    versions: Annotated[
        bool, typer.Option("--versions", "-v", help="Every version instead of subjects.")
    ] = False,
    type_: o.TypeFilter = None,
    state: o.StateFilter = None,
    deleted: o.Deleted = False,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="At most this many.")] = None,
) -> None:
    """List the subjects, or with --versions (or a filter by type or state) every version.

    Examples:

    \b
      schema-registry list
      schema-registry list shop. --versions --state deprecated
      schema-registry list -o json | jq -r '.[]'
    """
    s = session(context)
    with s.registry() as client:
        if versions or type_ is not None or state is not None:
            found = list(
                client.list_schemas(
                    subject_prefix=s.subject(prefix) or None,
                    schema_type=type_,
                    state=state,
                    limit=limit,
                    include_deleted=deleted,
                )
            )
            s.output.result(found, lambda: schemas_table(found))
        else:
            names = client.iter_subjects(
                prefix=s.subject(prefix) or None, include_deleted=deleted, limit=1000
            )
            subjects = list(islice(names, limit))
            s.output.result(subjects, lambda: subjects)


def schemas_table(found: list[SchemaInfo]) -> RenderableType:
    """Versions of several subjects."""
    return table(
        ("SUBJECT", "VERSION", "TYPE", "STATE", "CREATED"),
        ((x.subject, x.version, x.schema_type, x.state, moment(x.created_at)) for x in found),
    )


def versions(context: typer.Context, subject: o.Subject, deleted: o.Deleted = False) -> None:
    """List the versions of a subject, oldest first.

    Example:

    \b
      schema-registry versions orders --deleted
    """
    s = session(context)
    with s.registry() as client:
        found = client.get_subject_versions(s.subject(subject), include_deleted=deleted)
    s.output.result(
        found,
        lambda: table(
            ("#", "VERSION", "STATE", "CREATED", "ID"),
            (
                (
                    v.ordinal,
                    v.version,
                    "DELETED" if v.deleted_at else v.state,
                    f"{v.created_at:%Y-%m-%d}",
                    v.schema_id,
                )
                for v in found
            ),
        ),
    )


def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="Words, each the beginning of a word.")] = "",
    subject: Annotated[str | None, typer.Option("--subject", "-s", help="A name with * and ?.")] = None,
    type_: o.TypeFilter = None,
    tag: o.Tags = None,
    meta: o.Metadata = None,
    latest: Annotated[
        bool, typer.Option("--latest", help="Only the latest version of each subject.")
    ] = False,
    order: o.Order = None,
    limit: o.Limit = 50,
) -> None:
    """Search subjects, descriptions, tags, metadata and field names.

    Examples:

    \b
      schema-registry search "customer email" --latest
      schema-registry search -s 'tools.*' --meta owner=me
    """
    s = session(context)
    with s.registry() as client:
        page = client.search_schemas(
            query or None,
            subject_pattern=s.subject(subject or "*") if subject or s.context else None,
            schema_type=type_,
            tags=tag or (),
            metadata=pairs(meta or (), "--meta"),
            latest_only=latest,
            order_by=order,
            limit=limit,
        )
    s.output.result(page, lambda: schemas_table(list(page)))
    if page.total > len(page):
        s.output.note(f"{len(page)} of {page.total}; --limit shows more")
    if page.did_you_mean:
        s.output.note(f"nothing found; did you mean {page.did_you_mean!r}?")


def deps(
    context: typer.Context,
    what: o.Versioned,
    dependents: Annotated[
        bool, typer.Option("--dependents", help="What uses it, instead of what it uses.")
    ] = False,
    transitive: Annotated[bool, typer.Option("--transitive", "-a", help="At any depth.")] = False,
) -> None:
    """Show what a version uses, or with --dependents what uses it.

    Example:

    \b
      schema-registry deps shop.Money --dependents -a
    """
    s = session(context)
    with s.registry() as client:
        schema_id = resolve(client, s.target(what)).id
        ask = client.get_dependents if dependents else client.get_dependencies
        found = ask(schema_id, transitive=transitive)
    s.output.result(
        found,
        lambda: table(
            ("DEPTH", "SUBJECT", "VERSION", "NAME", "KIND"),
            ((d.depth, d.subject, d.version, d.name, d.dependency_type) for d in found),
        ),
    )


def _complete_conversion(ctx: typer.Context, incomplete: str) -> list[str]:
    return [
        *o.complete_names(SchemaType, SchemaType.THRIFT)(incomplete),
        *o.complete_subject(ctx, incomplete),
    ]


def convert(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[SUBJECT[@VERSION]] TYPE",
            help="The schema, unless --schema gives it, and json, avro or protobuf.",
            autocompletion=_complete_conversion,
        ),
    ],
    schema: o.SchemaFile = None,
    type_: o.Type = None,
    reference: o.LocalReferences = None,
    raw: Annotated[bool, typer.Option("--raw", help="Only the converted schema, byte for byte.")] = False,
    message: Annotated[
        str, typer.Option("--message", "-m", metavar="NAME", help="Protobuf: the full name of the message.")
    ] = "",
) -> None:
    """Convert a schema to another language, and tell what that language cannot say.

    With --schema the engines in this program convert, and no server is asked.

    Examples:

    \b
      schema-registry convert orders avro
      schema-registry convert --schema order.json avro
      schema-registry convert orders@1.4.0 protobuf --raw
    """
    s = session(context)
    if len(words) != (2 if schema is None else 1):
        wanted = "SUBJECT and TYPE" if schema is None else "only TYPE besides --schema"
        raise typer.BadParameter(f"give {wanted}, such as avro", param_hint="TYPE")
    to = o.member(SchemaType)(words[-1])
    if schema is not None:
        found = local.convert(parsed(schema, type_, reference), to, message)
    else:
        if type_ is not None or reference:
            raise typer.BadParameter("--type and --reference belong to --schema; a subject has its own")
        with s.registry() as client:
            found = client.convert_schema(resolve(client, s.target(words[0])), to, message_name=message)
    if raw:
        _write_raw(found.content)
        return
    losses = [
        doubtful(f"lost: {x.kind.name.lower()} {x.path or '(root)'}: {x.message}") for x in found.losses
    ]
    s.output.result(found, lambda: [*laid_out(found.content, found.schema_type).splitlines(), *losses])


def _write_raw(content: bytes) -> None:
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(register)
    app.command()(get)
    app.command("list")(list_)
    app.command()(versions)
    app.command()(search)
    app.command()(deps)
    app.command()(convert)
