"""Asks one engine random questions for as long as wanted; prints counts, and every answer that is wrong, slow or none.

    PYTHONPATH=.:engines:server:clients/python nice -n 19 python loadtest/engines/fuzz.py --engine json --minutes 60 --seed 1 \\
        [--kind edits ...] [--markdown loadtest/results/fuzz-json.md]
    ... fuzz.py --engine json --seed 1 --kind edits --replay 1234      one round again, with what it finds

The questions are those of tests/fuzz. They are asked in a process of their own: one that crashes it, or that it does not answer in
`--patience` seconds, is a finding too. Each kind of question gets the same processor time. The status is 1 when there is a finding.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import platform
import sys
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fuzz.kinds import Kind, Outcome, round_of

ENGINES = {"json": "json_schema", "avro": "avro", "protobuf": "protobuf"}
SHOWN = 20
"""Most findings of one kind that are printed in full."""


def kinds_of(engine: str) -> dict[str, Kind]:
    module = importlib.import_module(f"tests.fuzz.{ENGINES[engine]}")
    return {kind.name: kind for kind in module.KINDS}


def answer(engine: str, seed: int, pipe: Connection) -> None:
    """The child: answers (kind, number) with (outcome, seconds of processor time) until None comes."""
    kinds = kinds_of(engine)
    while (question := pipe.recv()) is not None:
        started = time.process_time()
        outcome = round_of(kinds[question[0]], seed, question[1])
        pipe.send((outcome, time.process_time() - started))


class Asker:
    """Asks a child, and starts another one when it dies or does not answer in `patience` seconds."""

    def __init__(self, engine: str, seed: int, patience: float) -> None:
        self._engine, self._seed, self._patience = engine, seed, patience
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def _start(self) -> None:
        self._pipe, theirs = self._context.Pipe()
        self._child = self._context.Process(
            target=answer, args=(self._engine, self._seed, theirs), daemon=True
        )
        self._child.start()
        theirs.close()

    def ask(self, kind: str, number: int) -> tuple[Outcome, float]:
        self._pipe.send((kind, number))
        started = time.monotonic()
        try:
            if self._pipe.poll(self._patience):
                outcome, took = self._pipe.recv()
                return outcome, took
            fault = f"no answer in {self._patience:.0f} s"
        except (EOFError, ConnectionError):
            self._child.join()
            fault = f"the process ended with status {self._child.exitcode}"
        self.stop()
        self._start()
        return Outcome(Counter({"rounds": 1}), [fault]), time.monotonic() - started

    def stop(self) -> None:
        self._child.kill()
        self._child.join()


def run(
    engine: str, names: list[str], seed: int, minutes: float, patience: float
) -> dict[str, tuple[Outcome, float]]:
    """Kind -> what was seen and how many seconds of processor time were spent."""
    asker = Asker(engine, seed, patience)
    seen = {name: (Outcome(), 0.0) for name in names}
    numbers = dict.fromkeys(names, 0)
    end = time.monotonic() + 60 * minutes
    next_report = time.monotonic() + 60
    while time.monotonic() < end:
        name = min(names, key=lambda n: seen[n][1])
        outcome, took = asker.ask(name, numbers[name])
        for finding in outcome.findings[:SHOWN]:
            print(
                f"FINDING {engine} --seed {seed} --kind {name} --replay {numbers[name]}\n{finding}\n",
                flush=True,
            )
        numbers[name] += 1
        seen[name][0].add(outcome)
        seen[name] = (seen[name][0], seen[name][1] + took)
        if time.monotonic() > next_report:
            next_report = time.monotonic() + 60
            rounds = ", ".join(f"{n} {o.counts['rounds']:,}" for n, (o, _) in seen.items())
            findings = sum(len(o.findings) for o, _ in seen.values())
            print(
                f"{(end - time.monotonic()) / 60:5.1f} min left; rounds: {rounds}; findings: {findings}",
                flush=True,
            )
    asker.stop()
    return seen


def table(engine: str, seed: int, minutes: float, seen: dict[str, tuple[Outcome, float]]) -> str:
    judges = {kind.name: kind.judge for kind in kinds_of(engine).values()}
    lines = [
        f"`python loadtest/engines/fuzz.py --engine {engine} --minutes {minutes:g} --seed {seed}`",
        "",
        f"{os.cpu_count()} processors, Python {platform.python_version()}",
        "",
        "| questions | judge | rounds | processor time | seen | slowest operation | findings |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (outcome, spent) in seen.items():
        counted = ", ".join(f"{what} {n:,}" for what, n in outcome.counts.most_common() if what != "rounds")
        slowest = max(outcome.slowest.items(), key=lambda item: item[1], default=("", 0.0))
        slow = f"{slowest[0]} {slowest[1]:.2f} s" if slowest[0] else ""
        lines.append(
            f"| {name} | {judges[name]} | {outcome.counts['rounds']:,} | {spent:,.0f} s | {counted} | {slow} | {len(outcome.findings)} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=ENGINES, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--kind", action="append", help="only this kind of question; may be given several times"
    )
    parser.add_argument("--replay", type=int, help="the number of one round to repeat")
    parser.add_argument("--patience", type=float, default=300, help="seconds that one round may take")
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    kinds = kinds_of(given.engine)
    names = given.kind or list(kinds)
    if unknown := set(names) - kinds.keys():
        parser.error(f"--kind: {', '.join(sorted(unknown))} is none of {', '.join(kinds)}")
    if given.replay is not None:
        outcome = round_of(kinds[names[0]], given.seed, given.replay)
        print(*outcome.findings or ["nothing is wrong"], dict(outcome.counts), outcome.slowest, sep="\n")
        return bool(outcome.findings)
    seen = run(given.engine, names, given.seed, given.minutes, given.patience)
    text = table(given.engine, given.seed, given.minutes, seen)
    print(text)
    if given.markdown:
        given.markdown.write_text(f"# A fuzz of the {given.engine} engine\n\n{text}", encoding="utf-8")
    return int(any(outcome.findings for outcome, _ in seen.values()))


if __name__ == "__main__":
    sys.exit(main())
