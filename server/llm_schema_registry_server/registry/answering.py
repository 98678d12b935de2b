"""AnswerService: answers of models judged while they arrive, written down for a model to correct, corrected."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from llm_schema_engines.answers.answer import AnswerStream
from llm_schema_engines.answers.coercion import Coercion
from llm_schema_engines.answers.schema import StreamingSchema
from llm_schema_engines.answers.verdict import StreamError, StreamStatus
from llm_schema_engines.formats.engine import Engines
from llm_schema_engines.formats.json_schema import JsonSchemaEngine
from llm_schema_engines.formats.json_schema.limits import DEFAULT_LIMITS
from llm_schema_engines.formats.json_schema.validation_cost import text_cost
from llm_schema_engines.model.schema import SchemaType

from ..caches.memory import MemoryCache
from ..errors import InvalidRequest, LimitExceeded
from ..model.config import EffectiveConfig
from ..model.schema import SchemaVersion
from ..model.subject import Subject
from ..queues.caller import current
from ..storage.store import Store
from ..telemetry.work import Work
from ..workers.tasks import AskedAgain, Corrected, ReaskOptions
from .configuration import Scope, effective
from .library import KnownSchema, Library
from .limits import RequestLimits
from .validating import DataVerdict, Payload, Validating

_LARGEST_BYTES = 128 * 1024
"""Larger schemas are not looked into here: documents are judged when they are complete."""
_LEAST_SLICE, _FIRST_SLICE, _MOST_SLICE = 8, 256, 8 * 1024
"""Bytes that are looked at before other work gets its turn; fewer while they take long."""
_SHORT, _LONG = 0.001, 0.004
"""Seconds that a slice takes at best."""
MOST_NAME = 100
"""Characters of the name of a document."""

Found = Callable[[SchemaVersion], None]


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How a document is judged; see AnswerStream."""

    strict: bool = False
    fence: bool = False
    prose: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a document now."""

    version: SchemaVersion
    status: StreamStatus
    error: StreamError | None
    reason: str
    received: int


class OpenBytes:
    """Bytes of the documents that are open in all streams. One caller may hold a quarter of the most."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._all = 0
        self._of: Counter[str] = Counter()

    def take(self, caller: str, size: int) -> None:
        """Raises LimitExceeded for what does not fit."""
        if self._all + size > self._most or self._of[caller] + size > self._most // 4:
            raise LimitExceeded(
                f"the documents that are open hold {self._all} bytes, {self._of[caller]} of them of this caller; the limit is "
                f"{self._most} for all and a quarter of it for one (setting limits.open_answer_bytes); end documents first",
                setting="limits.open_answer_bytes",
            )
        self._all += size
        self._of[caller] += size

    def give(self, caller: str, size: int) -> None:
        self._all -= size
        self._of[caller] -= size
        if self._of[caller] <= 0:
            del self._of[caller]


