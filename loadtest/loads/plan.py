"""What one process that makes load is told: a JSON file, whose path is in the variable LOAD_PLAN."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .corpus import Entry

VARIABLE = "LOAD_PLAN"
CLOSED, OPEN = "closed", "open"


@dataclass(frozen=True)
class Plan:
    """One run of one scenario.

    wire: `grpc` or `http`; host, port: where that is served. loop: closed (each user calls again when it has its answer) or open
    (calls begin at `rate` per second, whatever became of those before). users: of the closed loop, at full load. seconds: of
    measuring, after `warm_up` seconds of the same load. shape: a name in shapes.SHAPES. most_open: calls of the open loop that may
    wait at once; those above are counted as not sent. processes: process ids by what they are, whose processor time is noted with
    that of their children. metrics: the URL of the server's metrics. result: where the record goes. run: part of the names of new
    subjects, another one for each run on the same server.
    """

    scenario: str
    wire: str
    host: str
    port: int
    loop: str
    seconds: float
    warm_up: float
    users: int
    rate: float
    shape: str
    zipf: float
    seed: int
    subscribers: int
    run: str
    result: str
    most_open: int = 500
    processes: Mapping[str, int] = field(default_factory=dict)
    metrics: str = ""
    corpus: tuple[Entry, ...] = ()

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self)))

    @classmethod
    def of_environment(cls) -> Plan:
        """The plan that the variable names; SystemExit with a sentence when there is none."""
        file = os.environ.get(VARIABLE, "")
        if not file:
            raise SystemExit(f"{VARIABLE} names no plan: start this with `make load` (loadtest/load.py)")
        told = json.loads(Path(file).read_text())
        told["corpus"] = tuple(Entry(**entry) for entry in told["corpus"])
        return cls(**told)
