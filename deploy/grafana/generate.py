"""Writes the dashboards beside it from source/: `make dashboards`. It runs in the environment of scripts/tools, where Grafana's
foundation SDK is, and finds the names of metrics in the server and those of rules in deploy/prometheus.

    generate.py            writes the files
    generate.py --print    prints them as one JSON object, by name of file
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "server")]

from source import (  # noqa: E402
    caching,
    calls,
    changes,
    content,
    objectives,
    overview,
    resources,
    security,
    storage,
    verdicts,
    workers,
)
from source.board import dashboard  # noqa: E402

BOARDS = [
    module.BOARD
    for module in (
        overview,
        calls,
        resources,
        objectives,
        content,
        caching,
        storage,
        changes,
        verdicts,
        workers,
        security,
    )
]


def files() -> dict[str, str]:
    """The text of each file, by its name."""
    return {f"{board.name}.json": dashboard(board) for board in BOARDS}


def main() -> None:
    made = files()
    if sys.argv[1:] == ["--print"]:
        json.dump(made, sys.stdout)
        return
    for stale in HERE.glob("*.json"):
        if stale.name not in made:
            stale.unlink()
    for name, text in made.items():
        (HERE / name).write_text(text)


if __name__ == "__main__":
    main()
