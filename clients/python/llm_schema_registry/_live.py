"""What a live cache is, whichever client it belongs to: its arguments, its versions, and what follows from what happens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ._arguments import described, integer, seconds, selector, text, texts
from ._call import Unary
from ._calls.changes import GATHER, Subscription, subscription
from ._calls.schemas import get_schema_by_version
from ._latest import CachedVersions, Ticket, qualified
from ._retry import Attempts
from .errors import DeadlineExceeded, RegistryError, RevisionCompacted, RevisionUnknown, Unavailable
from .results import ChangeEvent, SchemaInfo

log = logging.getLogger("llm_schema_registry")

LONGEST_PAUSE = 30.0
"""Seconds between attempts to watch after a failure that trying again at once would not mend."""
SHORTEST = 0.001
"""Seconds: times below are mistakes."""


@dataclass(frozen=True, kw_only=True)
class LiveOptions:
    """The arguments of `cached`, as they were given; it tells what they mean."""

    subjects: Iterable[str]
    ttl: float
    on_change: Callable[[ChangeEvent], object] | None
    cache_bytes: int
    heartbeat: float
    offline_timeout: float
    stale_if_error: float


class Live:
    """The part of `LiveCache` and `AsyncLiveCache` that waits for nothing."""

    def __init__(self, options: LiveOptions) -> None:
        """Raises TypeError and ValueError for options that make no sense."""
        on_change, stale = options.on_change, options.stale_if_error
        self._heartbeat = seconds(options.heartbeat, "heartbeat", least=SHORTEST)
        if on_change is not None and not callable(on_change):
            raise TypeError(f"on_change: a function of one argument is expected, not {described(on_change)}")
        self._on_change = on_change
        self._offline_timeout = seconds(options.offline_timeout, "offline_timeout", least=SHORTEST)
        self._subjects = tuple(map(qualified, texts(options.subjects, "subjects")))
        self._versions = CachedVersions(
            self._subjects,
            seconds(options.ttl, "ttl", least=SHORTEST),
            integer(options.cache_bytes, "cache_bytes", least=1, most=2**63 - 1),
            stale_if_error=stale if stale == 0 else seconds(stale, "stale_if_error"),
        )
        self._revision = ""
        self.error: RegistryError | None = None
        """Why the watch cannot be set up at present, such as PermissionDenied; None while it stands or reconnects."""

    @property
    def stale(self) -> bool:
        """Whether the watch is away, so that answers may be old: `age` tells how old at most."""
        return not self._versions.watching

    @property
    def age(self) -> float:
        """Seconds for which the watch has been away, 0.0 while it stands: no answer from memory lacks a change that is older.

        A connection that broke without a word is noticed after 2 * heartbeat + 1 seconds.
        """
        return self._versions.away()

    @property
    def revision(self) -> str:
        """The place in the change log up to which the cache knows of every change."""
        return self._revision

    def _wanted(self, subject: str, version: str | int) -> tuple[str, str]:
        """The subject and the selector as they are kept. Raises TypeError and ValueError."""
        return qualified(text(subject, "subject")), selector(version)

    def _call(self, subject: str, wanted: str) -> tuple[Ticket, Unary[SchemaInfo]]:
        """The read that memory cannot answer; it has less time while the server seems to be away."""
        ticket = self._versions.reading(subject)
        timeout = None if self._versions.watching else self._offline_timeout
        call = get_schema_by_version(subject, wanted, timeout=timeout)
        return ticket, replace(call, least_revision=ticket.revision)

    def _instead(self, error: RegistryError, subject: str, wanted: str) -> SchemaInfo | None:
        """What may be given out although a read failed: an older answer, when nobody could be asked."""
        if isinstance(error, Unavailable | DeadlineExceeded):
            return self._versions.unreachable(subject, wanted)
        return None

    def _subscription(self, attempts: Attempts) -> Subscription:
        state = subscription(
            attempts,
            subjects=self._subjects,
            event_types=(),
            from_revision=self._revision,
            include_schema=False,
            heartbeat=self._heartbeat,
            patience=None,
            heartbeats=True,
            gather=GATHER,
        )
        state.on_standing = self._versions.stands
        return state

    def _noted(self, event: ChangeEvent) -> None:
        """An event has been dealt with."""
        self._revision = event.revision or self._revision
        self.error = None

    def _failed(self, error: RegistryError) -> float:
        """Seconds to wait before the watch is set up again."""
        if isinstance(error, RevisionCompacted | RevisionUnknown):
            log.warning("cache emptied: changes may have been missed (%s)", error)
            self._versions.clear()
            self._revision = ""
            return 0.0
        log.warning("the watch of a cache failed (%s); trying again", error)
        self.error = error
        return LONGEST_PAUSE

    def _not_cached(self, wanted: str, event: ChangeEvent, error: RegistryError) -> None:
        """A version that was in use could not be read again: whoever asks next reads it, and is told."""
        log.debug("%s of %s is no longer cached: %s", wanted, event.subject, error)

    def _broken_listener(self, event: ChangeEvent) -> None:
        """Logs the exception that `on_change` raised."""
        log.exception("on_change failed for revision %s of %s", event.revision, event.subject)
