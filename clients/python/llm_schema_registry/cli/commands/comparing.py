"""Commands that compare schemas: `check` asks whether one may follow another, `diff` shows what changed.

With --old or --git they compare files by the engines in this program; otherwise the server compares with a subject.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ..._calls.tools import SchemaOperand
from ...enums import CompatibilityLevel, SchemaType
from ...results import CompatibilityReport, SchemaDiff, SchemaInfo
from .. import git, local
from .. import options as o
from ..exits import Exit
from ..files import parsed, parsed_folder, referenced
from ..inputs import read, references
from ..local import Assumptions
from ..session import Session, session
from ..sources import read_folder
from ..text import (
    Command,
    bad,
    colored_difference,
    difference,
    difference_lines,
    fix_command,
    good,
    laid_out,
    option_command,
    pretty,
    report_lines,
    settings_command,
)

if TYPE_CHECKING:
    from llm_schema_engines import Schema


def check(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[SUBJECT] FILE",
            help="The schema, after a subject unless --old or --git is given; - is the standard input.",
            autocompletion=o.complete_subject_or_file,
        ),
    ],
    type_: o.Type = None,
    level: o.Level = None,
    against: Annotated[
        str | None,
        typer.Option("--against", "-a", metavar="VERSION", help="Compare with this version of SUBJECT only."),
    ] = None,
    old: o.Old = None,
    commit: o.Git = None,
    reference: o.FileReferences = None,
    writer_model: o.Writers = None,
    strictness: o.Strict = None,
    apply_defaults: o.ApplyDefaults = None,
    allow_undecided: o.AllowUndecided = False,
) -> None:
    """Ask whether a schema could become the next version. Exits with 1 if not.

    The versions before it are those of a subject, or without a server the file of --old, or the same file (or every
    schema of a folder) in a commit of git. Without a server the level is backward unless --level says another.

    Examples:

    \b
      schema-registry check orders order.json
      schema-registry check orders order.json -a 1.0.0
      schema-registry check order.json --old order-1.json
      schema-registry check order.json --git HEAD~1
      schema-registry check schemas/ --git main --level full
    """
    s = session(context)
    assumptions = Assumptions(writer_model, strictness, apply_defaults, allow_undecided)
    local_file = without_server(words, old, commit)
    if local_file is None:
        refuse_assumptions(assumptions)
        subject, file = s.subject(words[0]), words[1]
        with s.registry() as client:
            report = client.check_compatibility(
                subject,
                read(file),
                level=level or CompatibilityLevel.UNSPECIFIED,
                compare_version=against,
                references=references(reference, s.subject),
                schema_type=type_ or SchemaType.UNSPECIFIED,
            )
        _answer(s, report, settings_command(subject), fix_command(subject, file))
        return
    if against is not None:
        raise typer.BadParameter("--against names a version of a subject; there is none here")
    if Path(local_file).is_dir():
        if commit is None:
            raise typer.BadParameter("a folder is compared with --git", param_hint="--old")
        _check_folder(s, Path(local_file), commit, type_, level, assumptions)
        return
    new = parsed(local_file, type_, reference)
    found = earlier(local_file, old, commit, type_, reference)
    report = local.check(new, found, level, assumptions)
    _answer(
        s,
        report,
        option_command,
        fix_command(local_file, *(["--git", commit] if commit else (f"--old={f}" for f in old or ()))),
    )


def _answer(s: Session, report: CompatibilityReport, command: Command, fix: str) -> None:
    s.output.result(report, lambda: report_lines(report, command, fix=fix))
    if not report.compatible:
        raise typer.Exit(Exit.NEGATIVE)


def without_server(words: Sequence[str], old: Sequence[str] | None, commit: str | None) -> str | None:
    """The file that is compared without a server; None when a server is asked. Raises typer.BadParameter."""
    if old and commit:
        raise typer.BadParameter("--old and --git say two different things; give one")
    if old or commit:
        if len(words) != 1:
            raise typer.BadParameter("with --old or --git give one FILE and no subject", param_hint="FILE")
        if commit and words[0] == "-":
            raise typer.BadParameter("--git needs a file with a name", param_hint="FILE")
        return words[0]
    if len(words) != 2:
        raise typer.BadParameter(
            "give SUBJECT and FILE; or without a server FILE with --old FILE or --git COMMIT",
            param_hint="FILE",
        )
    return None


def refuse_assumptions(assumptions: Assumptions) -> None:
    if assumptions:
        raise typer.BadParameter(
            "--writer-model, --strictness, --apply-defaults and --allow-undecided are settings of a subject; change them "
            "with `schema-registry config set`, or give --old or --git"
        )


def earlier(
    file: str,
    old: Sequence[str] | None,
    commit: str | None,
    kind: SchemaType | None,
    reference: Sequence[str] | None,
) -> list[tuple[str, Schema]]:
    """What the file is compared with, with names, the oldest first; nothing when a commit does not have it."""
    if commit is None:
        return [(name, parsed(name, kind, reference, strict=False)) for name in old or ()]
    found = git.file_at(commit, Path(file))
    if found is None:
        return []
    name, content = found
    return [(name, local.parse(name, content, kind, referenced(reference), strict=False))]


class Outcome(enum.Enum):
    """What became of a schema since the commit."""

    UNCHANGED = "unchanged"
    COMPATIBLE = "compatible"
    NEW = "new"
    REMOVED = "removed"
    INCOMPATIBLE = "incompatible"
    INVALID = "invalid"


BREAKS = (Outcome.INCOMPATIBLE, Outcome.INVALID)


@dataclass(frozen=True, slots=True)
class Row:
    """A schema of the folder."""

    path: str
    outcome: Outcome
    report: CompatibilityReport | None = None
    message: str = ""


def _check_folder(
    s: Session,
    root: Path,
    commit: str,
    kind: SchemaType | None,
    level: CompatibilityLevel | None,
    assumptions: Assumptions,
) -> None:
    before = parsed_folder(git.folder_at(commit, root), kind, strict=False)
    after = parsed_folder(read_folder(root), kind)
    if not before and not after:
        raise typer.BadParameter(f"{root} holds no schemas (.json, .avsc, .proto)", param_hint="FOLDER")
    rows = []
    for path in sorted(before.keys() | after.keys()):
        new, old = after.get(path), before.get(path)
        if new is None:
            rows.append(Row(path, Outcome.REMOVED))
        elif new.schema is None:
            rows.append(Row(path, Outcome.INVALID, message=new.error.message if new.error else ""))
        elif old is None:
            rows.append(Row(path, Outcome.NEW))
        elif old.schema is None:
            rows.append(Row(path, Outcome.NEW, message=f"in {commit} it was no valid schema"))
        elif old.schema.key == new.schema.key:
            rows.append(Row(path, Outcome.UNCHANGED))
        else:
            report = local.check(new.schema, [(f"{commit}:{path}", old.schema)], level, assumptions)
            outcome = Outcome.COMPATIBLE if report.compatible else Outcome.INCOMPATIBLE
            rows.append(Row(path, outcome, report))
    counts = Counter(row.outcome for row in rows)
    found = {"counts": {outcome.value: counts[outcome] for outcome in Outcome}, "rows": rows}
    s.output.result(found, lambda: _folder_lines(rows, counts))
    if any(counts[outcome] for outcome in BREAKS):
        raise typer.Exit(Exit.NEGATIVE)


def _folder_lines(rows: Sequence[Row], counts: Counter[Outcome]) -> list[str | Text]:
    summary = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome if counts[outcome])
    broken = any(counts[outcome] for outcome in BREAKS)
    lines: list[str | Text] = [(bad if broken else good)(f"{counts.total()} schemas: {summary}")]
    for row in rows:
        if row.outcome is Outcome.UNCHANGED:
            continue
        line = f"{row.path}: {row.outcome.value}"
        lines.append(bad(line) if row.outcome in BREAKS else line)
        if row.message:
            lines.append(f"  {row.message}")
        if row.outcome is Outcome.INCOMPATIBLE and row.report is not None:
            lines += [Text.assemble("  ", line) for line in report_lines(row.report, option_command)]
    return lines


def diff(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[SUBJECT [OLD [NEW]]] | FILE",
            help="A subject and two versions (the last two when left out), or a file with --old or --git.",
            autocompletion=o.complete_subject_or_file,
        ),
    ],
    file: Annotated[
        str | None,
        typer.Option(
            "--file", "-f", metavar="FILE", help="A file instead of NEW.", autocompletion=o.complete_file
        ),
    ] = None,
    old: o.Old = None,
    commit: o.Git = None,
    type_: o.Type = None,
    level: o.Level = None,
    reference: o.LocalReferences = None,
    writer_model: o.Writers = None,
    strictness: o.Strict = None,
    apply_defaults: o.ApplyDefaults = None,
    allow_undecided: o.AllowUndecided = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 when incompatible.")] = False,
) -> None:
    """Show what changed between two versions, and whether it is compatible.

    With --old or --git two files are compared, and no server is asked.

    Examples:

    \b
      schema-registry diff orders
      schema-registry diff orders 1.0.0 2.0.0 --level full
      schema-registry diff orders --file order.json
      schema-registry diff order.json --old order-1.json
      schema-registry diff order.json --git HEAD~1
    """
    s = session(context)
    assumptions = Assumptions(writer_model, strictness, apply_defaults, allow_undecided)
    if old or commit:
        if file is not None or len(words) != 1 or len(old or ()) > 1:
            raise typer.BadParameter(
                "give one FILE, and what it is compared with: --old FILE or --git COMMIT"
            )
        both_registered = False
        found = _diff_files(words[0], old, commit, type_, level, reference, assumptions)
        command: Command = option_command
    else:
        refuse_assumptions(assumptions)
        if type_ is not None or reference:
            raise typer.BadParameter(
                "--type and --reference belong to --old and --git; a subject has its own"
            )
        if len(words) > (3 if file is None else 2):
            raise typer.BadParameter(f"one word too many: {words[-1]!r}", param_hint="SUBJECT [OLD [NEW]]")
        subject, before, after = (s.subject(words[0]), *words[1:], "", "")[:3]
        both_registered = file is None
        found = _diff_versions(s, subject, before, after, file, level)
        command = settings_command(subject)
    s.output.result(
        found,
        lambda: [
            *(colored_difference(found.lines) if found.lines else ["no difference"]),
            "",
            *difference_lines(found.diff),
            *report_lines(found.report, command, registered=both_registered),
        ],
    )
    if exit_code and not found.report.compatible:
        raise typer.Exit(Exit.NEGATIVE)


@dataclass(frozen=True, slots=True)
class _Difference:
    """Two schemas by name, the difference of their texts, what it means, and whether it is compatible."""

    old: str
    new: str
    lines: list[str]
    diff: SchemaDiff
    report: CompatibilityReport


def _diff_files(
    file: str,
    old: Sequence[str] | None,
    commit: str | None,
    kind: SchemaType | None,
    level: CompatibilityLevel | None,
    reference: Sequence[str] | None,
    assumptions: Assumptions,
) -> _Difference:
    if Path(file).is_dir():
        raise typer.BadParameter("diff shows one file; `check` takes a folder", param_hint="FILE")
    without_server([file], old, commit)
    new = parsed(file, kind, reference)
    versions = earlier(file, old, commit, kind, reference)
    if not versions:
        raise typer.BadParameter(f"there is no {file} in {commit}", param_hint="--git")
    name, before = versions[0]
    old_text, new_text = (laid_out(x.content, SchemaType(x.schema_type.name)) for x in (before, new))
    return _Difference(
        old=name,
        new=file,
        lines=difference(old_text, new_text, name, file),
        diff=local.diff((name, before), (file, new), assumptions),
        report=local.check(new, versions, level, assumptions),
    )


def _diff_versions(
    s: Session, subject: str, old: str, new: str, file: str | None, level: CompatibilityLevel | None
) -> _Difference:
    with s.registry() as client:
        after: SchemaInfo | SchemaOperand
        if file is not None:
            before = client.get_schema_by_version(subject, old or "latest")
            content, name = read(file), file
            after = SchemaOperand(
                content=content, schema_type=before.schema_type, references=before.references
            )
        else:
            after = client.get_schema_by_version(subject, new or "latest")
            before = client.get_schema_by_version(subject, old or _before(after))
            content, name = after.content, f"{subject} {after.version}"
        found = client.diff_schemas(before, after)
        report = client.check_compatibility(
            subject,
            content,
            level=level or CompatibilityLevel.UNSPECIFIED,
            compare_version=before.ordinal,
            references=after.references,
            schema_type=before.schema_type,
        )
    old_name = f"{subject} {before.version}"
    lines = difference(pretty(before), laid_out(content, before.schema_type), old_name, name)
    return _Difference(old_name, name, lines, found, report)


def _before(after: SchemaInfo) -> int:
    if after.ordinal <= 1:
        raise typer.BadParameter(
            f"{after.subject} {after.version} is the first version; there is nothing before it",
            param_hint="OLD",
        )
    return after.ordinal - 1


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(check)
    app.command()(diff)
