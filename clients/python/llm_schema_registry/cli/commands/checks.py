"""Commands that judge: data under a schema, a schema by itself, a schema as the next version."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated

import typer

from ..._calls.checks import ValidationItem
from ...enums import CompatibilityLevel, DataEncoding, SchemaType
from ...results import SchemaValidationReport, ValidationReport
from .. import options as o
from ..exits import Exit, issue_line
from ..inputs import lines, read, references, schema_type, target
from ..session import resolve_id, session
from ..text import report_lines


def check(
    context: typer.Context,
    subject: o.Subject,
    file: o.File,
    type_: o.Type = None,
    level: o.Level = None,
    against: Annotated[
        str | None, typer.Option("--against", "-a", help="Compare with this version only.")
    ] = None,
    reference: o.References = None,
) -> None:
    """Ask whether a schema could become the next version of a subject. Exits with 1 if not.

    Examples:

    \b
      schema-registry check orders order.json
      schema-registry check orders order.json --level full_transitive
      schema-registry check orders - --against 1.0.0 < order.json
    """
    s = session(context)
    content = read(file)
    with s.registry() as client:
        report = client.check_compatibility(
            subject,
            content,
            level=level or CompatibilityLevel.UNSPECIFIED,
            compare_version=against,
            references=references(reference or ()),
            schema_type=type_ or SchemaType.UNSPECIFIED,
        )
    s.output.result(report, lambda: report_lines(report))
    if not report.compatible:
        raise typer.Exit(Exit.NEGATIVE)


def validate(
    context: typer.Context,
    what: o.Versioned,
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE", help="Payloads; - is the standard input.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse what the schema does not declare.")
    ] = False,
    lines_: Annotated[bool, typer.Option("--lines", help="Each line of the files is a payload.")] = False,
    encoding: Annotated[
        DataEncoding | None,
        typer.Option(
            "--encoding",
            "-e",
            parser=o.member(DataEncoding),
            metavar="ENCODING",
            help="json, binary or avro_json; else told from the data.",
        ),
    ] = None,
    message: Annotated[
        str, typer.Option("--message", "-m", help="Protobuf: the full name of the message.")
    ] = "",
    max_errors: Annotated[
        int, typer.Option("--max-errors", min=1, max=100, help="Errors to report of a payload.")
    ] = 20,
) -> None:
    """Ask whether data is valid under a schema. Exits with 1 if any is not.

    Examples:

    \b
      schema-registry validate orders order-1.json order-2.json
      schema-registry validate orders@^1.2 --lines orders.ndjson
      ask-the-model | schema-registry validate answers - --strict
    """
    s = session(context)
    places: list[str] = []

    def payloads(schema_id: str) -> Iterator[ValidationItem]:
        for file in files or ["-"]:
            parts = lines(file) if lines_ else [(file, read(file))]
            for place, data in parts:
                places.append(place)
                yield ValidationItem(
                    schema_id, data, strict, encoding or DataEncoding.UNSPECIFIED, message, max_errors
                )

    failed = False
    with s.registry() as client:
        schema_id = resolve_id(client, target(what))
        for report in client.validate_many(payloads(schema_id)):
            place = places.pop(0)
            failed = failed or not report.valid
            found = {"source": place, "report": report}
            s.output.item(found, partial(_validation, place, report))
    if failed:
        raise typer.Exit(Exit.NEGATIVE)


def _validation(place: str, report: ValidationReport) -> list[str]:
    if report.error is not None:
        return [f"{place}: failed: {report.error.message}"]
    result = [f"{place}: {'valid' if report.valid else 'invalid'}"]
    result += [f"  {e.path or '(root)'}: {e.message} [{e.error_type}]" for e in report.errors]
    result += [f"  warning: {w.path or '(root)'}: {w.message} [{w.warning_type}]" for w in report.warnings]
    if report.truncated:
        result.append("  there are more errors; --max-errors shows more")
    return result


def validate_schema(
    context: typer.Context, file: o.File, type_: o.Type = None, reference: o.References = None
) -> None:
    """Ask whether a schema follows the rules of its type. Exits with 1 if not. Nothing is stored.

    Examples:

    \b
      schema-registry validate-schema order.json
      schema-registry validate-schema order.avsc -r shop.Money=shop.Money@1
    """
    s = session(context)
    kind = schema_type(type_, file)
    with s.registry() as client:
        report = client.validate_schema(read(file), kind, references=references(reference or ()))
    s.output.result(report, lambda: _schema(file, report))
    if not report.valid:
        raise typer.Exit(Exit.NEGATIVE)


def _schema(place: str, report: SchemaValidationReport) -> list[str]:
    result = [f"{place}: {'valid' if report.valid else 'invalid'}"]
    if report.issues:
        return result + [f"  {i.severity.name.lower()}: {issue_line(i)}" for i in report.issues]
    return result + [f"  {text}" for text in (*report.errors, *report.warnings)]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(check)
    app.command()(validate)
    app.command("validate-schema")(validate_schema)
