"""A cache of versions for blocking code, kept fresh by a thread that follows the changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from ._arguments import selector, text
from ._blocking import Watch
from ._calls.changes import subscription
from ._calls.schemas import get_schema_by_version
from ._encode import Data
from ._latest import CachedVersions, check_seconds, qualified
from .enums import DataEncoding
from .errors import RegistryError, RevisionCompacted, RevisionUnknown
from .results import ChangeEvent, SchemaInfo, ValidationReport

if TYPE_CHECKING:
    from ._sync_client import SchemaRegistry

log = logging.getLogger("llm_schema_registry")

LONGEST_PAUSE = 30.0
"""Seconds between attempts to watch after a failure that trying again at once would not mend."""


class LiveCache:
    """Versions at memory speed: read once, dropped when the watch tells of a change of their subject.

    Made by `SchemaRegistry.cached`; use it in `with`, or call `start` and `close`. Threads may share it.
    """

    def __init__(
        self,
        registry: SchemaRegistry,
        *,
        subjects: Sequence[str],
        ttl: float,
        on_change: Callable[[ChangeEvent], object] | None,
        cache_bytes: int,
        heartbeat: float,
    ) -> None:
        check_seconds("heartbeat", heartbeat)
        if on_change is not None and not callable(on_change):
            raise TypeError(f"on_change must be a function, not {type(on_change).__name__}")
        self._registry, self._on_change = registry, on_change
        self._subjects, self._heartbeat = tuple(map(qualified, subjects)), heartbeat
        self._versions = CachedVersions(self._subjects, ttl, cache_bytes)
        self._watch: Watch | None = None
        self._revision = ""
        self._ready = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self.error: RegistryError | None = None
        """Why the watch cannot be set up at present, such as PermissionDenied; None while it stands or reconnects."""

    @property
    def stale(self) -> bool:
        """Whether the watch is away, so that answers may be up to `ttl` seconds old."""
        return not self._versions.watching

    @property
    def revision(self) -> str:
        """The place in the change log up to which the cache knows of every change."""
        return self._revision

    def latest(self, subject: str) -> SchemaInfo:
        """The newest live version in ACTIVE or DEPRECATED, from memory when it is known."""
        return self.version(subject, "latest")

    def version(self, subject: str, version: str | int = "latest") -> SchemaInfo:
        """The version that a selector chooses, from memory when it is known.

        Raises ValueError for a subject outside of `subjects`, and what `get_schema_by_version` raises.
        """
        wanted, name = selector(version), qualified(text(subject, "subject"))
        return self._versions.get(name, wanted) or self._read(name, wanted)

    def validate(
        self,
        subject: str,
        data: Data,
        *,
        version: str | int = "latest",
        strict: bool = False,
        encoding: DataEncoding | str = DataEncoding.UNSPECIFIED,
        message_name: str = "",
        max_errors: int = 0,
    ) -> ValidationReport:
        """Validate in this process, under the version that the selector chooses now; the report is the server's.

        Raises what `version` raises, and ModuleNotFoundError without the engines
        (`pip install 'llm-schema-registry[engines]'`).
        """
        schema = self.version(subject, version)
        compiled = self._registry._compiled(schema.id, None)
        return compiled.validate(
            data, strict=strict, encoding=encoding, message_name=message_name, max_errors=max_errors
        )

    def start(self) -> Self:
        """Begin to follow the changes; returns once the watch stands. Raises what a call raises when it cannot be set up
        within the client's timeout."""
        if self._closed.is_set() or self._registry._transport.closed:
            raise RuntimeError("the cache or its client is closed; make another one with `cached`")
        if self._thread is None:
            self._thread = threading.Thread(target=self._follow, name="schema-registry-cache", daemon=True)
            self._thread.start()
        self._ready.wait()
        if self.error is not None:
            error = self.error
            self.close()
            raise error
        return self

    def close(self) -> None:
        """End the watch. What is cached may then be used until it is `ttl` seconds old."""
        self._closed.set()
        if self._watch is not None:
            self._watch.close()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _read(self, subject: str, wanted: str) -> SchemaInfo:
        ticket = self._versions.reading(subject)
        call = replace(get_schema_by_version(subject, wanted), least_revision=ticket.revision)
        found = self._registry._transport.unary(call)
        self._registry._cache.keep(found)
        self._versions.put(ticket, wanted, found)
        return found

    def _follow(self) -> None:
        """The thread: watches for ever, whatever happens to the watch."""
        while not self._closed.is_set() and not self._registry._transport.closed:
            pause = 0.0
            try:
                self._follow_once()
            except (RevisionCompacted, RevisionUnknown) as error:
                log.warning("cache emptied: changes may have been missed (%s)", error)
                self._versions.clear()
                self._revision = ""
            except RegistryError as error:
                log.warning("the watch of a cache failed (%s); trying again", error)
                self.error = error
                pause = LONGEST_PAUSE
            finally:
                self._versions.stands(False)
                self._ready.set()
            self._closed.wait(pause)

    def _follow_once(self) -> None:
        transport = self._registry._transport
        state = subscription(
            transport.attempts(transport.options.timeout),
            subjects=self._subjects,
            event_types=(),
            from_revision=self._revision,
            include_schema=False,
            heartbeat=self._heartbeat,
            patience=None,
            heartbeats=True,
        )
        state.on_standing = self._versions.stands
        self._watch = Watch(transport, state)
        with self._watch as watch:
            if self._closed.is_set():
                return
            for event in watch:
                if not event.heartbeat:
                    self._heard(event)
                self._revision = event.revision or self._revision
                self.error = None
                self._ready.set()

    def _heard(self, event: ChangeEvent) -> None:
        """Drop what the change concerns, and read again what was in use, so that callers need not wait for it."""
        for wanted in self._versions.changed(event.subject, event.revision):
            try:
                self._read(event.subject, wanted)
            except RegistryError as error:  # whoever asks next reads again, and is told
                log.debug("%s of %s is no longer cached: %s", wanted, event.subject, error)
        if self._on_change is not None:
            try:
                self._on_change(event)
            except Exception:
                log.exception("on_change failed for revision %s of %s", event.revision, event.subject)
