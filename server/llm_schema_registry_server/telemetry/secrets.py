"""Secrets of the settings, and texts without them: what goes to a log or a terminal may quote a driver that quotes a URL."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, unquote

LEAST = 4
"""A shorter secret would be found in any text, and is none."""
HIDDEN = "(hidden)"

_known: set[str] = set()


def hide(secrets: Iterable[str]) -> None:
    """From now on `masked` takes these out, also as a URL spells them and as Python quotes them."""
    for secret in secrets:
        for text in (secret, unquote(secret)):
            _known.update(
                form for form in (text, quote(text, safe=""), repr(text)[1:-1]) if len(form) >= LEAST
            )


def masked(text: str) -> str:
    """The text with `(hidden)` in the place of each secret; the longest are taken out first."""
    for secret in sorted(_known, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text
