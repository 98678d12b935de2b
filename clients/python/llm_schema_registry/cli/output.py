"""Writes results: tables for people, JSON and YAML, stable and complete, for programs."""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import yaml
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from ..errors import RegistryError
from .text import printable


class Format(enum.StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


class _Console(Console):
    """A console that leaves it to the command how to end when the reader is gone."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class Output:
    """The standard output of a command in the chosen format."""

    def __init__(self, form: Format, *, color: bool) -> None:
        self.format = form
        options: dict[str, Any] = {"markup": False, "highlight": False, "emoji": False}
        options |= {} if color else {"no_color": True}
        self.console = _Console(**options)
        self.stderr = _Console(stderr=True, **options)

    def result(self, value: object, table: Callable[[], RenderableType | Iterable[str]]) -> None:
        """Write one result: `table` makes the rendering for people."""
        match self.format:
            case Format.JSON:
                sys.stdout.write(json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n")
            case Format.YAML:
                sys.stdout.write(_yaml(plain(value)))
            case Format.TABLE:
                self.show(table())

    def item(self, value: object, line: Callable[[], RenderableType | Iterable[str]]) -> None:
        """Write one of an endless row of results at once: a line, a line of JSON, or a YAML document."""
        match self.format:
            case Format.JSON:
                sys.stdout.write(json.dumps(plain(value), ensure_ascii=False) + "\n")
            case Format.YAML:
                sys.stdout.write("---\n" + _yaml(plain(value)))
            case Format.TABLE:
                self.show(line())
        sys.stdout.flush()

    def show(self, content: RenderableType | Iterable[str]) -> None:
        """Write something for people; lines of text are wrapped by the terminal, not by us."""
        if isinstance(content, str) or not isinstance(content, Iterable) or isinstance(content, Text):
            self.console.print(content)
        else:
            for line in content:
                self.console.print(Text(printable(line)), soft_wrap=True)

    def note(self, line: str) -> None:
        """Say something that is no result, on the standard error; programs that read JSON or YAML are spared it."""
        if self.format is Format.TABLE:
            self.stderr.print(Text(printable(line)), soft_wrap=True)

    def failure(self, error: RegistryError, lines: Iterable[str]) -> None:
        """Tell a failure on the standard error, in the chosen format."""
        match self.format:
            case Format.JSON:
                sys.stderr.write(json.dumps({"error": plain(error)}, ensure_ascii=False) + "\n")
            case Format.YAML:
                sys.stderr.write(_yaml({"error": plain(error)}))
            case Format.TABLE:
                for line in lines:
                    self.stderr.print(Text(printable(line)), soft_wrap=True)


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


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    """A table without rules. Long cells are folded, never cut: what is shown can be copied."""
    result = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        result.add_column(column, overflow="fold", no_wrap=column in ("ID", "VERSION", "STATE"))
    for row in rows:
        result.add_row(*(Text(printable(_cell(cell))) for cell in row))
    return result


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
