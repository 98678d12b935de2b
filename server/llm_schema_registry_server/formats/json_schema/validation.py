"""Data against a compiled schema: the depth gate, the fast verdict, and bounded errors. Pure."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import jsonschema_rs
import orjson

from ...errors import InvalidRequest
from ...model.validation import DataIssue, DataReport, Encoding
from .compiled import OpenedSchema, plain
from .errors_of_data import to_issue
from .fanout import safe_depth
from .limits import JsonSchemaLimits
from .reading import BadJson, exact_nesting, nesting, read
from .resources import Place, World
from .undeclared import undeclared

# orjson turns what does not fit into 64 bits or a double into something else: such numbers take the exact reader.
_LONG_NUMBER = re.compile(rb"[0-9][0-9.]{15}")


class JsonDataValidator:
    """A schema compiled for validation; see engine.DataValidator. Safe to share between threads."""

    def __init__(
        self, opened: OpenedSchema, validator: jsonschema_rs.Validator, limits: JsonSchemaLimits
    ) -> None:
        self._opened = opened
        self._validator = validator
        self._limits = limits
        self._safe_depth: int | None = None
        self._values = sum(_count(d.content) for d in opened.world.documents if not d.builtin)
        self.size = 8192 + 1024 * self._values  # measured: about 20 times the text of a schema

    def validate(
        self,
        payload: bytes,
        *,
        encoding: Encoding = Encoding.AUTO,
        strict: bool = False,
        max_errors: int = 20,
        message_name: str = "",
    ) -> DataReport:
        """Whether `payload` is JSON that the schema accepts; `strict` refuses undeclared properties and duplicate
        keys too. Raises InvalidRequest for an encoding other than JSON or a message name."""
        if encoding not in (Encoding.AUTO, Encoding.JSON):
            raise InvalidRequest("encoding", f"{encoding.name} does not fit a JSON Schema; use JSON")
        if message_name:
            raise InvalidRequest("message_name", "a JSON Schema has no messages; leave it empty")
        try:
            value = self._read(payload, strict)
        except BadJson as error:
            issue = error.issue
            place = f"line {issue.line}, column {issue.column}: " if issue.line else ""
            return DataReport(False, (DataIssue(issue.pointer, place + issue.message, issue.rule),))
        if not self._validator.is_valid(value):
            return self._errors(value, payload, max_errors)
        if strict:
            found = undeclared(self._opened.world, self._opened.root, value, max_errors + 1)
            if found:
                return DataReport(False, tuple(found[:max_errors]), truncated=len(found) > max_errors)
        return DataReport(True)

    @property
    def place(self) -> tuple[World, Place]:
        """The schema's world and its place in it."""
        return self._opened.world, self._opened.root

    def first_errors(self, value: Any, limit: int) -> list[jsonschema_rs.ValidationError]:
        """At most `limit` errors of a small value."""
        out = []
        for error in self._validator.iter_errors(value):
            out.append(error)
            if len(out) >= limit:
                break
        return out

    def _read(self, payload: bytes, strict: bool) -> Any:
        limits = self._limits
        fast = (
            not strict
            and len(payload) <= limits.data_bytes
            and nesting(payload, limits.data_depth) <= limits.data_depth
            and not _LONG_NUMBER.search(payload)
        )
        if fast:
            # Where orjson refuses, the strict reader says what is wrong, or accepts what orjson cannot hold.
            with contextlib.suppress(orjson.JSONDecodeError):
                return orjson.loads(payload)
        return plain(
            read(
                payload,
                max_bytes=limits.data_bytes,
                max_depth=limits.data_depth,
                max_digits=limits.number_digits,
            )
        )

    def _errors(self, value: Any, payload: bytes, max_errors: int) -> DataReport:
        """The errors of an invalid value, as far as listing them is cheap."""
        limits = self._limits
        depth = exact_nesting(payload, limits.data_depth)
        if self._safe_depth is None:
            self._safe_depth = safe_depth(
                self._opened.world, self._opened.root, limits.error_paths, limits.data_depth
            )
        if depth > self._safe_depth:
            message = "does not match; its alternatives nest too deep to list every error"
            return DataReport(False, (DataIssue("", message, "invalid"),), truncated=True)
        work = len(payload) * (depth + 1) * self._values
        if len(payload) > limits.detailed_data_bytes or work > limits.error_work:
            try:
                self._validator.validate(value)
            except jsonschema_rs.ValidationError as error:
                return DataReport(False, (to_issue(error, limits),), truncated=True)
        issues: dict[tuple[str, str], DataIssue] = {}
        for each in self._validator.iter_errors(value):
            issue = to_issue(each, limits)
            issues.setdefault((issue.path, issue.schema_path + issue.message), issue)
            if len(issues) > max_errors:
                break
        found = list(issues.values())
        return DataReport(False, tuple(found[:max_errors]), truncated=len(found) > max_errors)


def _count(value: Any) -> int:
    """The number of values in a JSON document."""
    total = 0
    stack = [value]
    while stack:
        item = stack.pop()
        total += 1
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return total
