"""Commands about the audit log, and verdicts that the registry has signed."""

from __future__ import annotations

import enum
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import RenderableType

from ... import audit_verify
from ...audit import AuditEvent
from ...enums import AuditEventType, AuditOutcome, AuditSeverity, CompatibilityLevel, SchemaType
from ...verdicts import NEEDS_CRYPTOGRAPHY, VerdictInvalid, verify_verdict
from .. import options as o
from ..cef import cef
from ..exits import Exit
from ..help import sub_group
from ..inputs import read, references
from ..output import fields, table
from ..session import session
from ..text import bad, good
from ..times import moment

audit = sub_group("Read the audit log: who did what, and proof that nobody has altered that.")


class ExportForm(enum.StrEnum):
    """How `audit export` writes."""

    JSONL = "jsonl"
    CEF = "cef"


Key = Annotated[
    str,
    typer.Option(
        "--public-key",
        metavar="KEY",
        help="The registry's public key, or a file with it.",
        show_default=False,
    ),
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Not older than this: 30m, 24h, 7d, or 2026-11-29T08:00."),
]
Kept = Annotated[
    list[Path] | None,
    typer.Option("--checkpoint", metavar="FILE", help="A checkpoint that was kept elsewhere. Repeatable."),
]


@audit.command("list")
def list_(
    context: typer.Context,
    since: Since = None,
    principal: Annotated[str, typer.Option("--principal", metavar="NAME", help="Who did it.")] = "",
    operation: Annotated[
        str, typer.Option("--operation", metavar="RPC", help="Such as RegisterSchema.")
    ] = "",
    type_: Annotated[
        str,
        typer.Option("--event", metavar="EVENT", help="Such as AUTHORIZATION_DENIED.", show_default=False),
    ] = "",
    outcome: Annotated[
        str,
        typer.Option("--outcome", metavar="OUTCOME", help="ALLOWED, DENIED or FAILED.", show_default=False),
    ] = "",
    severity: Annotated[
        str,
        typer.Option(
            "--severity",
            metavar="SEVERITY",
            help="At least INFO, WARNING, IMPORTANT or CRITICAL.",
            show_default=False,
        ),
    ] = "",
    resource: Annotated[
        str, typer.Option("--resource", metavar="NAME", help="A subject, a schema id, or subject:orders.")
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, metavar="N", help="So many, the newest.")
    ] = 50,
) -> None:
    """List entries of the audit log, the newest first.

    Examples:

    \b
      schema-registry audit list --outcome DENIED --since 24h
      schema-registry audit list --resource orders
    """
    s = session(context)
    with s.registry() as client:
        found = list(
            islice(
                client.iter_audit_events(
                    since=None if since is None else moment(since, "--since"),
                    principal=principal,
                    operation=operation,
                    type=type_ or AuditEventType.UNSPECIFIED,
                    outcome=outcome or AuditOutcome.UNSPECIFIED,
                    severity=severity or AuditSeverity.UNSPECIFIED,
                    resource=resource,
                    newest_first=True,
                    limit=min(limit, 1000),
                ),
                limit,
            )
        )
    s.output.result(found, lambda: _table(found) if found else ["no entries"])


@audit.command("checkpoint")
def checkpoint(context: typer.Context) -> None:
    """Show what the audit log is now, signed. Keep it where nobody can alter it.

    Example:

    \b
      schema-registry audit checkpoint > checkpoint.txt
    """
    s = session(context)
    with s.registry() as client:
        found = client.get_audit_checkpoint()
    s.output.result(found, lambda: found.note.rstrip("\n").split("\n"))


@audit.command("export")
def export(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The file to make; - is the standard output.")
    ] = "-",
    form: Annotated[
        ExportForm, typer.Option("--format", help="jsonl can be verified; cef is for SIEM systems.")
    ] = ExportForm.JSONL,
    since: Since = None,
) -> None:
    """Write the audit log: as lines of JSON with its checkpoints, or in the Common Event Format.

    Examples:

    \b
      schema-registry audit export audit.jsonl
      schema-registry audit export --format cef --since 24h
    """
    if since is not None and form is ExportForm.JSONL:
        raise typer.BadParameter(
            "lines of JSON are whole, so that they can be verified", param_hint="--since"
        )
    s = session(context)
    with s.registry() as client, ExitStack() as stack:
        out = sys.stdout if file == "-" else stack.enter_context(_new(file))
        if form is ExportForm.JSONL:
            lines = client.export_audit()
        else:
            product = _version()
            events = client.iter_audit_events(
                since=None if since is None else moment(since, "--since"), limit=1000
            )
            lines = (cef(event, product) for event in events)
        for line in lines:
            out.write(line + "\n")


