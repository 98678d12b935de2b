"""Where in a JSON text the value at a pointer stands, and which key comes twice. One walk over the text, without recursion.

No pointer is built but those that are answered: pointers of all values may be far longer than the text. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, TypeAlias

from .pointers import split_pointer, to_pointer

_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)

_Wanted: TypeAlias = dict[str | None, Any]
"""A tree of the wanted pointers by their tokens; under None stands the pointer that ends there."""


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of an offset."""
    line_start = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - line_start + 1


def offsets(text: str, pointers: Iterable[str]) -> dict[str, int]:
    """Where the values at `pointers` start in well-formed JSON; of values behind a repeated key, the first."""
    places = set(pointers)
    wanted, left = _tree(places), len(places)
    found: dict[str, int] = {}
    open_containers: list[
        tuple[_Wanted | None, int | None]
    ] = []  # what is wanted inside; next index, None: an object
    here: _Wanted | None = wanted
    key_next = False
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token == ",":
            inside, index = open_containers[-1]
            if index is None:
                key_next = True
            else:
                open_containers[-1] = (inside, index + 1)
                here = inside.get(str(index)) if inside else None
        elif token in ("}", "]"):
            open_containers.pop()
            key_next = False
        elif token == ":":
            continue
        elif key_next:
            inside = open_containers[-1][0]
            here = inside.get(json.loads(token)) if inside else None
            key_next = False
        else:
            if here and (pointer := here.pop(None, None)) is not None:
                found[pointer] = match.start()
                left -= 1
                if not left:
                    break
            if token == "{":
                open_containers.append((here, None))
                key_next = True
            elif token == "[":
                open_containers.append((here, 1))
                here = here.get("0") if here else None
    return found


def first_repeated_key(text: str) -> tuple[str, int]:
    """Pointer and offset of the first key of well-formed JSON that stood in the same object before; ("", 0) without one."""
    path: list[str | int] = []  # one step for each open container
    keys: list[set[str] | None] = []  # of the open containers; None for an array
    key_next = False
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token == ",":
            last = path[-1]
            if isinstance(last, int):
                path[-1] = last + 1
            else:
                key_next = True
        elif token in ("}", "]"):
            path.pop()
            keys.pop()
            key_next = False
        elif key_next:
            seen = keys[-1]
            assert seen is not None, "only objects have keys"
            path[-1] = key = json.loads(token)
            if key in seen:
                return to_pointer(path), match.start()
            seen.add(key)
            key_next = False
        elif token in ("{", "["):
            key_next = token == "{"
            path.append("" if key_next else 0)
            keys.append(set() if key_next else None)
    return "", 0


def _tree(pointers: Iterable[str]) -> _Wanted:
    tree: _Wanted = {}
    for pointer in pointers:
        node = tree
        for token in split_pointer(pointer):
            node = node.setdefault(token, {})
        node[None] = pointer
    return tree
