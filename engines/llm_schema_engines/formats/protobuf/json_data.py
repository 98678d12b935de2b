"""Checks JSON payloads against messages; every issue has a JSON pointer. Pure.

Stricter than most parsers where the specification is: base64, times, numbers in strings, unknown enum names, two
members of a oneof, one field under both of its names.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

from ...model.validation import DataIssue
from .ir import MAP, REPEATED, REQUIRED, EnumType, Field, MessageType, Schema
from .json_known import ANY, KNOWN, NULL_VALUE, VALUE
from .json_scalars import SCALARS, map_key
from .names import short

MAX_KEY = 256


class InvalidJson(ValueError):
    """The payload is not JSON; `kind` is the error type of the issue."""

    def __init__(self, message: str, kind: str = "json_syntax") -> None:
        super().__init__(message)
        self.kind = kind


def load(payload: bytes) -> Any:
    """The value of a JSON document (RFC 8259) without duplicate keys. Raises InvalidJson."""
    try:
        return json.loads(payload.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise InvalidJson(f"the payload is not UTF-8 text: byte {error.start}") from error
    except RecursionError as error:
        raise InvalidJson("the payload is nested too deep", "payload_too_deep") from error
    except json.JSONDecodeError as error:
        raise InvalidJson(f"{error.msg} at line {error.lineno}, column {error.colno}") from error
    except InvalidJson:
        raise
    except ValueError as error:  # an integer of more digits than Python converts
        raise InvalidJson("the payload holds a number of too many digits", "value") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise InvalidJson(f"key {twice!r} occurs twice in one object", "duplicate_key")
    return found


def _constant(name: str) -> Any:
    raise InvalidJson(f"{name} is not JSON; write it as a string")


class JsonChecker:
    """Checks values against the messages of one schema. Safe to share between threads."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._by_name: dict[str, Mapping[str, Field]] = {}
        self._enum_names: dict[str, frozenset[str]] = {}

    def check(self, value: Any, message: str, *, strict: bool, max_issues: int) -> list[DataIssue]:
        """The issues of `value` as the message of that full name; at most `max_issues`. `strict` refuses unknown keys."""
        run = _JsonCheck(self._schema, self._fields, self._names, strict, max_issues)
        run.message(value, message, "")
        return run.issues

    def _fields(self, message: MessageType) -> Mapping[str, Field]:
        """The fields of a message by each of their JSON keys."""
        found = self._by_name.get(message.name)
        if found is None:
            fields = message.fields.values()
            found = {f.name: f for f in fields} | {f.json_name: f for f in fields if f.name[0] != "["}
            self._by_name[message.name] = found
        return found

    def _names(self, enum: EnumType) -> frozenset[str]:
        """The names of all values of an enum."""
        found = self._enum_names.get(enum.name)
        if found is None:
            found = frozenset(name for names in enum.values.values() for name in names)
            self._enum_names[enum.name] = found
        return found


