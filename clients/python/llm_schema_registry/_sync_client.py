"""The client for blocking code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from ._arguments import identifier
from ._blocking import BlockingTransport, Watch
from ._calls.changes import subscription
from ._client import Client
from ._encode import SchemaId
from ._options import Options
from ._sync_calls import SyncCalls
from .enums import EventType
from .results import SchemaContent


class SchemaRegistry(SyncCalls, Client):
    """A registry, for blocking code. Threads may share it. Close it, or use it in `with`."""

    def _open(self, options: Options) -> None:
        self._transport = BlockingTransport(options)

    def get_content(self, schema_id: SchemaId, *, timeout: float | None = None) -> SchemaContent:
        """The part of a version that never changes, from the cache when it was seen before.

        What decoders of data need: one call per id in the life of the client. State, tags and metadata do change and
        are not part of it; `get_schema` asks for them. Raises SchemaNotFound.
        """
        known = self._cache.get(identifier(schema_id))
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
                self._transport.attempts(self._options.timeout),
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
