"""Validation errors as a compact text that asks a language model to correct its answer. Pure."""

from __future__ import annotations

from ..model.validation import DataReport

MAX_LINES = 20
_MAX_LINE_LENGTH = 200


def reask_text(report: DataReport, *, lines: int = MAX_LINES) -> str:
    """One line for each error, `pointer: keyword: message`, at most `lines`; "" for valid data.

    The root is `(root)`. Errors are sorted by depth, then by pointer, so that those of outer values come first. Only
    what a message needs is quoted from the schema, and no line is longer than 200 characters.
    """
    if not isinstance(report, DataReport):
        raise TypeError(f"report: a DataReport is expected, not {type(report).__name__}")
    if not isinstance(lines, int):
        raise TypeError(f"lines: an int is expected, not {type(lines).__name__}")
    if report.valid:
        return ""
    ordered = sorted(report.errors, key=lambda e: (e.path.count("/"), e.path))
    out = [_clip(f"{e.path or '(root)'}: {e.error_type}: {e.message}") for e in ordered[:lines]]
    if report.truncated or len(ordered) > lines:
        out.append("(there are more errors)")
    return "\n".join(out)


def _clip(line: str) -> str:
    line = " ".join(line.split())
    return line if len(line) <= _MAX_LINE_LENGTH else line[: _MAX_LINE_LENGTH - 3] + "..."
