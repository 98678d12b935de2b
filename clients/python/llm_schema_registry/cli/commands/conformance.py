"""The command `conformance`: how often models answer as the versions of a subject ask."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from ...results import ConformanceRate, ModelConformance
from .. import options as o
from ..exits import Exit
from ..output import table
from ..session import session
from ..text import bad, good
from ..times import moment


def conformance(
    context: typer.Context,
    subject: o.Subject,
    version: Annotated[
        str | None, typer.Option("--version", metavar="VERSION", help="Only the version that this selects.")
    ] = None,
    model: Annotated[str, typer.Option("--model", metavar="MODEL", help="Only this model.")] = "",
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="From this day on: 24h, 7d, or 2026-11-29; in UTC."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="Up to this day, which is not included."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="Most to list.")] = 1000,
    fail_on_drop: Annotated[
        bool, typer.Option("--fail-on-drop", help="Exit with 1 when a drop is among what is listed.")
    ] = False,
) -> None:
    """Show how often models answer as a subject asks, by version and model, as clients have reported it. A rate has its bounds.

    A drop is a version with which a model's answers are valid at once less often than with the version before; it is told when it is certain.

    Examples:

    \b
      schema-registry conformance answers
      schema-registry conformance answers --version latest --since 7d
      schema-registry conformance answers --fail-on-drop
    """
    s = session(context)
    with s.registry() as client:
        found = client.iter_conformance(
            s.subject(subject),
            version,
            model=model,
            since=None if since is None else moment(since, "--since"),
            until=None if until is None else moment(until, "--until"),
        )
        listed = list(islice(found, limit))
    s.output.result(listed, partial(_table, listed))
    for one in listed:
        if one.drop:
            s.output.note(_drop(one))
    if fail_on_drop:
        if any(one.drop for one in listed):
            raise typer.Exit(Exit.NEGATIVE)
        s.output.note(good("no drop"))


def _table(listed: list[ModelConformance]) -> RenderableType | list[str]:
    if not listed:
        return ["nothing was reported"]
    return table(
        ("VERSION", "MODEL", "ANSWERS", "AT ONCE", "RETRIED", "CORRECTED", "CUT OFF", "DROP"),
        (
            (
                one.version,
                one.model,
                one.answers,
                f"{_percent(one.first_pass.rate)} ({_bounds(one.first_pass)})",
                _percent(one.retried.rate),
                _percent(one.coerced.rate),
                _percent(one.truncated.rate),
                f"from {_percent(one.drop.earlier.rate)}" if one.drop else "",
            )
            for one in listed
        ),
    )


def _drop(one: ModelConformance) -> Text:
    assert one.drop is not None
    earlier, later = one.drop.earlier, one.drop.later
    return bad(
        f"drop: {one.model} with {one.version}: {_percent(later.rate)} of the answers are valid at once, with {one.drop.earlier_version} "
        f"it was {_percent(earlier.rate)}"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _bounds(rate: ConformanceRate) -> str:
    return f"{100 * rate.low:.1f}-{100 * rate.high:.1f}"


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(conformance)
