"""Validation in this process, by the server's own engines. What a schema needs is fetched and compiled once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachetools import LRUCache

from ._checked import checked
from ._encode import Data, data_bytes, number
from .enums import DataEncoding, SchemaType
from .errors import FieldViolation, InvalidRequest, UnsupportedSchemaType
from .results import SchemaContent, ValidationError, ValidationReport, ValidationWarning

if TYPE_CHECKING:
    from llm_schema_engines import AnswerStream, DataValidator, LocalEngines, Schema

DEFAULT_ERRORS, MOST_ERRORS = 20, 100
"""As on the server: the errors of a report when `max_errors` is 0, and the most that may be asked for."""
INLINE_BYTES = 16 * 1024
"""Payloads up to this size are validated on the event loop; larger ones in a thread, so that other tasks go on."""

NEEDS_ENGINES = "local validation needs the engines: pip install 'llm-schema-registry[engines]'"


@dataclass(frozen=True, slots=True)
class CompiledSchema:
    """A version's validator, and what names the version in reports."""

    schema: SchemaContent
    validator: DataValidator
    engines: LocalEngines
    parsed: Schema

    def answer_stream(self, *, strict: bool, fence: bool, prose: bool, keep: bool) -> AnswerStream:
        """A document that is judged while it arrives. Raises InvalidRequest for a schema of another type than JSON."""
        from llm_schema_engines.errors import InvalidRequest as Refused

        try:
            return self.engines.answer_stream(self.parsed, strict=strict, fence=fence, prose=prose, keep=keep)
        except Refused as error:
            raise InvalidRequest(
                str(error), violations=[FieldViolation(v.field, v.description) for v in error.violations]
            ) from error

    @checked
    def validate(
        self, data: Data, *, strict: bool, encoding: DataEncoding | str, message_name: str, max_errors: int
    ) -> ValidationReport:
        """The report that the server's ValidateData gives. Raises InvalidRequest where the request itself is wrong."""
        from llm_schema_engines.errors import (
            InvalidRequest as Refused,
        )  # its lazy top level costs more than a lookup
        from llm_schema_engines.formats.reask import reask_text
        from llm_schema_engines.model.validation import Encoding

        if not 0 <= max_errors <= MOST_ERRORS:
            what = f"is {max_errors}; it must be 0 to {MOST_ERRORS}"
            raise InvalidRequest(f"max_errors: {what}", violations=[FieldViolation("max_errors", what)])
        payload = data_bytes(data)
        began = time.perf_counter()
        try:
            report = self.validator.validate(
                payload,
                encoding=Encoding(number(DataEncoding, encoding, "encoding")),
                strict=strict,
                max_errors=max_errors or DEFAULT_ERRORS,
                message_name=message_name,
            )
        except Refused as error:
            raise InvalidRequest(
                str(error), violations=[FieldViolation(v.field, v.description) for v in error.violations]
            ) from error
        return ValidationReport(
            valid=report.valid,
            schema_id=self.schema.id,
            errors=tuple(
                ValidationError(e.path, e.message, e.error_type, e.schema_path, e.expected, e.got)
                for e in report.errors
            ),
            warnings=tuple(ValidationWarning(w.path, w.message, w.error_type) for w in report.warnings),
            truncated=report.truncated,
            validation_time_ms=(time.perf_counter() - began) * 1000,
            text=reask_text(report),
            subject=self.schema.subject,
            version=self.schema.version,
        )

    async def validate_async(
        self, data: Data, *, strict: bool, encoding: DataEncoding | str, message_name: str, max_errors: int
    ) -> ValidationReport:
        """As `validate`; a large payload is validated in a thread, so that other tasks go on."""
        payload = data_bytes(data)

        def run() -> ValidationReport:
            return self.validate(
                payload, strict=strict, encoding=encoding, message_name=message_name, max_errors=max_errors
            )

        return run() if len(payload) <= INLINE_BYTES else await asyncio.to_thread(run)


class LocalValidators:
    """Compiled validators by schema id, least recently used first out. Safe to share between threads.

    `capacity`: estimated bytes of all of them.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._compiled: LRUCache[str, CompiledSchema] = LRUCache(capacity, getsizeof=_size)
        self._lock = threading.Lock()
        self._engines: LocalEngines | None = None

    def get(self, schema_id: str) -> CompiledSchema | None:
        """The validator of a version, if it was compiled before."""
        with self._lock:
            return self._compiled.get(schema_id)

    def compile(self, schema_id: str, contents: Mapping[str, SchemaContent]) -> CompiledSchema:
        """Compile a version; `contents` holds it and all that it references, by id.

        Raises ModuleNotFoundError when the engines are not installed, and UnsupportedSchemaType.
        """
        local = self._local_engines()
        schema = contents[schema_id]
        parsed = _parsed(local, schema_id, contents, {})
        compiled = CompiledSchema(schema, local.validator(parsed), local, parsed)
        with self._lock:
            if _size(compiled) <= self._capacity:
                self._compiled[schema_id] = compiled
        return compiled

    def _local_engines(self) -> LocalEngines:
        if self._engines is None:
            try:
                from llm_schema_engines import LocalEngines
            except ModuleNotFoundError as error:
                raise ModuleNotFoundError(f"{NEEDS_ENGINES} ({error})", name=error.name) from error
            with self._lock:  # two that come at once make one each; either will do
                self._engines = LocalEngines(cache_bytes=self._capacity)
        return self._engines


def missing(contents: Mapping[str, SchemaContent]) -> list[str]:
    """Ids of what `contents` reference and do not hold."""
    used = {reference.schema_id for schema in contents.values() for reference in schema.references}
    return sorted(used - contents.keys())


def _parsed(
    local: LocalEngines, schema_id: str, contents: Mapping[str, SchemaContent], done: dict[str, Schema]
) -> Schema:
    """A version as the engines want it, what it references before itself; references form no circles."""
    if schema_id not in done:
        schema = contents[schema_id]
        if schema.schema_type not in (SchemaType.JSON, SchemaType.AVRO, SchemaType.PROTOBUF):
            raise UnsupportedSchemaType(
                f"the installed engines do not know schemas of type {schema.schema_type}"
            )
        done[schema_id] = local.parse(
            schema.content,
            str(schema.schema_type),
            references={r.name: _parsed(local, r.schema_id, contents, done) for r in schema.references},
            dialect=schema.options.get("dialect", ""),
            format_policy=schema.options.get("format_policy", "DIALECT"),
            strict=False,
        )
    return done[schema_id]


def _size(compiled: CompiledSchema) -> int:
    return compiled.validator.size + len(compiled.schema.content)
