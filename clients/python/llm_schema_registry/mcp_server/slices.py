"""Parts of schemas, by JSON pointer (RFC 6901), and what a part too large to be told has in it. Pure."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from .._pointers import unescaped
from .wire import Json, write

T = TypeVar("T")

MOST_PARSED = 192 * 1024
"""Bytes of a schema that is looked into; larger ones are read as a resource. json parses so many in one step of 10 ms at worst."""
AT_ONCE = 16 * 1024
"""Bytes up to which that takes no thread."""
MOST_OUTLINE = 60
"""Parts of an outline."""


class NoSuchPart(Exception):
    """A pointer leads nowhere. `there`: what is there where it stops."""

    def __init__(self, pointer: str, there: list[str]) -> None:
        super().__init__(f"{pointer} is not in the schema")
        self.there = there


class NotJson(Exception):
    """The content is no JSON that can be told again without a loss."""


def parse(content: bytes) -> Any:
    """The value of a JSON schema, its keys in their order. Raises NotJson."""
    try:
        return json.loads(content, parse_float=_exactly, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a schema: its value, or, where that has more bytes than wanted, its parts."""

    value: Any
    bytes: int
    parts: tuple[Json, ...] | None


def sliced(content: bytes, pointer: str, most: int) -> Slice:
    """The part of a schema. Raises NotJson and NoSuchPart."""
    value = part(parse(content), pointer)
    length = size(value)
    return Slice(value, length, tuple(outline(value, pointer)) if length > most else None)


def fields_of(content: bytes) -> list[Json]:
    """What `described` tells of a schema. Raises NotJson."""
    return described(parse(content))


async def looked_into(content: bytes, look: Callable[..., T], *more: Any) -> T:
    """What `look` finds in a schema: in a thread when it is not small, so that others get their turns."""
    if len(content) <= AT_ONCE:
        return look(content, *more)
    return await asyncio.to_thread(look, content, *more)


def part(value: Any, pointer: str) -> Any:
    """What a pointer leads to. Raises NoSuchPart."""
    found, so_far = value, ""
    for step in pointer.split("/")[1:] if pointer else ():
        key = unescaped(step)
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif (
            isinstance(found, list)
            and key.isascii()
            and key.isdigit()
            and len(key) < 10
            and int(key) < len(found)
        ):
            found = found[int(key)]
        else:
            raise NoSuchPart(pointer, [p["pointer"] for p in outline(found, so_far)])
        so_far += "/" + step
    return found


def outline(value: Any, pointer: str) -> list[Json]:
    """The parts of a value and how many bytes each has, `properties` and `$defs` opened."""
    found: list[Json] = []
    for key, inner in _members(value):
        below = f"{pointer}/{_escaped(key)}"
        if key in ("properties", "$defs", "definitions", "fields") and isinstance(inner, dict | list):
            found += [
                {"pointer": f"{below}/{_escaped(name)}", "bytes": size(one)}
                for name, one in _members(inner)[:MOST_OUTLINE]
            ]
        else:
            found.append({"pointer": below, "bytes": size(inner)})
        if len(found) >= MOST_OUTLINE:
            return found[:MOST_OUTLINE]
    return found


def size(value: Any) -> int:
    """Bytes of a value as compact JSON."""
    return len(write(value).encode("utf-8", "surrogatepass"))


def described(value: Any) -> list[Json]:
    """The properties or fields of a schema's root, one line each: pointer, type, whether it is required, the description's beginning."""
    if not isinstance(value, dict):
        return []
    required = value.get("required")
    names = (
        set(required) if isinstance(required, list) and all(isinstance(r, str) for r in required) else set()
    )
    found: list[Json] = []
    properties = value.get("properties")
    if isinstance(properties, dict):
        for name, inner in properties.items():
            found.append(_line(f"/properties/{_escaped(name)}", inner, name in names))
    fields = value.get("fields")
    if not found and isinstance(fields, list):
        for place, inner in enumerate(fields):
            if isinstance(inner, dict):
                line = _line(f"/fields/{place}", inner, "default" not in inner)
                found.append({"name": str(inner.get("name", ""))[:200], **line})
    return found


def _line(pointer: str, inner: Any, required: bool) -> Json:
    line: Json = {"pointer": pointer, "type": _type(inner), "required": required}
    text = inner.get("description", inner.get("doc")) if isinstance(inner, dict) else None
    if isinstance(text, str) and text:
        line["about"] = text if len(text) <= 100 else text[:99] + "…"
    return line


def _type(inner: Any) -> str:
    if not isinstance(inner, dict):
        return write(inner)[:40]
    for key in ("type", "$ref", "const", "enum"):
        if key in inner:
            told = inner[key]
            return (told if isinstance(told, str) else write(told))[:80]
    return next((key for key in ("anyOf", "oneOf", "allOf") if key in inner), "any")


def _members(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return [(str(place), one) for place, one in enumerate(value)] if isinstance(value, list) else []


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _exactly(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is beyond a double")
    return number


def _refused(text: str) -> float:
    raise ValueError(f"{text} is no JSON")
