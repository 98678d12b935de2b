"""Two commits side by side in micro-benchmarks: parsing, canonical forms, comparisons, validation, stores, caches, codecs.

    python loadtest/bench.py [--before HEAD~] [--after COMMIT] [--rounds 5] [--processes 3] [--only compare] [--markdown FILE]

`make bench BEFORE=... AFTER=...` runs it. Without --after it is the working tree. The benchmarks are those of this tree (loadtest/micro) and
run on the code of either; what one of the two lacks is told. Both sides take turns, in another order each round, in processes that
are started anew --processes times, since where things lie in memory makes a process a few percent faster or slower. A figure is processor
time, of all threads. The ratio is before / after, of one round: 2.00 is twice as fast now. Its median is shown with its quartiles; the
last column says faster or slower only when both quartiles are on one side of 1 and the median is off by more than --least percent.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rig
from micro.child import everything
from rig import ROOT
from two_commits import PARTS, Tree, checked_out

BATCH_SECONDS = 0.015
"""Of processor time that a benchmark is repeated for in one round."""
MOST_REPEATED = 1 << 20
WORKING_TREE = "working tree"


@dataclass
class Compared:
    """One benchmark. before, after: seconds of one operation, round by round. absent: why there is nothing to compare."""

    group: str
    name: str
    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    absent: str = ""

    @property
    def ratios(self) -> list[float]:
        """Before / after, round by round."""
        return [old / new for old, new in zip(self.before, self.after, strict=True)]


class Side:
    """A child process that runs benchmarks on one tree."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(folder / part) for part in PARTS)}
        command = [sys.executable, str(ROOT / "loadtest/micro/child.py")]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder
        )

    def ask(self, question: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a child ended with {self._process.wait()} when it was asked {question!r}")
        return json.loads(line)

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.communicate()  # ends standard input


@contextmanager
def sides(trees: Sequence[Tree]) -> Iterator[list[Side]]:
    """A new process for each tree."""
    made = [Side(tree.folder) for tree in trees]
    try:
        yield made
    finally:
        for side in made:
            side.stop()


def set_up(both: Sequence[Side], names: Sequence[str], what: Compared) -> bool:
    """Whether both sides can be measured; else says why in `absent`."""
    for side, name in zip(both, names, strict=True):
        why = side.ask(f"{what.group}: {what.name}")
        if why is not None:
            what.absent = f"not in {name}: {why}"
            return False
    return True


def repetitions(both: Sequence[Side], name: str) -> int:
    """How often it fits into BATCH_SECONDS on the slower side; warms both up."""
    count = 1
    while count < MOST_REPEATED:
        slowest: float = max(side.ask([name, count]) for side in both) * count
        if slowest >= BATCH_SECONDS / 4:
            return max(1, math.ceil(count * BATCH_SECONDS / slowest))
        count *= 2
    return count


def measure(trees: Sequence[Tree], compared: Sequence[Compared], rounds: int, processes: int) -> None:
    """Fills in the figures."""
    names = [tree.name for tree in trees]
    for number in range(processes):
        with sides(trees) as both:
            for what in compared:
                if what.absent or not set_up(both, names, what):
                    continue
                name = f"{what.group}: {what.name}"
                count = repetitions(both, name)
                for turn in range(rounds):
                    order = (0, 1) if (turn + number) % 2 == 0 else (1, 0)
                    took = {side: both[side].ask([name, count]) for side in order}
                    what.before.append(took[0])
                    what.after.append(took[1])
        print(f"process {number + 1} of {processes} done", file=sys.stderr, flush=True)


def row(what: Compared, least: float) -> str:
    """A line of the table."""
    ratios = what.ratios
    middle = statistics.median(ratios)
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else (middle, middle, middle)
    said = ""
    if abs(middle - 1) * 100 > least and (low > 1) == (high > 1):
        said = "faster" if middle > 1 else "slower"
    figures = " | ".join(shown(statistics.median(side)) for side in (what.before, what.after))
    return f"| {what.group} | {what.name} | {figures} | {middle:.2f} ({low:.2f} to {high:.2f}) | {said} |"


def shown(seconds: float) -> str:
    return f"{seconds * 1e6:,.2f} us" if seconds < 1e-3 else f"{seconds * 1e3:,.2f} ms"


def page(compared: Sequence[Compared], trees: Sequence[Tree], least: float) -> list[str]:
    lines = [
        f"| group | benchmark | {trees[0].name} | {trees[1].name} | before / after (quartiles) | |",
        "|---|---|---|---|---|---|",
        *(row(what, least) for what in compared if not what.absent),
    ]
    groups = list(dict.fromkeys(what.group for what in compared))
    lines += ["", "| group | benchmarks | geometric mean of the ratios |", "|---|---|---|"]
    for group in groups:
        middles = [
            statistics.median(what.ratios) for what in compared if what.group == group and not what.absent
        ]
        if middles:
            lines.append(f"| {group} | {len(middles)} | {statistics.geometric_mean(middles):.2f} |")
    absent = [what for what in compared if what.absent]
    if absent:
        lines += [
            "",
            "Not compared:",
            "",
            *(f"* {what.group}: {what.name}: {what.absent}" for what in absent),
        ]
    return lines


def trees_of(stack: ExitStack, before: str, after: str) -> list[Tree]:
    first = stack.enter_context(checked_out(before))
    second = stack.enter_context(checked_out(after)) if after else Tree(WORKING_TREE, ROOT)
    return [first, second]


def main() -> None:
    parser = rig.parser(__doc__)
    parser.add_argument("--before", default="HEAD~", help="a commit (default HEAD~)")
    parser.add_argument("--after", default="", help="a commit (default: the working tree)")
    parser.add_argument("--rounds", type=int, default=5, help="in each process (default 5)")
    parser.add_argument(
        "--processes", type=int, default=3, help="of each side, one after the other (default 3)"
    )
    parser.add_argument("--only", default="", help="benchmarks whose name holds this")
    parser.add_argument(
        "--least", type=float, default=3.0, help="percent below which nothing is said (default 3)"
    )
    given = parser.parse_args()
    compared = [Compared(b.group, b.name) for name, b in everything().items() if given.only in name]
    if not compared:
        parser.error(f"no benchmark has {given.only!r} in its name")
    load = os.getloadavg()[0]
    with ExitStack() as stack:
        trees = trees_of(stack, given.before, given.after)
        measure(trees, compared, given.rounds, given.processes)
    title = f"Micro-benchmarks: {trees[0].name} beside {trees[1].name}"
    rig.publish([*rig.head(title, load), *page(compared, trees, given.least)], given.markdown)
    if any(what.absent.startswith(f"not in {trees[1].name}") for what in compared):
        sys.exit("a benchmark does not run on what was to be measured")


if __name__ == "__main__":
    main()
