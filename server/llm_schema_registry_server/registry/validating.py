"""ValidateData and ValidateSchema: is this data valid under a schema, is this schema valid under its type's rules?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cachetools import LRUCache

from llm_schema_engines.formats.engine import DataValidator, Engines, ParsedSchema
from llm_schema_engines.model.schema import Fingerprints, SchemaType
from llm_schema_engines.model.validation import DataReport, Encoding

from ..errors import InvalidRequest, InvalidSchema, SchemaIssue, UnsupportedSchemaType
from ..model.config import EffectiveConfig
from ..model.schema import Reference
from ..model.subject import Subject
from ..storage.store import Store
from .configuration import Scope, effective
from .library import KnownSchema, Library
from .limits import RequestLimits
from .reading import version_with_content

DEFAULT_ERRORS, MOST_ERRORS = 20, 100
INLINE_BYTES = 16 * 1024
"""Payloads up to this size are validated on the loop; larger ones in a thread, so that others' calls go on."""
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Payload:
    """Data to validate against a registered schema."""

    schema_id: str
    data: bytes
    strict: bool = False
    encoding: Encoding = Encoding.AUTO
    message_name: str = ""
    max_errors: int = 0


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """Whether a schema follows its type's rules; `fingerprints` is None when it does not."""

    errors: Sequence[SchemaIssue] = ()
    warnings: Sequence[SchemaIssue] = ()
    fingerprints: Fingerprints | None = None

    @property
    def valid(self) -> bool:
        return self.fingerprints is not None


class _Remembered(LRUCache[str, tuple[Subject, DataValidator]]):
    """schema id -> validator. What a version means never changes, but it may be removed: a change of its subject
    drops it, and counts up `epoch` so that nothing read before the change is put in after it."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.epoch = 0
        self._ids: dict[Subject, set[str]] = {}

    def __setitem__(self, schema_id: str, entry: tuple[Subject, DataValidator]) -> None:
        super().__setitem__(schema_id, entry)
        self._ids.setdefault(entry[0], set()).add(schema_id)

    def popitem(self) -> tuple[str, tuple[Subject, DataValidator]]:
        schema_id, entry = super().popitem()
        ids = self._ids.get(entry[0], set())
        ids.discard(schema_id)
        if not ids:
            self._ids.pop(entry[0], None)
        return schema_id, entry

    def forget(self, subject: Subject | None) -> None:
        self.epoch += 1
        if subject is None:
            self.clear()
            self._ids.clear()
            return
        for schema_id in self._ids.pop(subject, ()):
            self.pop(schema_id, None)


class Validating:
    """The use cases behind ValidateData, ValidateSchema and BatchValidate. `validated` is called with the schema id of each
    validation."""

    def __init__(
        self,
        store: Store,
        library: Library,
        engines: Engines,
        *,
        defaults: EffectiveConfig,
        limits: RequestLimits,
        validated: Callable[[str], None] = lambda schema_id: None,
    ) -> None:
        self._store, self._library, self._engines = store, library, engines
        self._validated = validated
        self._defaults, self._limits = defaults, limits
        self._remembered = _Remembered(REMEMBERED)

    def forget(self, subject: Subject | None) -> None:
        """A subject changed: a version of it may have been removed permanently."""
        self._remembered.forget(subject)

    async def data(self, payload: Payload) -> DataReport:
        """Raises SchemaNotFound, and InvalidRequest where the request itself is wrong; bad data is an answer."""
        if len(payload.data) > self._limits.data_bytes:
            raise InvalidRequest(
                "data",
                f"is {len(payload.data)} bytes long; the limit is {self._limits.data_bytes}",
            )
        if not 0 <= payload.max_errors <= MOST_ERRORS:
            raise InvalidRequest("max_errors", f"is {payload.max_errors}; it must be 0 to {MOST_ERRORS}")
        validator = await self._validator(payload.schema_id)
        self._validated(payload.schema_id)
        if len(payload.data) <= INLINE_BYTES:
            return _run(validator, payload)
        return await asyncio.to_thread(_run, validator, payload)

    async def prepare(self, schema_id: str) -> None:
        """Compile what validating against this schema needs. Raises as `data` does."""
        if len(self._remembered) < REMEMBERED:
            await self._validator(schema_id)

    async def _validator(self, schema_id: str) -> DataValidator:
        known = self._remembered.get(schema_id)
        if known is not None:
            return known[1]
        epoch = self._remembered.epoch
        version = (await version_with_content(self._store, self._library, schema_id)).version
        schema = await self._library.known(version)
        validator = await self._library.validator(schema)
        if epoch == self._remembered.epoch:
            self._remembered[schema_id] = (version.subject, validator)
        return validator

    async def schema(
        self, schema_type: SchemaType, content: bytes, references: Sequence[Reference]
    ) -> SchemaReport:
        """An invalid schema is an answer. Raises UnsupportedSchemaType and what resolving references raises."""
        if schema_type not in self._engines:
            raise UnsupportedSchemaType(schema_type.name)
        self._limits.check_content(content, "schema_content")
        async with self._store.read() as tx:
            config = await effective(tx, Scope(), self._defaults)
            pins = await self._library.pin_references(tx, None, references)
        candidate = self._library.candidate(
            schema_type,
            content,
            await self._library.resolve(pins),
            config,
        )
        return await self._judge(candidate)

    async def _judge(self, candidate: KnownSchema) -> SchemaReport:
        try:
            parsed: ParsedSchema = await self._library.parse(candidate)
        except InvalidSchema as error:
            return SchemaReport(errors=error.issues)
        return SchemaReport(warnings=parsed.warnings, fingerprints=parsed.fingerprints)


def _run(validator: DataValidator, payload: Payload) -> DataReport:
    return validator.validate(
        payload.data,
        encoding=payload.encoding,
        strict=payload.strict,
        max_errors=payload.max_errors or DEFAULT_ERRORS,
        message_name=payload.message_name,
    )
