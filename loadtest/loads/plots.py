"""Small pictures as SVG, written by hand: what a report needs of a plotting library. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 720, 312
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 34, 58
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#7f7f7f")

Point = tuple[float, float]


def histogram(title: str, series: Mapping[str, Sequence[float]], unit: str = "ms") -> str:
    """The share of values in classes whose bounds grow by a fifth, as steps, on a logarithmic axis."""
    values = [v for each in series.values() for v in each if v > 0]
    if not values:
        return _page(title, ['<text x="360" y="150" text-anchor="middle">nothing was measured</text>'])
    low, high = math.floor(_step(min(values))), math.ceil(_step(max(values))) + 1
    counted: dict[str, list[Point]] = {}
    for name, each in series.items():
        counts = [0] * (high - low)
        for value in each:
            if value > 0:
                counts[int(_step(value)) - low if value >= 1.2**low else 0] += 1
        whole = sum(counts) or 1
        counted[name] = [
            point
            for number, count in enumerate(counts)
            for point in ((low + number, count / whole), (low + number + 1, count / whole))
        ]
    ticks = [
        (_step(10.0**power * digit), f"{10.0**power * digit:g}")
        for power in range(-3, 6)
        for digit in (1, 2, 5)
        if low <= _step(10.0**power * digit) <= high
    ]
    return _chart(
        title, counted, ticks, f"{unit}, each class a fifth wider than the one before", lambda v: f"{v:.0%}"
    )


def lines(title: str, series: Mapping[str, Sequence[Point]], across: str, up: str) -> str:
    """Points joined by lines, on plain axes that begin at 0."""
    points = [point for each in series.values() for point in each]
    if not points:
        return _page(title, ['<text x="360" y="150" text-anchor="middle">nothing was measured</text>'])
    ticks = [(v, f"{v:g}") for v in _round_numbers(max(x for x, _ in points))]
    return _chart(f"{title} ({up})", series, ticks, across, lambda v: f"{v:,.4g}")


def _chart(
    title: str,
    series: Mapping[str, Sequence[Point]],
    ticks: Sequence[tuple[float, str]],
    across: str,
    shown: Callable[[float], str],
) -> str:
    points = [point for each in series.values() for point in each]
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    top = max(y for _, y in points) * 1.05 or 1.0

    def place(point: Point) -> str:
        x = LEFT + (point[0] - first) / ((last - first) or 1) * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - point[1] / top * (HEIGHT - TOP - BOTTOM)
        return f"{x:.1f},{y:.1f}"

    parts = []
    for value in _round_numbers(top):
        _, y = place((first, value)).split(",")
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y}" text-anchor="end" dy="4">{escape(shown(value))}</text>')
    for value, label in ticks:
        x, _ = place((value, 0)).split(",")
        parts.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{escape(label)}</text>')
    for number, (name, each) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(place(point) for point in each)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        left = LEFT + 8 + number * (WIDTH - LEFT - RIGHT) / max(len(series), 3)
        parts.append(f'<text x="{left:.0f}" y="{HEIGHT - 6}" fill="{colour}">{escape(name)}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle:.0f}" y="{HEIGHT - BOTTOM + 30}" text-anchor="middle" fill="#555">{escape(across)}</text>'
    )
    return _page(title, parts)


def _page(title: str, parts: Sequence[str]) -> str:
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
            f'height="{HEIGHT}" font-family="sans-serif" font-size="11">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
            f'<text x="{LEFT}" y="20" font-size="14">{escape(title)}</text>',
            *parts,
            "</svg>\n",
        )
    )


def _step(value: float) -> float:
    return math.log(value) / math.log(1.2)


def _round_numbers(most: float) -> list[float]:
    """Up to six round numbers from 0 to `most`."""
    if most <= 0:
        return [0.0]
    raw = most / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * digit for digit in (1, 2, 5, 10) if power * digit >= raw)
    return [step * number for number in range(int(most / step) + 1)]
