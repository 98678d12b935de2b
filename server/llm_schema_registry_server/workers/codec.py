"""Model values as bytes and back, checked: what a subprocess answers is data, never code. Pure.

A subprocess that hostile input has taken over may write anything into its pipe, and reading a pickle, even one that
may name no class, lets the writer allocate memory at will. So an answer is JSON in which `bytes` stand as numbers of
blobs that follow it, and `load` builds the value that the caller expects, field by field, checking every type.

Layout: 4 bytes length of the JSON text, the text `[sizes of blobs, tree]`, the blobs one after the other.
"""

from __future__ import annotations

import enum
import functools
import json
import struct
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar  # Any: the type of a tree is found out by looking at it

T = TypeVar("T")
Blobs = Sequence[bytes]
Decode = Callable[[Any, Blobs], Any]

LENGTH = struct.Struct("!I")


class MalformedValue(Exception):
    """The bytes are not the value that was expected."""


def dump(value: object) -> bytes:
    """`value`, made of dataclasses, enums, tuples, mappings with text as keys, text, bytes, numbers and None."""
    blobs: list[bytes] = []
    tree = _tree(value, blobs)
    text = json.dumps([list(map(len, blobs)), tree], separators=(",", ":")).encode("ascii")
    return b"".join([LENGTH.pack(len(text)), text, *blobs])


def load(kind: type[T], data: bytes) -> T:
    """The value of type `kind` that `dump` wrote; raises BadAnswer when `data` is none."""
    tree, blobs = _split(data)
    decode: Decode = _decoder(kind)  # type: ignore[arg-type]  # mypy doubts that a class can be hashed
    value: T = decode(tree, blobs)
    return value


def _tree(value: Any, blobs: list[bytes]) -> Any:
    if isinstance(value, bytes):
        blobs.append(value)
        return len(blobs) - 1
    if isinstance(value, enum.Enum):
        return value.value
    if is_dataclass(value):
        return [_tree(getattr(value, f.name), blobs) for f in fields(value)]
    if isinstance(value, tuple):
        return [_tree(item, blobs) for item in value]
    if isinstance(value, Mapping):
        return {key: _tree(item, blobs) for key, item in value.items()}
    return value


def _split(data: bytes) -> tuple[Any, Blobs]:
    if len(data) < LENGTH.size:
        raise MalformedValue("too short")
    (length,) = LENGTH.unpack_from(data)
    place = LENGTH.size + length
    try:
        content = json.loads(data[LENGTH.size : place])
    except (ValueError, RecursionError) as error:
        raise MalformedValue(f"not JSON: {error}") from error
    match content:
        case [list(sizes), tree] if all(type(size) is int and size >= 0 for size in sizes):
            if place + sum(sizes) != len(data):
                raise MalformedValue("the blobs are not as long as announced")
            ends = [place := place + size for size in sizes]
            return tree, [data[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    raise MalformedValue("not sizes and a tree")


@functools.cache
def _decoder(kind: Any) -> Decode:
    """What turns a tree into a `kind`; raises TypeError for a type that cannot cross."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is bytes:
        return _blob
    if kind in (str, int, bool):
        return functools.partial(_exactly, kind)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return functools.partial(_many, _decoder(arguments[0]))
    if origin is not None and _is_mapping(origin):
        key, item = map(_decoder, arguments)
        return functools.partial(_mapping, key, item)
    if origin in (typing.Union, types.UnionType) and len(arguments) == 2 and type(None) in arguments:
        (other,) = (a for a in arguments if a is not type(None))
        return functools.partial(_optional, _decoder(other))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return functools.partial(_member, kind)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return functools.partial(_record, kind, [_decoder(hints[f.name]) for f in fields(kind)])
    raise TypeError(f"{kind!r} cannot cross a process boundary")


def _is_mapping(origin: object) -> bool:
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _exactly(kind: type, tree: Any, blobs: Blobs = ()) -> Any:
    if type(tree) is not kind:
        raise MalformedValue(f"{type(tree).__name__} where {kind.__name__} was expected")
    return tree


def _blob(tree: Any, blobs: Blobs) -> Any:
    if type(tree) is not int or not 0 <= tree < len(blobs):
        raise MalformedValue("not the number of a blob")
    return blobs[tree]


def _many(item: Decode, tree: Any, blobs: Blobs) -> Any:
    return tuple([item(branch, blobs) for branch in _exactly(list, tree)])


def _mapping(key: Decode, value: Decode, tree: Any, blobs: Blobs) -> Any:
    return {key(k, blobs): value(v, blobs) for k, v in _exactly(dict, tree).items()}


def _optional(other: Decode, tree: Any, blobs: Blobs) -> Any:
    return None if tree is None else other(tree, blobs)


def _member(kind: type[enum.Enum], tree: Any, blobs: Blobs) -> Any:
    try:
        return kind(tree)
    except (ValueError, TypeError) as error:
        raise MalformedValue(f"no member of {kind.__name__}") from error


def _record(kind: type, decoders: list[Decode], tree: Any, blobs: Blobs) -> Any:
    if len(_exactly(list, tree)) != len(decoders):
        raise MalformedValue(f"{len(tree)} fields where {kind.__name__} has {len(decoders)}")
    return kind(*(decode(branch, blobs) for decode, branch in zip(decoders, tree, strict=True)))