class Answering:
    """The use cases of AnswerService."""

    def __init__(
        self,
        store: Store,
        validating: Validating,
        library: Library,
        engines: Engines,
        limits: RequestLimits,
        *,
        defaults: EffectiveConfig,
        work: Work,
    ) -> None:
        self._store, self._defaults, self._work = store, defaults, work
        self._validating, self._library, self._limits = validating, library, limits
        engine = engines[SchemaType.JSON]
        self._json_limits = engine.limits if isinstance(engine, JsonSchemaEngine) else DEFAULT_LIMITS
        self._ready: MemoryCache[str, StreamingSchema] = MemoryCache(library.budget, lambda s: s.size)
        self._open = OpenBytes(limits.open_answer_bytes)

    def documents(self) -> Documents:
        """The documents of one stream; close them in the end."""
        return Documents(self, self._open, self._limits.open_answers, current().key)

    async def reask(
        self, payload: Payload, wanted: ReaskOptions, found: Found
    ) -> tuple[AskedAgain, SchemaVersion]:
        """The errors of a payload for a model, and the version that it was judged by. Raises as Validating.data does."""
        version, schema = await self._schema(payload, found)
        return await self._library.reask(schema, payload.data, strict=payload.strict, wanted=wanted), version

    async def coerce(
        self, payload: Payload, kinds: tuple[Coercion, ...], found: Found
    ) -> tuple[Corrected, DataVerdict]:
        """A payload with corrections, and the verdict about what it is then. kinds: none are those of the subject's settings. Raises
        as Validating.data does, and InvalidRequest under a schema of another type than JSON and where nobody names a kind."""
        version, schema = await self._schema(payload, found)
        _only_json(version)
        done = await self._library.coerce(schema, payload.data, kinds or await self._policy(version.subject))
        named = [Coercion(kind).name for kind in done.kinds]
        self._work.coerced(dict(zip(named, done.counts, strict=True)), done.report.valid)
        return done, DataVerdict(done.report, version)

    async def _policy(self, subject: Subject) -> tuple[Coercion, ...]:
        """The corrections that the settings of a subject name. Raises InvalidRequest for none."""
        async with self._store.read() as tx:
            config = await effective(tx, Scope(subject=subject), self._defaults)
        if not config.coercions:
            raise InvalidRequest(
                "kinds",
                f"is empty, and the settings of subject {str(subject)!r} name no corrections; name the kinds that may be made, or set "
                "`coercions` with SetConfig",
            )
        return tuple(sorted(Coercion[name] for name in config.coercions))

    async def _schema(self, payload: Payload, found: Found) -> tuple[SchemaVersion, KnownSchema]:
        if len(payload.data) > self._limits.data_bytes:
            raise InvalidRequest(
                "data",
                f"is {len(payload.data)} bytes long; the limit is {self._limits.data_bytes} (setting limits.data_bytes)",
            )
        version = await self._validating.version(payload, found)
        return version, await self._library.known(version)

    async def begin(self, payload: Payload, options: StreamOptions, found: Found) -> Document:
        """A document that is to be judged by the version that `payload` names."""
        version = await self._validating.version(payload, found)
        _only_json(version)
        schema = await self._library.known(version)
        ready = self._ready.get(schema.key)
        if ready is None and self._is_small(schema):
            ready = await asyncio.to_thread(StreamingSchema, schema.source, self._json_limits)
            self._ready.put(schema.key, ready)
        if ready is None or ready.reason:
            reason = "" if ready is None else ready.reason
            return WholeDocument(version, self._validating, options, reason, self._limits.data_bytes)
        return StreamedDocument(version, ready, options)

    def _is_small(self, schema: KnownSchema) -> bool:
        source = schema.source
        return source.size <= _LARGEST_BYTES and text_cost(source) <= self._library.inline_seconds * 1e9


def _only_json(version: SchemaVersion) -> None:
    if version.schema_type is not SchemaType.JSON:
        raise InvalidRequest(
            "schema_id",
            f"is of type {version.schema_type.name}; answers are judged piece by piece, and corrected, by a JSON Schema",
        )


