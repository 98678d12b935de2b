"""Limits, offsets and page tokens of lists."""

from __future__ import annotations

import base64
import binascii
import json

from ..errors import InvalidRequest, PageTokenInvalid
from ..storage.store import Page

DEFAULT_LIMIT = 50


def page(
    limit: int | None, offset: int | None, token: str, *, most: int, default: int = DEFAULT_LIMIT
) -> Page:
    """The slice that a caller asks for. A limit of None or 0 means `default`; one above `most` means `most`.

    Raises InvalidRequest for negative numbers and PageTokenInvalid for a token that this registry did not make.
    """
    for field, value in (("limit", limit), ("offset", offset)):
        if value is not None and value < 0:
            raise InvalidRequest(field, f"is {value}; it cannot be negative")
    return Page(min(limit or default, most), offset or 0, parse_token(token) if token else None)


def token(key: tuple[str, int]) -> str:
    """The opaque token of "after this row"."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def parse_token(text: str) -> tuple[str, int]:
    """The row key behind a token; raises PageTokenInvalid."""
    try:
        decoded = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        match decoded:
            case [str(name), int(number)] if not isinstance(number, bool) and 0 <= number < 2**31:
                return name, number
    except (ValueError, binascii.Error, RecursionError):
        pass  # every way of being malformed gets the same answer
    raise PageTokenInvalid("page_token", f"{text[:80]!r} is not a token of this list")
