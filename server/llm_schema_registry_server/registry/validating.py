"""ValidateData and ValidateSchema: is this data valid under a schema, is this schema valid under its type's rules?"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cachetools import LRUCache

from llm_schema_engines.formats.engine import BoundedValidator, Engines, ParsedSchema
from llm_schema_engines.linter.registering import ALL
from llm_schema_engines.model.fast_init import fast_init
from llm_schema_engines.model.lint import NOTHING_FOUND, LintReport
from llm_schema_engines.model.schema import Fingerprints, SchemaType
from llm_schema_engines.model.validation import DataReport, Encoding

from ..caches.budget import Budget
from ..errors import InvalidRequest, InvalidSchema, SchemaIssue, SchemaNotFound, UnsupportedSchemaType
from ..model.config import EffectiveConfig
from ..model.schema import Reference, SchemaVersion
from ..model.scope import EVERYTHING, SubjectScope
from ..model.selector import parse_selector
from ..model.subject import Subject
from ..storage.store import Store
from ..telemetry.work import Work
from .configuration import Scope, effective
from .library import KnownSchema, Library
from .limits import RequestLimits
from .reading import selected, version_with_content
from .subject_versions import size_of

DEFAULT_ERRORS, MOST_ERRORS = 20, 100
_WARM_BYTES = 32 * 1024
"""What preparing a version may come to hold: there has to be room for it."""


@fast_init
@dataclass(frozen=True, slots=True)
class Payload:
    """Data to validate against a registered schema: the one with `schema_id`, or when that is "" the version of `subject`
    that `version` selects."""

    schema_id: str
    data: bytes
    subject: str = ""
    version: str = ""
    strict: bool = False
    encoding: Encoding = Encoding.AUTO
    message_name: str = ""
    max_errors: int = 0


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """Whether a schema follows its type's rules; `fingerprints` is None when it does not. `lint`: what is unwise in it when it
    does."""

    errors: Sequence[SchemaIssue] = ()
    lint: LintReport = NOTHING_FOUND
    fingerprints: Fingerprints | None = None

    @property
    def valid(self) -> bool:
        return self.fingerprints is not None


@dataclass(frozen=True, slots=True)
class CompiledVersion:
    """A version and its validator for what is proved cheap."""

    version: SchemaVersion
    validator: BoundedValidator


@fast_init
@dataclass(frozen=True, slots=True)
class DataVerdict:
    """The report about a payload, and the version that it was validated under."""

    report: DataReport
    version: SchemaVersion


_ENTRY_BYTES = 700
"""Of an entry beside its version and its validator: keys here and by subject, links; measured."""

_Key = str | tuple[str, str]
"""A schema id, or a subject and a selector as they were sent."""


class _CompiledVersions(LRUCache[_Key, CompiledVersion]):
    """The versions that were validated under. What a version means never changes, but it may be removed, and a selector
    may come to choose another: a change of its subject drops it, and counts up `epoch` so that nothing read before the
    change is put in after it.

    It keeps validators in use, however few of them the library's own cache has room for, and so counts them too."""

    def __init__(self, budget: Budget) -> None:
        super().__init__(math.inf, lambda entry: _ENTRY_BYTES + size_of(entry.version) + entry.validator.size)
        self.epoch = 0
        self._keys: dict[Subject, set[_Key]] = {}
        self._budget = budget
        budget.join(self)

    @property
    def held(self) -> int:
        """See caches.budget.Holder."""
        return int(self.currsize)

    def evict(self) -> None:
        self.popitem()

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more drive nothing out of here."""
        return self._budget.has_room(self, size)

    def __setitem__(self, key: _Key, entry: CompiledVersion) -> None:
        size = self.getsizeof(entry)
        if size > self._budget.largest:
            return
        super().__setitem__(key, entry)
        self._keys.setdefault(entry.version.subject, set()).add(key)
        self._budget.settle(math.ceil(size))

    def popitem(self) -> tuple[_Key, CompiledVersion]:
        key, entry = super().popitem()
        keys = self._keys.get(entry.version.subject, set())
        keys.discard(key)
        if not keys:
            self._keys.pop(entry.version.subject, None)
        return key, entry

    def forget(self, subject: Subject | None) -> None:
        self.epoch += 1
        if subject is None:
            self.clear()
            self._keys.clear()
            return
        for key in self._keys.pop(subject, ()):
            self.pop(key, None)


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
        work: Work | None = None,
    ) -> None:
        self._work = work or Work()
        self._store, self._library, self._engines = store, library, engines
        self._validated = validated
        self._defaults, self._limits = defaults, limits
        self._compiled = _CompiledVersions(library.budget)

    def forget(self, subject: Subject | None) -> None:
        """A subject changed: a version of it may have been removed permanently."""
        self._compiled.forget(subject)

    async def data(
        self, payload: Payload, found: Callable[[SchemaVersion], None] = lambda version: None
    ) -> DataVerdict:
        """`found` is called with the version before the payload is looked at. Raises what it raises, SchemaNotFound,
        SubjectNotFound or VersionNotFound, InvalidRequest where the request itself is wrong, and LimitExceeded where validating
        takes too long; bad data is an answer.

        What surely takes little is validated at once. All else runs in a worker process: nothing that a schema or a payload
        costs holds up other calls, and who waits for it gives up at the deadline of the call.
        """
        compiled = await self.compile(payload, found)
        return self.judge_at_once(compiled, payload) or await self.judge_elsewhere(compiled, payload)

    async def compile(
        self, payload: Payload, found: Callable[[SchemaVersion], None] = lambda version: None
    ) -> CompiledVersion:
        """The version that a payload is validated under. Raises as `data` does."""
        self.check(payload)
        return await self._compiled_version(_key(payload), found)

    async def judge_elsewhere(self, compiled: CompiledVersion, payload: Payload) -> DataVerdict:
        """The verdict from a worker process. Raises InvalidRequest and LimitExceeded as `data` does."""
        began = time.perf_counter()
        report = await self._library.validate_elsewhere(
            await self._library.known(compiled.version), payload.data, encoding=payload.encoding,
            strict=payload.strict, max_errors=payload.max_errors or DEFAULT_ERRORS, message_name=payload.message_name,
        )  # fmt: skip
        return self._judged(compiled, report, began)

    def compiled(self, payload: Payload) -> CompiledVersion | None:
        """What `judge_at_once` takes, if it is at hand; None also for a payload that `data` refuses."""
        try:
            self.check(payload)
            return self._compiled.get(_key(payload))
        except InvalidRequest:
            return None

    def judge_at_once(self, compiled: CompiledVersion, payload: Payload) -> DataVerdict | None:
        """The verdict on what surely takes little, None for all else. Raises InvalidRequest as `data` does."""
        began = time.perf_counter()
        report = compiled.validator.validate_within(
            self._library.inline_seconds, payload.data, encoding=payload.encoding, strict=payload.strict,
            max_errors=payload.max_errors or DEFAULT_ERRORS, message_name=payload.message_name,
        )  # fmt: skip
        return None if report is None else self._judged(compiled, report, began)

    def _judged(self, compiled: CompiledVersion, report: DataReport, began: float) -> DataVerdict:
        """Counts a validation that has ended. began: a point of time.perf_counter()."""
        self._validated(compiled.version.schema_id)
        schema_type = compiled.version.schema_type.name
        self._work.validated("data", schema_type, report.valid, began)
        for issue in report.errors:
            self._work.validation_errors.add(schema_type, issue.error_type)
        return DataVerdict(report, compiled.version)

    def check(self, payload: Payload) -> None:
        """Raises InvalidRequest for a payload that is too large, or asks for too many errors."""
        if len(payload.data) > self._limits.data_bytes:
            raise InvalidRequest(
                "data",
                f"is {len(payload.data)} bytes long; the limit is {self._limits.data_bytes} (setting limits.data_bytes)",
            )
        if not 0 <= payload.max_errors <= MOST_ERRORS:
            raise InvalidRequest("max_errors", f"is {payload.max_errors}; it must be 0 to {MOST_ERRORS}")

    async def version(
        self, payload: Payload, found: Callable[[SchemaVersion], None] = lambda version: None
    ) -> SchemaVersion:
        """The version that a payload is to be validated under; `found` and what is raised as in `data`."""
        return (await self._compiled_version(_key(payload), found)).version

    async def prepare(self, schema_id: str) -> None:
        """Compile what validating against this schema needs. Raises as `data` does."""
        if self._compiled.has_room(_WARM_BYTES):
            await self._compiled_version(schema_id)

    async def _compiled_version(
        self, key: _Key, seen: Callable[[SchemaVersion], None] = lambda version: None
    ) -> CompiledVersion:
        known = self._compiled.get(key)
        if known is not None:
            try:
                seen(known.version)
            except SchemaNotFound:
                await self._version(key)  # as long as it takes to find that there is none
                raise
            return known
        epoch = self._compiled.epoch
        version = await self._version(key)
        seen(version)
        schema = await self._library.known(version)
        found = CompiledVersion(version, await self._library.validator(schema))
        if epoch == self._compiled.epoch:
            self._compiled[key] = found
        return found

    async def _version(self, key: _Key) -> SchemaVersion:
        if isinstance(key, str):
            return (await version_with_content(self._store, self._library, key)).version
        subject, selector = Subject.parse(key[0]), parse_selector(key[1] or "latest")
        return (await selected(self._store, self._library, subject, selector)).version

    async def schema(
        self,
        schema_type: SchemaType,
        content: bytes,
        references: Sequence[Reference],
        readable: SubjectScope = EVERYTHING,
    ) -> SchemaReport:
        """An invalid schema is an answer. readable: the subjects that references may point to. Raises UnsupportedSchemaType and what resolving references raises."""
        if schema_type not in self._engines:
            raise UnsupportedSchemaType(schema_type.name)
        self._limits.check_content(content, "schema_content")
        async with self._store.read() as tx:
            config = await effective(tx, Scope(), self._defaults)
            pins = await self._library.pin_references(tx, None, references, readable=readable)
        candidate = self._library.candidate(
            schema_type,
            content,
            await self._library.resolve(pins),
            config,
        )
        began = time.perf_counter()
        report = await self._judge(candidate)
        self._work.validated("schema", schema_type.name, report.valid, began)
        return report

    async def _judge(self, candidate: KnownSchema) -> SchemaReport:
        try:
            parsed: ParsedSchema = await self._library.parse(candidate)
        except InvalidSchema as error:
            return SchemaReport(errors=error.issues)
        lint = await self._library.lint(candidate, parsed, ALL)
        if lint.incomplete and not lint.findings:
            lint = replace(parsed.lint, truncated=True)  # it took too long: what parsing has found is there
        return SchemaReport(lint=lint, fingerprints=parsed.fingerprints)


def _key(payload: Payload) -> _Key:
    """What names the version to validate under; raises InvalidRequest unless exactly one way to name it is used."""
    if payload.schema_id:
        if payload.subject or payload.version:
            raise InvalidRequest(
                "schema_id", "must not be given together with subject or version; give the one or the other"
            )
        return payload.schema_id
    if payload.subject:
        return payload.subject, payload.version
    if payload.version:
        raise InvalidRequest("subject", "must not be empty when version is given")
    raise InvalidRequest(
        "schema_id", "must not be empty; give it, or a subject and a version such as 'latest'"
    )
