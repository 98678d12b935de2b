"""Flame graphs from collapsed stacks, and the tables that are made of them. Pure.

A collapsed stack is a line `outermost;...;innermost COUNT`, as py-spy and perf's scripts write it.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from html import escape

WIDTH = 1200
ROW = 17
LEAST = 0.6
"""Pixels; what is narrower is left out."""

Stacks = Mapping[tuple[str, ...], int]
_LINE = re.compile(r"(?P<stack>.*) (?P<count>\d+)")


def read(text: str) -> Stacks:
    """The stacks of a file, outermost frame first, with their counts; () for threads that were outside of Python. Raises ValueError, naming the line, for anything else."""
    found: Counter[tuple[str, ...]] = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"line {number} is no collapsed stack: {line[:100]!r}")
        found[tuple(match["stack"].split(";")) if match["stack"] else ()] += int(match["count"])
    return found


def own_time(stacks: Stacks, group: Callable[[tuple[str, ...]], str]) -> dict[str, float]:
    """The share of counts in each group of stacks, the largest first."""
    whole = sum(stacks.values()) or 1
    shares: Counter[str] = Counter()
    for stack, count in stacks.items():
        shares[group(stack)] += count
    return {name: count / whole for name, count in shares.most_common()}


@dataclass
class _Frame:
    """A function where it was called from: in how many samples it is, and what it called."""

    count: int = 0
    below: dict[str, _Frame] = field(default_factory=dict)


def flame_graph(title: str, stacks: Stacks, unit: str = "samples") -> str:
    """An SVG: each row is called by the row below it, a width is a share of all counts; a tooltip tells name and share. unit: of what
    is counted."""
    root = _Frame()
    for stack, count in stacks.items():
        frame = root
        frame.count += count
        for name in stack:
            frame = frame.below.setdefault(name, _Frame())
            frame.count += count
    scale = WIDTH / (root.count or 1)
    boxes = list(_boxes(root, 0.0, 0, scale))
    height = (max((row for _, _, row, _ in boxes), default=0) + 3) * ROW
    drawn = "\n".join(_box(box, height, root.count) for box in boxes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="monospace" font-size="11">\n<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n'
        f'<text x="4" y="14" font-size="13">{escape(title)}, {root.count:,} {escape(unit)}</text>\n{drawn}\n</svg>\n'
    )


def _boxes(frame: _Frame, left: float, row: int, scale: float) -> Iterable[tuple[str, float, int, int]]:
    for name, below in sorted(frame.below.items()):
        if below.count * scale >= LEAST:
            yield name, left, row, below.count
            yield from _boxes(below, left, row + 1, scale)
        left += below.count * scale


def _box(box: tuple[str, float, int, int], height: int, whole: int) -> str:
    name, left, row, count = box
    width = count / whole * WIDTH
    top = height - (row + 1) * ROW
    shade = zlib.crc32(name.split(" ")[0].encode())
    colour = f"rgb({205 + shade % 50},{90 + shade // 50 % 120},{40 + shade // 6000 % 40})"
    letters = int(width / 6.7)
    label = name if len(name) <= letters else f"{name[: letters - 1]}…" if letters > 3 else ""
    text = f'<text x="{left + 2:.1f}" y="{top + 12}">{escape(label)}</text>' if label else ""
    return (
        f"<g><title>{escape(name)}, {count / whole:.1%}</title>"
        f'<rect x="{left:.1f}" y="{top}" width="{max(width - 0.3, 0.3):.1f}" height="{ROW - 1}" fill="{colour}"/>{text}</g>'
    )
