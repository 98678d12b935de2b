"""How much text the errors of a payload can hold. Pure.

The validator makes every error with a copy of the keyword that failed (a whole `enum`) and with its paths in schema and payload: a long
name or keyword, repeated by thousands of errors, is more than schema and payload together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_COPIED = ("enum", "const", "required", "dependentRequired", "dependencies", "pattern", "format")
_SHORT = 256
"""Characters of a keyword up to which it is not told from others; longer ones count together: they may fail for the same value."""


class ErrorTexts:
    """What the errors of one schema copy of it, at most, in characters: `keyword` of the keywords that fail for one value, and `name` for
    each level of nesting."""

    def __init__(self, documents: Iterable[Any]) -> None:
        long, self.name = 0, 0
        stack = list(documents)
        while stack:
            item = stack.pop()
            if isinstance(item, dict):
                self.name = max(self.name, max(map(len, item), default=0))
                size = sum(_characters(item[k]) for k in _COPIED if k in item)
                long += size if size > _SHORT else 0
                stack.extend(item.values())
            elif isinstance(item, list):
                stack.extend(item)
        self.keyword = max(long, _SHORT)

    def of_error(self, depth: int, names: int) -> int:
        """The characters of one error, at most, in a payload that nests `depth` deep and whose names have up to `names` characters."""
        return self.keyword + (self.name + names) * (depth + 1)


def longest_name(payload: bytes) -> int:
    """Bytes of the longest name of a JSON text, at most: of what stands between two quotes."""
    return max(map(len, payload.split(b'"')))


def characters_of_paths(value: Any, most: int) -> int:
    """Characters of the paths to all values inside `value` together; more than `most` when there are more than that."""
    total, stack = 0, [(value, 0)]
    while stack and total <= most:
        item, path = stack.pop()
        if isinstance(item, dict):
            for name, below in item.items():
                total += path + len(name)
                if isinstance(below, dict | list):
                    stack.append((below, path + len(name)))
        elif isinstance(item, list):
            total += path * len(item)
            stack.extend((below, path) for below in item if isinstance(below, dict | list))
    return total


def _characters(value: Any) -> int:
    """Of the strings and values of a keyword's value."""
    total, stack = 0, [value]
    while stack:
        item = stack.pop()
        total += 1
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, dict):
            stack.extend(item)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return total
