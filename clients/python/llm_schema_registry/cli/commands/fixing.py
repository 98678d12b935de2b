"""The command `fix`: edits that make a refused schema compatible, each proved."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ...enums import CompatibilityLevel, SchemaType
from ...results import Fix, FoundFixes
from .. import local
from .. import options as o
from ..exits import Exit
from ..files import parsed
from ..inputs import read, references
from ..local import Assumptions
from ..session import session
from ..text import bad, doubtful, good, styled
from .comparing import earlier, refuse_assumptions, without_server


def fix(
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
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=5, help="Fixes, at most.")] = 3,
    write: Annotated[
        str | None,
        typer.Option("--write", "-w", metavar="FILE", help="Write the schema of a fix to this file."),
    ] = None,
    pick: Annotated[
        int, typer.Option("--pick", metavar="N", min=1, max=5, help="The fix for --write; 1 is the first.")
    ] = 1,
) -> None:
    """Find edits under which a refused schema could become the next version. Exits with 1 if it is refused and there are none.

    Each was parsed and compared again; it is offered only when it was proved compatible. The versions are those of `check`.

    Examples:

    \b
      schema-registry fix orders order.json
      schema-registry fix order.json --old order-1.json
      schema-registry fix order.json --git HEAD~1 --level full
      schema-registry fix orders order.json -w order.json
    """
    s = session(context)
    assumptions = Assumptions(writer_model, strictness, apply_defaults)
    local_file = without_server(words, old, commit)
    if local_file is None:
        refuse_assumptions(assumptions)
        with s.registry() as client:
            found = client.find_fixes(
                s.subject(words[0]),
                read(words[1]),
                level=level or CompatibilityLevel.UNSPECIFIED,
                compare_version=against,
                references=references(reference, s.subject),
                schema_type=type_ or SchemaType.UNSPECIFIED,
                limit=limit,
            )
    else:
        if against is not None:
            raise typer.BadParameter("--against names a version of a subject; there is none here")
        new = parsed(local_file, type_, reference)
        versions = earlier(local_file, old, commit, type_, reference)
        found = local.find_fixes(new, versions, level, assumptions, limit)
    if write is not None and found.fixes:
        if pick > len(found.fixes):
            raise typer.BadParameter(f"there are {len(found.fixes)} fixes", param_hint="--pick")
        Path(write).write_bytes(found.fixes[pick - 1].content)
    s.output.result(found, partial(_lines, found))
    if not found.compatible and not found.fixes:
        raise typer.Exit(Exit.NEGATIVE)


def _lines(found: FoundFixes) -> Iterator[str | Text]:
    compared = ", ".join(found.compared_versions) or "nothing"
    where = f"at level {found.level.name}, compared with {compared}"
    if found.compatible:
        yield good(f"compatible {where}; no fix is needed")
        return
    if not found.fixes:
        yield bad(f"no fix {where}: {found.reason}")
        return
    yield good(f"{len(found.fixes)} fixes, each proved compatible {where}")
    for number, one in enumerate(found.fixes, 1):
        yield from _fix(number, one)
    if found.reason:
        yield doubtful(f"the search ended early: {found.reason}")


def _fix(number: int, one: Fix) -> Iterator[str | Text]:
    back = " (nothing else of the change is left)" if one.takes_back else ""
    yield styled(f"fix {number}{back}", "cyan")
    for edit in one.edits:
        yield f"  {edit.kind.name.lower()} at {edit.place or '(root)'}"
        yield f"    {edit.cost}"
    if one.patch:
        yield f"  patch: {one.patch}"


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(fix)
