"""What `format` and `content*` accept: decided by the validator, with sample texts and necessary patterns. Pure."""

from __future__ import annotations

import functools

import jsonschema_rs

from ..dialects import VALIDATORS, Dialect

SAMPLES: tuple[str, ...] = (
    "2020-01-02T03:04:05Z",
    "2020-01-02T03:04:05.5+01:00",
    "2020-01-02",
    "03:04:05Z",
    "P1D",
    "a@b.co",
    "a.b+c@example.com",
    "a.co",
    "example.com",
    "1.2.3.4",
    "::1",
    "http://a.co/b",
    "https://example.com/a?b=c#d",
    "urn:a:b",
    "/a",
    "123e4567-e89b-42d3-a456-426614174000",
    "/a/{b}",
    "0",
    "a+",
    "e30=",
    "{}",
    "",
    "a",
    "a1",
    "A",
    "1.0.0",
    "a/b",
    "foo-bar",
    "./a",
    "-1",
    "q w",
    "[",
    "~",
    "%",
    "!{",
    "x" * 300,
)
"""Texts of many formats; a search tries them where it cannot construct a text."""

SHAPES: dict[str, str] = {
    "date": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "date-time": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}",
    "time": r"^[0-9]{2}:[0-9]{2}:[0-9]{2}",
    "ipv4": r"^[0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}$",
    "uuid": r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
    "email": r"@",
    "uri": r"^[A-Za-z][A-Za-z0-9+.-]*:",
    "duration": r"^P",
}
"""Patterns that every text of a format matches (necessary, not sufficient)."""


@functools.lru_cache(maxsize=512)
def is_known(name: str, dialect: Dialect) -> bool:
    """Whether the validator checks this format at all; it ignores the others."""
    try:
        VALIDATORS[dialect](
            {"format": name}, offline=True, validate_formats=True, ignore_unknown_formats=False
        )
    except (jsonschema_rs.ValidationError, ValueError):
        return False
    return True


def content_symbol(encoding: object, media_type: object) -> str:
    """The name under which draft 7's content keywords appear among formats; "" when the validator checks neither,
    because it does not know the encoding or the media type."""

    def known(name: object, symbol: str, counterexample: str) -> str:
        if not isinstance(name, str) or "\0" in name:
            return ""
        return "" if accepts(symbol.format(name), counterexample) else name

    checked = known(encoding, "content\0{}\0", "%"), known(media_type, "content\0\0{}", "{")
    return f"content\0{checked[0]}\0{checked[1]}" if any(checked) else ""


@functools.lru_cache(maxsize=512)
def _validator(symbol: str) -> jsonschema_rs.Validator:
    if symbol.startswith("content\0"):
        _, encoding, media_type = symbol.split("\0")
        schema = {
            **({"contentEncoding": encoding} if encoding else {}),
            **({"contentMediaType": media_type} if media_type else {}),
        }
        return VALIDATORS[Dialect.DRAFT_07](schema, offline=True)
    dialect = next((d for d in reversed(Dialect) if is_known(symbol, d)), Dialect.DRAFT_2020_12)
    return VALIDATORS[dialect]({"format": symbol}, offline=True, validate_formats=True)


def accepts(symbol: str, text: str) -> bool:
    """Whether a text has the format."""
    return bool(_validator(symbol).is_valid(text))
