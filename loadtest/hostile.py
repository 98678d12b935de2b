"""What honest callers notice while others attack the server, and what the attacks cost it.

    python loadtest/hostile.py                                   all attacks, on SQLite; 15 to 20 minutes
    python loadtest/hostile.py --only "rapid reset" --seconds 5  one of them (any part of a name; may be repeated)
    python loadtest/hostile.py --postgresql                      the same on PostgreSQL
    python loadtest/hostile.py --list                            the attacks, and which tests stand for what is no matter of load
    python loadtest/hostile.py --markdown loadtest/results/hostile.md

Each attack gets a server of its own; attacks on the gRPC port are run on both engines. Honest callers are a process of their own
that calls at a fixed rate, from another address than the attackers: first alone, then during the attack. A call's time counts from
when it was to begin.

What the table says of each attack: p50 and p99 of honest calls before and during it; the longest time for which the event loop did not come
to its next turn, by the clock and (what a machine with other work does not lengthen) by the processor time of its thread, and at which
code it stood; memory of the server and its workers before, at the peak and after; file descriptors before and after; which honest
calls were refused; how the attackers' calls ended. The last column names what broke a bar:

    honest p99 more than 100 ms above what it was before; more than 20 ms of processor time in one piece on the loop; memory that grows by
    more than --memory-mib; descriptors that stay open; an honest call that failed with a fault of the server, or more than a tenth of
    them refused; a fault of the server (INTERNAL, 500, a crash in its log) in anybody's call; a server that has ended.

The exit code is 1 when a bar is broken. On a machine with other work, compare before and during, and look at processor times.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import rig
import uvloop
from attacks.all import ENGINES, chosen, engines_of
from attacks.attack import ATTACKS, BUGS, Attack, Outcomes, Target, come_from
from attacks.evidence import ITEMS, TESTS
from honest import RATES, Honest
from watching import POOL_THREADS, Footprint, Log, Peak, Stall, crashes, footprint, settled, stalls

P99_SECONDS, STRETCH_SECONDS = 0.1, 0.02
MOST_REFUSED = 0.1
SETTLE_SECONDS = 20.0
SPARE_DESCRIPTORS = 4
"""Descriptors that may stay open after an attack: of caches, of the pool of a database."""
NICE = 5
"""Attackers share the processors with the server, as they would not in reality: they come after it."""

_GOOD = ("OK", "200", "201")


@dataclass(frozen=True)
class Result:
    """What was seen of one attack on one engine."""

    attack: Attack
    engine: str
    before: Sequence[Honest]
    during: Sequence[Honest]
    stalls: Sequence[Stall]
    crashes: Sequence[str]
    footprints: tuple[Footprint, Footprint]
    peak: float
    outcomes: Outcomes
    died: bool

    def refused(self, calls: Sequence[Honest] | None = None) -> Counter[str]:
        """Honest calls that were not answered well, by kind and outcome."""
        return Counter(
            f"{c.kind}: {c.outcome}" for c in calls or self.during if not c.outcome.startswith(_GOOD)
        )

    def broken(self, most_mib: float) -> list[str]:
        """The bars that do not hold."""
        found = []
        for kind in RATES:
            rise = p(self.during, kind, 0.99) - p(self.before, kind, 0.99)
            if rise > P99_SECONDS:
                found.append(f"p99 of {kind} +{rise * 1000:.0f} ms")
            calls = [c for c in self.during if c.kind == kind]
            refused = [c for c in calls if not c.outcome.startswith(_GOOD)]
            if len(refused) > MOST_REFUSED * len(calls):
                found.append(f"{len(refused)} of {len(calls)} {kind} refused")
        found += [f"honest {what}" for what in self.refused() if fault(what.partition(": ")[2])]
        longest = max((s.processor for s in self.stalls), default=0.0)
        if longest > STRETCH_SECONDS:
            found.append(f"{longest * 1000:.0f} ms of processor time on the loop")
        first, last = self.footprints
        if self.peak - first.memory > most_mib:
            found.append(f"memory +{self.peak - first.memory:.0f} MiB")
        if last.descriptors > first.descriptors + SPARE_DESCRIPTORS:
            found.append(f"{last.descriptors - first.descriptors} descriptors stay open")
        found += [f"{what} × {n}" for what, n in self.outcomes.items() if fault(what.rpartition(": ")[2])]
        if self.crashes:
            found.append(f"{len(self.crashes)} crashes in the log")
        if self.died:
            found.append("the server has ended")
        return found


def fault(outcome: str) -> bool:
    """Whether an outcome is a fault of the server."""
    return outcome.startswith((*BUGS, "UNAVAILABLE"))


def p(calls: Sequence[Honest], kind: str, share: float) -> float:
    seconds = [c.seconds for c in calls if c.kind == kind]
    return rig.percentile(seconds, share) if seconds else 0.0


class DidNotBegin(RuntimeError):
    """An attack could not be prepared, on a server that is under attack already."""


async def python(*arguments: str) -> asyncio.subprocess.Process:
    """One of our scripts, which says "ready" when it is. Raises DidNotBegin."""
    directory = Path(__file__).parent
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        str(directory / arguments[0]),
        *arguments[1:],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 26,
    )
    assert started.stdout is not None
    try:
        async with asyncio.timeout(300):
            if await started.stdout.readline() == b"ready\n":
                return started
    except TimeoutError:
        started.kill()
    await started.wait()
    raise DidNotBegin(f"{' '.join(arguments)} did not begin")


def ports(server: rig.Server) -> tuple[str, ...]:
    return ("--grpc", str(server.port), "--http", str(server.http))


async def start_honest(server: rig.Server) -> asyncio.subprocess.Process:
    return await python("honest.py", *ports(server))


async def start_attack(
    server: rig.Server, name: str, seconds: float, network: int = 0
) -> asyncio.subprocess.Process:
    """Prepares an attack, from addresses of 127.network.0.0/16; it begins when its standard input is written to."""
    more = ("--metrics", str(server.metrics), "--seconds", str(seconds), "--network", str(network))
    return await python("hostile.py", "--attack", name, *ports(server), *more)


async def measure(
    server: rig.Server, attack: Attack, engine: str, seconds: float, log: Log, temporary: Path
) -> Result:
    """An attack on a server that has just started."""
    attacker = await start_attack(server, attack.name, seconds + 1)
    honest = await start_honest(server)
    await asyncio.sleep(1.5)  # until it is warm
    began = time.monotonic()
    await asyncio.sleep(seconds)
    first = footprint(server.process, temporary)
    log.skip()
    with Peak(server.process, temporary) as peak:
        begun = time.monotonic()
        out, _ = await attacker.communicate(b"\n")
        ended = time.monotonic()
    died = server.process.status() == "zombie"
    outcomes: Outcomes = (
        Counter({"the attack failed": 1}) if attacker.returncode else Counter(json.loads(out))
    )
    lines = log.read()
    calls = [Honest(*json.loads(line)) for line in (await honest.communicate(b""))[0].splitlines()]
    last = first
    if not died:
        last = await settled(
            server.process,
            temporary,
            first,
            SETTLE_SECONDS,
            descriptors=SPARE_DESCRIPTORS,
            threads=SPARE_DESCRIPTORS + POOL_THREADS,
        )
    return Result(
        attack,
        engine,
        [c for c in calls if began <= c.due < begun],
        [c for c in calls if begun + 0.5 <= c.due < ended - 0.5],
        stalls(lines),
        crashes(lines),
        (first, last),
        peak.memory,
        outcomes,
        died,
    )


def settings_of(engine: str) -> dict[str, str]:
    return {
        "GRPC__ENGINE": engine,
        "GRPC__FRONT": "on",  # as on every address but loopback, as are the limits of rates
        "RATE_LIMITS__MODE": "on",
        "LOGS__LEVEL": "warning",
        "LOGS__FORMAT": "json",
        "LOGS__STALL_SECONDS": str(STRETCH_SECONDS),
    }


# -- the page


def row(result: Result, most_mib: float) -> str:
    """A line of the table."""
    first, last = result.footprints
    longest = max(result.stalls, key=lambda s: s.processor, default=Stall(0.0, 0.0, ""))
    clock = max((s.seconds for s in result.stalls), default=0.0)
    stall = f"{clock * 1000:.0f} / {longest.processor * 1000:.0f} ms"
    if longest.code:
        stall += f" ({longest.code.replace('|', ';')})"
    cells = [
        result.attack.name,
        result.engine,
        *(f"{pair(result.before, kind)} → {pair(result.during, kind)}" for kind in RATES),
        stall if result.stalls else "none",
        f"{first.memory:.0f}, {result.peak:.0f}, {last.memory:.0f}",
        f"{first.descriptors}, {last.descriptors}",
        listed(result.refused()) or "none",
        listed(result.outcomes),
        "; ".join(result.broken(most_mib)) or "-",
    ]
    return f"| {' | '.join(cells)} |"


def pair(calls: Sequence[Honest], kind: str) -> str:
    """Median and 99th percentile in milliseconds."""
    return f"{p(calls, kind, 0.5) * 1000:.1f}, {p(calls, kind, 0.99) * 1000:.0f}"


def listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{what} × {n:,}" for what, n in sorted(counts.items(), key=lambda c: -c[1])[:6])


def table_head() -> list[str]:
    names = [
        "attack",
        "engine",
        *RATES,
        f"event loop away, clock / processor (above {STRETCH_SECONDS * 1000:.0f} ms)",
        "MiB before, peak, after",
        "descriptors before, after",
        "honest calls refused",
        "the attackers' calls",
        "bars broken",
    ]
    return [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]


def evidence() -> list[str]:
    """Where the evidence for each kind of fault is."""
    lines = ["| | the kind of fault | attacks | tests |", "|---|---|---|---|"]
    for item, about in ITEMS.items():
        attacks = ", ".join(a.name for a in ATTACKS.values() if item in a.items)
        tests = ", ".join(f"`{test}`" for test in TESTS.get(item, ()))
        lines.append(f"| {item} | {about} | {attacks} | {tests} |")
    return lines


# -- the command


async def carry_out(name: str, target: Target, seconds: float) -> None:
    """The attackers' process: prepares, waits for its standard input, attacks."""
    attack = ATTACKS[name]
    ids = await attack.prepare(target) if attack.prepare else {}
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    with suppress(PermissionError):
        os.nice(NICE)
    found = await attack.run(
        Target(target.grpc, target.http, target.metrics, time.monotonic() + seconds, ids)
    )
    print(json.dumps(found), flush=True)


