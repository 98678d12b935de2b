"""Writes results: tables for people, JSON and YAML, stable and complete, for programs."""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import yaml
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from ..errors import RegistryError
from .text import printable

_CONTROL = re.compile("[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that JSON does not escape by itself and that take a terminal over, or turn its text around."""


class Format(enum.StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


WIDEST = 100_000
"""Columns where nobody looks."""


class _Console(Console):
    """A console that leaves it to the command how to end when the reader is gone."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class Output:
    """The standard output of a command in the chosen format."""

    def __init__(self, form: Format, *, color: bool) -> None:
        self.format = form
        options: dict[str, Any] = {"markup": False, "highlight": False, "emoji": False}
        options |= {} if color else {"no_color": True, "color_system": None}
        if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
            options["width"] = WIDEST  # programs read lines, not folds
        self.console = _Console(**options)
        self.stderr = _Console(stderr=True, **options)

    def result(self, value: object, table: Callable[[], RenderableType | Iterable[str | Text]]) -> None:
        """Write one result: `table` makes the rendering for people."""
        match self.format:
            case Format.JSON:
                sys.stdout.write(_json(plain(value), indent=2))
            case Format.YAML:
                sys.stdout.write(_yaml(plain(value)))
            case Format.TABLE:
                self.show(table())

    def item(self, value: object, line: Callable[[], RenderableType | Iterable[str | Text]]) -> None:
        """Write one of an endless row of results at once: a line, a line of JSON, or a YAML document."""
        match self.format:
            case Format.JSON:
                sys.stdout.write(_json(plain(value)))
            case Format.YAML:
                sys.stdout.write("---\n" + _yaml(plain(value)))
            case Format.TABLE:
                self.show(line())
        sys.stdout.flush()

    def show(self, content: RenderableType | Iterable[str | Text]) -> None:
        """Write something for people; lines of text are wrapped by the terminal, not by us."""
        if isinstance(content, str | Text):
            self.console.print(content)
        elif isinstance(content, Rows) or not isinstance(content, Iterable):
            self.console.print(_Trimmed(content))
        else:
            for line in content:
                self.console.print(_safe(line), soft_wrap=True)

    def note(self, line: str | Text) -> None:
        """Write something that is no result, on the standard error; not with JSON or YAML."""
        if self.format is Format.TABLE:
            self.stderr.print(_safe(line), soft_wrap=True)

    def failure(self, error: RegistryError, lines: Iterable[str | Text]) -> None:
        """Write a failure to the standard error, in the chosen format."""
        match self.format:
            case Format.JSON:
                sys.stderr.write(_json({"error": plain(error)}))
            case Format.YAML:
                sys.stderr.write(_yaml({"error": plain(error)}))
            case Format.TABLE:
                for line in lines:
                    self.stderr.print(_safe(line), soft_wrap=True)


def _safe(line: str | Text) -> Text:
    """A line for a terminal; a Text has been made safe by `text.styled`."""
    return line if isinstance(line, Text) else Text(printable(line))


def _json(value: object, indent: int | None = None) -> str:
    """A line or more of JSON, without control characters."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def _yaml(value: object) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1_000_000)
    return text


def plain(value: object) -> Any:  # whatever JSON can hold
    """A result as JSON values: fields by name, enumerations by name, times in ISO 8601, bytes as text if they are."""
    if isinstance(value, RegistryError):
        return {
            "code": value.code.name,
            "reason": value.reason,
            "message": value.message,
            "metadata": dict(value.metadata),
            "violations": plain(value.violations),
            "request_id": value.request_id,
        } | {name: plain(getattr(value, name)) for name in ("report", "issues") if hasattr(value, name)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    return value


@dataclasses.dataclass(frozen=True)
class _Trimmed:
    """Something for people, without the spaces that fill up its lines."""

    content: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in console.render_lines(self.content, options, pad=False):
            while line and not line[-1].text.strip():
                line.pop()
            yield from line[:-1]
            if line:
                yield Segment(line[-1].text.rstrip(), line[-1].style)
            yield Segment.line()


NARROW = ("#", "ID", "VERSION", "STATE", "TYPE", "CREATED", "DEPTH", "KIND")
"""Columns that are never folded."""
LEAST = 16
"""Columns of the terminal that a folded cell needs to be read."""


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows as a table without rules, or where the terminal is too narrow for it, each row as lines of name and value.

    Nothing is ever cut: what is shown can be copied.
    """

    columns: tuple[str, ...]
    cells: tuple[tuple[Text, ...], ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._least() <= options.max_width:
            yield self._table()
            return
        for number, row in enumerate(self.cells):
            if number:
                yield Text()
            yield fields(
                (name.lower(), cell.plain) for name, cell in zip(self.columns, row, strict=True) if cell
            )

    def _least(self) -> int:
        """The width without which the table cannot be read."""
        widths = 0
        for index, name in enumerate(self.columns):
            widest = max([cell_len(name), *(row[index].cell_len for row in self.cells)])
            widths += 2 + (widest if name in NARROW else min(widest, LEAST))
        return widths - 2

    def _table(self) -> Table:
        result = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in self.columns:
            result.add_column(column, overflow="fold", no_wrap=column in NARROW)
        for row in self.cells:
            result.add_row(*row)
        return result


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Rows:
    """A table for people."""
    cells = tuple(tuple(Text(printable(_cell(cell))) for cell in row) for row in rows)
    return Rows(tuple(columns), cells)


def fields(pairs: Iterable[tuple[str, object]]) -> Table:
    """Names and values, one pair a line; what is empty is left out."""
    result = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    result.add_column(style="bold", no_wrap=True)
    result.add_column(overflow="fold")
    for name, value in pairs:
        text = _cell(value)
        if text:
            result.add_row(Text(name), Text(printable(text)))
    return result


def _cell(value: object) -> str:
    if isinstance(value, enum.Enum):
        return value.name if value else ""
    if isinstance(value, Mapping):
        return ", ".join(f"{k}={v}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    return "" if value is None else str(value)
