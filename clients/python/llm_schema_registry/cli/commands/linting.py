"""The command that finds what is unwise in schemas, without a server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ...errors import InvalidSchema
from .. import local
from .. import options as o
from ..exits import Exit, issue_line
from ..files import parsed
from ..session import session
from ..text import SEVERITY_STYLES, bad, good

if TYPE_CHECKING:
    from llm_schema_engines import LintReport


def complete_rule(incomplete: str) -> list[str]:
    """Rules whose ids begin so; none without the engines."""
    try:
        return [rule for rule in local.lint_rules() if rule.startswith(incomplete)]
    except local.MissingEngines:
        return []


def lint(
    context: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="Schemas; - is the standard input.", autocompletion=o.complete_file
        ),
    ],
    type_: o.Type = None,
    enable: Annotated[
        list[str] | None,
        typer.Option(
            "--enable", metavar="RULE", help="Also this rule; repeatable.", autocompletion=complete_rule
        ),
    ] = None,
    disable: Annotated[
        list[str] | None,
        typer.Option(
            "--disable", metavar="RULE", help="Not this rule; repeatable.", autocompletion=complete_rule
        ),
    ] = None,
    reference: o.LocalReferences = None,
) -> None:
    """Find what is unwise in schemas. Exits with 1 if there is an error or a warning.

    The engines in this program answer; no server is asked.

    Examples:

    \b
      schema-registry lint order.json shop/*.proto
      schema-registry lint a.avsc --enable avro/missing-doc
    """
    s = session(context)
    clean = True
    for file in files:
        try:
            report = local.lint(parsed(file, type_, reference), enable or (), disable or ())
        except InvalidSchema as error:
            clean = False
            found = {"source": file, "valid": False, "issues": error.issues, "findings": []}
            s.output.item(found, partial(_invalid, file, error))
            continue
        clean = clean and bool(report)
        s.output.item(
            {
                "source": file,
                "valid": True,
                "issues": [],
                "findings": report.findings,
                "truncated": report.truncated,
            },
            partial(_findings, file, report),
        )
    if not clean:
        raise typer.Exit(Exit.NEGATIVE)


def _invalid(file: str, error: InvalidSchema) -> list[str | Text]:
    return [bad(f"{file}: invalid"), *(f"  {issue_line(issue)}" for issue in error.issues)]


def _findings(file: str, report: LintReport) -> list[str | Text]:
    if not report.findings:
        return [good(f"{file}: nothing found")]
    lines: list[str | Text] = []
    for f in report.findings:
        # file:line:column is what editors and continuous integration make links of.
        place = f"{file}:{f.line}:{f.column}" if f.line else file
        pointer = f"{f.pointer}: " if f.pointer else ""
        severity = f.severity.name
        line = f"{place}: {severity.lower()}: {pointer}{f.message} [{f.rule}]"
        lines.append(SEVERITY_STYLES[severity](line))
        if f.hint:
            lines.append(f"  {f.hint}")
    if report.truncated:
        lines.append(f"{file}: there are more findings")
    return lines


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(lint)
