"""The work of the audit log in a server: records are written, sequenced and signed beside the calls, old ones removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from prometheus_client.core import Metric

from . import __version__
from .audit.keys import SigningKeys
from .audit.notes import Signer
from .audit.recording import SYSTEM, new_id
from .audit.retention import SWEEP_SECONDS, AuditRetention
from .audit.sequencing import Sequencer
from .audit.trail import Trail
from .calls.guards.audit import Audit
from .errors import RegistryError
from .model.audit import AuditEntry, AuditEvent, AuditOutcome, AuditResource
from .registry.leasing import LeaseKeeper
from .registry.periodic import PeriodicWork
from .settings import AuditSettings
from .storage.store import Store
from .telemetry import families as f
from .telemetry import logs

LEASE_SECONDS = 10.0
"""After how long another server gives entries their places when the one that did so has died."""

_LOG = logs.get("audit")


class AuditWork:
    """`guard` is for the calls; `works` run from `start` to `stop`."""

    def __init__(self, settings: AuditSettings, store: Store, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self.trail = Trail(store, clock, most=settings.buffer)
        self.guard = Audit(self.trail, clock, reads=settings.reads)
        self.sequencer = Sequencer(store, clock)
        self._keys = SigningKeys(store, settings.key_file)
        self._lease = LeaseKeeper(store, "audit", LEASE_SECONDS)
        self._signer: Signer | None = None
        self._failures = 0
        self.works = [
            PeriodicWork(
                "audit",
                self._write,
                clock,
                every_seconds=settings.interval_seconds,
                runs_at_stop=True,
            )
        ]
        if settings.retention_seconds is not None:
            age = timedelta(seconds=settings.retention_seconds)
            self.works.append(
                PeriodicWork(
                    "audit_retention",
                    AuditRetention(store, age, clock, self.trail).sweep,
                    clock,
                    every_seconds=SWEEP_SECONDS,
                    lease=LeaseKeeper(store, "audit_retention", 2 * SWEEP_SECONDS),
                )
            )

    def key(self) -> Signer:
        """The key of the registry, once it has started."""
        assert self._signer is not None
        return self._signer

    async def start(self) -> None:
        """Raises StorageUnavailable when the key cannot be used."""
        self._signer = await self._keys.signer()
        self.sequencer.sign_with(self._signer)
        self._say(AuditEvent.SYSTEM_STARTED)
        for work in self.works:
            work.start()

    async def stop(self) -> None:
        """Write what waits, and give it its place."""
        if self._signer is None:
            return
        self._say(AuditEvent.SYSTEM_STOPPED)
        for work in reversed(self.works):
            await work.stop()
        try:
            await self._lease.release()
        except RegistryError as error:
            _LOG.warning(
                "lease_not_released", work="audit", error=str(error), why="others wait until it expires"
            )
        if self.trail.waiting:
            _LOG.error(
                "audit_records_lost",
                records=self.trail.waiting,
                why="they could not be written before the stop",
            )

    def collect(self) -> Iterable[Metric]:
        """The families of the audit log for a scrape."""
        yield from self.sequencer.logged.collect()
        yield f.AUDIT_LOST.one(self.trail.lost)
        yield f.AUDIT_WAITING.one(self.trail.waiting)
        yield f.AUDIT_FAILURES.one(self._failures)
        yield f.AUDIT_UNSEQUENCED.one(self.sequencer.unsequenced_seconds)
        seen = self.sequencer.seen
        if seen is not None:
            yield f.AUDIT_SIZE.one(seen.size)
            yield f.AUDIT_CHECKPOINT_AT.one(seen.at / 1_000_000)

    async def _write(self) -> None:
        try:
            await self.trail.flush()
            if await self.sequencer.waits():
                await self._lease.run(lambda: self.sequencer.run(self._lease.confirm))
        except RegistryError:
            self._failures += 1
            raise

    def user_changed(self, name: str) -> None:
        """The file of users says something else of one than before."""
        self._say(AuditEvent.PASSWORD_CHANGED, (AuditResource("user", name),))

    def _say(self, event: AuditEvent, resources: tuple[AuditResource, ...] = ()) -> None:
        self.trail.add(
            AuditEntry(
                id=new_id(),
                at=self._clock(),
                event=event,
                outcome=AuditOutcome.ALLOWED,
                principal="schema-registry-server",
                kind=SYSTEM,
                resources=resources,
                facts={"version": __version__},
            )
        )
