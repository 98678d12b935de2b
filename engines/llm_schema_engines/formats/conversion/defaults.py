"""The defaults of fields as values of the model, each written out with the defaults that it takes itself. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from .losses import Losses
from .model import (
    ListOf,
    MapOf,
    Model,
    ModelField,
    ModelRecord,
    ModelUnion,
    NamedShape,
    Nullable,
    Presence,
    Shape,
    UnionChoice,
    Value,
)
from .values import ABSENT, MAX_DEPTH, Decoder, ValueMismatch

MAX_VALUES = 2_000
"""Most values that the defaults of a schema may take from the fields that they leave out, all together."""
Decode = Callable[[ModelField], Value]
"""A default as the source writes it -> the value, fields left out where they are. Raises ValueMismatch."""


@dataclass(slots=True)
class _Settled:
    """A default that is written out: its value, or ABSENT when it has none; how many values it holds, and how deep."""

    value: Value
    values: int = 0
    depth: int = 0


class _Endless(Exception):
    """A default takes itself, or more values or levels than a document may have."""


def with_defaults(model: Model, decode: Decode, losses: Losses) -> None:
    """Replace the defaults of all fields by values of the model.

    A default that does not fit its type is dropped, and so is one without an end, which leaves out a field whose default
    is itself or takes too many values.
    """
    _Writer(model, decode, losses).run()


def bare_decode(model: Model, decoder: type[Decoder], shape: Shape, default: object) -> Value:
    """A default as a value in which fields are left out where `default` does. Raises ValueMismatch."""
    reading = decoder(model)
    reading.fill_defaults = False
    return reading.decode(shape, default)


class _Writer:
    def __init__(self, model: Model, decode: Decode, losses: Losses) -> None:
        self._model = model
        self._decode = decode
        self._losses = losses
        self._settled: dict[tuple[str, str], _Settled] = {}
        self._open: set[tuple[str, str]] = set()
        self._taken = 0

    def run(self) -> None:
        records = {k: found for k, found in self._model.types.items() if isinstance(found, ModelRecord)}
        for key, record in records.items():
            for member in record.fields:
                if member.has_default:
                    self._settle(key, member)
        for key, record in records.items():
            fields = tuple(self._with_value(key, f) if f.has_default else f for f in record.fields)
            self._model.types[key] = replace(record, fields=fields)

    def _with_value(self, key: str, member: ModelField) -> ModelField:
        value = self._settled[key, member.name].value
        if value is ABSENT:
            return replace(member, presence=Presence.OPTIONAL, default=None, has_default=False)
        return replace(member, default=value)

    def _settle(self, key: str, member: ModelField) -> _Settled:
        """The default of a field, written out once. Raises _Endless while it is being written out."""
        place = (key, member.name)
        if place in self._open or len(self._open) > MAX_DEPTH:
            raise _Endless
        if place not in self._settled:
            self._open.add(place)
            try:
                self._settled[place] = self._write(member)
            finally:
                self._open.discard(place)
        return self._settled[place]

    def _write(self, member: ModelField) -> _Settled:
        try:
            out = self._full(member.shape, self._decode(member))
            if out.depth > MAX_DEPTH:
                raise _Endless
            return out
        except ValueMismatch as mismatch:
            self._losses.dropped(
                f"{member.pointer}/default", f"the default does not fit its own schema: {mismatch.message}"
            )
        except _Endless:
            self._losses.dropped(
                f"{member.pointer}/default",
                f"with the defaults of what it leaves out, the default has no end, or the defaults have more than {MAX_VALUES} values",
            )
        return _Settled(ABSENT)

    def _full(self, shape: Shape, value: Value) -> _Settled:
        if isinstance(shape, Nullable):
            return _Settled(None, 1) if value is None else self._full(shape.inner, value)
        if isinstance(shape, ModelUnion):
            inner = self._full(shape.branches[value.index], value.value)
            return _Settled(UnionChoice(value.index, inner.value), inner.values + 1, inner.depth)
        if isinstance(shape, ListOf):
            items = [self._full(shape.item, item) for item in value]
            return _Settled([item.value for item in items], *_total(items))
        if isinstance(shape, MapOf):
            members = {k: self._full(shape.value, item) for k, item in value.items()}
            return _Settled({k: item.value for k, item in members.items()}, *_total(members.values()))
        record = self._model.record(shape)
        return _Settled(value, 1) if record is None else self._record(shape, record, value)

    def _record(self, shape: Shape, record: ModelRecord, value: Mapping[str, Value]) -> _Settled:
        key = shape.key if isinstance(shape, NamedShape) else ""
        parts: list[_Settled] = []
        out: dict[str, Value] = {}
        for member in record.fields:
            if member.name in value:
                part = self._full(member.shape, value[member.name])
            elif member.has_default:
                part = self._settle(key, member)
                if part.value is ABSENT:
                    continue
                self._taken += part.values
                if self._taken > MAX_VALUES:
                    raise _Endless
            else:
                continue
            parts.append(part)
            if member.name in value or member.presence is Presence.DEFAULTED:
                out[member.name] = part.value
        return _Settled(out, *_total(parts))


def _total(parts: Collection[_Settled]) -> tuple[int, int]:
    """How many values a container of these parts holds, itself included, and how deep it is."""
    return 1 + sum(part.values for part in parts), 1 + max((part.depth for part in parts), default=0)
