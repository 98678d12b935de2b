"""Validates binary and JSON payloads against one message of a compiled schema. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from ...errors import InvalidRequest
from ...model.validation import DataIssue, DataReport, Encoding
from .decoded import entries, is_map, key_text, not_text
from .json_data import InvalidJson, JsonChecker, escape, load
from .json_known import NOT_OBJECTS
from .limits import ProtobufLimits
from .pools import CompiledSchema

_JSON_LAST_BYTES = frozenset(
    {b"}", b"]", b'"', b" ", b"\t", b"\r", b"\n", b"e", b"l", *(b"%d" % n for n in range(10))}
)
"""The last bytes that a JSON document can have: a cheap test that most binary payloads fail."""
# An unclosed string ends with the payload, so that no second attempt rescans it.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(sorted(set(range(256)) - set(b"{}[]")))
MAX_UNKNOWN = 64 * 1024
"""Up to so many bytes of unknown fields are listed one by one; the runtime makes an object of each field."""


class MessageValidator:
    """Satisfies formats.engine.DataValidator."""

    def __init__(self, compiled: CompiledSchema, limits: ProtobufLimits) -> None:
        self._compiled = compiled
        self._limits = limits
        self._json_checker = JsonChecker(compiled.schema)

    @property
    def size(self) -> int:
        return self._compiled.size

    def prepare(self) -> None:
        """Do now what the first payload would have to do: make the classes of the messages."""
        if self._compiled.first:
            self._compiled.message(self._compiled.first)

    def validate(
        self,
        payload: bytes,
        *,
        encoding: Encoding = Encoding.AUTO,
        strict: bool = False,
        max_errors: int = 20,
        message_name: str = "",
    ) -> DataReport:
        """Whether `payload` is one message. Required fields must be set; `strict` also refuses undeclared fields.

        AUTO: a payload is JSON when it starts with `{`, which no binary message does, or when all of it parses as JSON
        of the shape that the message has.
        """
        if encoding is Encoding.AVRO_JSON:
            raise InvalidRequest("encoding", "AVRO_JSON is for Avro schemas; use JSON or BINARY")
        kind = self._kind(message_name)
        name = kind.DESCRIPTOR.full_name
        if len(payload) > self._limits.payload:
            issues = [
                DataIssue(
                    "",
                    f"the payload is {len(payload)} bytes long; the limit is {self._limits.payload} (setting limits.data_bytes)",
                    "payload_too_large",
                )
            ]
        elif encoding is Encoding.JSON or (
            encoding is Encoding.AUTO and self._looks_like_json(payload, name)
        ):
            issues = self._json(payload, name, strict=strict, max_issues=max_errors + 1)
        else:
            issues = self._binary(payload, kind, strict=strict, max_issues=max_errors + 1)
        shown = tuple(issues[: max(max_errors, 1)])
        return DataReport(not issues, shown, truncated=len(issues) > len(shown))

    def _kind(self, message_name: str) -> type[Message]:
        name = message_name or self._compiled.first
        if not name:
            raise InvalidRequest("message_name", "the schema declares no message; it cannot validate data")
        kind = self._compiled.message(name)
        if kind is None:
            known = [m.name for m in self._compiled.schema.own_messages().values()]
            raise InvalidRequest(
                "message_name",
                f"the schema has no message {name!r}; it declares {', '.join(known[:10]) or 'none'}"
                + (", ..." if len(known) > 10 else ""),
            )
        return kind

    def _looks_like_json(self, payload: bytes, name: str) -> bool:
        if payload.startswith(b"{"):
            return True
        if (
            payload[-1:] not in _JSON_LAST_BYTES
            or _nesting(payload, self._limits.payload_depth) > self._limits.payload_depth
        ):
            return False
        try:
            value = load(payload)
        except InvalidJson:
            return False
        return isinstance(value, dict) or name in NOT_OBJECTS

    def _binary(
        self, payload: bytes, kind: type[Message], *, strict: bool, max_issues: int
    ) -> list[DataIssue]:
        message = kind()
        try:
            message.ParseFromString(payload)
        except DecodeError as error:
            return [DataIssue("", f"the payload is not a {kind.DESCRIPTOR.full_name}: {error}", "decode")]
        if self._compiled.schema.unchecked_text and not payload.isascii():
            listed = itertools.islice(not_text(message), max_issues)
            issues = [DataIssue(path, "a string that is not UTF-8", "value", "UTF-8 text") for path in listed]
            if issues:
                return issues
        complete = message.IsInitialized()
        unknown = _drop_unknown(message) if strict else 0
        if complete and not unknown:
            return []
        issues = []
        if unknown > MAX_UNKNOWN:  # too many to look for one by one
            text = (
                f"{unknown} bytes of the payload are fields that {kind.DESCRIPTOR.full_name} does not declare"
            )
            issues.append(DataIssue("", text, "unknown_field"))
        faults = _faults(kind.FromString(payload), "", 0 < unknown <= MAX_UNKNOWN, {})
        return issues + list(itertools.islice(faults, max_issues))

    def _json(self, payload: bytes, name: str, *, strict: bool, max_issues: int) -> list[DataIssue]:
        depth = _nesting(payload, self._limits.payload_depth)
        if depth > self._limits.payload_depth:
            message = f"the payload is nested {depth} deep; the limit is {self._limits.payload_depth} (setting protobuf.data_depth)"
            return [DataIssue("", message, "payload_too_deep")]
        try:
            value = load(payload)
        except InvalidJson as error:
            return [DataIssue("", str(error), error.kind)]
        return self._json_checker.check(value, name, strict=strict, max_issues=max_issues)


def _drop_unknown(message: Any) -> int:  # the stubs lack ByteSize of incomplete messages
    """Drops the unknown fields of a message and returns their size in bytes. Faster than listing them."""
    before = len(message.SerializePartialToString())
    message.DiscardUnknownFields()
    return before - len(message.SerializePartialToString())


def _faults(message: Message, path: str, strict: bool, required: dict[str, list[str]]) -> Iterator[DataIssue]:
    """Required fields that are not set and, when strict, unknown fields: of `message` and of the messages in it.

    `required` holds the names of required fields by message, found once and not for each message of the payload.
    """
    described: Any = message.DESCRIPTOR  # the stubs lack some of its properties
    names = required.get(described.full_name)
    if names is None:
        names = required[described.full_name] = [f.name for f in described.fields if f.is_required]
    for name in names:
        if not message.HasField(name):
            yield DataIssue(f"{path}/{name}", f"required field {name!r} is missing", "required")
    unknown: Any = UnknownFieldSet(message) if strict else ()
    for field in unknown:
        yield DataIssue(
            path,
            f"{described.full_name} does not declare field {field.field_number} with wire type "
            f"{field.wire_type}, or the value is none of a closed enum's",
            "unknown_field",
            got=str(field.field_number),
        )
    for descriptor, value in message.ListFields():
        inner = descriptor.message_type
        if inner is None:
            continue
        here = f"{path}/{descriptor.name}"
        if not descriptor.is_repeated:
            yield from _faults(value, here, strict, required)
        elif not is_map(descriptor):
            for index, item in enumerate(value):
                yield from _faults(item, f"{here}/{index}", strict, required)
        elif inner.fields_by_name["value"].message_type is not None:
            for key, item in entries(message, descriptor):
                yield from _faults(item, f"{here}/{escape(key_text(key))}", strict, required)


def _nesting(payload: bytes, limit: int) -> int:
    """The deepest nesting of brackets outside strings; 0 when so few brackets cannot pass `limit`."""
    if payload.count(b"{") + payload.count(b"[") <= limit:
        return 0
    depth = deepest = 0
    for byte in _STRING.sub(b"", payload).translate(None, _NOT_BRACKETS):
        depth += 1 if byte in b"{[" else -1
        deepest = max(deepest, depth)
    return deepest
