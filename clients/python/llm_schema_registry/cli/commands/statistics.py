"""The command that tells how much the registry holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import typer
from rich.console import Group, RenderableType

from ...enums import WireEnum
from ...statistics import GroupCount, Statistics
from ..output import fields, table
from ..session import session

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def stats(
    context: typer.Context,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Count now, unless that was done a moment ago.")
    ] = False,
) -> None:
    """Show how much the registry holds: subjects, versions, bytes, what grows and what is used most.

    Counted every few minutes; the first line says when.

    Examples:

    \b
      schema-registry stats
      schema-registry stats --fresh -o json
    """
    s = session(context)
    with s.registry() as client:
        found = client.get_statistics(fresh=fresh)
    s.output.result(found, lambda: Group(*_tables(found)))
    if not fresh:
        s.output.note("counted every few minutes; `schema-registry stats --fresh` counts now")


def _tables(s: Statistics) -> Iterator[RenderableType]:
    yield fields(
        [
            ("as of", f"{s.as_of:%Y-%m-%d %H:%M:%S}" if s.as_of else ""),
            ("subjects", _with(s.subjects, s.deleted_subjects, "softly deleted")),
            ("versions", _with(s.versions, s.deleted_versions, "softly deleted")),
            ("  by type", _counts((c.schema_type, c.versions) for c in s.by_type)),
            ("  by state", _counts((c.state, c.versions) for c in s.by_state)),
            ("  by level", _counts((c.compatibility_level, c.versions) for c in s.by_level)),
            ("  registered", _growth(s)),
            ("contents", f"{s.contents:,}, {_size(s.content_bytes)} as sent"),
            ("  in the storage", f"{_size(s.row_bytes)} with what was compiled of them"),
            ("  in the object store", _size(s.object_store_bytes)),
            ("changes", _log(s)),
        ]
    )
    if len(s.contexts) > 1:
        yield from ("", _groups("CONTEXT", s.contexts))
    if s.prefixes:
        yield from ("", _groups("PREFIX", s.prefixes))
    if s.largest:
        rows = [(x.subject, x.versions, x.deleted_versions, _size(x.content_bytes)) for x in s.largest]
        yield from ("", table(("LARGEST SUBJECTS", "VERSIONS", "DELETED", "BYTES"), rows))
    if s.popular:
        used = [(p.subject, p.version, f"{p.recent:.0f}", p.reads, p.validations) for p in s.popular]
        yield from ("", table(("MOST USED", "VERSION", "LATELY", "READS", "VALIDATIONS"), used))


def _groups(title: str, groups: Iterable[GroupCount]) -> RenderableType:
    return table((title, "SUBJECTS", "VERSIONS"), [(g.name, g.subjects, g.versions) for g in groups])


def _with(count: int, others: int, what: str) -> str:
    return f"{count:,}" + (f" and {others:,} {what}" if others else "")


def _counts(counts: Iterable[tuple[WireEnum, int]]) -> str:
    return ", ".join(f"{key} {count:,}" for key, count in counts)


def _growth(s: Statistics) -> str:
    """How many in the newest day, in the last seven and in all of which it is known."""
    newest_first = [day.versions for day in reversed(s.registered)]
    spans = dict.fromkeys((1, 7, len(newest_first)))
    return ", ".join(f"{sum(newest_first[:n]):,} {'today' if n == 1 else f'in {n} days'}" for n in spans if n)


def _log(s: Statistics) -> str:
    if not s.oldest_change or not s.newest_change:
        return f"{s.changes:,}"
    return f"{s.changes:,} from {s.oldest_change:%Y-%m-%d %H:%M} to {s.newest_change:%Y-%m-%d %H:%M}"


def _size(count: int) -> str:
    size, unit = float(count), _UNITS[0]
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            break
        size /= 1024
    return f"{size:.1f} {unit}" if unit != "B" else f"{count} B"


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(stats)
