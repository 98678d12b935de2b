"""The page and the pictures of a load test. Pure, but for the files that it writes."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import plots
from .records import DELIVERY, Record

BUSY = 0.85
"""Share of a processor from which on a generator is taken to be what bounds a rate."""


@dataclass
class Measured:
    """The runs of a scenario over one wire. rate: calls per second that the open loop offered."""

    scenario: str
    about: str
    wire: str
    closed: list[Record] = field(default_factory=list)
    open: list[Record] = field(default_factory=list)
    rate: float = 0.0

    @property
    def records(self) -> list[Record]:
        return [*self.closed, *self.open]

    @property
    def wrong(self) -> list[str]:
        """Texts of wrong answers."""
        return [
            f"{self.scenario} over {self.wire}: {text}" for record in self.records for text in record.wrong
        ]

    @property
    def wrong_count(self) -> int:
        return sum(record.wrong_count for record in self.records)


def merged(records: Sequence[Record]) -> Record:
    """Those of processes that made load together, as one. Processes that all of them watched are taken from the first."""
    whole = Record(seconds=max(record.seconds for record in records))
    for record in records:
        for name, times in record.calls.items():
            whole.calls.setdefault(name, []).extend(times)
        whole.errors = dict(Counter(whole.errors) + Counter(record.errors))
        whole.wrong += record.wrong
        whole.wrong_count += record.wrong_count
        whole.not_sent += record.not_sent
    first = records[0]
    whole.processor = {
        **first.processor,
        "generator": sum(r.processor.get("generator", 0.0) for r in records),
    }
    whole.memory, whole.hits, whole.misses = first.memory, first.hits, first.misses
    return whole


def spread(values: Sequence[float], digits: int = 0) -> str:
    """The median, and the lowest and highest of several."""
    if not values:
        return ""
    cells = [f"{v:,.{digits}f}" for v in (statistics.median(values), min(values), max(values))]
    return f"{cells[0]} ({cells[1]} to {cells[2]})"


def quantiles(values: Sequence[float]) -> str:
    """p50, p95 and p99 of seconds, in milliseconds."""
    if len(values) < 2:
        return ""
    cuts = statistics.quantiles(values, n=100)
    return ", ".join(f"{cuts[p - 1] * 1000:.1f}" for p in (50, 95, 99)) + " ms"


def scenario_lines(parts: Sequence[Measured], pictures: str, generators: int) -> list[str]:
    """A section of the page: one scenario over every wire."""
    lines = [
        f"## {parts[0].scenario}: {parts[0].about}",
        "",
        "| wire | answers/s, closed loop | p50, p95, p99, closed loop | offered | p50, p95, p99, open loop | errors | not sent |",
        "|---|---|---|---|---|---|---|",
    ]
    for part in parts:
        errors = Counter[str]()
        for record in part.records:
            errors.update(record.errors)
        told = ", ".join(f"{name} × {count}" for name, count in errors.items()) or "none"
        lines.append(
            f"| {part.wire} | {spread([r.rate for r in part.closed])} | {quantiles(_all(part.closed))} | {part.rate:,.0f}/s | "
            f"{quantiles(_all(part.open))} | {told} | {sum(r.not_sent for r in part.open):,} |"
        )
    lines += [
        "",
        "| wire | processor time of each answer | generator | cached answers | memory of the server at the end |",
        "|---|---|---|---|---|",
    ]
    for part in parts:
        shares = [
            r.processor.get("generator", 0.0) / r.seconds / generators for r in part.closed if r.seconds
        ]
        memory = [r.memory[-1][1] for r in part.records if r.memory]
        lines.append(
            f"| {part.wire} | {per_answer(part.closed)} | {_share(shares)} | {_hits(part.records)} | "
            f"{memory[-1] if memory else 0:,.0f} MiB ({(memory[-1] - memory[0]) if memory else 0:+,.0f} since the first run) |"
        )
    deliveries = {
        p.wire: p.closed + p.open for p in parts if any(r.latencies(deliveries=True) for r in p.records)
    }
    if deliveries:
        lines += [
            "",
            "| deliveries of changes to subscribers over | count | p50, p95, p99 from the call of the write |",
            "|---|---|---|",
        ]
        for wire, records in deliveries.items():
            times = [took for record in records for took in record.latencies(deliveries=True)]
            lines.append(f"| {wire} | {len(times):,} | {quantiles(times)} |")
    names = ("latency", "throughput", "memory")
    lines += ["", *(f"![{name}]({pictures}/{parts[0].scenario}-{name}.svg)" for name in names), ""]
    return lines


def draw(parts: Sequence[Measured], folder: Path) -> None:
    """The pictures of one scenario."""
    folder.mkdir(parents=True, exist_ok=True)
    name = parts[0].scenario
    latency = {f"{p.wire}, open loop": [t * 1000 for t in _all(p.open)] for p in parts}
    latency |= {
        f"{p.wire}, deliveries": [t * 1000 for r in p.open for t in r.latencies(deliveries=True)]
        for p in parts
        if any(DELIVERY in r.calls for r in p.open)
    }
    throughput = {
        f"{p.wire}, {loop}": _per_second(runs)
        for p in parts
        for loop, runs in (("closed", p.closed), ("open", p.open))
    }
    memory = {p.wire: _memory(p.records) for p in parts}
    pictures = {
        "latency": plots.histogram(f"{name}: latency", latency),
        "throughput": plots.lines(
            f"{name}: throughput", throughput, "seconds of a run", "answers/s, mean of the runs"
        ),
        "memory": plots.lines(
            f"{name}: memory of the server", memory, "seconds of measuring, run after run", "MiB"
        ),
    }
    for kind, picture in pictures.items():
        (folder / f"{name}-{kind}.svg").write_text(picture)


def per_answer(records: Sequence[Record]) -> str:
    """Processor time of each answer by process, the median of the runs."""
    found: dict[str, list[float]] = {}
    for record in records:
        for name, seconds in record.processor.items():
            if record.done and name != "generator":
                found.setdefault(name, []).append(seconds / record.done * 1e6)
    return ", ".join(f"{name} {statistics.median(each):,.0f} us" for name, each in found.items())


def _all(records: Sequence[Record]) -> list[float]:
    return [took for record in records for took in record.latencies()]


def _share(shares: Sequence[float]) -> str:
    if not shares:
        return ""
    share = statistics.median(shares)
    return f"{share:.0%} of a processor" + (": **it bounds the rate**" if share > BUSY else "")


def _hits(records: Sequence[Record]) -> str:
    hits, asked = sum(r.hits for r in records), sum(r.hits + r.misses for r in records)
    return f"{hits / asked:.1%} of {asked:,.0f}" if asked else "not asked for"


def _per_second(records: Sequence[Record]) -> list[plots.Point]:
    """Answers in each whole second of the runs, on average."""
    if not records:
        return []
    seconds = max(1, int(min(record.seconds for record in records)))
    counts = [0.0] * seconds
    for record in records:
        for name, times in record.calls.items():
            for at, took in times:
                if name != DELIVERY and at + took < seconds:
                    counts[int(at + took)] += 1 / len(records)
    return [(second + 0.5, count) for second, count in enumerate(counts)]


def _memory(records: Sequence[Record]) -> list[plots.Point]:
    points, before = [], 0.0
    for record in records:
        points += [(before + at, mib) for at, mib in record.memory]
        before += record.seconds
    return points


def ceiling_lines(parts: Mapping[str, Measured], reads: Mapping[str, Measured], generators: int) -> list[str]:
    """What the generator itself can do: the same user against a server that only answers."""
    lines = [
        "## Ceilings: what the generator can do",
        "",
        "One user after the other asks a server that knows nothing and answers with the same bytes (loadtest/empty_servers.py); answers are "
        "read and checked as elsewhere. Where reads come near to this, their rate says nothing about the registry: its processor "
        "time of each answer does, and `loadtest/results/hot-reads.md`, which is made with h2load.",
        "",
        "| wire | answers/s | generator | reads of the registry beside it |",
        "|---|---|---|---|",
    ]
    for wire, part in parts.items():
        shares = [r.processor.get("generator", 0.0) / r.seconds / generators for r in part.closed]
        beside = ""
        if wire in reads:
            ratio = statistics.median(r.rate for r in reads[wire].closed) / statistics.median(
                r.rate for r in part.closed
            )
            beside = f"{ratio:.0%}"
        share = f"{statistics.median(shares):.0%} of a processor"
        lines.append(f"| {wire} | {spread([r.rate for r in part.closed])} | {share} | {beside} |")
    return [*lines, ""]


def unanswered(everything: Sequence[Measured], percent: float) -> list[str]:
    """Where more than so many percent of the calls got no answer, or none was made."""
    found = []
    for part in everything:
        done = sum(record.done for record in part.records)
        errors = sum(sum(record.errors.values()) + record.not_sent for record in part.records)
        if not done or errors > (done + errors) * percent / 100:
            found.append(
                f"{part.scenario} over {part.wire}: {errors:,} of {done + errors:,} calls got no answer"
            )
    return found


def grown(everything: Sequence[Measured], most: float) -> list[str]:
    """Where the server's memory was larger at the end than after the first third."""
    found = []
    for part in everything:
        for record in part.records:
            third = next((mib for at, mib in record.memory if at >= record.seconds / 3), None)
            if third is not None and record.memory[-1][1] - third > most:
                more = record.memory[-1][1] - third
                found.append(
                    f"{part.scenario} over {part.wire}: memory grew by {more:.0f} MiB after the first third"
                )
    return found
