"""What `format` and `content*` accept: decided by the validator, with sample texts and necessary patterns. Pure."""

from __future__ import annotations

import functools
from collections.abc import Callable

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

LENGTHS: dict[str, tuple[int, int | None]] = {
    "date": (10, 10),
    "date-time": (20, None),
    "time": (9, None),
    "duration": (3, None),
    "ipv4": (7, 15),
    "ipv6": (2, 45),
    "uuid": (36, 36),
    "email": (3, None),
    "hostname": (1, 253),
}
"""Fewest and most characters of a text of a format (necessary, not sufficient: the validator may allow fewer lengths)."""


def text_of(symbol: str, length: int) -> str:
    """A text of this many characters that should have the format; "" when none is known."""
    make = _MAKERS.get(symbol)
    text = make(length) if make is not None and length > 0 else ""
    return text if len(text) == length else ""


def _padded(start: str, filling: str = "a", end: str = "") -> Callable[[int], str]:
    return lambda length: start + filling * (length - len(start) - len(end)) + end


def _host(length: int) -> str:
    """Labels of 60 characters and a rest of 2 to 62."""
    labels = max(0, (length - 2) // 61)
    return ("a" * 60 + ".") * labels + "a" * (length - 61 * labels)


def _email(length: int) -> str:
    if length > 300:
        return "a" * (length - 9) + " <a@b.co>"  # the validator accepts names before an address
    local = min(64, max(1, length // 3))
    return "a" * local + "@" + _host(length - local - 1)


def _ipv4(length: int) -> str:
    digits = length - 3
    return ".".join("1" * (digits // 4 + (n < digits % 4)) for n in range(4)) if 7 <= length <= 15 else ""


def _ipv6(length: int) -> str:
    if length <= 6:
        return "::" + "1" * (length - 2)
    if length <= 10:
        return "1" * (length - 6) + "::1111"
    if length <= 14:
        return "1111:" + "1" * (length - 10) + "::111"
    if length <= 39:
        digits = length - 7
        return ":".join("1" * (digits // 8 + (n < digits % 8)) for n in range(8))
    return "1111:" * 6 + _ipv4(length - 30)


_MAKERS: dict[str, Callable[[int], str]] = {
    "email": _email,
    "idn-email": _email,
    "hostname": _host,
    "idn-hostname": _host,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "date-time": _padded("2020-01-02T03:04:05.", "1", "Z"),
    "time": _padded("03:04:05.", "1", "Z"),
    "duration": _padded("P", "1", "D"),
    "uri": _padded("a:"),
    "iri": _padded("a:"),
    "uri-reference": _padded(""),
    "iri-reference": _padded(""),
    "uri-template": _padded(""),
    "json-pointer": _padded("/"),
    "relative-json-pointer": _padded("0/"),
    "regex": _padded(""),
    "content\0base64\0": _padded("", "A"),
    "content\0\0application/json": _padded('"', "a", '"'),
}


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
