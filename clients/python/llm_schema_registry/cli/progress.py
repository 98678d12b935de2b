"""A bar on the standard error while many things are done, when somebody looks at it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .session import Session
from .text import printable

T = TypeVar("T")


def shown(s: Session, verb: str, total: int, items: Iterable[T], name: Callable[[T], str]) -> Generator[T]:
    """The items as they come; the bar says the name of the last one."""
    columns = (
        TextColumn(verb),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(
        *columns, console=s.output.stderr, transient=True, disable=not s.output.stderr.is_terminal
    ) as bar:
        task = bar.add_task("", total=total)
        for item in items:
            bar.update(task, advance=1, description=printable(name(item))[-40:])
            yield item
