"""From what callers write to what the wire takes: content, data, enumerations, references."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar
from uuid import UUID

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from ._arguments import MOST_NUMBER, described, many, octets, selector, text
from .credentials import RoleGrant
from .enums import WireEnum
from .results import SchemaReference
from .v1 import access_pb2, credentials_pb2
from .v1 import schema_registry_pb2 as pb


class ModelClass(Protocol):
    """A class that knows its JSON Schema, as those of pydantic do."""

    @classmethod
    def model_json_schema(cls) -> dict[str, Any]: ...


class Model(Protocol):
    """An object that knows its JSON, as those of pydantic do."""

    def model_dump_json(self) -> str: ...


Json: TypeAlias = Mapping[str, Any] | Sequence[Any] | bool | int | float | None
"""A JSON value; a bare string is not one here, because `str` is taken as text that is encoded already."""

Content: TypeAlias = str | bytes | Mapping[str, Any] | Sequence[Any] | bool | Path | type[ModelClass]
"""A schema: its text or bytes, sent as they are; a `pathlib.Path` to a file that holds it; a JSON value, written compactly
with its keys in order; or a pydantic model class, which stands for its JSON Schema."""

Data: TypeAlias = str | bytes | Json | Model
"""A payload: text or bytes, sent as they are; a JSON value; or a pydantic model. Within a JSON value pydantic models,
dataclasses and UUIDs may stand too."""

SchemaId: TypeAlias = str | UUID
"""The id of a version."""

SchemaSelector: TypeAlias = SchemaId | tuple[str, str | int]
"""A version: its id, or (subject, version selector)."""

Reference: TypeAlias = SchemaReference | tuple[str, str] | tuple[str, str, str | int] | Mapping[str, Any]
"""A reference: a `SchemaReference`, (name, subject) or (name, subject, version), or a mapping with these keys."""

E = TypeVar("E", bound=WireEnum)


def content_bytes(value: object, name: str = "content") -> bytes:
    """The bytes to send for a schema. Raises TypeError for what is no schema, OSError for a file that cannot be read."""
    if isinstance(value, Path):
        return value.read_bytes()
    if isinstance(value, type) and hasattr(value, "model_json_schema"):
        return _json(value.model_json_schema(), name)
    if hasattr(value, "model_json_schema"):
        raise TypeError(f"{name}: an instance of {type(value).__name__} was given; give the class")
    if isinstance(value, type) and dataclasses.is_dataclass(value):
        raise TypeError(
            f"{name}: the dataclass {value.__name__} was given; give "
            f"pydantic.TypeAdapter({value.__name__}).json_schema()"
        )
    if isinstance(value, str):
        _refuse_file_name(value, name)
    if isinstance(value, str | bytes | bytearray | memoryview):
        return _octets(value, name)
    if isinstance(value, Mapping | list | tuple | bool):
        return _json(value, name)
    raise TypeError(
        f"{name}: a schema is expected (str, bytes, dict, list, bool, pathlib.Path or a pydantic model class), "
        f"not {described(value)}"
    )


def data_bytes(value: object, name: str = "data") -> bytes:
    """The bytes to send for a payload. Raises TypeError for what is neither bytes nor text nor a JSON value."""
    if isinstance(value, str | bytes | bytearray | memoryview):
        return _octets(value, name)
    if isinstance(value, Path):
        raise TypeError(f"{name}: a path was given; read the file with {described(value)}.read_bytes()")
    if isinstance(value, type):
        raise TypeError(f"{name}: the class {value.__name__} was given; give an instance")
    dump = getattr(value, "model_dump_json", None)
    if dump is not None:
        return _octets(dump(by_alias=True), name)
    return _json(value, name)


_FILE_NAME = re.compile(r"[^\s{}\[\]\"';]+\.(?:json|avsc|proto)")
"""What names a file and is no schema in any language: those that are one word are written in quotes."""


def _refuse_file_name(value: str, name: str) -> None:
    if len(value) < 4096 and _FILE_NAME.fullmatch(value.strip()):
        raise ValueError(
            f"{name}: {value!r:.200} names a file and is no schema; write pathlib.Path({value.strip()!r:.200}) to send the file"
        )


def _octets(value: str | bytes | bytearray | memoryview, name: str) -> bytes:
    return octets(value, name) if isinstance(value, str) else bytes(value)


def _json(value: Any, name: str) -> bytes:
    """JSON without white space, keys in their order."""

    def other(item: Any) -> Any:
        """What stands in a JSON value without being one."""
        if hasattr(item, "model_dump") and not isinstance(item, type):
            return item.model_dump(mode="json", by_alias=True)
        if isinstance(item, UUID):
            return str(item)
        if dataclasses.is_dataclass(item) and not isinstance(item, type):
            return {f.name: getattr(item, f.name) for f in dataclasses.fields(item)}
        if isinstance(item, Mapping):
            return dict(item)
        raise TypeError(
            f"{name}: holds {described(item)}, which is no JSON value; "
            "convert it first (a datetime with .isoformat(), a set with list(...))"
        )

    try:
        return json.dumps(
            value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=other
        ).encode("utf-8")
    except ValueError as error:  # NaN, infinity, a circle, or text that UTF-8 cannot express
        raise ValueError(f"{name}: {error}") from error
    except RecursionError:
        raise ValueError(
            f"{name}: nests too deeply for Python's JSON encoder; the registry refuses such values as well"
        ) from None


def member(kind: type[E], value: object, name: str) -> E:
    """The member that a member, its name in any case, or its number means. Raises TypeError, or ValueError naming the choices."""
    if isinstance(value, kind):
        return value
    if isinstance(value, WireEnum):
        raise TypeError(f"{name}: a {_example(kind)} is expected, not {type(value).__name__}.{value.name}")
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise TypeError(f"{name}: a {_example(kind)} is expected, not {described(value)}")
    try:
        found = kind(value)
    except ValueError:
        found = None
    if found is None or not 0 <= found.number <= MOST_NUMBER:
        choices = ", ".join(m.name for m in kind if m)
        raise ValueError(f"{name}: {described(value)} is no {kind.__name__}; use one of {choices}")
    return found


def _example(kind: type[WireEnum]) -> str:
    """What an argument of this type may be."""
    return f"{kind.__name__} or its name such as {next(m.name for m in kind if m)!r}"


def number(kind: type[E], value: E | str | int | None, name: str) -> Any:
    """What an enum field takes for a member, its name or its number; None leaves the field unset.

    Any, because the stubs give each enum a type of its own that no value from outside has. Raises what `member` raises.
    """
    return None if value is None else member(kind, value, name).number


def numbers(kind: type[E], values: Iterable[E | str], name: str) -> list[Any]:
    """What a repeated enum field takes. Raises what `member` raises."""
    given = many(values, name, f"{kind.__name__} or names")
    return [member(kind, value, f"{name}[{i}]").number for i, value in enumerate(given)]


def reference_messages(values: Iterable[Reference], name: str = "references") -> list[pb.SchemaReference]:
    """The references of a schema; the fields of answers are left out."""
    given = many(values, name, "references")
    return [_reference(value, f"{name}[{i}]") for i, value in enumerate(given)]


def grant_messages(
    values: Iterable[RoleGrant | str], name: str = "grants"
) -> list[credentials_pb2.RoleGrant]:
    """Roles on subjects. Raises TypeError."""
    given = many(values, name, "RoleGrant values or names of roles")
    return [_grant(value, f"{name}[{i}]") for i, value in enumerate(given)]


def _grant(value: object, name: str) -> credentials_pb2.RoleGrant:
    if isinstance(value, str):
        return credentials_pb2.RoleGrant(role=text(value, name))
    if isinstance(value, RoleGrant):
        return credentials_pb2.RoleGrant(
            role=text(value.role, f"{name}.role"), scope=text(value.scope, f"{name}.scope")
        )
    raise TypeError(
        f"{name}: the name of a role such as 'reader' or a RoleGrant is expected, not {described(value)}"
    )


def access_policies(value: object, name: str = "policies") -> access_pb2.AccessPolicies:
    """Access policies from their JSON form. Raises TypeError, and ValueError for what is none."""
    if not isinstance(value, Mapping):
        raise TypeError(
            f"{name}: a mapping such as {{'policies': [...]}} is expected, not {described(value)}"
        )
    try:
        return json_format.ParseDict(
            _full_names(value, access_pb2.AccessPolicies.DESCRIPTOR), access_pb2.AccessPolicies()
        )
    except json_format.ParseError as error:
        raise ValueError(f"{name}: {error}") from error


def _full_names(value: Mapping[str, Any], kind: Descriptor) -> dict[str, Any]:
    """JSON of a message with the values of its enumerations as the proto calls them, where they are written short: `ALLOW`."""
    fields = {**kind.fields_by_camelcase_name, **kind.fields_by_name}
    return {name: _full_name(each, fields[name]) if name in fields else each for name, each in value.items()}


def _full_name(value: object, field: FieldDescriptor) -> Any:
    if isinstance(value, list | tuple):
        return [_full_name(each, field) for each in value]
    if isinstance(value, Mapping) and field.message_type is not None:
        return _full_names(value, field.message_type)
    if isinstance(value, str) and field.enum_type is not None:
        long = field.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED") + value.upper()
        return long if long in field.enum_type.values_by_name else value
    return value


def timestamp(value: object, name: str) -> Timestamp | None:
    """A point in time; None for None. Raises TypeError for what is none, and ValueError for one without its zone."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise TypeError(f"{name}: a datetime such as datetime.now(UTC) is expected, not {described(value)}")
    if value.tzinfo is None:
        raise ValueError(f"{name}: the time has no time zone; use datetime.now(UTC) or .astimezone()")
    made = Timestamp()
    made.FromDatetime(value)
    return made


_KEYS = ("name", "subject", "version")


def _reference(value: object, name: str) -> pb.SchemaReference:
    if isinstance(value, SchemaReference):
        fields: Mapping[Any, Any] = {key: getattr(value, key) for key in _KEYS}
    elif isinstance(value, Mapping):
        fields = value
    elif isinstance(value, tuple) and 2 <= len(value) <= 3:
        fields = dict(zip(_KEYS, value, strict=False))
    else:
        raise TypeError(
            f"{name}: a SchemaReference, (name, subject), (name, subject, version) or a dict with these keys is "
            f"expected, not {described(value)}"
        )
    unknown = sorted(str(key) for key in fields if key not in (*_KEYS, "schema_id", "ordinal"))
    if unknown or not {"name", "subject"} <= set(fields):
        raise TypeError(
            f"{name}: takes name, subject and version, not {', '.join(map(str, fields)) or 'nothing'}"
        )
    return pb.SchemaReference(
        name=text(fields["name"], f"{name}.name"),
        subject=text(fields["subject"], f"{name}.subject"),
        version=selector(fields.get("version", "latest"), f"{name}.version"),
    )
