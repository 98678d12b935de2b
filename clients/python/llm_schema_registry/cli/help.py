"""Help that can be read on a narrow terminal: lists of commands and exit codes are folded, never cut."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from .exits import MEANINGS


class Formatter(Protocol):
    """What typer gives to write help with."""

    def section(self, name: str) -> AbstractContextManager[None]: ...

    def write_dl(self, rows: Sequence[tuple[str, str]]) -> None: ...


def first_sentence(text: str) -> str:
    """What a command does, from its documentation."""
    head = " ".join(text.partition("\n\n")[0].split())
    return head.partition(". ")[0].rstrip(".")


class Command(TyperCommand):
    """A command whose usage names its arguments as its help does, without braces."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        pieces = ["[OPTIONS]"]
        for parameter in self.get_params(ctx):
            if isinstance(parameter, TyperArgument):
                name = parameter.display_name_raw
                optional = not parameter.required and not name.startswith("[")
                repeats = parameter.nargs != 1 and " " not in name and not name.endswith("...")
                pieces.append((f"[{name}]" if optional else name) + ("..." if repeats else ""))
        return pieces

    def format_options(self, ctx: Any, formatter: Formatter) -> None:
        """Arguments by their names alone; their Python types tell nobody anything."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            if isinstance(parameter, TyperArgument):
                sections["Arguments"].append((parameter.display_name_raw, record[1]))
            else:
                sections["Options"].append(record)
        for title, rows in sections.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class Commands(typer.Typer):
    """An application whose commands show their usage so."""

    def command(self, name: str | None = None, **options: Any) -> Any:  # as typer.Typer.command
        return super().command(name, **({"cls": Command} | options))


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
    return Commands(cls=CommandList, no_args_is_help=True, help=help, rich_markup_mode=None)