class StreamedDocument:
    """A document that is judged by its pieces."""

    def __init__(self, version: SchemaVersion, schema: StreamingSchema, options: StreamOptions) -> None:
        self._version = version
        self._stream = AnswerStream(schema, strict=options.strict, fence=options.fence, prose=options.prose)
        self._slice = _FIRST_SLICE

    async def feed(self, chunk: bytes, *, end: bool) -> State:
        at = 0
        while at < len(chunk):
            began = time.perf_counter()
            self._stream.feed(chunk[at : at + self._slice])
            at += self._slice
            took = time.perf_counter() - began
            if took > _LONG:
                self._slice = max(_LEAST_SLICE, self._slice // 4)
            elif took < _SHORT:
                self._slice = min(_MOST_SLICE, self._slice * 2)
            if at < len(chunk):
                await asyncio.sleep(0)
        if end:
            self._stream.end()
        stream = self._stream
        return State(self._version, stream.status, stream.error, stream.reason, stream.received)


class WholeDocument:
    """A document that is judged when it has ended, as ValidateData does."""

    def __init__(
        self, version: SchemaVersion, validating: Validating, options: StreamOptions, reason: str, most: int
    ) -> None:
        self._version, self._validating, self._options = version, validating, options
        self._reason = reason or "the schema is too large or too costly to be judged piece by piece"
        self._most = most
        self._data = bytearray()
        self._state = self._now(StreamStatus.INDETERMINATE)
        if options.fence or options.prose:
            raise InvalidRequest(
                "fence" if options.fence else "prose",
                f"cannot be used with this schema: {self._reason}; send the document alone",
            )

    def _now(self, status: StreamStatus, error: StreamError | None = None) -> State:
        reason = self._reason if status is StreamStatus.INDETERMINATE else ""
        return State(self._version, status, error, reason, len(self._data))

    async def feed(self, chunk: bytes, *, end: bool) -> State:
        if self._state.status is StreamStatus.DEAD:
            return self._state
        self._data += chunk
        if len(self._data) > self._most:
            message = f"is longer than {self._most} bytes, which is the limit (setting limits.data_bytes)"
            self._state = self._now(StreamStatus.DEAD, StreamError(self._most, "", "json/size", message))
            self._data.clear()
            return self._state
        self._state = self._now(StreamStatus.INDETERMINATE)
        if end:
            verdict = await self._validating.data(
                Payload(self._version.schema_id, bytes(self._data), strict=self._options.strict, max_errors=1)
            )
            if verdict.report.valid:
                self._state = self._now(StreamStatus.COMPLETE)
            else:
                first = verdict.report.errors[0]
                error = StreamError(
                    len(self._data),
                    first.path,
                    first.error_type,
                    first.message,
                    first.expected,
                    (),
                    first.schema_path,
                )
                self._state = self._now(StreamStatus.DEAD, error)
        return self._state


Document = StreamedDocument | WholeDocument


class Documents:
    """The open documents of one stream, by the names that the caller gave them."""

    def __init__(self, answering: Answering, open_bytes: OpenBytes, most: int, caller: str) -> None:
        self._answering, self._open_bytes, self._most, self._caller = answering, open_bytes, most, caller
        self._open: dict[str, Document] = {}
        self._sizes: dict[str, int] = {}
        self._schemas: dict[str, tuple[str, str, str]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._open

    async def begin(self, name: str, payload: Payload, options: StreamOptions, found: Found) -> None:
        """Raises InvalidRequest and LimitExceeded, and as Validating.data does."""
        if not name or len(name) > MOST_NAME:
            raise InvalidRequest("document_id", f"has {len(name)} characters; it must have 1 to {MOST_NAME}")
        if len(self._open) >= self._most:
            raise LimitExceeded(
                f"{len(self._open)} documents are open in this stream; the limit is {self._most} "
                "(setting limits.open_answers); end some first",
                setting="limits.open_answers",
            )
        self._open[name] = await self._answering.begin(payload, options, found)
        self._sizes[name] = 0
        self._schemas[name] = (payload.schema_id, payload.subject, payload.version)

    def check_schema(self, name: str, payload: Payload) -> None:
        """Raises InvalidRequest when a later request of a document names another schema than the first one."""
        named = (payload.schema_id, payload.subject, payload.version)
        if any(named) and named != self._schemas[name]:
            raise InvalidRequest(
                "schema_id", "names another schema for a document that is open; end the document first"
            )

    async def feed(self, name: str, chunk: bytes, *, end: bool) -> State:
        """What is known of a document with its next bytes. Raises LimitExceeded."""
        self._open_bytes.take(self._caller, len(chunk))
        self._sizes[name] += len(chunk)
        state = await self._open[name].feed(chunk, end=end)
        if end:
            self.forget(name)
        return state

    def forget(self, name: str) -> None:
        """The name may begin another document."""
        if self._open.pop(name, None) is not None:
            self._schemas.pop(name, None)
            self._open_bytes.give(self._caller, self._sizes.pop(name, 0))

    def close(self) -> None:
        for name in list(self._open):
            self.forget(name)
