"""The client for blocking code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

from ._arguments import identifier, seconds
from ._blocking import BlockingTransport, Watch
from ._calls.changes import GATHER, subscription
from ._calls.checks import MISSING, local_validation, schema_fields
from ._client import Client
from ._coalescing import MOST, Coalescing, CoalescingReader
from ._encode import Data, SchemaId
from ._live import LiveOptions
from ._local import CompiledSchema, missing
from ._options import DEFAULT_CACHE_BYTES, Options
from ._reference import SchemaRef, selected
from ._sync_calls import SyncCalls
from ._sync_live import LiveCache
from ._sync_outcomes import OutcomeReporter
from .enums import CompatibilityLevel, DataEncoding, EventType
from .results import ChangeEvent, Registration, SchemaContent, ValidationReport

if TYPE_CHECKING:
    from llm_schema_engines import AnswerStream

    from .integrations.pydantic import RegistryModel
else:
    AnswerStream = Any  # of the engines, which may not be installed
    RegistryModel = Any  # of pydantic, likewise


class SchemaRegistry(SyncCalls, Client):
    """A registry, for blocking code. Threads may share it. Close it, or use it in `with`."""

    _outcomes: OutcomeReporter

    def _open(self, options: Options) -> None:
        self._transport = BlockingTransport(options)
        self._outcomes = OutcomeReporter(self._transport)
        self._live: WeakSet[LiveCache] = WeakSet()

    def get_content(self, schema_id: SchemaId, *, timeout: float | None = None) -> SchemaContent:
        """The part of a version that never changes, from the cache when it was seen before.

        What decoders of data need: one call per id in the life of the client. State, tags and metadata do change and
        are not part of it; `get_schema` asks for them. Raises SchemaNotFound.
        """
        if timeout is not None:
            seconds(timeout)
        known = self._cache.get(identifier(schema_id))
        return known or self._cache.keep(self.get_schema(schema_id, timeout=timeout))

    def cached(
        self,
        subjects: Iterable[str] = (),
        *,
        ttl: float = 60.0,
        on_change: Callable[[ChangeEvent], object] | None = None,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        heartbeat: float = 5.0,
        offline_timeout: float = 2.0,
        stale_if_error: float = 0.0,
    ) -> LiveCache:
        """Versions at memory speed, kept fresh by the watch stream, and validation in this process.

        subjects: names with `*` and `?` that may be asked for; none given is all.
        ttl: seconds for which a version is given out while the watch is away (`stale` tells); while it stands, every
          version is given out until a change of its subject arrives.
        on_change: called with each change of these subjects, after the cache knows of it. What it raises is logged.
          An asyncio client awaits it when it is a coroutine function.
        cache_bytes: room for the versions, least recently used first out.
        heartbeat: as in `watch`: the connection is given up after 2 * heartbeat + 1 seconds of silence.
        offline_timeout: seconds, instead of the client's `timeout`, for a read that memory cannot answer while the watch is
          away: a service is told soon that the registry is away.
        stale_if_error: seconds past `ttl` for which an older answer is given out when the registry cannot be reached.
          0.0 raises Unavailable instead.
        """
        cache = LiveCache(
            self,
            LiveOptions(
                subjects=subjects,
                ttl=ttl,
                on_change=on_change,
                cache_bytes=cache_bytes,
                heartbeat=heartbeat,
                offline_timeout=offline_timeout,
                stale_if_error=stale_if_error,
            ),
        )
        self._live.add(cache)
        return cache

    def coalescing(
        self, *, calls: int = 2, most: int = MOST, timeout: float | None = None
    ) -> CoalescingReader:
        """Reads for many tasks or threads: those that wait at the same time are asked for in one call, each schema once.

        calls: under way at a time; what is asked for meanwhile goes with the next one. most: schemas in one call (the registry's setting
        limits.page). timeout: seconds of each call.
        """
        return CoalescingReader(self, Coalescing(calls, most, timeout))

    def validate_locally(
        self,
        schema_id: SchemaId | None = None,
        data: Data = MISSING,
        *,
        subject: str = "",
        version: str | int = "latest",
        strict: bool = False,
        encoding: DataEncoding | str = DataEncoding.UNSPECIFIED,
        message_name: str = "",
        max_errors: int = 0,
        timeout: float | None = None,
    ) -> ValidationReport:
        """`validate_data` in this process, by the server's own engines: the same report without a call.

        The schema and what it references are fetched and compiled at the first use of its id. With `subject` the registry is
        asked each time which version is meant; `cached` avoids that. Raises ModuleNotFoundError without the engines
        (`pip install 'llm-schema-registry[engines]'`), and what `validate_data` raises.
        """
        named = local_validation(
            schema_id,
            data,
            subject=subject,
            version=version,
            strict=strict,
            encoding=encoding,
            message_name=message_name,
            max_errors=max_errors,
            timeout=timeout,
        )
        found = named.get("schema_id")
        if found is None:
            schema = self.get_schema_by_version(named["subject"], named["version"], timeout=timeout)
            found = self._cache.keep(schema).id
        compiled = self._compiled(found, timeout)
        return compiled.validate(
            data, strict=strict, encoding=encoding, message_name=message_name, max_errors=max_errors
        )

    def answer_stream(
        self,
        schema_id: SchemaId | None = None,
        *,
        subject: str = "",
        version: str | int = "latest",
        strict: bool = False,
        fence: bool = False,
        prose: bool = False,
        keep: bool = False,
        timeout: float | None = None,
    ) -> AnswerStream:
        """Judges a document while it arrives, in this process: `feed` it the bytes, cut anywhere, then `end`; no call for each.

        The schema, a JSON Schema, is named and fetched as in `validate_locally`. `strict`: also refuse what it does not declare.
        `fence`, `prose`: a code fence, or words, may stand around the document. `keep`: keep the value, for `partial()`. Raises
        ModuleNotFoundError without the engines, InvalidRequest under a schema of another type, and what `get_schema` raises.
        """
        named = schema_fields(schema_id, b"", subject, version)
        found = named.get("schema_id")
        if found is None:
            schema = self.get_schema_by_version(named["subject"], named["version"], timeout=timeout)
            found = self._cache.keep(schema).id
        compiled = self._compiled(found, timeout)
        return compiled.answer_stream(strict=strict, fence=fence, prose=prose, keep=keep)

    def _compiled(self, schema_id: str, timeout: float | None) -> CompiledSchema:
        """The validator of a version; fetched and compiled when it is not known."""
        known = self._validators.get(schema_id)
        if known is not None:
            return known
        contents = {schema_id: self.get_content(schema_id, timeout=timeout)}
        while wanted := missing(contents):
            for reference in wanted:
                contents[reference] = self.get_content(reference, timeout=timeout)
        return self._validators.compile(schema_id, contents)

    def register(
        self,
        model: object,
        subject: str = "",
        *,
        mode: str = "validation",
        description: str | None = None,
        tags: Iterable[str] = (),
        metadata: Mapping[str, str] | None = None,
        compatibility_level: CompatibilityLevel | str | None = None,
        dry_run: bool = False,
        timeout: float | None = None,
    ) -> Registration:
        """Register the JSON Schema of a pydantic model class, or of any type that pydantic knows, as `register_schema` does.

        subject: the class's attribute `schema_subject`, or its name, when empty. mode: `validation` is the schema of what the class takes,
        `serialization` of what it is written as; they differ where there are defaults or computed fields. Raises what
        `register_schema` raises, and ModuleNotFoundError without pydantic (`pip install 'llm-schema-registry[pydantic]'`).
        """
        from .integrations.pydantic import content_of, subject_of

        return self.register_schema(
            subject or subject_of(model),
            content_of(model, mode),
            description=description,
            tags=tags,
            metadata=metadata,
            compatibility_level=compatibility_level,
            dry_run=dry_run,
            timeout=timeout,
        )

    def model(
        self, schema: SchemaRef, *, name: str = "", timeout: float | None = None
    ) -> type[RegistryModel]:
        """A pydantic class for a version: typed attributes, and every instance that is made of data is valid under the schema.

        schema: `subject@selector` such as `support.ticket@^2` (without `@` the latest), (subject, selector), or a version that the registry
        answered with. name: of the class; the schema's title when empty. The schema is fetched and compiled as in `validate_locally`.
        Raises ValueError for a schema that does not describe an object, ModuleNotFoundError without pydantic or the engines
        (`pip install 'llm-schema-registry[pydantic]'`), and what `get_schema_by_version` raises.
        """
        from .integrations.pydantic import model_class

        version = selected(schema)
        if isinstance(version, tuple):
            version = self._cache.keep(self.get_schema_by_version(*version, timeout=timeout))
        return model_class(self._compiled(version.id, timeout), name)

    def watch(
        self,
        *,
        subjects: Iterable[str] = (),
        event_types: Iterable[EventType | str] = (),
        from_revision: str = "",
        include_schema: bool = False,
        heartbeat: float = 15.0,
        patience: float | None = None,
        heartbeats: bool = False,
        gather: float | None = GATHER,
    ) -> Watch:
        """Follow the changes from a revision on, in order, without gap or duplicate, across broken connections.

        subjects: names with `*` and `?`; none given is all. event_types: none given is all.
        from_revision: resume after this one; "earliest" is the oldest that is kept; "" is from now on. A watch from
          now on whose connection breaks before anything came begins again from the then present.
        include_schema: put the version into each event that concerns one.
        heartbeat: the server sends a sign of life after this many seconds of silence (at least 1), and the
          watch reconnects when nothing comes for `patience` seconds (2 * heartbeat + 1 when None).
        heartbeats: also give out the signs of life; their `revision` is worth keeping too.
        gather: how many seconds (at most 5) the server may hold back a change that follows another one, so that those of a burst come in
          one message and cost it less. They are given out one by one, and one after a silence comes at once. None: each by itself.

        Until the first connection a failure is raised as that of any call; afterwards the watch reconnects for
        ever. Raises RevisionCompacted (with `oldest`), RevisionUnknown, PermissionDenied.
        """
        return Watch(
            self._transport,
            subscription(
                self._transport.attempts(self._options.timeout),
                subjects=subjects,
                event_types=event_types,
                from_revision=from_revision,
                include_schema=include_schema,
                heartbeat=heartbeat,
                patience=patience,
                heartbeats=heartbeats,
                gather=gather,
            ),
        )

    def flush_outcomes(self, *, timeout: float | None = None) -> bool:
        """Report the outcomes that wait now; False when the registry cannot take them yet, and they wait on."""
        if timeout is not None:
            seconds(timeout)
        return self._outcomes.flush(timeout)

    def close(self) -> None:
        """End every call under way, every cache, and close the connection. Calls after it raise RuntimeError."""
        self._outcomes.close()
        for cache in list(self._live):
            cache.close()
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
