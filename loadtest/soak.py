"""Half an hour of hostile and honest callers at once: what a server holds ends where it began.

    python loadtest/soak.py                                      30 minutes on SQLite and the native engine
    python loadtest/soak.py --minutes 8 --engine grpcio
    python loadtest/soak.py --postgresql --markdown loadtest/results/soak.md

The attacks of loadtest/hostile.py follow one another in an order that --seed chooses, --at-once of them at a time, each from addresses of its own, beside honest callers. In
the first minutes (--warm-up) all attacks are met once or more, and caches, which are small here, fill. Then the attackers rest until
the server has settled, which is where it "begins"; after the last minute they rest again. Memory of the server and its workers, file
descriptors, threads and temporary files are looked at every minute.

The exit code is 1 when at the end memory is above that of the beginning by more than --memory-mib, when more than a few descriptors or
threads stay, when a temporary file stays, when an honest call failed with a fault of the server, or when a call crashed in it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

import rig
import uvloop
from attacks.all import chosen
from honest import RATES, Honest
from hostile import SPARE_DESCRIPTORS, DidNotBegin, fault, listed, p, settings_of, start_attack, start_honest
from watching import Footprint, Log, Stall, crashes, footprint, settled, stalls

ATTACK_SECONDS = 12.0
REST_SECONDS = 60.0
"""How long the server is given to settle: longer than `changes.stall_seconds`, after which readers that take nothing are ended."""
SPARE_THREADS = 4
CACHES = {"CACHES__ANSWERS_BYTES": str(16 << 20), "CACHES__SCHEMA_BYTES": str(16 << 20)}
"""So small that they are full after the warm-up."""


class Soak:
    """A server under mixed load. `moments`: (minutes since the start, what it was, the footprint)."""

    def __init__(self, server: rig.Server, log: Path, temporary: Path, given: argparse.Namespace) -> None:
        self.server, self.temporary, self.given = server, temporary, given
        self.log = Log(log)
        self.moments: list[tuple[float, str, Footprint]] = []
        self.stalls: list[Stall] = []
        self.crashes: list[str] = []
        self.outcomes: Counter[str] = Counter()
        self.attacks: Counter[str] = Counter()
        self.honest: list[Honest] = []
        self._began = time.monotonic()
        names = list(chosen(given.only))
        random.Random(given.seed).shuffle(names)
        self._names = itertools.cycle(names)
        self._networks = itertools.cycle(range(1, 256))

    def look(self, what: str, seen: Footprint | None = None) -> Footprint:
        """Notes what the server holds now."""
        now = seen or footprint(self.server.process, self.temporary)
        lines = self.log.read()
        self.stalls += stalls(lines)
        self.crashes += crashes(lines)
        minutes = (time.monotonic() - self._began) / 60
        self.moments.append((minutes, what, now))
        print(
            f"{minutes:5.1f} min  {what:10} {now.memory:6.0f} MiB, {now.descriptors} descriptors, {now.threads} threads, "
            f"{now.files} files, {len(self.stalls)} stalls, {sum(self.attacks.values())} attacks",
            flush=True,
        )
        return now

    async def run(self) -> None:
        least = self.look("start")
        await self.load(self.given.warm_up)
        least = await self.rest("begins", least)
        await self.load(self.given.minutes - self.given.warm_up)
        await self.rest("ends", least)

    async def load(self, minutes: float) -> None:
        """So many minutes of load."""
        end = time.monotonic() + minutes * 60
        honest = await start_honest(self.server)
        async with asyncio.TaskGroup() as group:
            for _ in range(self.given.at_once):
                group.create_task(self._attack(end))
            while time.monotonic() < end:
                await asyncio.sleep(min(60.0, max(0.0, end - time.monotonic())))
                self.look("load")
        out, _ = await honest.communicate(b"")
        self.honest += [Honest(*json.loads(line)) for line in out.splitlines()]

    async def _attack(self, end: float) -> None:
        while (left := end - time.monotonic()) > 1:
            name = next(self._names)
            try:
                attacker = await start_attack(
                    self.server, name, min(ATTACK_SECONDS, left), next(self._networks)
                )
            except DidNotBegin:  # a call that prepares it was refused beside the other attacks
                self.outcomes["an attack did not begin"] += 1
                continue
            out, _ = await attacker.communicate(b"\n")
            self.attacks[name] += 1
            self.outcomes += Counter({"the attack failed": 1} if attacker.returncode else json.loads(out))

    async def rest(self, what: str, least: Footprint) -> Footprint:
        """Waits until the server has settled."""
        await asyncio.sleep(REST_SECONDS / 2)
        now = await settled(
            self.server.process,
            self.temporary,
            least,
            REST_SECONDS,
            descriptors=SPARE_DESCRIPTORS,
            threads=SPARE_THREADS,
        )
        return self.look(what, now)

    def broken(self) -> list[str]:
        """What did not end where it began, and faults."""
        (begin,) = (seen for _, what, seen in self.moments if what == "begins")
        end = self.moments[-1][2]
        found = []
        if end.memory > begin.memory + self.given.memory_mib:
            found.append(f"memory +{end.memory - begin.memory:.0f} MiB")
        if end.descriptors > begin.descriptors + SPARE_DESCRIPTORS:
            found.append(f"descriptors +{end.descriptors - begin.descriptors}")
        if end.threads > begin.threads + SPARE_THREADS:
            found.append(f"threads +{end.threads - begin.threads}")
        if end.files > begin.files:
            found.append(f"temporary files +{end.files - begin.files}")
        faults = Counter(f"honest {c.kind}: {c.outcome}" for c in self.honest if fault(c.outcome))
        found += [f"{what} × {n}" for what, n in faults.items()]
        found += [f"{what} × {n}" for what, n in self.outcomes.items() if fault(what.rpartition(": ")[2])]
        if self.crashes:
            found.append(f"{len(self.crashes)} crashes in the log")
        return found

    def page(self) -> Sequence[str]:
        """The tables."""
        moments = [
            f"| {minutes:.0f} | {what} | {s.own:.0f} | {s.children:.0f} | {s.descriptors} | {s.threads} | {s.files} |"
            for minutes, what, s in self.moments
        ]
        callers = [
            f"| {kind} | {sum(c.kind == kind for c in self.honest):,} | {p(self.honest, kind, 0.5) * 1000:.1f} ms "
            f"| {p(self.honest, kind, 0.99) * 1000:.0f} ms | {listed(self._refused(kind)) or 'none'} |"
            for kind in RATES
        ]
        worst = sorted(self.stalls, key=lambda s: -s.processor)[:10]
        return [
            "| minute | | MiB of the server | of its workers | descriptors | threads | temporary files |",
            "|---|---|---|---|---|---|---|",
            *moments,
            "",
            "| honest calls | | p50 | p99 | refused |",
            "|---|---|---|---|---|",
            *callers,
            "",
            f"{sum(self.attacks.values())} attacks of {len(self.attacks)} kinds. Their calls: {listed(self.outcomes)}.",
            "",
            "The longest stretches of the event loop (clock / processor time, where it stood):",
            "",
            *(f"* {s.seconds * 1000:.0f} / {s.processor * 1000:.0f} ms: {s.code}" for s in worst),
            "",
            "Bars: " + ("; ".join(self.broken()) or "all hold") + ".",
        ]

    def _refused(self, kind: str) -> Counter[str]:
        return Counter(
            c.outcome for c in self.honest if c.kind == kind and not c.outcome.startswith(("OK", "20"))
        )


def options() -> argparse.Namespace:
    parser = rig.parser(__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="of load, the warm-up included")
    parser.add_argument("--warm-up", type=float, default=6.0, help="minutes")
    parser.add_argument("--at-once", type=int, default=2, help="attacks at a time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="attacks whose name holds it"
    )
    parser.add_argument("--engine", choices=("native", "grpcio"), default="native")
    parser.add_argument("--postgresql", action="store_true", help="on PostgreSQL instead of SQLite")
    parser.add_argument("--memory-mib", type=float, default=100.0, help="how much memory may stay")
    return parser.parse_args()


def main() -> None:
    given = options()
    if not 0 < given.warm_up < given.minutes:
        raise SystemExit("--warm-up must be shorter than --minutes")
    head = rig.head("Half an hour of hostile and honest callers", os.getloadavg()[0])
    with (
        rig.postgres() if given.postgresql else nullcontext(dict[str, str]) as database,
        tempfile.TemporaryDirectory() as home,
    ):
        log, temporary = Path(home, "log"), Path(home, "tmp")
        temporary.mkdir()
        settings = {**settings_of(given.engine), **CACHES, **database()}
        with rig.server(log, {"TMPDIR": str(temporary)}, **settings) as server:
            soak = Soak(server, log, temporary, given)
            with suppress(KeyboardInterrupt):
                uvloop.run(soak.run())
    lines = [
        *head,
        f"On {'PostgreSQL' if given.postgresql else 'SQLite'}, the {given.engine} engine.",
        "",
        *soak.page(),
    ]
    rig.publish(lines, given.markdown)
    sys.exit(bool(soak.broken()))


if __name__ == "__main__":
    main()
