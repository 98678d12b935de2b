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


class Glob:
    """A pattern taken apart once, for many names: `prefix` is the literal part before its first wildcard, `suffix` the one after
    its last, `part` the longest one. `matches` costs a few look-ups of substrings, far less than walking over the name."""

    __slots__ = ("_inner", "_least", "part", "pattern", "prefix", "suffix")

    def __init__(self, pattern: str) -> None:
        """Raises ValueError for text without a wildcard."""
        if not is_pattern(pattern):
            raise ValueError(f"{pattern!r} has no wildcard")
        self.pattern = pattern
        places = [i for i, c in enumerate(pattern) if c in "*?"]
        self.prefix, self.suffix = pattern[: places[0]], pattern[places[-1] + 1 :]
        self.part = max(pattern.replace("?", "*").split("*"), key=len)
        self._least = len(pattern) - pattern.count("*")
        # The literals between stars, in their order; None when a `?` makes their places count.
        self._inner: tuple[str, ...] | None = None
        if "?" not in pattern:
            self._inner = tuple(filter(None, pattern.split("*")[1:-1]))

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` fits the pattern."""
        if len(text) < self._least or not (text.startswith(self.prefix) and text.endswith(self.suffix)):
            return False
        if self._inner is None:
            return matches(self.pattern, text)
        place, end = len(self.prefix), len(text) - len(self.suffix)
        for literal in self._inner:  # the first place is as good as any: what follows has most room
            place = text.find(literal, place, end)
            if place < 0:
                return False
            place += len(literal)
        return True
