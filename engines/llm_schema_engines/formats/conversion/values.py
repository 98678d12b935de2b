"""Data through the model: a decoder for each source, an encoder for each target, over one walk each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import DataRefused
from .model import (
    INTEGERS,
    Anything,
    Chosen,
    Enumeration,
    Field,
    Kind,
    ListOf,
    MapOf,
    Model,
    Named,
    Nullable,
    Presence,
    Record,
    Scalar,
    Shape,
    Union,
    Value,
)
from .scalars import Unfit

Json = Any
DEEPEST = 64
"""Nesting of data that is converted; what is deeper is refused."""
ABSENT = object()
At = tuple["At", str | int] | None


def render(at: At) -> str:
    """The JSON pointer of a place in the data."""
    steps: list[str] = []
    while at is not None:
        at, step = at
        steps.append(str(step).replace("~", "~0").replace("/", "~1"))
    return "".join("/" + step for step in reversed(steps))


class Misfit(Exception):
    """The value at a place does not fit its shape."""

    def __init__(self, at: At, message: str) -> None:
        super().__init__(message)
        self.at, self.message = at, message

    def refused(self) -> DataRefused:
        return DataRefused(render(self.at), self.message)


class Decoder:
    """Reads JSON documents of one schema into values of the model. For one document; not to be shared.

    `dropped`: the pointers of members that the schema does not declare; `filled`: how many defaults stand in for fields that
    are left out. Subclasses say how scalars are spelled.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.dropped: list[str] = []
        self.filled = 0
        self._trials: dict[tuple[int, int], _Trial] = {}

    def decode(self, shape: Shape, value: Json, at: At = None, depth: int = 0) -> Value:
        """The value of the model. Raises Misfit."""
        if depth > DEEPEST:
            raise Misfit(at, f"is nested more than {DEEPEST} deep")
        if isinstance(shape, Scalar):
            try:
                return self.scalar(shape, value)
            except Unfit as error:
                raise Misfit(at, f"the value {error}") from None
        if isinstance(shape, Nullable):
            return None if value is None else self.decode(shape.inner, value, at, depth)
        if isinstance(shape, Anything):
            return self.anything(value, at)
        if isinstance(shape, Union):
            return self._union(shape, value, at, depth)
        if isinstance(shape, ListOf):
            if not isinstance(value, list):
                raise Misfit(at, "the value is not an array")
            return [self.decode(shape.item, item, (at, i), depth + 1) for i, item in enumerate(value)]
        if isinstance(shape, MapOf):
            return self._map(shape, value, at, depth)
        assert isinstance(shape, Named)
        found = self.model.types[shape.key]
        if isinstance(found, Enumeration):
            return self.symbol(found, value, at)
        return self.record(found, value, at, depth)

    def scalar(self, shape: Scalar, value: Json) -> Value:
        """Raises Unfit."""
        raise NotImplementedError

    def anything(self, value: Json, at: At) -> Value:
        check_nesting(value, at, DEEPEST)
        return value

    def symbol(self, enumeration: Enumeration, value: Json, at: At) -> Value:
        symbol = enumeration.spelled.get(value, value) if isinstance(value, str) else None
        if symbol not in enumeration.symbols:
            raise Misfit(at, f"the value is not a symbol of {enumeration.name}")
        return symbol

    def means_absent(self, member: Field, value: Json) -> bool:
        """Whether a value stands for a field that is left out."""
        return False

    def absent(self, member: Field) -> Value:
        """What a field that is left out means: ABSENT, or a value. Raises Unfit when it may not be left out."""
        if member.presence is Presence.REQUIRED:
            raise Unfit(f"lacks the field {member.name!r}")
        return member.default if member.presence is Presence.DEFAULTED else ABSENT

    def record(self, record: Record, value: Json, at: At, depth: int) -> Value:
        if not isinstance(value, dict):
            raise Misfit(at, f"the value is not an object, which {record.name} is")
        out: dict[str, Value] = {}
        known = 0
        for member in record.fields:
            found = [key for key in member.keys or (member.name,) if key in value]
            known += len(found)
            if found and not self.means_absent(member, value[found[0]]):
                out[member.name] = self.decode(member.shape, value[found[0]], (at, found[0]), depth + 1)
                continue
            try:
                default = self.absent(member)
            except Unfit as error:
                raise Misfit(at, f"the value {error}") from None
            if default is not ABSENT:
                self.filled += 1
                out[member.name] = default
        if known < len(value):
            keys = {key for member in record.fields for key in member.keys or (member.name,)}
            self.dropped.extend(render((at, key)) for key in value if key not in keys)
        return out

    def _map(self, shape: MapOf, value: Json, at: At, depth: int) -> Value:
        if not isinstance(value, dict):
            raise Misfit(at, "the value is not an object")
        return {
            check_key(shape.key, key, at): self.decode(shape.value, item, (at, key), depth + 1)
            for key, item in value.items()
        }

    def _union(self, shape: Union, value: Json, at: At, depth: int) -> Value:
        """The branch that takes the value with the least guessing: nothing dropped, then no defaults put in."""
        best: _Trial | None = None
        chosen = -1
        for i, branch in enumerate(shape.branches):
            trial = self._try(branch, value, at, depth)
            if trial.misfit is None and (best is None or trial.guesses < best.guesses):
                best, chosen = trial, i
                if trial.guesses == (0, 0):
                    break
        if best is None:
            raise Misfit(at, "the value fits none of the types that are possible here")
        self.dropped.extend(best.dropped)
        self.filled += best.filled
        return Chosen(chosen, best.value)

    def _try(self, branch: Shape, value: Json, at: At, depth: int) -> _Trial:
        """How a branch takes a value. Containers are remembered, so that unions inside unions are tried once each."""
        key = (id(branch), id(value)) if isinstance(value, dict | list) else None
        if key is not None and key in self._trials:
            return self._trials[key]
        around = self.dropped, self.filled
        self.dropped, self.filled = [], 0
        try:
            decoded = self.decode(branch, value, at, depth)
            trial = _Trial(decoded, tuple(self.dropped), self.filled)
        except Misfit as misfit:
            trial = _Trial(None, misfit=misfit)
        finally:
            self.dropped, self.filled = around
        if key is not None:
            self._trials[key] = trial
        return trial


