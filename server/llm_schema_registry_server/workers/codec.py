"""Model values as bytes and back, checked: what a worker process answers, and what a shared cache holds, is data, never code.

A process that hostile input has taken over may write anything into its pipe. Reading a pickle, even one that may name no
class, lets the writer allocate memory at will. So a value is JSON, which msgspec decodes straight into the type that the
reader expects: nothing else is built on the way. Bytes are base64 in it.

JSON and not MessagePack: every value but the first costs the writer a comma, so that counting commas bounds what decoding
may allocate and take before it begins. In MessagePack a byte makes a value, and a few bytes announce an array.

Layout: the JSON text. When text in the value holds halves of surrogate pairs, which JSON of UTF-8 cannot: SURROGATES, then
the JSON text of the same value with each text encoded to UTF-8 ("surrogatepass") and its bytes taken for Latin-1.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar  # Any: the type of a value is found out by looking at it

import msgspec

T = TypeVar("T")

FORMAT = "json-1"
"""Names the layout above, for bytes that outlive the process that wrote them."""

MAX_VALUES = 500_000
"""Values in a text, counted by its commas. The costliest ones that a decoder here builds take some 2 us and 300 bytes."""

SURROGATES = b"~"

_ALLOWED = (
    msgspec.inspect.BoolType,
    msgspec.inspect.BytesType,
    msgspec.inspect.EnumType,
    msgspec.inspect.IntType,
    msgspec.inspect.NoneType,
    msgspec.inspect.StrType,
)


def _as_dict(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot cross a process boundary")


_ENCODER = msgspec.json.Encoder(enc_hook=_as_dict)


class MalformedValue(Exception):
    """The bytes are not the value that was expected."""


class TooManyValues(Exception):
    """The value has more than MAX_VALUES values in it."""


def dump(value: object) -> bytes:
    """`value`, made of dataclasses, enums, tuples, mappings with text as keys, text, bytes, integers, booleans and None.

    Raises TooManyValues for what `load` would refuse.
    """
    try:
        data = _ENCODER.encode(value)
    except UnicodeEncodeError:
        data = SURROGATES + _ENCODER.encode(_with_text(value, _as_latin))
    if data.count(b",") > MAX_VALUES:
        raise TooManyValues
    return data


def load(kind: type[T], data: bytes) -> T:
    """The value of type `kind` that `dump` wrote; raises MalformedValue when `data` is none, and TypeError when no value of
    this type can cross."""
    decoder: msgspec.json.Decoder[T] = _decoder(kind)  # type: ignore[arg-type]  # mypy doubts that a class can be hashed
    if data.count(b",") > MAX_VALUES:
        raise MalformedValue(f"more than {MAX_VALUES:,} values")
    try:
        if data.startswith(SURROGATES):
            value: T = _with_text(decoder.decode(memoryview(data)[1:]), _from_latin)
            return value
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        # Not the error itself: its text may hold what the process wrote, and a stack as deep as its nesting.
        raise MalformedValue(f"{type(error).__name__} where {kind.__name__} was expected") from None


@functools.cache
def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    _check(msgspec.inspect.type_info(kind), kind)
    return msgspec.json.Decoder(kind)


def _check(info: msgspec.inspect.Type, kind: object) -> None:
    """Raise TypeError unless every type inside is one that `dump` names: what crosses is decoded, never guessed."""
    match info:
        case msgspec.inspect.DataclassType(fields=inside):
            for field in inside:
                _check(field.type, kind)
        case msgspec.inspect.VarTupleType(item_type=item):
            _check(item, kind)
        case msgspec.inspect.DictType(key_type=msgspec.inspect.StrType(), value_type=value):
            _check(value, kind)
        case msgspec.inspect.UnionType(types=(first, msgspec.inspect.NoneType())):
            _check(first, kind)
        case _ if isinstance(info, _ALLOWED):
            pass
        case _:
            raise TypeError(f"{kind!r} cannot cross a process boundary: {info!r}")


def _as_latin(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def _from_latin(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "surrogatepass")


def _with_text(value: Any, change: Callable[[str], str]) -> Any:
    """The same value with every text changed."""
    if isinstance(value, enum.Enum):
        return value
    if isinstance(value, str):
        return change(value)
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(*(_with_text(getattr(value, f.name), change) for f in fields(value)))
    if isinstance(value, tuple):
        return tuple([_with_text(item, change) for item in value])
    if isinstance(value, Mapping):
        return {change(key): _with_text(item, change) for key, item in value.items()}
    return value