@audit.command("verify")
def verify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `audit export` has written.")],
    key: Key,
    kept: Kept = None,
) -> None:
    """Verify an export of the audit log, without a server: say what was altered, removed, moved or cut off. Exits with 1 then.

    Example:

    \b
      schema-registry audit verify audit.jsonl --public-key audit.pub --checkpoint checkpoint.txt
    """
    s = session(context)
    verifier = audit_verify.Verifier(_key(key), [path.read_text(encoding="utf-8") for path in kept or ()])
    with file.open(encoding="utf-8", errors="surrogateescape") as lines:
        try:
            findings = verifier.verify(lines)
        except ModuleNotFoundError as error:
            raise ValueError(NEEDS_CRYPTOGRAPHY) from error
    seen = f"positions {verifier.first} to {verifier.place - 1}"
    shown = [bad(finding) for finding in findings] or [good(f"{seen}: nothing was altered")]
    s.output.result(
        {"sound": not findings, "first": verifier.first, "end": verifier.place, "findings": findings},
        lambda: shown,
    )
    if findings:
        raise typer.Exit(Exit.NEGATIVE)


def certify(
    context: typer.Context,
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", autocompletion=o.complete_subject)],
    file: Annotated[str, typer.Argument(metavar="FILE", help="The schema; - is the standard input.")],
    note: Annotated[
        Path, typer.Option("--into", metavar="FILE", help="Where the verdict goes.", show_default=False)
    ],
    type_: o.Type = None,
    level: o.Level = None,
    reference: o.FileReferences = None,
) -> None:
    """Ask whether a schema could become the next version, and have the verdict signed. Exits with 1 if not.

    Example:

    \b
      schema-registry certify orders order.json --into order.verdict
    """
    s = session(context)
    name = s.subject(subject)
    with s.registry() as client:
        made = client.certify_compatibility(
            name,
            read(file),
            level=level or CompatibilityLevel.UNSPECIFIED,
            references=references(reference, s.subject),
            schema_type=type_ or SchemaType.UNSPECIFIED,
        )
    note.write_text(made.note, encoding="utf-8")
    word = "compatible" if made else "not compatible"
    s.output.result(made, lambda: [(good if made else bad)(f"{word}; the signed verdict is in {note}")])
    if not made:
        raise typer.Exit(Exit.NEGATIVE)


def verify_verdict_(
    context: typer.Context,
    note: Annotated[Path, typer.Argument(metavar="VERDICT", help="What `certify` has written.")],
    key: Key,
    schema: Annotated[
        str | None, typer.Option("--schema", metavar="FILE", help="The verdict must be about this schema.")
    ] = None,
) -> None:
    """Verify a signed verdict, without a server. Exits with 1 if it is not genuine, or if it says no.

    Example:

    \b
      schema-registry verify-verdict order.verdict --public-key audit.pub --schema order.json
    """
    s = session(context)
    try:
        found = verify_verdict(
            note.read_text(encoding="utf-8"), _key(key), None if schema is None else read(schema)
        )
    except VerdictInvalid as error:
        s.output.note(bad(str(error)))
        raise typer.Exit(Exit.NEGATIVE) from error
    except ModuleNotFoundError as error:
        raise ValueError(str(error)) from error
    s.output.result(
        found.claims,
        lambda: fields(
            [
                ("verdict", "compatible" if found else "not compatible"),
                ("subject", found.subject),
                ("schema", f"sha256:{found.content}"),
                ("level", found.level.name),
                ("compared with", ", ".join(found.compared) or "nothing"),
                ("at", f"{found.at:%Y-%m-%d %H:%M:%S} UTC"),
                ("by", f"registry {found.registry}, engines {found.engine}"),
                ("rules", found.rules),
            ]
        ),
    )
    if not found:
        raise typer.Exit(Exit.NEGATIVE)


def _new(file: str) -> TextIO:
    """A new file to write into. Raises ValueError when it is there already."""
    try:
        return Path(file).open("x", encoding="utf-8")
    except FileExistsError:
        raise ValueError(f"{file} is there already; an export replaces no file") from None


def _table(events: Sequence[AuditEvent]) -> RenderableType:
    return table(
        ("#", "TIME", "EVENT", "OUTCOME", "WHO", "FROM", "WHAT", "WHY"),
        (
            (
                event.position,
                "" if event.at is None else f"{event.at:%Y-%m-%d %H:%M:%S}",
                event.type.name + (f" x{event.count}" if event.count > 1 else ""),
                event.outcome.name,
                event.principal,
                event.address,
                " ".join([event.operation, *(r.name for r in event.resources)]).strip(),
                event.reason,
            )
            for event in events
        ),
    )


def _key(text: str) -> str:
    """The key itself; of a file its content."""
    return text if text.count("+") >= 2 and " " not in text else Path(text).read_text(encoding="utf-8")


def _version() -> str:
    try:
        return version("llm-schema-registry")
    except PackageNotFoundError:
        return "0"


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(audit, name="audit")
    app.command()(certify)
    app.command("verify-verdict")(verify_verdict_)
