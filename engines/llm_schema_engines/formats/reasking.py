"""Validation errors as a compact text for a model that is to correct its answer. Pure."""

from __future__ import annotations

from ..model.validation import DataReport

MOST_LINES = 20
_LINE = 200


def reask_text(report: DataReport, *, lines: int = MOST_LINES) -> str:
    """One line for each error, `pointer: keyword: message`, at most `lines`; "" for valid data.

    The root is `(root)`. Errors at one place stand together, outer places first, so that a model reads from the
    outside in. No text of the schema is quoted but what a message needs, and no line is longer than 200 characters.
    """
    if report.valid:
        return ""
    ordered = sorted(report.errors, key=lambda e: (e.path.count("/"), e.path))
    out = [_clip(f"{e.path or '(root)'}: {e.error_type}: {e.message}") for e in ordered[:lines]]
    if report.truncated or len(ordered) > lines:
        out.append("(there are more errors)")
    return "\n".join(out)


def _clip(line: str) -> str:
    line = " ".join(line.split())
    return line if len(line) <= _LINE else line[: _LINE - 3] + "..."
