"""A schema compiled for validation of binary, Avro JSON and plain JSON; detects the encoding under AUTO. Pure."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from ....model.validation import DataIssue, DataReport, Encoding
from ..limits import AvroLimits
from ..schema import text
from ..schema.nodes import Node, reachable
from .binary import BinaryCheckCompiler, BinaryDataError, Check, TruncatedData
from .json import JsonCheck


class AvroValidator:
    """Validates payloads against one schema; safe to share between threads."""

    def __init__(self, root: Node, limits: AvroLimits) -> None:
        self._root = root
        self._limits = limits
        self._binary: Check | None = None
        self._lock = threading.Lock()
        self._size = 2000 + 700 * sum(1 for _ in reachable(root))

    @property
    def size(self) -> int:
        return self._size

    def validate(
        self,
        payload: bytes,
        *,
        encoding: Encoding = Encoding.AUTO,
        strict: bool = False,
        max_errors: int = 20,
        message_name: str = "",
    ) -> DataReport:
        """Whether `payload` is valid (see formats.engine.DataValidator). `message_name` is ignored.

        AUTO: a payload that parses as JSON is checked as plain JSON, then as Avro's JSON encoding; any other as binary.
        """
        if encoding is Encoding.BINARY:
            return self._validate_binary(payload)
        if encoding is Encoding.AUTO:
            return self._validate_any(payload, strict=strict, max_errors=max_errors)
        try:
            value, content, repeated = text.read(payload)
        except text.InvalidJsonText as error:
            return _unreadable(error)
        return self._validate_json(
            value, _repeated(content, repeated, max_errors), strict=strict, max_errors=max_errors,
            tagged=encoding is Encoding.AVRO_JSON,
        )  # fmt: skip

    def _validate_any(self, payload: bytes, *, strict: bool, max_errors: int) -> DataReport:
        looks_like_json = payload.lstrip(b" \t\r\n")[:1] in (b"{", b"[", b'"')
        try:
            value, content, repeated = text.read(payload)
        except text.InvalidJsonText as error:
            return _unreadable(error) if looks_like_json else self._validate_binary(payload)
        issues = _repeated(content, repeated, max_errors)
        plain = self._validate_json(value, issues, strict=strict, max_errors=max_errors, tagged=False)
        if plain.valid:
            return plain
        tagged = self._validate_json(value, issues, strict=strict, max_errors=max_errors, tagged=True)
        return tagged if tagged.valid else plain

    def _validate_json(
        self, value: text.Json, repeated: Iterable[DataIssue], *, strict: bool, max_errors: int, tagged: bool
    ) -> DataReport:
        check = JsonCheck(self._limits, tagged=tagged, strict=strict, max_errors=max_errors)
        check.errors.extend(repeated)
        truncated = check.run(self._root, value)
        return DataReport(not check.errors, tuple(check.errors), tuple(check.warnings), truncated)

    def prepare(self) -> None:
        """Do now what the first binary payload would have to do."""
        self._binary_check()

    def _binary_check(self) -> Check:
        check = self._binary
        if check is None:
            with self._lock:
                check = self._binary or BinaryCheckCompiler(self._root, self._limits).compile(self._root)
                self._binary = check
        return check

    def _validate_binary(self, payload: bytes) -> DataReport:
        check = self._binary_check()
        try:
            try:
                end = check(payload, 0, 0)
            except IndexError:
                raise TruncatedData from None
            if end != len(payload):
                raise BinaryDataError(
                    "trailing", f"{len(payload) - end} bytes follow the value", str(len(payload) - end)
                )
        except BinaryDataError as error:
            path = text.pointer(tuple(reversed(error.path)))
            return DataReport(False, (DataIssue(path, error.message, error.error_type, got=error.got),))
        return DataReport(True)


def _repeated(content: str, repeated: bool, limit: int) -> list[DataIssue]:
    if not repeated:
        return []
    return [
        DataIssue(
            text.pointer(path),
            text.clip(f"the key {path[-1]!r} stands in the same object twice"),
            "repeated-key",
        )
        for path, _ in text.repeated_keys(content, max(1, limit))
    ]


def _unreadable(error: text.InvalidJsonText) -> DataReport:
    place = f"line {error.line}, column {error.column}: " if error.line else ""
    return DataReport(False, (DataIssue("", place + error.message, "json"),))
