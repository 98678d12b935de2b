"""A cache of versions for asyncio code, kept fresh by a task that follows the changes."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Self

from ._asynchronous import AsyncWatch
from ._encode import Data
from ._live import Live, LiveOptions
from .enums import DataEncoding
from .errors import RegistryError
from .results import ChangeEvent, SchemaInfo, ValidationReport

if TYPE_CHECKING:
    from ._async_client import AsyncSchemaRegistry


class AsyncLiveCache(Live):
    """Versions at memory speed: read once, dropped when the watch tells of a change of their subject.

    Made by `AsyncSchemaRegistry.cached`; use it in `async with`, or call `start` and `close`. It belongs to one event loop.
    """

    def __init__(self, registry: AsyncSchemaRegistry, options: LiveOptions) -> None:
        super().__init__(options)
        self._registry = registry
        self._ready = asyncio.Event()
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    async def latest(self, subject: str) -> SchemaInfo:
        """The newest live version in ACTIVE or DEPRECATED, from memory when it is known."""
        return await self.version(subject, "latest")

    async def version(self, subject: str, version: str | int = "latest") -> SchemaInfo:
        """The version that a selector chooses, from memory when it is known.

        Raises ValueError for a subject outside of `subjects`, and what `get_schema_by_version` raises: while the watch is away
        Unavailable after `offline_timeout` seconds, unless `stale_if_error` allows an older answer.
        """
        name, wanted = self._wanted(subject, version)
        known = self._versions.get(name, wanted)
        if known is not None:
            return known
        try:
            return await self._read(name, wanted)
        except RegistryError as error:
            older = self._instead(error, name, wanted)
            if older is None:
                raise
            return older

    async def validate(
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
        schema = await self.version(subject, version)
        compiled = await self._registry._compiled(schema.id, None)
        return await compiled.validate_async(
            data, strict=strict, encoding=encoding, message_name=message_name, max_errors=max_errors
        )

    async def start(self) -> Self:
        """Begin to follow the changes; returns once the watch stands. Raises what a call raises when it cannot be set up
        within the client's timeout."""
        if self._closed or self._registry._transport.closed:
            raise RuntimeError("the cache or its client is closed; make another one with `cached`")
        if self._task is None:
            self._task = asyncio.create_task(self._follow(), name="schema-registry-cache")
        await self._ready.wait()
        if self.error is not None:
            error = self.error
            await self.close()
            raise error
        return self

    async def close(self) -> None:
        """End the watch. What is cached may then be used until it is `ttl` seconds old."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._versions.stands(False)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def _read(self, subject: str, wanted: str) -> SchemaInfo:
        ticket, call = self._call(subject, wanted)
        found = await self._registry._transport.unary(call)
        self._registry._cache.keep(found)
        self._versions.put(ticket, wanted, found)
        return found

    async def _follow(self) -> None:
        """The task: watches for ever, whatever happens to the watch."""
        while not self._registry._transport.closed:
            pause = 0.0
            try:
                await self._follow_once()
            except RegistryError as error:
                pause = self._failed(error)
            finally:
                self._versions.stands(False)
                self._ready.set()
            await asyncio.sleep(pause)

    async def _follow_once(self) -> None:
        transport = self._registry._transport
        state = self._subscription(transport.attempts(transport.options.timeout))
        async with AsyncWatch(transport, state) as watch:
            async for event in watch:
                if not event.heartbeat:
                    await self._heard(event)
                self._noted(event)
                self._ready.set()

    async def _heard(self, event: ChangeEvent) -> None:
        """Drop what the change concerns, and read again what was in use, so that callers need not wait for it."""
        for wanted in self._versions.changed(event.subject, event.revision):
            try:
                await self._read(event.subject, wanted)
            except RegistryError as error:
                self._not_cached(wanted, event, error)
        if self._on_change is not None:
            try:
                done = self._on_change(event)
                if inspect.isawaitable(done):
                    await done
            except Exception:
                self._broken_listener(event)
