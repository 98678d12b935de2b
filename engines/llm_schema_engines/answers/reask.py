"""Errors of an answer, written for the model that is to correct it: short, in the form that its interface takes. Pure.

The text is stable: the same errors give the same bytes.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..formats.json_schema.compiled import OpenedSchema
from ..formats.json_schema.pointers import split_pointer
from ..formats.json_schema.resources import Place, Unresolvable
from ..model.validation import DataIssue, DataReport

LEAST_TOKENS = 16
MOST_TOKENS = 100_000
DEFAULT_TOKENS = 400
_GOT = 40
"""Characters of a value in a line."""
_EXPECTED = 120
_WORDS = re.compile(r"[A-Za-z]+|[0-9]+|\s+|[!-/:-@\[-`{-~]+|[^A-Za-z0-9\s]")


class ReaskStyle(enum.IntEnum):
    """How errors are written.

    LINES: a line for each, `pointer: what is wrong`. DOCUMENT: the failing parts of the document, with a comment beside each.
    MCP: the result of a tool call with `isError` (Model Context Protocol). ANTHROPIC: a `tool_result` block with `is_error`.
    OPENAI: a `function_call_output` item. The last three hold the lines.
    """

    LINES = 1
    DOCUMENT = 2
    MCP = 3
    ANTHROPIC = 4
    OPENAI = 5


@dataclass(frozen=True, slots=True)
class Reask:
    """A request to correct an answer. text: for the model. payload: what to hand to its interface; None for LINES and DOCUMENT.
    tokens: of the text, estimated, never more than asked for. told: how many errors the text tells; `left`: how many it leaves
    out, or that there are more than the report has (-1)."""

    text: str
    payload: Mapping[str, Any] | None
    tokens: int
    told: int
    left: int


def estimated_tokens(text: str) -> int:
    """About how many tokens a text is for a model: rather too many than too few for words of technical English.

    Six letters, three digits or two marks are a token, and so is each byte of another character; single white space is none.
    """
    count = 0
    for word in _WORDS.findall(text):
        if word.isspace():
            count += word.count("\n") + (len(word) > 1)
        elif word[0].isascii() and word[0].isalnum():
            count += -(-len(word) // (3 if word[0].isdigit() else 6))
        else:
            count += (len(word) + 1) // 2 if word.isascii() else len(word.encode())
    return count


def reask(
    report: DataReport,
    *,
    style: ReaskStyle = ReaskStyle.LINES,
    document: bytes = b"",
    schema: OpenedSchema | None = None,
    tokens: int = DEFAULT_TOKENS,
    redact: bool = False,
    subschemas: bool = False,
    call_id: str = "",
) -> Reask:
    """The request for the errors of a report; empty for valid data.

    document: the answer, for DOCUMENT. tokens: the most that the text may have, from 16; what does not fit is left out and
    counted. redact: no value of the data and no text quoted from it; names of properties stay. subschemas: add the schema
    that each error is about, as far as there is room; needs `schema`. call_id: of the tool call, for ANTHROPIC and OPENAI.
    Raises ValueError for arguments that do not fit.
    """
    if not LEAST_TOKENS <= tokens <= MOST_TOKENS:
        raise ValueError(f"tokens: is {tokens}; it must be a number from {LEAST_TOKENS} to {MOST_TOKENS}")
    if style is ReaskStyle.DOCUMENT and not document:
        raise ValueError("document: is empty; the style DOCUMENT shows the answer")
    if subschemas and schema is None:
        raise ValueError("subschemas: the schema is not given")
    if report.valid:
        return Reask("", None, 0, 0, 0)
    ordered = sorted(report.errors, key=lambda e: (e.path.count("/"), e.path, e.schema_path))
    if style is ReaskStyle.DOCUMENT:
        text, told = _annotated(ordered, document, tokens, redact)
    else:
        text, told = _lines(ordered, tokens, redact)
    if report.truncated or told < len(ordered):
        text += _more(len(ordered) - told, report.truncated)
    if subschemas and schema is not None:
        text += _subschemas(ordered[:told], schema, tokens - estimated_tokens(text))
    left = -1 if report.truncated else len(ordered) - told
    return Reask(text, _payload(style, text, call_id), estimated_tokens(text), told, left)


def _payload(style: ReaskStyle, text: str, call_id: str) -> Mapping[str, Any] | None:
    if style is ReaskStyle.MCP:
        return {"content": [{"type": "text", "text": text}], "isError": True}
    if style is ReaskStyle.ANTHROPIC:
        return {"type": "tool_result", "tool_use_id": call_id, "content": text, "is_error": True}
    if style is ReaskStyle.OPENAI:
        return {"type": "function_call_output", "call_id": call_id, "output": text}
    return None


def _more(left: int, truncated: bool) -> str:
    return "\n(more errors)" if truncated else f"\n(+{left} errors)"


_ROOM = estimated_tokens("\n(+9999 errors)")


def _lines(errors: list[DataIssue], tokens: int, redact: bool) -> tuple[str, int]:
    out: list[str] = []
    used = 0
    for number, error in enumerate(errors):
        line = f"{_clip(error.path, 200) or '(root)'}: {_wrong(error, redact)}"
        cost = estimated_tokens("\n" + line)
        room = tokens - used - (_ROOM if number + 1 < len(errors) or number == 0 else 0)
        if cost > room:
            if out:
                break
            line = _shortened(line, room)
            cost = estimated_tokens("\n" + line)
        out.append(line)
        used += cost
    return "\n".join(out), len(out)


def _shortened(line: str, tokens: int) -> str:
    """The beginning of a line that has this many tokens."""
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        if estimated_tokens("\n" + line[:middle] + "...") <= tokens:
            low = middle
        else:
            high = middle - 1
    return line[:low] + "..."


def _wrong(error: DataIssue, redact: bool) -> str:
    """What is wrong, in few words."""
    keyword, expected = error.error_type, _clip(error.expected, _EXPECTED)
    if keyword == "required":
        return f"{expected} is missing" if expected else error.message
    if keyword in _SAFE or not expected:
        if redact and keyword not in _SAFE and keyword not in _NAMES:
            return f"does not satisfy {keyword}"
        return _clip(error.message, _EXPECTED + _GOT)
    words = f"{_WORDS_OF.get(keyword, keyword)} {expected}"
    if redact or not error.got or len(error.got) > _GOT:
        return words
    return f"{words}, not {error.got}"


_SAFE = frozenset({"uniqueItems", "json/size", "json/depth", "json/syntax", "false", "undeclared"})
"""Errors whose message quotes no value."""
_NAMES = frozenset(
    {
        "additionalProperties",
        "unevaluatedProperties",
        "dependentRequired",
        "dependencies",
        "json/duplicate-key",
    }
)
_WORDS_OF = {"enum": "one of", "const": "only"}


def _clip(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 3] + "..."


def _annotated(errors: list[DataIssue], document: bytes, tokens: int, redact: bool) -> tuple[str, int]:
    """The failing parts of the document with comments, for as many errors as there is room."""
    try:
        value = json.loads(document)
    except (ValueError, RecursionError):
        return _lines(errors, tokens, redact)
    low, high = 0, len(errors)
    text = ""
    while low < high:  # the most errors that fit
        middle = (low + high + 1) // 2
        shown = _shown(value, errors[:middle], redact)
        room = tokens - (_ROOM if middle < len(errors) else 0)
        if estimated_tokens(shown) <= room:
            low, text = middle, shown
        else:
            high = middle - 1
    return (text, low) if low else _lines(errors, tokens, redact)


class _Tree:
    """Errors by the values that they are about."""

    def __init__(self) -> None:
        self.errors: list[DataIssue] = []
        self.below: dict[str, _Tree] = {}


def _shown(value: Any, errors: list[DataIssue], redact: bool) -> str:
    tree = _Tree()
    for error in errors:
        at = tree
        for token in split_pointer(error.path):
            at = at.below.setdefault(token, _Tree())
        at.errors.append(error)
    return "\n".join(_rows(value, tree, "", "", redact))


def _rows(value: Any, tree: _Tree, name: str, indent: str, redact: bool) -> Iterator[str]:
    note = "; ".join(_wrong(error, redact) for error in tree.errors)
    comment = f" // {note}" if note else ""
    if not tree.below or not isinstance(value, dict | list):
        yield f"{indent}{name}{'?' if redact else _clip(_json(value), _GOT)}{comment}"
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    yield f"{indent}{name}{opening}{comment}"
    for token, below in tree.below.items():
        if isinstance(value, dict):
            yield from _rows(value.get(token), below, f"{_json(token)}: ", indent + " ", redact)
        else:
            item = value[int(token)] if token.isdigit() and int(token) < len(value) else None
            yield from _rows(item, below, f"{token}: ", indent + " ", redact)
    yield f"{indent}{closing}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _subschemas(errors: list[DataIssue], schema: OpenedSchema, tokens: int) -> str:
    """The schemas that hold the failing keywords, each once, as far as there is room."""
    out = ""
    seen: set[tuple[int, str]] = set()
    for error in errors:
        place = _holder(schema, error.schema_path)
        if place is None or place.key in seen:
            continue
        seen.add(place.key)
        row = f"\nschema of {error.path or '(root)'}: {_schema_text(place.schema)}"
        cost = estimated_tokens(row)
        if cost <= tokens:
            out += row
            tokens -= cost
    return out


def _schema_text(schema: Any) -> str:
    """A schema without what a correction does not need: definitions and the schemas of its parts."""
    if not isinstance(schema, dict):
        return _json(schema)
    kept = {
        k: _plain(v)
        for k, v in schema.items()
        if k not in ("$defs", "definitions", "$schema", "$id", "examples")
    }
    for keyword in ("properties", "patternProperties"):
        if isinstance(kept.get(keyword), dict):
            kept[keyword] = sorted(kept[keyword])
    return _json(kept)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(held) for name, held in value.items()}
    if isinstance(value, list):
        return [_plain(held) for held in value]
    return value if isinstance(value, str | bool | int | None) else float(value)


def _holder(schema: OpenedSchema, schema_path: str) -> Place | None:
    """The subschema whose keyword stands at the path, which may lead through references."""
    index, place = schema.document_index, schema.root
    tokens = split_pointer(schema_path)
    path: list[str | int] = []
    at: Any = place.schema
    holder = place
    for token in tokens:
        if isinstance(at, dict) and token in at:
            path.append(token)
            at = at[token]
            if token in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(at, str):
                try:
                    place = holder = index.resolve(index.below(place, *path[:-1]).base, at)
                except Unresolvable:
                    return None
                path, at = [], place.schema
        elif isinstance(at, list) and token.isdigit() and int(token) < len(at):
            path.append(int(token))
            at = at[int(token)]
        else:
            return None
        if isinstance(at, dict) and token != tokens[-1] and path:
            holder = index.below(place, *path)
    return holder
