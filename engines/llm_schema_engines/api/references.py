"""The references of a schema, given by name: which of the others each of them uses itself. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..errors import InvalidRequest, InvalidSchema
from ..formats.engine import ReferencedSchema
from ..formats.json_schema.resources import REFERENCE_KEYWORDS
from ..formats.protobuf.lexer import scan
from ..formats.protobuf.limits import ProtobufLimits
from ..model.schema import SchemaType
from .arguments import plain_text, schema_bytes
from .schema import Schema

MOST_REFERENCES = 256
"""Entries of one mapping of references."""

Parse = Callable[[bytes, tuple[ReferencedSchema, ...]], Schema]
"""Parses the text of a reference with what it references itself."""


def resolve(
    given: Mapping[str, bytes | str | Schema], schema_type: SchemaType, parse: Parse
) -> tuple[ReferencedSchema, ...]:
    """The references as an engine wants them. Text may use the other entries by their names; a Schema brings its own.

    Raises InvalidSchema for one that cannot be parsed and InvalidRequest for one of another type; their field is
    `references[name]`.
    """
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        what = "one with other names" if isinstance(given, Mapping) else type(given).__name__
        raise TypeError(
            f'references: a mapping of text to schemas such as {{"common.json": text}} is expected, not {what}'
        )
    for name in given:
        plain_text(name, "references: a name")
    if len(given) > MOST_REFERENCES:
        raise InvalidRequest("references", f"{len(given)} are given; the limit is {MOST_REFERENCES}")
    return _Resolution(given, schema_type, parse).all()


class _Resolution:
    """Parses each entry once, what it uses before itself. A circle ends where it closes: the engine finds the name missing."""

    def __init__(
        self, given: Mapping[str, bytes | str | Schema], schema_type: SchemaType, parse: Parse
    ) -> None:
        self._given, self._type, self._parse = given, schema_type, parse
        self._done: dict[str, Schema] = {}
        self._open: set[str] = set()

    def all(self) -> tuple[ReferencedSchema, ...]:
        return tuple(self._schema(name).as_reference(name) for name in self._given)

    def _schema(self, name: str) -> Schema:
        if name not in self._done:
            self._open.add(name)
            self._done[name] = self._read(name, self._given[name])
            self._open.discard(name)
        return self._done[name]

    def _read(self, name: str, value: bytes | str | Schema) -> Schema:
        field = f"references[{name}]"
        if isinstance(value, Schema):
            if value.schema_type is not self._type:
                raise InvalidRequest(
                    field, f"is of type {value.schema_type.name}, the schema that uses it {self._type.name}"
                )
            return value
        content = schema_bytes(value, field)
        used = [
            self._schema(other).as_reference(other)
            for other in _mentioned(content, self._type, self._given)
            if other not in self._open
        ]
        try:
            return self._parse(content, tuple(used))
        except InvalidSchema as error:
            raise InvalidSchema(error.issues, field) from error


def _mentioned(content: bytes, schema_type: SchemaType, names: Iterable[str]) -> list[str]:
    """Those of `names` that a text seems to use. One too many does no harm: the engine takes what it needs."""
    if schema_type is SchemaType.PROTOBUF:
        words = set(scan(content, ProtobufLimits()).imports)
        return [name for name in names if name in words]
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return []  # the engine says what is wrong
    if schema_type is SchemaType.AVRO:
        words = set(_type_names(document))
        return [name for name in names if name in words or name.rpartition(".")[2] in words]
    words = {reference.partition("#")[0].rpartition("/")[2] for reference in _json_references(document)}
    return [name for name in names if name.rpartition("/")[2] in words]


def _type_names(document: Any) -> Iterator[str]:
    """The strings of an Avro schema that stand where a type may be named."""
    stack = [document]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            stack += value
        elif isinstance(value, dict):
            stack += [value[key] for key in ("type", "items", "values", "fields") if key in value]


def _json_references(document: Any) -> Iterator[str]:
    """What `$ref` and its kin name in a JSON Schema."""
    stack = [document]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack += value
        elif isinstance(value, dict):
            yield from (v for k in REFERENCE_KEYWORDS if isinstance(v := value.get(k), str))
            stack += value.values()
