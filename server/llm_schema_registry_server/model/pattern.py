"""Patterns over subject names: `*` matches any characters, `?` for one. Pure."""

from __future__ import annotations


def is_pattern(text: str) -> bool:
    """Whether `text` has a wildcard."""
    return "*" in text or "?" in text


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of `text` fits `pattern`. Time is at most len(pattern) * len(text)."""
    p = t = 0
    star, resume = -1, 0
    while t < len(text):
        if p < len(pattern) and pattern[p] == "*":
            star, resume = p, t
            p += 1
        elif p < len(pattern) and pattern[p] in ("?", text[t]):
            p += 1
            t += 1
        elif star >= 0:
            resume += 1
            p, t = star + 1, resume
        else:
            return False
    return all(c == "*" for c in pattern[p:])
