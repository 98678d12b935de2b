"""The command that registers many schemas: a folder of files, or a file of revisions."""

from __future__ import annotations

import enum
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from ..._sync_client import SchemaRegistry
from ...enums import ChangeClass, CompatibilityLevel, SchemaState
from ...errors import (
    IncompatibleSchema,
    InvalidSchema,
    LintRefused,
    PermissionDenied,
    RegistryError,
    Unauthenticated,
    Unavailable,
)
from .. import manifest, pulled_settings
from .. import options as o
from ..exits import Exit, issue_line
from ..levels import keep_level
from ..progress import shown
from ..pulled_settings import ScopeSettings, apply_first, apply_last, forget_levels, read, with_level
from ..restoring import PULLED, found_archived, restore_state
from ..session import session
from ..sources import Naming, Step, folder, is_document, read_folder, revisions
from ..text import counted
from ..wording import spoken

FATAL = (Unavailable, Unauthenticated, PermissionDenied)
"""Failures that the next schema would meet as well: the import ends."""


READABLE = (SchemaState.ACTIVE, SchemaState.DEPRECATED)
"""The states of versions that are registered without --restore: data may be written or read with them."""


class Outcome(enum.Enum):
    """What became of a schema."""

    REGISTERED = "registered"
    UNCHANGED = "unchanged"
    INCOMPATIBLE = "incompatible"
    INVALID = "invalid"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report of an import."""

    origin: str
    subject: str
    outcome: Outcome
    version: str = ""
    change_class: ChangeClass = ChangeClass.UNSPECIFIED
    message: str = ""


def import_(
    context: typer.Context,
    path: Annotated[
        Path, typer.Argument(metavar="PATH", exists=True, help="A folder, or a .jsonl of {path, old, new}.")
    ],
    type_: o.Type = None,
    level: o.Level = None,
    prefix: Annotated[str, typer.Option("--prefix", help="Put before each subject.")] = "",
    separator: Annotated[
        str, typer.Option("--separator", help="Between the parts of a path in a subject.")
    ] = ".",
    tag: o.Tags = None,
    restore: Annotated[
        bool,
        typer.Option(
            "--restore", help="Also the states and settings that were pulled, as a backup is restored."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but store.")] = False,
    parallel: Annotated[int, typer.Option("--parallel", "-p", min=1, max=64, help="Calls at a time.")] = 4,
) -> None:
    """Register many schemas. Exits with 1 if any of them was not accepted.

    A folder: each .json, .avsc and .proto file becomes the next version of the subject that its path names
    (tools/search.json is tools.search), after the files of the folder that it refers to.

    A folder that `pull` wrote has a manifest.jsonl: its files keep their subjects, versions and references. A file
    that was edited since becomes the next version. With --restore the versions get their states, each is checked at the level
    at which it was registered, and the settings of subjects, contexts and registry are set; without it only ACTIVE and
    DEPRECATED versions are registered, as ACTIVE.

    Files that are called valid or invalid (also valid-1.json), or lie in such a folder, are documents and no schemas.

    A JSONL file: each line {"path", "old", "new"} registers two revisions of one subject.

    Examples:

    \b
      schema-registry import schemas/ --prefix shop.
      schema-registry import backup/ --restore
      schema-registry import revisions.jsonl --level none -o json
    """
    s = session(context)
    naming = Naming(s.subject(prefix), separator)
    skipped: list[PurePosixPath] = []
    if path.is_dir():
        files = read_folder(path)
        skipped = [file for file in files if is_document(file)]
        steps = folder({f: content for f, content in files.items() if f not in skipped}, naming, type_)
    else:
        steps = revisions(path, naming, type_)
    if skipped:
        named = ", ".join(map(str, skipped[:3])) + (", ..." if len(skipped) > 3 else "")
        s.output.note(
            f"skipped {counted(len(skipped), 'document')} (named or in a folder named valid or invalid): {named}"
        )
    scopes = _settings(path, restore=restore, level=level, dry_run=dry_run)
    if not steps:
        raise typer.BadParameter(f"{path} holds no schemas (.json, .avsc, .proto)", param_hint="PATH")
    with s.registry() as client:
        level_kept: set[str] = set()

        def register(step: Step) -> Row:
            return _register(
                client, step, level_kept, level=level, tags=tag or [], dry_run=dry_run, restore=restore
            )

        apply_first(client, scopes)
        rows_done = _run(steps, register, parallel)
        done = dict(shown(s, "importing", len(steps), rows_done, lambda numbered: numbered[1].origin))
        if restore and not dry_run:
            forget_levels(client, {step.subject for step in steps} - with_level(scopes), scopes)
        apply_last(client, scopes)
    rows = [done[number] for number in range(len(steps))]
    counts = Counter(row.outcome for row in rows)
    bad = [row for row in rows if row.outcome in (Outcome.INCOMPATIBLE, Outcome.INVALID, Outcome.FAILED)]
    found = {"counts": {outcome.value: counts[outcome] for outcome in Outcome}, "rows": rows}
    if counts[Outcome.SKIPPED]:
        s.output.note("hint: --restore also brings drafts, registered and archived versions back")
    s.output.result(found, lambda: [_summary(counts), *(line for row in bad for line in _complaint(row))])
    if bad:
        raise typer.Exit(Exit.NEGATIVE)


def _settings(
    path: Path, *, restore: bool, level: CompatibilityLevel | None, dry_run: bool
) -> list[ScopeSettings]:
    """The settings to restore."""
    if not restore:
        return []
    if level is not None:
        raise typer.BadParameter("--restore brings the levels along; leave --level out", param_hint="--level")
    if not (path / manifest.NAME).is_file():
        raise typer.BadParameter(f"{path} has no {manifest.NAME}; `pull` writes one", param_hint="--restore")
    file = path / pulled_settings.NAME
    return read(file.read_bytes(), str(file)) if file.is_file() and not dry_run else []


def _summary(counts: Counter[Outcome]) -> str:
    total = f"{counted(counts.total(), 'schema')}: "
    return total + ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome if counts[outcome])


def _complaint(row: Row) -> tuple[str, str]:
    return f"{row.outcome.value}: {row.origin}", f"  {row.message}"


def _register(
    client: SchemaRegistry,
    step: Step,
    level_kept: set[str],
    *,
    level: CompatibilityLevel | None,
    tags: list[str],
    dry_run: bool,
    restore: bool,
) -> Row:
    """Register one schema; what the registry has against it is an outcome, not the end.

    level_kept: the subjects of which it is known that the level is theirs.
    """
    try:
        if not restore and step.state in PULLED and step.state not in READABLE:
            return Row(step.origin, step.subject, Outcome.SKIPPED, step.version)
        there = found_archived(client, step) if restore else None
        if there is not None:
            return Row(step.origin, step.subject, Outcome.UNCHANGED, there.version, there.change_class)
        draft = restore and step.state is SchemaState.DRAFT
        if not restore and step.subject not in level_kept:
            keep_level(client, step.subject, level)
            level_kept.add(step.subject)
        done = client.register_schema(
            step.subject,
            step.content,
            step.schema_type,
            references=step.references,
            compatibility_level=None if draft else step.level or None if restore else level,
            auto_activate=False if restore and step.state is SchemaState.REGISTERED else None,
            as_draft=draft,
            description=step.description,
            tags=[*step.tags, *(tag for tag in tags if tag not in step.tags)],
            metadata=step.metadata,
            version=step.version,
            dry_run=dry_run,
        )
        if restore and not dry_run:
            restore_state(client, step, done)
    except FATAL:
        raise
    except IncompatibleSchema as error:
        why = (
            error.report.violations[0].message
            if error.report is not None and error.report.violations
            else error.message
        )
        return Row(step.origin, step.subject, Outcome.INCOMPATIBLE, message=why)
    except (InvalidSchema, LintRefused) as error:
        why = issue_line(error.issues[0]) if error.issues else error.message
        return Row(step.origin, step.subject, Outcome.INVALID, message=why)
    except RegistryError as error:
        return Row(step.origin, step.subject, Outcome.FAILED, message=spoken(error.message))
    outcome = Outcome.REGISTERED if done.created else Outcome.UNCHANGED
    return Row(step.origin, step.subject, outcome, done.version, done.change_class)


def _run(steps: list[Step], register: Callable[[Step], Row], parallel: int) -> Iterator[tuple[int, Row]]:
    """Do the steps, several at a time, each after those that it needs. Numbered rows come as they are done."""
    order = TopologicalSorter({number: step.after for number, step in enumerate(steps)})
    try:
        order.prepare()
    except CycleError as error:
        circle = " -> ".join(steps[number].origin for number in error.args[1])
        raise typer.BadParameter(
            f"these files refer to each other in a circle: {circle}", param_hint="PATH"
        ) from error
    with ThreadPoolExecutor(parallel, "import") as pool:
        running: dict[Future[Row], int] = {}
        waiting: deque[int] = deque()
        try:
            while order.is_active():
                waiting.extend(order.get_ready())
                while waiting and len(running) < parallel:
                    number = waiting.popleft()
                    running[pool.submit(register, steps[number])] = number
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    number = running.pop(future)
                    order.done(number)
                    yield number, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("import")(import_)
