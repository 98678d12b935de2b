"""A cache of versions for blocking code, kept fresh by a thread that follows the changes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from ._blocking import Watch
from ._encode import Data
from ._live import Live, LiveOptions
from .enums import DataEncoding
from .errors import RegistryError
from .results import ChangeEvent, SchemaInfo, ValidationReport

if TYPE_CHECKING:
    from ._sync_client import SchemaRegistry


class LiveCache(Live):
    """Versions at memory speed: read once, dropped when the watch tells of a change of their subject.

    Made by `SchemaRegistry.cached`; use it in `with`, or call `start` and `close`. Threads may share it.
    """

    def __init__(self, registry: SchemaRegistry, options: LiveOptions) -> None:
        super().__init__(options)
        self._registry = registry
        self._watch: Watch | None = None
        self._ready = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def latest(self, subject: str) -> SchemaInfo:
        """The newest live version in ACTIVE or DEPRECATED, from memory when it is known."""
        return self.version(subject, "latest")

    def version(self, subject: str, version: str | int = "latest") -> SchemaInfo:
        """The version that a selector chooses, from memory when it is known.

        Raises ValueError for a subject outside of `subjects`, and what `get_schema_by_version` raises: while the watch is away
        Unavailable after `offline_timeout` seconds, unless `stale_if_error` allows an older answer.
        """
        name, wanted = self._wanted(subject, version)
        known = self._versions.get(name, wanted)
        if known is not None:
            return known
        try:
            return self._read(name, wanted)
        except RegistryError as error:
            older = self._instead(error, name, wanted)
            if older is None:
                raise
            return older

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
        ticket, call = self._call(subject, wanted)
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
            except RegistryError as error:
                pause = self._failed(error)
            finally:
                self._versions.stands(False)
                self._ready.set()
            self._closed.wait(pause)

    def _follow_once(self) -> None:
        transport = self._registry._transport
        state = self._subscription(transport.attempts(transport.options.timeout))
        self._watch = Watch(transport, state)
        with self._watch as watch:
            if self._closed.is_set():
                return
            for event in watch:
                if not event.heartbeat:
                    self._heard(event)
                self._noted(event)
                self._ready.set()

    def _heard(self, event: ChangeEvent) -> None:
        """Drop what the change concerns, and read again what was in use, so that callers need not wait for it."""
        for wanted in self._versions.changed(event.subject, event.revision):
            try:
                self._read(event.subject, wanted)
            except RegistryError as error:
                self._not_cached(wanted, event, error)
        if self._on_change is not None:
            try:
                self._on_change(event)
            except Exception:
                self._broken_listener(event)
