"""The client for asyncio code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from ._asynchronous import AsyncTransport, AsyncWatch
from ._calls import admin, checks, schemas, subjects, tools
from ._calls.changes import subscription
from ._client import Client
from ._options import Options
from ._surface import abatched, aiterated, apaged, awaited
from .enums import EventType
from .results import SchemaContent


class AsyncSchemaRegistry(Client):
    """A registry, for asyncio code (uvloop too). It belongs to one event loop. Close it, or use it in `async with`.

    Leave its generators by exhausting them or with `contextlib.aclosing`, so that their calls end at once.
    """

    def _open(self, options: Options) -> None:
        self._transport = AsyncTransport(options)

    register_schema = awaited(schemas.register_schema)
    get_schema = awaited(schemas.get_schema)
    get_schema_by_version = awaited(schemas.get_schema_by_version)
    get_latest_version = awaited(schemas.get_latest_version)
    update_schema_metadata = awaited(schemas.update_schema_metadata)
    delete_schema = awaited(schemas.delete_schema)
    undelete_schema = awaited(schemas.undelete_schema)
    get_schema_history = awaited(schemas.get_schema_history)
    search_schemas = awaited(schemas.search_schemas)
    get_dependencies = awaited(schemas.get_dependencies)
    get_dependents = awaited(schemas.get_dependents)
    list_subjects = awaited(subjects.list_subjects)
    list_versions = awaited(subjects.list_versions)
    get_subject_versions = awaited(subjects.get_subject_versions)
    delete_subject = awaited(subjects.delete_subject)
    get_config = awaited(subjects.get_config)
    set_config = awaited(subjects.set_config)
    delete_config = awaited(subjects.delete_config)
    health_check = awaited(subjects.health_check)
    validate_data = awaited(checks.validate_data)
    validate_schema = awaited(checks.validate_schema)
    check_compatibility = awaited(checks.check_compatibility)
    diff_schemas = awaited(tools.diff_schemas)
    convert_schema = awaited(tools.convert_schema)
    get_statistics = awaited(admin.get_statistics)
    list_schemas = aiterated(schemas.list_schemas)
    iter_subjects = apaged(subjects.list_subjects)
    iter_versions = apaged(subjects.list_versions)
    iter_search = apaged(schemas.search_schemas)
    validate_many = abatched(checks.validate_many)
    check_many = abatched(checks.check_many)

    async def get_content(self, schema_id: str, *, timeout: float | None = None) -> SchemaContent:
        """The part of a version that never changes, from the cache when it was seen before.

        What decoders of data need: one call per id in the life of the client. State, tags and metadata do change and
        are not part of it; `get_schema` asks for them. Raises SchemaNotFound.
        """
        known = self._cache.get(schema_id)
        return known or self._cache.keep(await self.get_schema(schema_id, timeout=timeout))

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
    ) -> AsyncWatch:
        """Follow the changes from a revision on, in order, without gap or duplicate, across broken connections.

        subjects: names with `*` and `?`; none given is all. event_types: none given is all.
        from_revision: resume after this one; "earliest" is the oldest that is kept; "" is from now on. A watch from
          now on whose connection breaks before anything came begins again from the then present.
        include_schema: put the version into each event that concerns one.
        heartbeat: the server sends a sign of life after this many seconds of silence (at least 1), and the
          watch reconnects when nothing comes for `patience` seconds (2 * heartbeat + 1 when None).
        heartbeats: also give out the signs of life; their `revision` is worth keeping too.

        Until the first connection a failure is raised as that of any call; afterwards the watch reconnects for
        ever. Raises RevisionCompacted (with `oldest`), RevisionUnknown, PermissionDenied.
        """
        return AsyncWatch(
            self._transport,
            subscription(
                self._transport.attempts(None),
                subjects=subjects,
                event_types=event_types,
                from_revision=from_revision,
                include_schema=include_schema,
                heartbeat=heartbeat,
                patience=patience,
                heartbeats=heartbeats,
            ),
        )

    async def close(self) -> None:
        """End every call under way and close the connection. Calls after it raise RuntimeError."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()
