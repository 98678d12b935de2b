"""What instances share through a lower tier: results of the engines, as checked bytes under keys that say everything.

A result is data, never code: it is read field by field as the type that is expected (workers/codec.py), and anything
else counts as missing. The key holds the layout of that type and the format of the bytes, so that servers of different versions that run side by
side never read what the other one means differently.
"""

from __future__ import annotations

import enum
import hashlib
import typing
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar  # Any: a type is taken apart by looking at it

from ..caches.cache import LowerTier
from ..caches.tiered import Codec, Lower
from ..workers import codec

K = TypeVar("K", bound=Hashable)
T = TypeVar("T", bound=Hashable)


def lower(
    tier: LowerTier | None,
    name: str,
    kind: type[T],
    accept: Callable[[K, T], bool] = lambda key, value: True,
) -> Lower[K, T] | None:
    """How values of `kind` are stored in `tier`; None when there is no tier. `name` keeps kinds apart. `accept`: whether
    a value can be that of its key.

    Keys are hashed as text: they may be long, and hold what clients wrote.
    """
    if tier is None:
        return None
    written_as = f"{codec.FORMAT}\n{layout(kind)}"
    place = f"{name}:{hashlib.sha256(written_as.encode()).hexdigest()[:16]}"

    def text_of(key: K) -> str:
        return f"{place}:{hashlib.sha256(str(key).encode()).hexdigest()}"

    def decode(data: bytes) -> T | None:
        try:
            return codec.load(kind, data)
        except codec.MalformedValue:
            return None

    return Lower(tier, Codec(key=text_of, encode=codec.dump, decode=decode), accept)


def layout(kind: Any) -> str:
    """A text that changes when a field, a type or an enum member of `kind` changes, however deep inside."""
    named: dict[str, str] = {}
    _describe(kind, named)
    return "\n".join(f"{name} = {text}" for name, text in sorted(named.items()))


def _describe(kind: Any, named: dict[str, str]) -> str:
    name = f"{kind.__module__}.{kind.__qualname__}" if isinstance(kind, type) else str(kind)
    if name in named:
        return name
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        named[name] = " ".join(f"{member.name}={member.value!r}" for member in kind)
    elif isinstance(kind, type) and is_dataclass(kind):
        named[name] = ""  # seen, for types that hold themselves
        hints = typing.get_type_hints(kind)
        named[name] = " ".join(f"{f.name}:{_describe(hints[f.name], named)}" for f in fields(kind))
    else:
        for argument in typing.get_args(kind):
            _describe(argument, named)
    return name
