"""The client for blocking code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from ._blocking import BlockingTransport, Watch
from ._calls import admin, checks, schemas, subjects, tools
from ._calls.changes import subscription
from ._client import Client
from ._options import Options
from ._surface import batched, called, iterated, paged
from .enums import EventType
from .results import SchemaContent


class SchemaRegistry(Client):
    """A registry, for blocking code. Threads may share it. Close it, or use it in `with`."""

    def _open(self, options: Options) -> None:
        self._transport = BlockingTransport(options)

    register_schema = called(schemas.register_schema)
    get_schema = called(schemas.get_schema)
    get_schema_by_version = called(schemas.get_schema_by_version)
    get_latest_version = called(schemas.get_latest_version)
    update_schema_metadata = called(schemas.update_schema_metadata)
    delete_schema = called(schemas.delete_schema)
    undelete_schema = called(schemas.undelete_schema)
    get_schema_history = called(schemas.get_schema_history)
    search_schemas = called(schemas.search_schemas)
    get_dependencies = called(schemas.get_dependencies)
    get_dependents = called(schemas.get_dependents)
    list_subjects = called(subjects.list_subjects)
    list_versions = called(subjects.list_versions)
    get_subject_versions = called(subjects.get_subject_versions)
    delete_subject = called(subjects.delete_subject)
    get_config = called(subjects.get_config)
    set_config = called(subjects.set_config)
    delete_config = called(subjects.delete_config)
    health_check = called(subjects.health_check)
    validate_data = called(checks.validate_data)
    validate_schema = called(checks.validate_schema)
    check_compatibility = called(checks.check_compatibility)
    diff_schemas = called(tools.diff_schemas)
    convert_schema = called(tools.convert_schema)
    get_statistics = called(admin.get_statistics)
    list_schemas = iterated(schemas.list_schemas)
    iter_subjects = paged(subjects.list_subjects)
    iter_versions = paged(subjects.list_versions)
    iter_search = paged(schemas.search_schemas)
    validate_many = batched(checks.validate_many)
    check_many = batched(checks.check_many)

    def get_content(self, schema_id: str, *, timeout: float | None = None) -> SchemaContent:
        """The part of a version that never changes, from the cache when it was seen before.

        What decoders of data need: one call per id in the life of the client. State, tags and metadata do change and
        are not part of it; `get_schema` asks for them. Raises SchemaNotFound.
        """
        known = self._cache.get(schema_id)
        return known or self._cache.keep(self.get_schema(schema_id, timeout=timeout))

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
    ) -> Watch:
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
        return Watch(
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

    def close(self) -> None:
        """End every call under way and close the connection. Calls after it raise RuntimeError."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
