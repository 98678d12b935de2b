"""Limits, offsets and page tokens of lists, and the bytes that a page may have."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from ..errors import InvalidRequest, InvalidSubject, LimitExceeded, PageTokenInvalid
from ..model.schema import SchemaVersion
from ..model.subject import Subject
from ..storage.values import Page, RankedPage

Row = TypeVar("Row")

DEFAULT_LIMIT = 50
STEP = 200
"""Rows read at a time: a version without its content has up to about 80 kB."""
_FIXED_BYTES = 400
"""Of ids, numbers, fingerprints and times of a version in an answer."""
_NAME_BYTES = 128
"""Of the ids, times and states of a version that is only named."""
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
        raise no_token(token)
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
    match _parse(token)[0] if token else None:
        case None:
            return RankedPage(count, skip) if ranked else Page(count, skip)
        case [score, name, ordinal]:
            return RankedPage(count, skip, (score, name, ordinal))
        case [name, ordinal]:
            return Page(count, skip, (name, ordinal))


def token(key: Key | RankedKey, total: int | None = None) -> str:
    """The opaque token of "after this row". With the `total` of a list, later pages need not count it again."""
    cells = key if total is None else (*key, total)
    return token_of(*cells)


def token_of(*cells: str | int) -> str:
    """An opaque token that holds these."""
    return base64.urlsafe_b64encode(json.dumps(cells).encode()).decode().rstrip("=")


def cells_in(token: str) -> Any:
    """What a token holds, whoever made it: a list of strings and numbers, if it was `token_of`. Raises PageTokenInvalid."""
    try:
        return json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise no_token(token) from None  # every way of being malformed gets the same answer


def named_page(limit: int | None, token: str, *, most: int, default: int = DEFAULT_LIMIT) -> tuple[int, str]:
    """The size of a page of things with names, and the name behind which it begins, "" for the first. See `page`."""
    if limit is not None and limit < 0:
        raise InvalidRequest("limit", f"is {limit}; it cannot be negative")
    count = min(limit or default, most)
    if not token:
        return count, ""
    match cells_in(token):
        case [str(name)] if name.isprintable():  # no store refuses to compare with such a name
            return count, name
    raise no_token(token)


def name_token(name: str) -> str:
    """The opaque token of "after this name"."""
    return token_of(name)


def total_in(token: str) -> int | None:
    """The total that a token has; None when it has none, or when there is no token. Raises PageTokenInvalid."""
    return _parse(token)[1] if token else None


def version_key(version: SchemaVersion) -> tuple[str, int]:
    """The position of a version in lists."""
    return str(version.subject), version.ordinal


class PageRoom:
    """The bytes that are left on a page of at most `most`."""

    def __init__(self, most: int) -> None:
        self.left = most
        self._empty = True

    def take(self, size: int) -> bool:
        """Whether an item of `size` bytes still fits, and then takes its room. The first item of a page always fits."""
        if size > self.left and not self._empty:
            return False
        self.left -= size
        self._empty = False
        return True


async def fitting(
    read: Callable[[int, Row | None], Awaitable[Sequence[Row]]],
    size: Callable[[Row], int],
    limit: int,
    most_bytes: int,
    *,
    step: int | None = None,
) -> tuple[list[Row], bool]:
    """The rows of a page of at most `limit` items and `most_bytes`, and whether the list goes on behind them.

    `read(count, after)` gives up to `count` rows after this one, from the beginning of the page when None. It is asked for
    STEP rows, and then for as many more of that size as fit: hardly more is read than goes out. Where rows are larger than
    what goes out of them, `step` is the most that is asked for at a time.
    """
    room, shown = PageRoom(most_bytes), list[Row]()
    count = min(STEP, limit)
    while True:
        rows = await read(count + 1, shown[-1] if shown else None)
        for row in rows[:count]:
            if not room.take(size(row)):
                return shown, True
            shown.append(row)
        if len(rows) <= count or len(shown) == limit:
            return shown, len(rows) > count
        that_fit = room.left * len(shown) // max(1, most_bytes - room.left)
        count = min(limit - len(shown), step or max(1, that_fit))


ALL = 2**31 - 1
"""The limit of a page that is to have everything."""


def page_of_all(limit: int | None, token: str, *, most: int) -> Page:
    """As `page`, of a list that comes whole when no limit is given and no token."""
    return page(limit, None, token, most=most if limit or token else ALL, default=most if token else ALL)


def demand_pages(limit: int | None, token: str, most_bytes: int) -> None:
    """A page has not everything: raises LimitExceeded when everything was asked for."""
    if not limit and not token:
        raise LimitExceeded(
            f"the answer has more than {most_bytes} bytes, which is the limit (setting limits.page_bytes); ask for it in "
            "pages: give a limit, and then each answer's next_page_token as page_token",
            limit=most_bytes,
        )


def bytes_of_name(version: SchemaVersion) -> int:
    """About how many bytes a version has in an answer that names it: its subject, number, id, time and state."""
    return _NAME_BYTES + len(str(version.version)) + len(str(version.subject).encode())


def without_labels(version: SchemaVersion) -> SchemaVersion:
    """A version as lists need it that name it only: without what may be large."""
    if not (version.tags or version.metadata or version.options or version.references or version.description):
        return version
    return replace(version, description=None, tags=(), metadata={}, options={}, references=())


def bytes_of(version: SchemaVersion) -> int:
    """About how many bytes a version has in an answer, without its content."""
    texts = [str(version.subject), version.description or "", version.created_by, *version.tags]
    for pair in (*version.metadata.items(), *version.options.items()):
        texts += pair
    for used in version.references:
        texts += (used.name, str(used.subject), used.schema_id, str(used.version))
    text = "".join(texts)
    return _FIXED_BYTES + (len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass")))


def _parse(text: str) -> tuple[Key | RankedKey, int | None]:
    """The key behind a token, and the total; raises PageTokenInvalid."""
    match cells_in(text):
        case [str(name), *numbers] if (
            1 <= len(numbers) <= 2 and _is_name(name) and all(map(_is_number, numbers))
        ):
            return (name, numbers[0]), _second(numbers)
        case [int(score), str(name), *numbers] if (
            1 <= len(numbers) <= 2 and _is_name(name) and all(map(_is_number, (score, *numbers)))
        ):
            return (score, name, numbers[0]), _second(numbers)
    raise no_token(text)


def _second(numbers: Sequence[int]) -> int | None:
    return numbers[1] if len(numbers) > 1 else None


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _is_name(text: str) -> bool:
    """Whether a list can go on after `text`: it is "" or the name of a subject, which no store refuses to compare with."""
    try:
        return not text or str(Subject.parse(text)) == text
    except InvalidSubject:
        return False


def no_token(text: str) -> PageTokenInvalid:
    """The refusal of a token that no page of the list has given."""
    return PageTokenInvalid("page_token", f"{text[:80]!r} is not a token of this list")