class _JsonCheck:
    """One check: collects issues up to `max_issues`."""

    def __init__(
        self,
        schema: Schema,
        fields: Callable[[MessageType], Mapping[str, Field]],
        names: Callable[[EnumType], frozenset[str]],
        strict: bool,
        max_issues: int,
    ) -> None:
        self._schema = schema
        self._fields = fields
        self._names = names
        self._strict = strict
        self._max_issues = max_issues
        self.issues: list[DataIssue] = []

    def _report(self, path: str, message: str, kind: str, expected: str = "", got: str = "") -> None:
        if len(self.issues) < self._max_issues:
            self.issues.append(DataIssue(path, message, kind, expected=expected, got=got))

    def _report_value(self, path: str, expected: str, value: Any) -> None:
        got = shown(value)
        self._report(path, f"wants {expected}, not {got}", "value", expected, got)

    def message(self, value: Any, name: str, path: str) -> None:
        known = KNOWN.get(name)
        if known is not None:
            expected = known(value)
            if expected:
                self._report_value(path, expected, value)
            return
        if not isinstance(value, dict):
            self._report_value(path, f"an object: message {name}", value)
            return
        if name == ANY:
            self._any(value, path)
            return
        self._object(value, self._schema.messages[name], path)

    def _object(self, value: dict[str, Any], message: MessageType, path: str) -> None:
        names = self._fields(message)
        seen: dict[int | str, str] = {}
        for key, item in value.items():
            field = names.get(key)
            if field is None:
                if self._strict:
                    self._report(
                        f"{path}/{escape(key)}", f"{message.name} has no field {key[:80]!r}", "unknown_field"
                    )
                continue
            here = f"{path}/{escape(key)}"
            if field.number in seen:
                self._report(here, f"{seen[field.number]!r} and {key!r} are the same field", "duplicate_key")
                continue
            seen[field.number] = key
            if item is None and field.type_name not in (VALUE, NULL_VALUE):
                if field.cardinality == REQUIRED:
                    self._report(here, f"required field {field.name!r} is null", "required")
                continue
            if field.oneof:
                other = seen.setdefault(f"oneof {field.oneof}", key)
                if other != key:
                    self._report(
                        here, f"{other!r} and {key!r} are both set of oneof {field.oneof!r}", "oneof"
                    )
            self._field(item, field, here)
            if len(self.issues) >= self._max_issues:
                return
        for number in message.required:
            if number not in seen:
                missing = message.fields[number]
                self._report(path, f"required field {missing.json_name!r} is missing", "required")

    def _field(self, value: Any, field: Field, path: str) -> None:
        if field.cardinality == MAP:
            self._map(value, field, path)
        elif field.cardinality == REPEATED:
            self._list(value, field, path)
        else:
            self._single(value, field, path)

    def _single(self, value: Any, field: Field, path: str) -> None:
        check = SCALARS.get(field.kind)
        if check is not None:
            expected = check(value)
            if expected:
                self._report_value(path, expected, value)
        elif field.kind == "enum":
            self._enum(value, field.type_name, path)
        else:
            self.message(value, field.type_name, path)

    def _list(self, value: Any, field: Field, path: str) -> None:
        if not isinstance(value, list):
            self._report_value(path, "an array", value)
            return
        nulls = field.type_name in (VALUE, NULL_VALUE)
        for index, item in enumerate(value):
            if len(self.issues) >= self._max_issues:
                return
            if item is None and not nulls:
                self._report_value(f"{path}/{index}", "an element", item)
            else:
                self._single(item, field, f"{path}/{index}")

    def _map(self, value: Any, field: Field, path: str) -> None:
        if not isinstance(value, dict):
            self._report_value(path, "an object: a map", value)
            return
        entry = self._schema.messages[field.type_name].fields
        key_kind, item_field = entry[1].kind, entry[2]
        nulls = item_field.type_name in (VALUE, NULL_VALUE)
        for key, item in value.items():
            if len(self.issues) >= self._max_issues:
                return
            here = f"{path}/{escape(key)}"
            expected = map_key(key_kind, key)
            if expected:
                self._report(here, f"key {key[:80]!r} of the map must be {expected}", "map_key", expected)
            if item is None and not nulls:
                self._report_value(here, "a value", item)
            else:
                self._single(item, item_field, here)

    def _enum(self, value: Any, name: str, path: str) -> None:
        if name == NULL_VALUE and value is None:
            return
        enum = self._schema.enums[name]
        if isinstance(value, str):
            if value not in self._names(enum):
                known = [names[0] for names in itertools.islice(enum.values.values(), 11)]
                some = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
                self._report(
                    path,
                    f"enum {name} has no value {value[:80]!r}",
                    "enum",
                    f"one of {some}",
                    repr(value[:80]),
                )
        elif isinstance(value, bool) or SCALARS["int32"](value):
            self._report_value(path, f"a name or an int32 of enum {name}", value)
        elif enum.closed and int(value) not in enum.values:
            self._report(path, f"enum {name} has no value {int(value)}", "enum", got=str(value))

    def _any(self, value: dict[str, Any], path: str) -> None:
        """An Any holds the fields of its type beside @type; of a well-known type, its JSON form under `value`."""
        url = value.get("@type")
        if url is None and not value:
            return
        if not isinstance(url, str) or "/" not in url:
            self._report_value(f"{path}/@type", "a type URL such as type.googleapis.com/shop.Order", url)
            return
        name = url.rpartition("/")[2]
        if name not in self._schema.messages and name not in KNOWN:
            self._report(f"{path}/@type", f"the schema has no message {name[:200]!r}", "any_type")
            return
        rest = {key: item for key, item in value.items() if key != "@type"}
        if name not in KNOWN and name != ANY:
            self._object(rest, self._schema.messages[name], path)
        elif "value" not in rest or (self._strict and len(rest) > 1):
            self._report(path, f"an Any of {short(name)} holds its JSON form under 'value'", "any_value")
        else:
            self.message(rest["value"], name, f"{path}/value")


def escape(key: str) -> str:
    """A key as a step of a JSON pointer (RFC 6901); a key of more than 256 characters is cut."""
    if len(key) > MAX_KEY:
        key = key[:MAX_KEY] + "..."
    return key.replace("~", "~0").replace("/", "~1")


def shown(value: Any) -> str:
    """A value short enough for a message."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "an array"
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 80 else text[:80] + "..."
