"""Converts data through the model: the base classes of decoders (one per source type) and encoders (one per target type).
Pure."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import DataRefused
from .model import (
    INTEGERS,
    Anything,
    Enumeration,
    Kind,
    ListOf,
    MapOf,
    Model,
    ModelField,
    ModelRecord,
    ModelUnion,
    NamedShape,
    Nullable,
    Presence,
    Scalar,
    Shape,
    UnionChoice,
    Value,
)
from .scalars import ScalarMismatch

Json = Any
MAX_DEPTH = 64
"""Deepest nesting of data that is converted; deeper data is refused."""
ABSENT = object()
ValuePath = tuple["ValuePath", str | int] | None


def render(at: ValuePath) -> str:
    """The JSON pointer of a place in the data."""
    steps: list[str] = []
    while at is not None:
        at, step = at
        steps.append(str(step).replace("~", "~0").replace("/", "~1"))
    return "".join("/" + step for step in reversed(steps))


class ValueMismatch(Exception):
    """The value at a place does not fit its shape."""

    def __init__(self, at: ValuePath, message: str) -> None:
        super().__init__(message)
        self.at, self.message = at, message

    def refused(self) -> DataRefused:
        return DataRefused(render(self.at), self.message)


class Decoder:
    """Reads one JSON document into values of the model. Not to be shared between documents.

    `dropped`: the pointers of members that the schema does not declare. `defaults_applied`: how many absent fields got
    their default; without `fill_defaults` they are counted and stay absent. Subclasses read scalars.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.dropped: list[str] = []
        self.defaults_applied = 0
        self.fill_defaults = True
        self._trials: dict[tuple[int, int], _Trial] = {}

    def decode(self, shape: Shape, value: Json, at: ValuePath = None, depth: int = 0) -> Value:
        """The value of the model. Raises ValueMismatch."""
        if depth > MAX_DEPTH:
            raise ValueMismatch(at, f"is nested more than {MAX_DEPTH} deep")
        if isinstance(shape, Scalar):
            try:
                return self.scalar(shape, value)
            except ScalarMismatch as error:
                raise ValueMismatch(at, f"the value {error}") from None
        if isinstance(shape, Nullable):
            return None if value is None else self.decode(shape.inner, value, at, depth)
        if isinstance(shape, Anything):
            return self.anything(value, at)
        if isinstance(shape, ModelUnion):
            return self._union(shape, value, at, depth)
        if isinstance(shape, ListOf):
            if not isinstance(value, list):
                raise ValueMismatch(at, "the value is not an array")
            return [self.decode(shape.item, item, (at, i), depth + 1) for i, item in enumerate(value)]
        if isinstance(shape, MapOf):
            return self._map(shape, value, at, depth)
        assert isinstance(shape, NamedShape)
        found = self.model.types[shape.key]
        if isinstance(found, Enumeration):
            return self.symbol(found, value, at)
        return self.record(found, value, at, depth)

    def scalar(self, shape: Scalar, value: Json) -> Value:
        """Raises ScalarMismatch."""
        raise NotImplementedError

    def anything(self, value: Json, at: ValuePath) -> Value:
        check_nesting(value, at, MAX_DEPTH)
        return value

    def symbol(self, enumeration: Enumeration, value: Json, at: ValuePath) -> Value:
        symbol = enumeration.spelled.get(value, value) if isinstance(value, str) else None
        if symbol not in enumeration.symbols:
            raise ValueMismatch(at, f"the value is not a symbol of {enumeration.name}")
        return symbol

    def means_absent(self, member: ModelField, value: Json) -> bool:
        """Whether a value stands for a field that is left out."""
        return False

    def absent(self, member: ModelField) -> Value:
        """What a field that is left out means: ABSENT, or a value. Raises ScalarMismatch when it may not be left out."""
        if member.presence is Presence.REQUIRED:
            raise ScalarMismatch(f"lacks the field {member.name!r}")
        return member.default if member.presence is Presence.DEFAULTED else ABSENT

    def record(self, record: ModelRecord, value: Json, at: ValuePath, depth: int) -> Value:
        if not isinstance(value, dict):
            raise ValueMismatch(at, f"the value is not an object, which {record.name} is")
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
            except ScalarMismatch as error:
                raise ValueMismatch(at, f"the value {error}") from None
            if default is not ABSENT:
                self.defaults_applied += 1
                if self.fill_defaults:
                    out[member.name] = default
        if known < len(value):
            keys = {key for member in record.fields for key in member.keys or (member.name,)}
            self.dropped.extend(render((at, key)) for key in value if key not in keys)
        return out

    def _map(self, shape: MapOf, value: Json, at: ValuePath, depth: int) -> Value:
        if not isinstance(value, dict):
            raise ValueMismatch(at, "the value is not an object")
        return {
            check_key(shape.key, key, at): self.decode(shape.value, item, (at, key), depth + 1)
            for key, item in value.items()
        }

    def _union(self, shape: ModelUnion, value: Json, at: ValuePath, depth: int) -> Value:
        """The best branch that accepts the value: not one that rounds an integer, then the fewest members dropped, then the
        fewest defaults applied."""
        best: _Trial | None = None
        chosen = -1
        for i, branch in enumerate(shape.branches):
            trial = self._try(branch, value, at, depth)
            if trial.mismatch is None and (best is None or trial.guesses < best.guesses):
                best, chosen = trial, i
                if trial.guesses == (False, 0, 0):
                    break
        if best is None:
            raise ValueMismatch(at, "the value fits none of the types that are possible here")
        self.dropped.extend(best.dropped)
        self.defaults_applied += best.defaults_applied
        return UnionChoice(chosen, best.value)

    def _try(self, branch: Shape, value: Json, at: ValuePath, depth: int) -> _Trial:
        """The result of reading a value as one branch. Results of containers are cached, so that nested unions are tried
        once each."""
        key = (id(branch), id(value)) if isinstance(value, dict | list) else None
        if key is not None and key in self._trials:
            return self._trials[key]
        outer = self.dropped, self.defaults_applied
        self.dropped, self.defaults_applied = [], 0
        try:
            decoded = self.decode(branch, value, at, depth)
            trial = _Trial(
                decoded, tuple(self.dropped), self.defaults_applied, rounded=_rounds(branch, value)
            )
        except ValueMismatch as mismatch:
            trial = _Trial(None, mismatch=mismatch)
        finally:
            self.dropped, self.defaults_applied = outer
        if key is not None:
            self._trials[key] = trial
        return trial


