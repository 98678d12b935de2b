"""Limits, offsets and page tokens of lists."""

from __future__ import annotations

import base64
import binascii
import json

from ..errors import InvalidRequest, InvalidSubject, PageTokenInvalid
from ..model.subject import Subject
from ..storage.values import Page, RankedPage

DEFAULT_LIMIT = 50
Key = tuple[str, int]
"""The position of a row in a list by subject and ordinal."""
RankedKey = tuple[int, str, int]
"""The position of a hit in a ranked list: its score before the rest."""


def page(
    limit: int | None, offset: int | None, token: str, *, most: int, default: int = DEFAULT_LIMIT
) -> Page:
    """The slice that a caller asks for. A limit of None or 0 means `default`; one above `most` means `most`.

    Raises InvalidRequest for negative numbers and PageTokenInvalid for a token that this registry did not make.
    """
    made = search_page(limit, offset, token, ranked=False, most=most, default=default)
    if isinstance(made, RankedPage):
        raise _invalid(token)
    return made


def search_page(
    limit: int | None,
    offset: int | None,
    token: str,
    *,
    ranked: bool,
    most: int,
    default: int = DEFAULT_LIMIT,
) -> Page | RankedPage:
    """As `page`, of a search. The first page is ranked or not as said; a token goes on in the order of the page before."""
    for field, value in (("limit", limit), ("offset", offset)):
        if value is not None and value < 0:
            raise InvalidRequest(field, f"is {value}; it cannot be negative")
    count, skip = min(limit or default, most), offset or 0
    match _parse(token) if token else None:
        case None:
            return RankedPage(count, skip) if ranked else Page(count, skip)
        case [score, name, ordinal]:
            return RankedPage(count, skip, (score, name, ordinal))
        case [name, ordinal]:
            return Page(count, skip, (name, ordinal))


def token(key: Key | RankedKey) -> str:
    """The opaque token of "after this row"."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _parse(text: str) -> Key | RankedKey:
    """The key behind a token; raises PageTokenInvalid."""
    try:
        decoded = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        match decoded:
            case [str(name), int(ordinal)] if _is_name(name) and _is_number(ordinal):
                return name, ordinal
            case [int(score), str(name), int(ordinal)] if (
                _is_name(name) and _is_number(score) and _is_number(ordinal)
            ):
                return score, name, ordinal
    except (ValueError, binascii.Error, RecursionError):
        pass  # every way of being malformed gets the same answer
    raise _invalid(text)


def _is_number(value: int) -> bool:
    return not isinstance(value, bool) and 0 <= value < 2**31


def _is_name(text: str) -> bool:
    """Whether a list can go on after `text`: it is "" or the name of a subject, which no store refuses to compare with."""
    try:
        return not text or str(Subject.parse(text)) == text
    except InvalidSubject:
        return False


def _invalid(text: str) -> PageTokenInvalid:
    return PageTokenInvalid("page_token", f"{text[:80]!r} is not a token of this list")