@dataclass(frozen=True, slots=True)
class _Trial:
    """What came of reading a value as one branch of a union."""

    value: Value
    dropped: tuple[str, ...] = ()
    filled: int = 0
    misfit: Misfit | None = None

    @property
    def guesses(self) -> tuple[int, int]:
        return len(self.dropped), self.filled


class Encoder:
    """Writes values of the model as JSON documents of one target. Subclasses say how scalars and names are spelled."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def encode(self, shape: Shape, value: Value, at: At = None) -> Json:
        """The JSON value. Raises Misfit where the target cannot hold it."""
        if isinstance(shape, Scalar):
            try:
                return self.scalar(shape, value)
            except Unfit as error:
                raise Misfit(at, f"the value {error}") from None
        if isinstance(shape, Nullable):
            return None if value is None else self.encode(shape.inner, value, at)
        if isinstance(shape, Anything):
            return self.anything(value, at)
        if isinstance(shape, Union):
            return self.union(shape, value, at)
        if isinstance(shape, ListOf):
            return [self.encode(shape.item, item, (at, i)) for i, item in enumerate(value)]
        if isinstance(shape, MapOf):
            return {key: self.encode(shape.value, item, (at, key)) for key, item in value.items()}
        assert isinstance(shape, Named)
        found = self.model.types[shape.key]
        if isinstance(found, Enumeration):
            return self.symbol(shape.key, value)
        return self.record(shape.key, found, value, at)

    def scalar(self, shape: Scalar, value: Value) -> Json:
        """Raises Unfit."""
        raise NotImplementedError

    def anything(self, value: Value, at: At) -> Json:
        return value

    def union(self, shape: Union, value: Chosen, at: At) -> Json:
        return self.encode(shape.branches[value.index], value.value, at)

    def symbol(self, key: str, value: str) -> Json:
        return value

    def record(self, key: str, record: Record, value: Mapping[str, Value], at: At) -> Json:
        out: dict[str, Json] = {}
        for member in record.fields:
            place = (at, member.name)
            if member.name in value:
                written = self.encode(member.shape, value[member.name], place)
            else:
                written = self.left_out(member, place)
            if written is not ABSENT:
                out[self.name(key, member)] = written
        return out

    def left_out(self, member: Field, at: At) -> Json:
        """What stands in the document for a field that the source left out."""
        return ABSENT

    def name(self, key: str, member: Field) -> str:
        """The key of a field of the record `key` in documents of the target."""
        return member.name


def check_nesting(value: Json, at: At, levels: int) -> None:
    """Raises Misfit when a JSON value nests more than so many levels deep."""
    if isinstance(value, dict | list):
        if levels <= 0:
            raise Misfit(at, f"is nested more than {DEEPEST} deep")
        for item in value.values() if isinstance(value, dict) else value:
            check_nesting(item, at, levels - 1)


def integer(kind: Kind, value: Json) -> int:
    """An integer of a kind, from a JSON number; 1.0 is one. Raises Unfit."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise Unfit("is not an integer")
    if value not in INTEGERS[kind]:
        raise Unfit(f"is outside the range of {kind}")
    return value


def number(value: Json, limit: float) -> float:
    """A float within the limit, from a JSON number. Raises Unfit."""
    if type(value) not in (int, float):
        raise Unfit("is not a number")
    if not -limit < value < limit:
        raise Unfit("is outside the range of the number type")
    return float(value)


def text(value: Json) -> str:
    if not isinstance(value, str):
        raise Unfit("is not a string")
    return value


def check_key(kind: Kind, key: str, at: At) -> str:
    """A key of a map in the spelling of its kind. Raises Misfit."""
    if kind is Kind.STRING:
        return key
    if kind is Kind.BOOLEAN:
        if key in ("true", "false"):
            return key
        raise Misfit((at, key), "the key is not true or false")
    digits = key[1:] if key.startswith("-") else key
    if not digits.isascii() or not digits.isdigit() or len(digits) > 20 or int(key) not in INTEGERS[kind]:
        raise Misfit((at, key), f"the key is not a number of {kind}")
    return str(int(key))