def options() -> argparse.Namespace:
    parser = rig.parser(__doc__)
    parser.add_argument(
        "--seconds", type=float, default=8.0, help="of each attack, and of the time before it"
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="attacks whose name holds it"
    )
    parser.add_argument("--engine", choices=(*ENGINES, "both"), default="both")
    parser.add_argument("--postgresql", action="store_true", help="on PostgreSQL instead of SQLite")
    parser.add_argument("--memory-mib", type=float, default=400.0, help="how much memory may grow by")
    parser.add_argument("--list", action="store_true", help="name the attacks and end")
    parser.add_argument("--attack", choices=list(ATTACKS), help=argparse.SUPPRESS)
    for number in ("--grpc", "--http", "--metrics", "--network"):
        parser.add_argument(number, type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def show_list() -> None:
    for name, attack in ATTACKS.items():
        print(f"{name:40}{attack.port:9}{attack.about}")
    print("", *evidence(), sep="\n")


def main() -> None:
    given = options()
    if given.list:
        show_list()
        return
    if given.attack:
        come_from(given.network)
        target = Target(given.grpc, given.http, given.metrics)
        uvloop.run(carry_out(given.attack, target, given.seconds))
        return
    engines = ENGINES if given.engine == "both" else (given.engine,)
    wanted = [(a, e) for a in chosen(given.only).values() for e in engines_of(a, engines)]
    page = [
        *rig.head("Hostile callers", os.getloadavg()[0]),
        f"On {'PostgreSQL' if given.postgresql else 'SQLite'}. Honest calls: p50, p99 in ms before → during the attack.",
        "",
        *table_head(),
    ]
    broken = 0
    with rig.postgres() if given.postgresql else nullcontext(dict[str, str]) as database:
        for number, (attack, engine) in enumerate(wanted, 1):
            print(f"{number}/{len(wanted)} {attack.name} on {engine}: {attack.about}", flush=True)
            with tempfile.TemporaryDirectory() as home:
                log, temporary = Path(home, "log"), Path(home, "tmp")
                temporary.mkdir()
                environment = {"TMPDIR": str(temporary)}
                with rig.server(log, environment, **settings_of(engine), **database()) as server:
                    result = uvloop.run(measure(server, attack, engine, given.seconds, Log(log), temporary))
            bars = result.broken(given.memory_mib)
            broken += bool(bars)
            print("    " + ("; ".join(bars) or "all bars hold"), flush=True)
            for crash in result.crashes[:3]:
                print(f"    {crash}", flush=True)
            page.append(row(result, given.memory_mib))
    page += ["", f"{broken} of {len(wanted)} attacks broke a bar.", "", *evidence()]
    rig.publish(page, given.markdown)
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
