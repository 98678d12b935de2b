"""Validates data against a compiled schema: checks nesting, then validity, then lists a bounded number of errors. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import orjson

from ...errors import InvalidRequest
from ...model.validation import DataIssue, DataReport, Encoding
from ..engine import SchemaSource
from .compiled import OpenedSchema, compile_schema, open_schema
from .data_issues import to_issue
from .empty_names import has_empty_names, with_empty_names
from .error_costs import ErrorListingCosts
from .limits import JsonSchemaLimits
from .reading import INEXACT, JsonReadError, exact_nesting, nesting, read
from .rewriting import plain
from .undeclared import Declarations

# orjson rounds what fits neither 64 bits nor a double: payloads with integers of 19 or more digits, or decimals of 16 or
# more, take the exact reader. The first expression is a cheap pre-check of the second.
_PERHAPS_LONG = re.compile(rb"[0-9][0-9.]{15}")
_LONG_NUMBER = re.compile(rb"[0-9]{19}|(?=[0-9.]{17})[0-9]*\.")

_VALID = DataReport(True)


class JsonDataValidator:
    """A schema compiled for validation; see engine.DataValidator. Safe to share between threads.

    Compiling raises InvalidSchema for what the linear-time engine refuses.
    """

    def __init__(
        self, source: SchemaSource, limits: JsonSchemaLimits, opened: OpenedSchema | None = None
    ) -> None:
        self._source = source
        self._limits = limits
        compiled = compile_schema(source, limits, opened)
        self._validator = compiled.validator
        self._integers_by_form = compiled.integers_by_form
        self.size = 8192 + 24 * source.size  # measured: about 20 times the text of a schema
        self._opened = opened
        self._error_costs: ErrorListingCosts | None = None
        self._declarations: Declarations | None = None

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
        report = self.validate_if(
            None, payload, encoding=encoding, strict=strict, max_errors=max_errors, message_name=message_name
        )
        assert report is not None
        return report

    def validate_if(
        self,
        may_list: Callable[[], bool] | None,
        payload: bytes,
        *,
        encoding: Encoding,
        strict: bool,
        max_errors: int,
        message_name: str,
    ) -> DataReport | None:
        """As `validate`; None when the schema refuses the payload and `may_list` refuses to have its errors listed."""
        if encoding not in (Encoding.AUTO, Encoding.JSON):
            raise InvalidRequest("encoding", f"{encoding.name} does not fit a JSON Schema; use JSON")
        if message_name:
            raise InvalidRequest("message_name", "a JSON Schema has no messages; leave it empty")
        try:
            value = self._read(payload, strict)
        except JsonReadError as error:
            issue = error.issue
            place = f"line {issue.line}, column {issue.column}: " if issue.line else ""
            return DataReport(False, (DataIssue(issue.pointer, place + issue.message, issue.rule),))
        if not self._validator.is_valid(value):
            if may_list is not None and not may_list():
                return None
            return self._report(value, payload, max_errors)
        if strict:
            found = self.declarations.undeclared(value, max_errors + 1)
            if found:
                return DataReport(False, tuple(found[:max_errors]), truncated=len(found) > max_errors)
        return _VALID

    def prepare(self) -> None:
        """Do now what the first error, and the first strict validation, would have to do."""
        self._listing_costs().prepare()
        _ = self.declarations

    def accepts(self, payload: bytes) -> bool:
        """Only the verdict, without errors."""
        try:
            return self._validator.is_valid(self._read(payload, strict=False))
        except JsonReadError:
            return False

    def errors(self, payload: bytes, limit: int) -> list[jsonschema_rs.ValidationError]:
        """At most `limit` errors of a payload that is JSON; none when it is valid or listing them costs too much."""
        value = self._read(payload, strict=False)
        return self._list(value, payload, limit) if self._may_list(payload, value) else []

    @property
    def opened(self) -> OpenedSchema:
        """The opened schema; only strict validation and errors need it."""
        if self._opened is None:
            self._opened = open_schema(self._source, self._limits)
        return self._opened

    def _read(self, payload: bytes, strict: bool) -> Any:
        limits = self._limits
        fast = (
            not strict
            and len(payload) <= limits.data_bytes
            and nesting(payload, limits.data_depth) <= limits.data_depth
            and not (_PERHAPS_LONG.search(payload) and _LONG_NUMBER.search(payload))
            and not (self._integers_by_form and INEXACT.search(payload))
        )
        if fast:
            try:
                return orjson.loads(payload)
            except orjson.JSONDecodeError:
                fast = False  # read() says what is wrong, or accepts what orjson cannot hold
        return plain(
            read(
                payload,
                what="data",
                max_bytes=limits.data_bytes,
                max_depth=limits.data_depth,
                max_digits=limits.number_digits,
            )
        )

    @property
    def declarations(self) -> Declarations:
        """What the schema declares; only strict validation needs it."""
        if self._declarations is None:
            self._declarations = Declarations(self.opened.document_index, self.opened.root)
        return self._declarations

    def _report(self, value: Any, payload: bytes, max_errors: int) -> DataReport:
        """The errors of an invalid value, as far as listing them is cheap."""
        limits = self._limits
        if not self._may_list(payload, value):
            if self._listing_costs().first_is_cheap(exact_nesting(payload, limits.data_depth)):
                try:
                    self._validator.validate(value)
                except jsonschema_rs.ValidationError as error:
                    return DataReport(False, (to_issue(error, limits),), truncated=True)
            message = "does not match; its alternatives nest too deep to list every error"
            return DataReport(False, (DataIssue("", message, "invalid"),), truncated=True)
        issues: dict[tuple[str, str], DataIssue] = {}
        for each in self._list(value, payload, max_errors + 1):
            issue = to_issue(each, limits)
            issues.setdefault((issue.path, issue.schema_path + issue.message), issue)
        found = list(issues.values())
        return DataReport(False, tuple(found[:max_errors]), truncated=len(found) > max_errors)

    def _list(self, value: Any, payload: bytes, limit: int) -> list[jsonschema_rs.ValidationError]:
        found = list(itertools.islice(self._validator.iter_errors(value), limit))
        if found and (has_empty_names(payload) or has_empty_names(self._source.content)):
            return [with_empty_names(error) for error in found]
        return found

    def _may_list(self, payload: bytes, value: Any) -> bool:
        """Whether all errors of the payload may be listed: the library makes every one of them, with a copy."""
        limits = self._limits
        costs = self._listing_costs()
        return len(payload) <= limits.detailed_data_bytes and costs.all_are_cheap(
            payload, value, exact_nesting(payload, limits.data_depth)
        )

    def _listing_costs(self) -> ErrorListingCosts:
        if self._error_costs is None:
            self._error_costs = ErrorListingCosts(self.opened, self._limits)
        return self._error_costs