@dataclass(frozen=True, slots=True)
class _Trial:
    """The result of reading a value as one branch of a union."""

    value: Value
    dropped: tuple[str, ...] = ()
    defaults_applied: int = 0
    mismatch: ValueMismatch | None = None
    rounded: bool = False

    @property
    def guesses(self) -> tuple[bool, int, int]:
        return self.rounded, len(self.dropped), self.defaults_applied


def _rounds(branch: Shape, value: Json) -> bool:
    """Whether a floating-point branch holds an integer only roughly."""
    if (
        type(value) is not int
        or not isinstance(branch, Scalar)
        or branch.kind not in (Kind.FLOAT, Kind.DOUBLE)
    ):
        return False
    code = "f" if branch.kind is Kind.FLOAT else "d"
    try:
        return bool(struct.unpack(code, struct.pack(code, value))[0] != value)
    except OverflowError:
        return True


class Encoder:
    """Writes values of the model as JSON documents of one target. Subclasses write scalars and names."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def encode(self, shape: Shape, value: Value, at: ValuePath = None) -> Json:
        """The JSON value. Raises ValueMismatch where the target cannot hold it."""
        if isinstance(shape, Scalar):
            try:
                return self.scalar(shape, value)
            except ScalarMismatch as error:
                raise ValueMismatch(at, f"the value {error}") from None
        if isinstance(shape, Nullable):
            return None if value is None else self.encode(shape.inner, value, at)
        if isinstance(shape, Anything):
            return self.anything(value, at)
        if isinstance(shape, ModelUnion):
            return self.union(shape, value, at)
        if isinstance(shape, ListOf):
            return [self.encode(shape.item, item, (at, i)) for i, item in enumerate(value)]
        if isinstance(shape, MapOf):
            return {key: self.encode(shape.value, item, (at, key)) for key, item in value.items()}
        assert isinstance(shape, NamedShape)
        found = self.model.types[shape.key]
        if isinstance(found, Enumeration):
            return self.symbol(shape.key, value)
        return self.record(shape.key, found, value, at)

    def scalar(self, shape: Scalar, value: Value) -> Json:
        """Raises ScalarMismatch."""
        raise NotImplementedError

    def anything(self, value: Value, at: ValuePath) -> Json:
        return value

    def union(self, shape: ModelUnion, value: UnionChoice, at: ValuePath) -> Json:
        return self.encode(shape.branches[value.index], value.value, at)

    def symbol(self, key: str, value: str) -> Json:
        return value

    def record(self, key: str, record: ModelRecord, value: Mapping[str, Value], at: ValuePath) -> Json:
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

    def left_out(self, member: ModelField, at: ValuePath) -> Json:
        """What the document holds for an absent field; ABSENT: nothing."""
        return ABSENT

    def name(self, key: str, member: ModelField) -> str:
        """The key of a field of the record `key` in documents of the target."""
        return member.name


def check_nesting(value: Json, at: ValuePath, levels: int) -> None:
    """Raises ValueMismatch when a JSON value nests more than so many levels deep."""
    if isinstance(value, dict | list):
        if levels <= 0:
            raise ValueMismatch(at, f"is nested more than {MAX_DEPTH} deep")
        for item in value.values() if isinstance(value, dict) else value:
            check_nesting(item, at, levels - 1)


def integer(kind: Kind, value: Json) -> int:
    """An integer of a kind, from a JSON number; 1.0 is one. Raises ScalarMismatch."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise ScalarMismatch("is not an integer")
    if value not in INTEGERS[kind]:
        raise ScalarMismatch(f"is outside the range of {kind}")
    return value


def number(value: Json, limit: float) -> float:
    """A float within the limit, from a JSON number. Raises ScalarMismatch."""
    if type(value) not in (int, float):
        raise ScalarMismatch("is not a number")
    if not -limit < value < limit:
        raise ScalarMismatch("is outside the range of the number type")
    return float(value)


def text(value: Json) -> str:
    if not isinstance(value, str):
        raise ScalarMismatch("is not a string")
    return value


def check_key(kind: Kind, key: str, at: ValuePath) -> str:
    """A key of a map in the canonical text of its kind. Raises ValueMismatch."""
    if kind is Kind.STRING:
        return key
    if kind is Kind.BOOLEAN:
        if key in ("true", "false"):
            return key
        raise ValueMismatch((at, key), "the key is not true or false")
    digits = key[1:] if key.startswith("-") else key
    if not digits.isascii() or not digits.isdigit() or len(digits) > 20 or int(key) not in INTEGERS[kind]:
        raise ValueMismatch((at, key), f"the key is not a number of {kind}")
    return str(int(key))
