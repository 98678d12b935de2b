"""Commands that judge data under a schema, and a schema by itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.text import Text

from ..._calls.checks import ValidationItem
from ...enums import DataEncoding, Severity
from ...results import SchemaValidationReport, ValidationReport
from .. import local
from .. import options as o
from ..exits import Exit, issue_line
from ..files import parsed
from ..inputs import lines, read, references, schema_type
from ..session import Session, resolve_id, session
from ..text import bad, doubtful, good

if TYPE_CHECKING:
    from llm_schema_engines import Schema


def validate(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SUBJECT[@VERSION]] FILE...",
            help="The schema, unless --schema gives it, and payloads; - or none is the standard input.",
            autocompletion=o.complete_subject_or_file,
        ),
    ] = None,
    schema: o.SchemaFile = None,
    type_: o.Type = None,
    reference: o.LocalReferences = None,
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
            autocompletion=o.complete_names(DataEncoding),
            metavar="ENCODING",
            help="json, binary or avro_json; else told from the data.",
        ),
    ] = None,
    message: Annotated[
        str, typer.Option("--message", "-m", metavar="NAME", help="Protobuf: the full name of the message.")
    ] = "",
    max_errors: Annotated[
        int, typer.Option("--max-errors", metavar="N", min=1, max=100, help="Errors to report of a payload.")
    ] = 20,
) -> None:
    """Ask whether data is valid under a schema. Exits with 1 if any is not.

    With --schema the engines in this program answer, and no server is asked.

    Examples:

    \b
      schema-registry validate orders a.json b.json
      schema-registry validate orders@^1.2 --lines o.ndjson
      schema-registry validate --schema order.json a.json
      ask-a-model | schema-registry validate answers -
    """
    s = session(context)
    given = list(words or ())
    what = given.pop(0) if given and schema is None else ""
    if schema is None and not what:
        raise typer.BadParameter("give a subject, or a file with --schema", param_hint="SUBJECT")
    if schema is None and (type_ is not None or reference):
        raise typer.BadParameter("--type and --reference belong to --schema; a subject has its own")
    payloads = (part for file in given or ["-"] for part in (lines(file) if lines_ else [(file, read(file))]))
    options = _Options(strict, encoding or DataEncoding.UNSPECIFIED, message, max_errors)
    if schema is not None:
        reports = _reports_by_engines(parsed(schema, type_, reference), payloads, options)
    else:
        reports = _reports_by_server(s, what, payloads, options)
    failed = False
    for place, report in reports:
        failed = failed or not report.valid
        s.output.item({"source": place, "report": report}, partial(_validation, place, report))
    if failed:
        raise typer.Exit(Exit.NEGATIVE)


class _Options(NamedTuple):
    strict: bool
    encoding: DataEncoding
    message_name: str
    max_errors: int


Payloads = Iterable[tuple[str, bytes]]
Reports = Iterator[tuple[str, ValidationReport]]


def _reports_by_server(s: Session, what: str, payloads: Payloads, options: _Options) -> Reports:
    places: deque[str] = deque()

    def items(schema_id: str) -> Iterator[ValidationItem]:
        for place, data in payloads:
            places.append(place)
            yield ValidationItem(schema_id, data, *options)

    with s.registry() as client:
        for report in client.validate_many(items(resolve_id(client, s.target(what)))):
            yield places.popleft(), report


def _reports_by_engines(schema: Schema, payloads: Payloads, options: _Options) -> Reports:
    encoding = str(options.encoding) if options.encoding else "AUTO"
    for place, data in payloads:
        yield place, local.validate(schema, data, **(options._asdict() | {"encoding": encoding}))


def _validation(place: str, report: ValidationReport) -> list[str | Text]:
    if report.error is not None:
        return [bad(f"{place}: failed: {report.error.message}")]
    result: list[str | Text] = [good(f"{place}: valid") if report.valid else bad(f"{place}: invalid")]
    result += [f"  {e.path or '(root)'}: {e.message} [{e.error_type}]" for e in report.errors]
    result += [
        doubtful(f"  warning: {w.path or '(root)'}: {w.message} [{w.warning_type}]") for w in report.warnings
    ]
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
        report = client.validate_schema(read(file), kind, references=references(reference, s.subject))
    s.output.result(report, lambda: _schema(file, report))
    if not report.valid:
        raise typer.Exit(Exit.NEGATIVE)


def _schema(place: str, report: SchemaValidationReport) -> list[str | Text]:
    result: list[str | Text] = [good(f"{place}: valid") if report.valid else bad(f"{place}: invalid")]
    if report.issues:
        shown = [i for i in report.issues if i.severity is not Severity.INFO]
        result += [f"  {i.severity.name.lower()}: {issue_line(i)}" for i in shown]
        return result + (["  there are more; `schema-registry lint` shows them"] if report.truncated else [])
    return result + [f"  {text}" for text in (*report.errors, *report.warnings)]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(validate)
    app.command("validate-schema")(validate_schema)
