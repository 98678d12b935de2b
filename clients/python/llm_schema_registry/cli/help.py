"""Help that can be read on a narrow terminal: lists of commands and exit codes are folded, never cut."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import typer
from typer.core import TyperGroup

from .exits import MEANINGS


class Formatter(Protocol):
    """What typer gives to write help with."""

    def section(self, name: str) -> AbstractContextManager[None]: ...

    def write_dl(self, rows: Sequence[tuple[str, str]]) -> None: ...


def first_sentence(text: str) -> str:
    """What a command does, from its documentation."""
    head = " ".join(text.partition("\n\n")[0].split())
    return head.partition(". ")[0].rstrip(".")


class CommandList(TyperGroup):
    """A group whose help shows the whole first sentence of each command."""

    def format_commands(
        self, ctx: Any, formatter: Formatter
    ) -> None:  # typer does not publish the type of ctx
        rows = [
            (name, first_sentence(command.help or ""))
            for name, command in ((n, self.get_command(ctx, n)) for n in self.list_commands(ctx))
            if command is not None and not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class Program(CommandList):
    """The program itself, whose help ends with the exit codes."""

    def format_epilog(self, ctx: Any, formatter: Formatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code.value), meaning) for code, meaning in MEANINGS.items()])


def sub_group(help: str) -> typer.Typer:
    """A group of commands under one name."""
    return typer.Typer(cls=CommandList, no_args_is_help=True, help=help, rich_markup_mode=None)
